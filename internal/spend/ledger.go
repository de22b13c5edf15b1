package spend

import (
	"fmt"
	"time"

	"recsysd.dev/recsysd/internal/cost"
)

// Time in the ledger is wall-clock time in whole milliseconds, so that a month times any sum of this world fits into Money's own 128 bits.
const tick = time.Millisecond

// hoursOfRate is the month that a rate is of.
const hoursOfRate = cost.HoursPerMonth * time.Hour

const (
	// blink is how far a moment may lie before the newest one without the clock being wrong: the end of a pass is told when the pass has
	// been written down, and somebody may have asked meanwhile.
	blink = time.Minute
	// unwatched is the longest time that is counted although nobody saw it go by: a month in which nothing changed, so that nothing was
	// written, and a month in which nothing ran.
	unwatched = 62 * 24 * time.Hour
)

// ledger adds dollars up. Between two changes of the rate it is not written to: what has been spent at a moment follows from the moment.
type ledger struct {
	since  time.Time // the first moment that is counted; zero: none is yet
	at     time.Time // the sums are as of then
	spent  cost.Money
	saved  cost.Money
	month  cost.Money // of spent, since the calendar month of at began
	rate   rate       // since at
	newest time.Time  // the newest moment that anybody has named; not before at
}

// moment is t as the ledger has it.
func moment(t time.Time) time.Time { return t.UTC().Truncate(tick) }

// monthOf is the beginning of t's calendar month, in UTC.
func monthOf(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }

// over is what a monthly sum comes to in a time.
func over(d time.Duration, monthly cost.Money) cost.Money {
	return monthly.Part(int64(d/tick), int64(hoursOfRate/tick))
}

// reach takes the ledger to t. A clock that jumps is told in words: what it skipped is not counted beyond what is plausible, and nothing is
// ever taken back.
func (l *ledger) reach(t time.Time) (told string) {
	t = moment(t)
	switch was := l.newest; {
	case l.since.IsZero():
		l.since, l.at, l.newest = t, t, t
	case !t.Before(was) && t.Sub(was) <= unwatched:
		l.newest = t
	case t.Before(was) && was.Sub(t) <= blink:
	case t.Before(was):
		l.settle()
		l.skip(t)
		return fmt.Sprintf("the clock went back from %s to %s: what a stack has cost goes on from there", stamp(was), stamp(t))
	default:
		l.newest = was.Add(unwatched)
		l.settle()
		l.skip(t)
		return fmt.Sprintf("nobody looked from %s to %s: %d days of that are counted in what the stack has cost", stamp(was), stamp(t), unwatched/(24*time.Hour))
	}
	return ""
}

func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// settle brings the sums to the newest moment.
func (l *ledger) settle() {
	l.spent, l.saved, l.month = l.sums()
	l.at = l.newest
}

// skip goes on from t without counting what lies between. The sums are settled.
func (l *ledger) skip(t time.Time) {
	if !monthOf(t).Equal(monthOf(l.at)) {
		l.month = cost.Money{}
	}
	l.at, l.newest = t, t
}

// sums are those at the newest moment.
func (l *ledger) sums() (spent, saved, month cost.Money) {
	gone := l.newest.Sub(l.at)
	spent, saved = l.spent.Plus(over(gone, l.rate.live)), l.saved.Plus(over(gone, l.rate.saved))
	if begin := monthOf(l.newest); begin.After(l.at) {
		return spent, saved, over(l.newest.Sub(begin), l.rate.live)
	}
	return spent, saved, l.month.Plus(over(gone, l.rate.live))
}

// forecast is what the calendar month will have come to, if the rest of it costs what is expected of a month.
func (l *ledger) forecast(expected cost.Money) cost.Money {
	_, _, month := l.sums()
	return month.Plus(over(monthOf(l.newest).AddDate(0, 1, 0).Sub(l.newest), expected))
}
