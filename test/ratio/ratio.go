// Package ratio measures a piece of work against a floor inside one process: something that such work cannot do without, done bare. The two
// take turns, so that whatever else the machine does meets both. What needs a process of its own is measured against test/floor.
package ratio

import (
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Loop is the loop of a benchmark: work and floor in turn. Beside the time of work as ns/op it reports the median of the processor time of
// work over that of floor as the unit cpu-x-floor. Garbage is collected between the turns and belongs to neither, since it would fall now
// on the one and now on the other; B/op tells how much there is of it.
func Loop(b *testing.B, work, floor func() error) {
	b.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for range 3 { // what is made once, such as the size of the heap, belongs to neither
		spent(b, work)
		spent(b, floor)
	}
	var works, floors []time.Duration
	for b.Loop() {
		works = append(works, spent(b, work))
		b.StopTimer()
		runtime.GC()
		floors = append(floors, spent(b, floor))
		runtime.GC()
		b.StartTimer()
	}
	b.ReportMetric(median(works)/median(floors), "cpu-x-floor")
}

// spent is the time for which the process computed while it did something.
func spent(b *testing.B, do func() error) time.Duration {
	b.Helper()
	began := processor(b)
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return processor(b) - began
}

func processor(b *testing.B) time.Duration {
	b.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}
