package reconcile

import (
	"context"
	"errors"
	"fmt"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// stackAt is a revision and the resources of its stack.
type stackAt struct {
	Revision
	want []resource.Resource
}

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
	p.Want, p.using = r.good.want, r.good.Revision
	if p.Attempted == "" {
		p.Attempted = p.using.Commit
	}
	return nil
}

// load makes newest the stack of this pass and of those to come.
func (r *Reconciler) load(ctx context.Context, p *Pass, newest Revision) error {
	if r.good.Commit != newest.Commit {
		want, err := r.read(ctx, newest, p)
		if err != nil {
			return err
		}
		r.good = stackAt{newest, want}
		r.pace.hurry() // what failed may not fail with this one
	}
	p.Want, p.using = r.good.want, newest
	return nil
}

// lastGood reads the stack that an earlier process kept, if this one has none yet.
func (r *Reconciler) lastGood(ctx context.Context, p *Pass) error {
	if r.good.Commit != "" {
		return nil
	}
	kept, ok, err := r.Source.Kept(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("none was good before")
	}
	want, err := r.read(ctx, kept, p)
	if err != nil {
		return fmt.Errorf("the one that was good before: %w", err)
	}
	r.good = stackAt{kept, want}
	return nil
}

// read loads a stack and refuses one that no plan could be made for.
func (r *Reconciler) read(ctx context.Context, from Revision, p *Pass) ([]resource.Resource, error) {
	want, err := r.Load(ctx, from, p.Start)
	if err != nil {
		return nil, err
	}
	return want, plan.Check(want)
}

// keep marks the pass's revision as good, once.
func (r *Reconciler) keep(ctx context.Context, p *Pass) error {
	if p.using.Commit == "" || p.using.Commit == r.kept {
		return nil
	}
	if err := r.Source.Keep(ctx, p.using); err != nil {
		return fmt.Errorf("keeping revision %.12s: %w", p.using.Commit, err)
	}
	r.kept = p.using.Commit
	return nil
}
