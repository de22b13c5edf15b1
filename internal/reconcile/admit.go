package reconcile

import (
	"context"
	"fmt"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// Verdict is what whoever knows prices says of a stack and its budget.
type Verdict struct {
	Over string // the sum that shows that it passes its budget; "": it does not, or has none
	Hold bool   // it is not to be applied: it adds to what the one before comes to
}

// told is what is over the budget and not held for it, with its place.
func (v Verdict) told(b *resource.Budget) string {
	if b == nil {
		return v.Over
	}
	return b.Pos + ": " + v.Over
}

// Afford judges a stack by its budget, against the one that was let through before; nil: none is known. The engine knows no prices.
// It is asked in every pass, so that a change of prices counts from the next one on.
type Afford func(now Stack, before *Stack) Verdict

// Before gives the stack that was let through last, for a Source that keeps none; ok is false if there is none.
type Before func(ctx context.Context, now time.Time) (from Revision, stack Stack, ok bool, err error)

// admit makes the newest stack the one to go by, unless it is too much for its budget. Then the one that was let through before is kept
// up, and the plan says what is held; where that is not known, nothing at all is written.
func (r *Reconciler) admit(ctx context.Context, p *Pass) {
	p.Budget = r.asked.Budget
	verdict, known := r.judge(ctx, p)
	p.OverBudget, p.Withheld = verdict.Over, verdict.Hold
	if verdict.Over != "" && !verdict.Hold {
		p.asides = append(p.asides, verdict.told(p.Budget))
	}
	switch {
	case !verdict.Hold:
		if r.takenAsked != r.askedTimes {
			r.takenAsked = r.askedTimes
			r.take(r.asked.Revision, r.asked.Stack)
		}
		p.by(r.good)
	case known:
		p.by(r.good)
		p.withheld = plan.Withheld{Why: verdict.Over, Asks: r.asks}
	default:
		p.by(r.asked)
		p.withheld = plan.Withheld{Why: verdict.Over, All: true}
	}
}

// judge asks what there is to say of the newest stack's price, and reports whether the one let through before is known. What was let
// through once stays so: what it comes to later, by other prices, is told and no more.
func (r *Reconciler) judge(ctx context.Context, p *Pass) (v Verdict, known bool) {
	if r.Afford == nil || r.Destroy {
		return Verdict{}, r.good.Commit != ""
	}
	if r.good.Commit == r.asked.Commit {
		return Verdict{Over: r.Afford(r.asked.Stack, &r.asked.Stack).Over}, true
	}
	if v = r.Afford(r.asked.Stack, nil); !v.Hold {
		return v, r.good.Commit != ""
	}
	if known = r.recollect(ctx, p); !known {
		return v, false
	}
	if v = r.Afford(r.asked.Stack, &r.good.Stack); !v.Hold {
		return v, true
	}
	if r.asksOf != (pair{r.askedTimes, r.taken}) {
		r.asks, r.asksOf = plan.AsksOf(r.good.Resources, r.asked.Resources, r.differ), pair{r.askedTimes, r.taken}
	}
	if len(r.asks) == 0 { // one that changes no resource spends nothing, whatever it says of prices
		return Verdict{Over: r.Afford(r.asked.Stack, &r.asked.Stack).Over}, true
	}
	return v, true
}

// pair is a reading of the newest stack, and one of the stack gone by.
type pair struct{ asked, taken int }

// recollect sees to it that good is the stack that was let through before, as it reads now, and reports whether it is known.
func (r *Reconciler) recollect(ctx context.Context, p *Pass) bool {
	if r.good.Commit != "" && r.good.holds(p.Start) {
		return true
	}
	from, stack, ok, err := r.before(ctx, p)
	switch {
	case err != nil:
		p.asides = append(p.asides, fmt.Sprintf("what was wanted before could not be read: %v", err))
		return r.good.Commit != "" // as it was read last
	case ok:
		r.take(from, stack)
	}
	return r.good.Commit != ""
}

// before is the stack that was let through last, by this process or an earlier one.
func (r *Reconciler) before(ctx context.Context, p *Pass) (from Revision, stack Stack, ok bool, err error) {
	switch {
	case r.Before != nil:
		return r.Before(ctx, p.Start)
	case r.good.Commit != "":
		from = r.good.Revision
	default:
		if from, ok, err = r.Source.Kept(ctx); err != nil || !ok {
			return Revision{}, Stack{}, false, err
		}
	}
	stack, err = r.read(ctx, from, p)
	return from, stack, err == nil, err
}

// by notes the stack that the pass goes by.
func (p *Pass) by(s stackAt) {
	p.Want, p.Credit, p.using, p.lookout = s.Resources, s.Credit, s.Revision, s.Observe
}

// differ is what one form of a resource has other than another; nothing where its kind is not known, of which whoever writes it says so.
func (r *Reconciler) differ(now, was resource.Resource) []resource.Change {
	k, err := r.kindOf(now)
	if err != nil {
		return nil
	}
	return k.Compare(now, was)
}
