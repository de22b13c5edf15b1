package main

import (
	"context"
	"fmt"
	"slices"

	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/view"
)

var _ control.Daemon = (*daemon)(nil)

// find is the runner of a stack; "" is the only one.
func (d *daemon) find(stack string) (*runner, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if stack == "" && len(d.runners) == 1 {
		return d.runners[0], nil
	}
	if stack == "" {
		return nil, fmt.Errorf("%w: there are several stacks; name one", control.ErrInvalid)
	}
	for _, r := range d.runners {
		if r.name == stack {
			return r, nil
		}
	}
	return nil, fmt.Errorf("stack %s: %w", stack, control.ErrNotFound)
}

func (d *daemon) status() view.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := view.Status{Stacks: []view.StackStatus{}}
	if d.confErr != nil {
		s.ConfigError = d.confErr.Error()
	}
	for _, r := range d.runners {
		s.Stacks = append(s.Stacks, r.status())
	}
	return s
}

// Status implements control.Daemon.
func (d *daemon) Status(context.Context) (view.Status, error) { return d.status(), nil }

// History implements control.Daemon.
func (d *daemon) History(ctx context.Context, stack string) (view.History, error) {
	r, err := d.find(stack)
	if err != nil {
		return view.History{}, err
	}
	p, err := r.running(ctx)
	if err != nil {
		return view.History{}, err
	}
	return view.History{Stack: r.name, Passes: p.store.Passes()}, nil
}

// Drift implements control.Daemon.
func (d *daemon) Drift(_ context.Context, stack string) (view.Drift, error) {
	r, err := d.find(stack)
	if err != nil {
		return view.Drift{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v := view.DriftOf(r.name, r.last)
	v.Price(r.last, r.book())
	return v, nil
}

// Sync implements control.Daemon.
func (d *daemon) Sync(ctx context.Context, stack string, o control.Sync) (view.StackStatus, error) {
	if o.MaxDeletes < 0 {
		return view.StackStatus{}, fmt.Errorf("%w: --max-deletes must not be negative", control.ErrInvalid)
	}
	r, err := d.find(stack)
	if err != nil {
		return view.StackStatus{}, err
	}
	return r.sync(ctx, o)
}

// sync looks at Git, then has a pass made over everything and waits for it. That Git cannot be reached is in the pass's own account.
func (r *runner) sync(ctx context.Context, o control.Sync) (view.StackStatus, error) {
	p, err := r.running(ctx)
	if err != nil {
		return view.StackStatus{}, err
	}
	look := p.source.Poll
	if o.AcceptRewrite {
		look = p.source.AcceptRewrite
	}
	if err := look(ctx); err != nil && (o.AcceptRewrite || ctx.Err() != nil) {
		return view.StackStatus{}, err
	}
	if err := r.pass(ctx, p, reconcile.Kick{Why: "sync", Retry: true, MaxDeletes: o.MaxDeletes}); err != nil {
		return view.StackStatus{}, err
	}
	return r.status(), nil
}

// pass has the engine make a pass, and waits for it.
func (r *runner) pass(ctx context.Context, p *parts, k reconcile.Kick) error {
	passed := make(chan struct{})
	k.Done = func(reconcile.Pass) { close(passed) }
	if r.send(ctx, k) {
		select {
		case <-passed:
			return nil
		case <-p.ended:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("stack %s: stopped, or started anew, before the pass was through; ask again", r.name)
}

// Suspend implements control.Daemon.
func (d *daemon) Suspend(ctx context.Context, stack, ref, reason string) error {
	return d.suspend(ctx, stack, ref, reason)
}

// Resume implements control.Daemon.
func (d *daemon) Resume(ctx context.Context, stack, ref string) error {
	return d.suspend(ctx, stack, ref, "")
}

// suspend notes a reason to leave a stack or one resource alone; no reason takes the note away. It holds at once, and has been
// written down when the pass that it waits for is through.
func (d *daemon) suspend(ctx context.Context, stack, ref, reason string) error {
	r, err := d.find(stack)
	if err != nil {
		return err
	}
	p, err := r.running(ctx)
	if err != nil {
		return err
	}
	var named resource.Ref // zero: the whole stack
	if ref != "" {
		if named, err = resource.ParseRef(ref); err != nil {
			return fmt.Errorf("%w: %w", control.ErrInvalid, err)
		}
	}
	if reason != "" && ref != "" {
		if err := r.knows(named); err != nil {
			return err
		}
	}
	if err := p.engine.Suspend(named, reason); err != nil {
		return err
	}
	why := "resume"
	if reason != "" {
		why = "suspend"
	}
	return r.pass(ctx, p, reconcile.Kick{Why: why})
}

// knows refuses a name that the stack does not have, which is a slip of the pen: who suspends relies on it. Where nothing was seen
// yet, or the kind cannot be observed, any name may be right.
func (r *runner) knows(ref resource.Ref) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil || len(r.last.Plan.Steps) == 0 || r.last.Plan.Blind[ref.Kind] != "" {
		return nil
	}
	if slices.ContainsFunc(r.last.Plan.Steps, func(s plan.Step) bool { return s.Ref == ref }) {
		return nil
	}
	return fmt.Errorf("%s in stack %s: %w; recsysd status shows the names", ref, r.name, control.ErrNotFound)
}

// running is the parts that work now. While the stack is being started they are waited for.
func (r *runner) running(ctx context.Context) (*parts, error) {
	for {
		r.mu.Lock()
		p, broken, turned := r.parts, r.broken, r.turned
		r.mu.Unlock()
		switch {
		case p != nil:
			return p, nil
		case broken != nil:
			return nil, fmt.Errorf("stack %s: %w", r.name, broken)
		}
		select {
		case <-turned:
		case <-r.done:
			return nil, fmt.Errorf("stack %s: is stopped", r.name)
		case <-ctx.Done():
			return nil, fmt.Errorf("stack %s: is being started: %w", r.name, ctx.Err())
		}
	}
}
