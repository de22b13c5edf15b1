package reconcile

import (
	"context"
	"math/rand/v2"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

const (
	soon      = 250 * time.Millisecond // after a pass that changed something
	firstWait = soon                   // while something is only awaited; it grows
	lastWait  = 15 * time.Second
	breath    = 100 * time.Millisecond // between the starts of passes, so that a watch that flaps cannot take the machine
)

// Run makes passes until ctx is done: at the interval, on every kick, and soon again while anything moves. It returns after
// the steps in flight are through.
func (r *Reconciler) Run(ctx context.Context, kick <-chan Kick) error {
	k := Kick{Why: "start"}
	var due time.Time        // of the next pass over everything
	var waited time.Duration // how long the last pause was, while things were only awaited
	for {
		p := r.Pass(ctx, k)
		if k.Done != nil {
			k.Done(p)
		}
		if ctx.Err() != nil {
			return nil
		}
		var pause time.Duration
		pause, waited = r.pause(p, waited)
		// A pass over a part may bring the next over everything forward; however many there are, they never put it off.
		if next := time.Now().Add(pause); len(p.Partial) == 0 || next.Before(due) {
			due = next
		}
		var ok bool
		if k, ok = r.await(ctx, kick, p.Start.Add(breath), due, pause < r.Settings.Interval/2); !ok {
			return nil
		}
	}
}

// await returns what the next pass is for: a kick, though not before first, or the time due. It is not ok when ctx is done.
func (r *Reconciler) await(ctx context.Context, kick <-chan Kick, first, due time.Time, follows bool) (k Kick, ok bool) {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return Kick{}, false
		case <-timer.C:
			if follows {
				return Kick{Why: "follow-up"}, true
			}
			return Kick{Why: "interval"}, true
		case k, open := <-kick:
			if !open { // nobody will kick again
				kick = nil
				continue
			}
			select {
			case <-ctx.Done():
				return Kick{}, false
			case <-time.After(time.Until(first)):
				return together(k, kick), true
			}
		}
	}
}

// together joins k with the kicks that wait behind it.
func together(k Kick, kick <-chan Kick) Kick {
	for {
		select {
		case next, open := <-kick:
			if !open {
				return k
			}
			k = join(k, next)
		default:
			return k
		}
	}
}

func join(a, b Kick) Kick {
	j := Kick{Refs: append(a.Refs, b.Refs...), Why: a.Why, Retry: a.Retry || b.Retry, MaxDeletes: max(a.MaxDeletes, b.MaxDeletes)}
	if len(a.Refs) == 0 || len(b.Refs) == 0 {
		j.Refs = nil
	}
	if a.Why != b.Why {
		j.Why += ", " + b.Why
	}
	j.Done = func(p Pass) {
		for _, done := range []func(Pass){a.Done, b.Done} {
			if done != nil {
				done(p)
			}
		}
	}
	return j
}

// pause is how long to wait before the next pass, if nobody kicks: briefly after a change, longer and longer while something is
// only awaited, until the earliest retry after a failure, else the interval with some jitter.
func (r *Reconciler) pause(p Pass, waited time.Duration) (pause, awaiting time.Duration) {
	interval := time.Duration(float64(r.Settings.Interval) * (0.9 + 0.2*rand.Float64()))
	pause = interval
	switch moved, waits := motion(p); {
	case moved:
		pause = soon
	case waits:
		awaiting = max(firstWait, min(lastWait, waited*3/2))
		pause = awaiting
	}
	for i, res := range p.Results {
		if res.Outcome == plan.Failed {
			pause = min(pause, max(soon, time.Until(r.pace.due(p.Plan.Steps[i].Ref, r.Settings.MinGap))))
		}
	}
	if !r.early.IsZero() {
		pause = min(pause, max(0, time.Until(r.early)))
	}
	for _, then := range []time.Time{r.good.Until, r.asked.Until, nextTurn(p.Seen, p.Start)} { // the stack reads otherwise; a person's word is over
		if until := time.Until(then); until > 0 {
			pause = min(pause, until)
		}
	}
	return max(min(pause, interval), breath), awaiting
}

// motion reports whether the pass changed anything, and whether anything is expected to change by itself.
func motion(p Pass) (moved, waits bool) {
	if p.Same {
		return false, false
	}
	for _, res := range p.Results {
		moved = moved || res.Outcome == plan.OK
		waits = waits || res.Outcome == plan.Waiting
	}
	for i, s := range p.Plan.Steps { // a partial pass leaves steps that are due
		waits = waits || s.Verb.Writes() && i < len(p.Results) && p.Results[i].Outcome == plan.None
	}
	for i := range p.Seen {
		o := &p.Seen[i]
		waits = waits || o.Owned && (o.State == resource.Pending || o.State == resource.Busy || o.Locked)
	}
	return moved, waits || len(p.Plan.Blind) > 0
}
