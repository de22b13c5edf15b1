package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// A pass in which nothing has changed, in the built daemon: what it costs the daemon in processor time, what it asks of each service, and
// how much memory the daemon has after at least 100 of them. The interval is so short that passes follow each other; Git is not
// polled meanwhile (see BenchmarkPollUnchanged in internal/gitsource for that).
func BenchmarkNoChangePass(b *testing.B) {
	b.Run("solo", func(b *testing.B) {
		w := newWorld(b, "bench-pass")
		noChangePass(b, w, "", nil, w.example())
	})
	b.Run("team", func(b *testing.B) {
		files, base := team(b, "bench-team")
		noChangePass(b, newWorld(b, "bench-team-production"), "environment: production\n", []string{"api"}, base, files...)
	})
}

func noChangePass(b *testing.B, w *world, stackKeys string, balanced []string, stack string, others ...string) {
	w.poll, w.level = "1h", "info"
	w.configure("interval: 20ms\n" + stackKeys)
	commit := w.push("the stack", stack, others...)
	w.start()
	for _, service := range balanced {
		w.balance(service)
	}
	w.eventually("the stack converges", w.converged(commit))
	passed := make(chan struct{}, 1)
	w.google.OnCall(func(c gcptest.Call, phase gcptest.Phase) {
		if c.Method == "storage.buckets.list" && phase == gcptest.After { // once in every pass
			passed <- struct{}{}
		}
	})
	for range 100 {
		<-passed
	}
	scrape := func() (sums [4]float64) {
		for i, name := range []string{"recsysd_pass_duration_seconds_count", "recsysd_pass_duration_seconds_sum", "go_memstats_mallocs_total", "go_memstats_alloc_bytes_total"} {
			v, err := w.metric(name)
			if err != nil {
				b.Fatal(err)
			}
			sums[i] = v
		}
		return sums
	}
	w.google.Forget()
	mark, before, account := kube.Mark(), processor(b, w.daemon), scrape()
	for b.Loop() {
		<-passed
	}
	spent, after := processor(b, w.daemon)-before, scrape()
	passes := after[0] - account[0]
	b.ReportMetric(spent.Seconds()*1000/passes, "cpu-ms/pass")
	b.ReportMetric((after[1]-account[1])*1000/passes, "wall-ms/pass")
	b.ReportMetric((after[2]-account[2])/passes, "allocs/pass")
	b.ReportMetric((after[3]-account[3])/1024/passes, "alloc-KiB/pass")
	b.ReportMetric(resident(b, w.daemon), "rss-MiB")
	services := map[string]float64{}
	for _, c := range w.google.Calls() {
		services[c.Service]++
	}
	for service, calls := range services {
		b.ReportMetric(calls/passes, service+"-requests/pass")
	}
	requests, err := kube.Requests(kubetest.Recsysd, mark)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(requests))/passes, "kube-requests/pass")
	b.ReportMetric(0, "ns/op") // the interval's, which says nothing
	w.google.OnCall(nil)
}

// Whatever reaches for methods by name brings back those of every type, a third of the binary: docs/dependencies.md says how to find it.
func TestTheBinaryStaysSmall(t *testing.T) {
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if mb := float64(info.Size()) / 1e6; mb > 60 {
		t.Errorf("the stripped binary has %.1f MB", mb)
	}
}

// The size of the program as it is released.
func BenchmarkBinarySize(b *testing.B) {
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB")
}

// processor is the time that the daemon has spent computing, in user space and in the kernel, from the kernel's clock of that process.
func processor(b *testing.B, d *daemon) time.Duration {
	clock := int32(^d.cmd.Process.Pid)<<3 | 2 // as clock_getcpuclockid(3) makes it; /proc counts in ticks of 10 ms
	var spent unix.Timespec
	if err := unix.ClockGettime(clock, &spent); err != nil {
		b.Fatalf("the daemon's processor time: %v", err)
	}
	return time.Duration(spent.Nano())
}

// resident is the daemon's resident memory in MiB.
func resident(b testing.TB, d *daemon) float64 { return memory(b, d, "VmRSS") }

// high is the most memory that the daemon has had resident, in MiB.
func high(b testing.TB, d *daemon) float64 { return memory(b, d, "VmHWM") }

// memory is a line of the kernel's account of the daemon, in MiB.
func memory(b testing.TB, d *daemon, line string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), line+":")
	var kib float64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		b.Fatalf("%s of the daemon: %v", line, err)
	}
	return kib / 1024
}
