// Package ratio measures a piece of work against a floor inside one process: something that such work cannot do without, done bare. The two
// take turns, so that whatever else the machine does meets both. What needs a process of its own is measured against test/floor.
package ratio

import (
	"slices"
	"testing"
	"time"
)

// Loop is the loop of a benchmark: work and floor in turn. Beside the time of work as ns/op it reports the median of work over that of
// floor as the unit wall-x-floor; medians, because a turn in which the process was interrupted says nothing of either.
func Loop(b *testing.B, work, floor func() error) {
	b.Helper()
	var works, floors []time.Duration
	for b.Loop() {
		works = append(works, timed(b, work))
		b.StopTimer()
		floors = append(floors, timed(b, floor))
		b.StartTimer()
	}
	b.ReportMetric(median(works)/median(floors), "wall-x-floor")
}

func timed(b *testing.B, do func() error) time.Duration {
	b.Helper()
	began := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}
