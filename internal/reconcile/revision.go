package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recsysd.dev/recsysd/internal/plan"
)

// stackAt is a revision and its stack as it was read.
type stackAt struct {
	Revision
	Stack
}

// take makes a stack the one to go by. What was seen for another says nothing of it.
func (r *Reconciler) take(from Revision, stack Stack) {
	r.good = stackAt{from, stack}
	r.taken++
}

// holds reports whether the stack still reads the same at now.
func (s stackAt) holds(now time.Time) bool { return s.Until.IsZero() || now.Before(s.Until) }

// revise finds the stack that the pass is for: that of the newest revision, or, where Git is away or the stack invalid, of the
// last good one, and says so in the pass.
func (r *Reconciler) revise(ctx context.Context, p *Pass) error {
	newest, err := r.Source.Fetch(ctx)
	p.SourceErr = err
	p.Attempted = newest.Commit
	if newest.Commit != "" {
		err := r.load(ctx, p, newest)
		if err == nil {
			return nil
		}
		p.StackErr = err
	}
	if err := r.lastGood(ctx, p); err != nil {
		return fmt.Errorf("there is no revision to go by: %w", errors.Join(p.SourceErr, err))
	}
	p.by(r.good)
	p.Budget = r.good.Budget
	if p.Attempted == "" {
		p.Attempted = p.using.Commit
	}
	return nil
}

// load reads newest, if that has not been done or its time has come, and makes it the stack of this pass and of those to come, unless it
// is too much for its budget.
func (r *Reconciler) load(ctx context.Context, p *Pass, newest Revision) error {
	isNew := r.asked.Commit != newest.Commit
	if isNew || !r.asked.holds(p.Start) {
		stack, err := r.read(ctx, newest, p)
		if err != nil {
			return err
		}
		r.asked = stackAt{newest, stack}
		r.askedTimes++
		r.taken++ // it may be gone by without being good: what was seen for another says nothing of it
	}
	if isNew {
		r.pace.hurry() // what failed may not fail with this one
	}
	r.admit(ctx, p)
	return nil
}

// lastGood reads the stack that an earlier process kept, if this one has none yet, and reads a stack again whose time has come. If that
// cannot be done, the stack goes on as it was read before: what was asleep stays asleep, and drift is put back meanwhile.
func (r *Reconciler) lastGood(ctx context.Context, p *Pass) error {
	if r.good.Commit != "" {
		if r.good.holds(p.Start) || r.good.Commit == p.Attempted { // of that, the error is known
			return nil
		}
		stack, err := r.read(ctx, r.good.Revision, p)
		if err != nil {
			p.StackErr = errors.Join(p.StackErr, fmt.Errorf("the one that was good before, read again for this time: %w", err))
			return nil
		}
		r.take(r.good.Revision, stack)
		return nil
	}
	kept, ok, err := r.Source.Kept(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("none was good before")
	}
	stack, err := r.read(ctx, kept, p)
	if err != nil {
		return fmt.Errorf("the one that was good before: %w", err)
	}
	r.take(kept, stack)
	return nil
}

// read loads a stack and refuses one that no plan could be made for.
func (r *Reconciler) read(ctx context.Context, from Revision, p *Pass) (Stack, error) {
	stack, err := r.Load(ctx, from, p.Start)
	if err != nil {
		return Stack{}, err
	}
	return stack, plan.Check(stack.Resources)
}

// keep marks the pass's revision as good, once: what is withheld is not, so that the one kept is what was let through last.
func (r *Reconciler) keep(ctx context.Context, p *Pass) error {
	if p.withheld.All || p.using.Commit == "" || p.using.Commit == r.kept {
		return nil
	}
	if err := r.Source.Keep(ctx, p.using); err != nil {
		return fmt.Errorf("keeping revision %.12s: %w", p.using.Commit, err)
	}
	r.kept = p.using.Commit
	return nil
}
