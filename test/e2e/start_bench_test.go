package e2e_test

import (
	"net/http"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// From the start of the program to its first plan, against servers on this machine: "plan" is recsysd plan from its start to its end, with the
// repository transferred anew; "run" is the daemon from its start to the end of its first pass, with the repository it had before. The floor
// is the program that does nothing but say its version: what the runtime and the packages' initialisation take.
func BenchmarkStart(b *testing.B) {
	w := newWorld(b, "bench-start")
	w.poll, w.level = "1h", "info"
	w.configure("interval: 1h\n")
	commit := w.push("the stack", w.example())
	w.start()
	w.eventually("the stack converges", w.converged(commit))
	if err := w.stop(); err != nil {
		b.Fatal(err)
	}
	b.Run("plan", func(b *testing.B) {
		var took, least []time.Duration
		var spent, floor time.Duration
		for b.Loop() {
			wall, cpu := timed(b, "version")
			least, floor = append(least, wall), floor+cpu
			wall, cpu = timed(b, "plan", "--config", w.config)
			took, spent = append(took, wall), spent+cpu
		}
		report(b, took, least)
		b.ReportMetric(spent.Seconds()*1000/float64(len(took)), "cpu-ms")
		b.ReportMetric(spent.Seconds()/floor.Seconds(), "cpu-x-floor")
	})
	b.Run("run", func(b *testing.B) {
		var took, least []time.Duration
		for b.Loop() {
			wall, _ := timed(b, "version")
			least, took = append(least, wall), append(took, w.firstPass(b))
		}
		report(b, took, least)
	})
}

// timed is how long a command takes, and what it spends computing.
func timed(b *testing.B, args ...string) (wall, cpu time.Duration) {
	b.Helper()
	cmd := exec.Command(binary, args...)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("recsysd %v: %v: %s", args, err, out)
	}
	return time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// firstPass is how long the daemon takes from its start until its first pass is through, to the next millisecond or so.
func (w *world) firstPass(b *testing.B) time.Duration {
	b.Helper()
	began := time.Now()
	w.start()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for w.ready() != http.StatusOK {
		if <-look.C; w.daemon.gone() || time.Since(began) > time.Minute {
			b.Fatal("no pass came to an end: " + w.daemon.tail())
		}
	}
	took := time.Since(began)
	if err := w.stop(); err != nil {
		b.Fatal(err)
	}
	return took
}

// ready is what /readyz answers; 0 while nobody does.
func (w *world) ready() int {
	address := w.address()
	if address == "" {
		return 0
	}
	resp, err := http.Get("http://" + address + "/readyz")
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func report(b *testing.B, took, floor []time.Duration) {
	b.ReportMetric(median(took).Seconds()*1000, "median-ms")
	b.ReportMetric(slices.Max(took).Seconds()*1000, "max-ms")
	b.ReportMetric(median(took).Seconds()/median(floor).Seconds(), "wall-x-floor")
	b.ReportMetric(0, "ns/op") // the mean of both
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
