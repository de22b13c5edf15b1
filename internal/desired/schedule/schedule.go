// Package schedule says when something is awake: windows of the week in a time zone, and dates on which it stays asleep. It is pure:
// it knows neither what sleeps nor the clock, and whoever asks brings the moment.
//
// Times are those on a clock on the wall. Where that clock jumps, a window begins at the first moment at which the clock shows its
// beginning or more, and is over from the moment on which the clock never again shows less than its end: a time that is skipped is the
// moment of the jump, and of a time that comes twice the first is for waking, the last for falling asleep.
package schedule

import (
	"slices"
	"time"
)

// Schedule is a valid one. It is made by Settings.Schedule; the zero value is always awake.
type Schedule struct {
	zone   *time.Location
	weekly []window // none: always awake
	except []span
}

// window is one window of the week. Minutes count from midnight; an end beyond 24 hours is on the next day.
type window struct {
	day        time.Weekday
	begin, end int
}

// span is whole days, the last among them.
type span struct{ first, last date }

// date counts days, in whatever zone.
type date int

const minutesOfDay = 24 * 60

// At reports whether it is awake at now, and until when that stays so; a zero until is for ever.
func (s Schedule) At(now time.Time) (awake bool, until time.Time) {
	if len(s.weekly) == 0 {
		return true, time.Time{}
	}
	const before = 3 // days: a window of yesterday's date may end today, and a zone may be set a day back
	day := dateOf(now.In(s.zone)) - before
	last := s.horizon(dateOf(now.In(s.zone)))
	for ; day <= last; day++ {
		for _, p := range s.periods(day) {
			switch {
			case awake && p.begin.After(until):
				return true, until
			case awake || !p.begin.After(now) && p.end.After(now):
				awake = true
				if p.end.After(until) {
					until = p.end
				}
			case p.begin.After(now):
				return false, p.begin
			}
		}
	}
	return awake, time.Time{} // every day alike, and no end in sight
}

// Wakes is when it next wakes, after now; zero if it never does.
func (s Schedule) Wakes(now time.Time) time.Time {
	awake, until := s.At(now)
	if !awake || until.IsZero() {
		return until
	}
	_, until = s.At(until)
	return until
}

// horizon is a day before which something happens if anything does: some weeks after the last exception, because where clocks jump a
// window of a minute may be skipped.
func (s Schedule) horizon(day date) date {
	for _, e := range s.except {
		day = max(day, e.last)
	}
	return day + 30
}

// period is a time in which it is awake.
type period struct{ begin, end time.Time }

// periods are those of the windows that begin on a day, in order. Of a day on which it stays asleep there are none, and what reaches
// into one from the day before ends at midnight.
func (s Schedule) periods(day date) []period {
	if s.excepted(day) {
		return nil
	}
	var all []period
	for _, w := range s.weekly {
		if w.day != day.weekday() {
			continue
		}
		p := period{first(s.zone, day, w.begin), over(s.zone, day, w.end)}
		if midnight := first(s.zone, day+1, 0); s.excepted(day+1) && midnight.Before(p.end) { // no window reaches further
			p.end = midnight
		}
		all = append(all, p)
	}
	all = slices.DeleteFunc(all, func(p period) bool { return !p.begin.Before(p.end) }) // the clock jumped over it
	slices.SortFunc(all, func(a, b period) int { return a.begin.Compare(b.begin) })
	return all
}

func (s Schedule) excepted(d date) bool {
	return slices.ContainsFunc(s.except, func(e span) bool { return e.first <= d && d <= e.last })
}

// Week is how many minutes of an average week it sleeps, and how many a week has. Exceptions are dates, and jumps of the clock are a
// few hours in a year: neither is in it.
func (s Schedule) Week() (asleep, all int64) {
	all = 7 * minutesOfDay
	if len(s.weekly) == 0 {
		return 0, all
	}
	asleep = all
	for _, w := range s.weekly { // no two have a minute in common
		asleep -= int64(w.end - w.begin)
	}
	return asleep, all
}
