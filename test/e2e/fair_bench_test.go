package e2e_test

import (
	"testing"
	"time"
)

// From a push to a repository on this machine until the API server has answered the write, for 48 stacks of a few objects in one daemon: alone,
// and in the company of one stack whose every call hangs and one whose every call fails. The floor is the same 48 alone in the same run.
func BenchmarkFair(b *testing.B) {
	f := newFleet(b, "bench-fair", 48)
	f.level = "info"
	hanging, failing := f.stray("bench-fair-hangs"), f.stray("bench-fair-fails")
	f.configureFleet(f.members...)
	f.start()
	f.settle(f.members...)
	b.ReportMetric(resident(b, f.daemon), "rss-MiB")
	const rounds = 3
	for b.Loop() {
		f.pushes("to warm up", 1, f.members...)
		alone := f.pushes("alone", rounds, f.members...)

		all := append([]*member{hanging, failing}, f.members...)
		f.configureFleet(all...)
		f.settle(all...)
		f.hang(hanging)
		f.fail(failing)
		began, before := time.Now(), processor(b, f.daemon)
		company := f.pushes("in company", rounds, f.members...)
		b.ReportMetric((processor(b, f.daemon)-before).Seconds()/time.Since(began).Seconds()*100, "%-of-a-core")

		at := func(all []time.Duration, q float64) float64 { return all[int(q*float64(len(all)-1))].Seconds() * 1000 }
		b.ReportMetric(at(alone, 0.5), "alone-ms")
		b.ReportMetric(at(company, 0.5), "median-ms")
		b.ReportMetric(at(company, 0.99), "p99-ms")
		b.ReportMetric(at(company, 0.5)/at(alone, 0.5), "wall-x-floor")
		b.ReportMetric(at(company, 0.99)/at(alone, 0.99), "p99-x-floor")

		for _, m := range []*member{hanging, failing} {
			m.proxy.Refuse(nil)
			m.git.Misbehave(nil)
		}
		f.configureFleet(f.members...)
	}
	b.ReportMetric(0, "ns/op")
}
