package e2e_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// A pass in which nothing has changed, of the example stack, in the built daemon: what it costs the daemon in processor time, what it asks
// of each service, and how much memory the daemon has after at least 100 of them. The interval is so short that passes follow
// each other; Git is not polled meanwhile (see BenchmarkPollUnchanged in internal/gitsource for that).
func BenchmarkNoChangePass(b *testing.B) {
	w := newWorld(b, "bench-pass")
	w.poll, w.level = "1h", "info"
	w.configure("interval: 20ms\n")
	commit := w.push("the stack", w.example())
	w.start()
	w.eventually("the example converges", w.converged(commit))
	passed := make(chan struct{}, 1)
	w.google.OnCall(func(c gcptest.Call, phase gcptest.Phase) {
		if c.Method == "storage.buckets.list" && phase == gcptest.After { // once in every pass
			passed <- struct{}{}
		}
	})
	for range 100 {
		<-passed
	}
	w.google.Forget()
	mark, before := kube.Mark(), processor(b, w.daemon)
	for b.Loop() {
		<-passed
	}
	passes := float64(b.N)
	b.ReportMetric((processor(b, w.daemon)-before).Seconds()*1000/passes, "cpu-ms/pass")
	b.ReportMetric(float64(len(w.google.Calls()))/passes, "google-requests/pass")
	b.ReportMetric(resident(b, w.daemon), "rss-MiB")
	requests, err := kube.Requests(kubetest.Recsysd, mark)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(requests))/passes, "kube-requests/pass")
	w.google.OnCall(nil)
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

// processor is the time that the daemon has spent computing, from the kernel's account in ticks of 10 ms.
func processor(b *testing.B, d *daemon) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	var ticks int
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// resident is the daemon's resident memory in MiB.
func resident(b *testing.B, d *daemon) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kib) / 1024
}
