package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// act is one run of a plan's steps: what they need to know, and what was seen after them.
type act struct {
	*Reconciler
	commit string
	want   map[resource.Ref]resource.Resource
	before map[resource.Ref]resource.Observation

	mu    sync.Mutex
	after map[resource.Ref]*resource.Observation // nil: absent
	due   time.Time                              // when the first of the steps that were too early may be taken
}

// perform runs the steps of the pass's plan that are in scope, and lays what was seen after them over what was seen before.
// It returns what there is then, by name.
func (r *Reconciler) perform(ctx context.Context, p *Pass, before map[resource.Ref]resource.Observation, only scope) map[resource.Ref]resource.Observation {
	r.early = time.Time{}
	if !slices.ContainsFunc(p.Plan.Steps, func(s plan.Step) bool { return s.Verb.Writes() && only.allows(s) }) {
		p.Results = make([]plan.Result, len(p.Plan.Steps))
		for i := range p.Plan.Steps {
			s := &p.Plan.Steps[i]
			p.Results[i] = plan.Result{Ref: s.Ref, Verb: s.Verb, Usable: s.Usable}
		}
		r.stillFailing(p, only)
		return before
	}
	a := &act{
		Reconciler: r, commit: p.using.Commit, after: map[resource.Ref]*resource.Observation{},
		want: map[resource.Ref]resource.Resource{}, before: before,
	}
	for _, w := range p.Want {
		a.want[w.Ref] = w
	}
	limited := p.Plan
	limited.Steps = slices.Clone(p.Plan.Steps)
	for i, s := range limited.Steps {
		if s.Verb.Writes() && !only.allows(s) {
			limited.Steps[i].Verb = plan.Keep
		}
	}
	p.Results = plan.Run(ctx, limited, r.Settings.Width, a.do)
	for i, s := range p.Plan.Steps {
		p.Results[i].Verb = s.Verb
	}
	r.stillFailing(p, only)
	r.early = a.due
	if len(a.after) == 0 {
		return before
	}
	seen := maps.Clone(before)
	for ref, o := range a.after {
		if o == nil {
			delete(seen, ref)
		} else {
			seen[ref] = *o
		}
	}
	p.Seen = slices.SortedFunc(maps.Values(seen), func(x, y resource.Observation) int { return x.Ref.Compare(y.Ref) })
	return seen
}

// stillFailing lays what failed at an earlier pass over the steps that are out of scope: that this pass has not tried them makes them no
// better.
func (r *Reconciler) stillFailing(p *Pass, only scope) {
	for i := range p.Plan.Steps {
		if s := &p.Plan.Steps[i]; s.Verb.Writes() && !only.allows(*s) {
			if f, failed := r.pace.failing(s.Ref); failed {
				err := postponed{f.at, f.cause}
				p.Results[i].Outcome, p.Results[i].Err = plan.OutcomeOf(err), err
			}
		}
	}
}

// do performs one step, unless it is too early for it, and looks again. A step that has begun is not cut short by the daemon's end.
func (a *act) do(ctx context.Context, s plan.Step) (usable bool, err error) {
	if at := a.pace.due(s.Ref, a.Settings.MinGap); time.Now().Before(at) {
		a.tooEarly(at)
		if cause := a.pace.failure(s.Ref); cause != nil {
			return s.Usable, postponed{at, cause}
		}
		return s.Usable, fmt.Errorf("%w: was written a moment ago, not again before %s", resource.ErrUnavailable, at.Format(time.TimeOnly))
	}
	leave, err := a.Queue.enter(ctx, a.Stack)
	if err != nil {
		return s.Usable, fmt.Errorf("%w: not started: %w", resource.ErrUnavailable, err)
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), a.Settings.StepTimeout, fmt.Errorf("no answer within %s", a.Settings.StepTimeout))
	defer cancel()
	usable, err = a.write(ctx, s)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	a.remember(s, err)
	if a.Progress != nil {
		a.Progress(result(s, usable, err))
	}
	return usable, err
}

func (a *act) tooEarly(at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.due.IsZero() || at.Before(a.due) {
		a.due = at
	}
}

// write makes the calls of one step and looks at the resource afterwards, also when a call failed: its effect may be there.
func (a *act) write(ctx context.Context, s plan.Step) (usable bool, err error) {
	live, exists := a.before[s.Ref]
	named, wanted := a.want[s.Ref]
	if !wanted {
		named = live.Resource()
	}
	k, err := a.kindOf(named)
	if err != nil {
		return s.Usable, err
	}
	for _, c := range s.Fought {
		named.Ignore = append(slices.Clip(named.Ignore), c.Field)
	}
	a.pace.write(s.Ref)
	switch s.Verb {
	case plan.Create:
		err = k.Create(ctx, named)
	case plan.Update:
		err = k.Update(ctx, named, live, s.Drift)
	case plan.Delete:
		err = k.Delete(ctx, live, false)
	case plan.Recreate:
		err = a.recreate(ctx, k, named, live, s)
	}
	now, seeing := a.again(ctx, k, named)
	if seeing != nil {
		return exists && s.Usable, errors.Join(err, fmt.Errorf("looking again: %w", seeing))
	}
	a.mu.Lock()
	a.after[s.Ref] = now
	a.mu.Unlock()
	if s.Verb == plan.Delete || s.Within {
		return now == nil, err
	}
	if err == nil {
		err = unlike(s, now)
	}
	usable = now != nil && now.State.Usable()
	if s.Verb == plan.Recreate && err != nil {
		usable = false // it may still be the old one, which nobody may build on nor take away the ground from
	}
	return usable, err
}

// recreate deletes, and makes anew what is gone at once. What takes its time to go is made by a later pass, as is
// what lives in something that is itself recreated.
func (a *act) recreate(ctx context.Context, k resource.Kind, named resource.Resource, live resource.Observation, s plan.Step) error {
	if err := k.Delete(ctx, live, true); err != nil || s.Within {
		return err
	}
	now, err := a.again(ctx, k, named)
	if err != nil {
		return err
	}
	if now != nil {
		return fmt.Errorf("%w: the old one is on its way out", resource.ErrUnavailable)
	}
	return k.Create(ctx, named)
}

// unlike says why a step is not seen to have succeeded although its calls did.
func unlike(s plan.Step, now *resource.Observation) error {
	switch {
	case now == nil && s.Verb == plan.Create:
		return nil // accepted; the provider may take its time to show it
	case now == nil:
		return errors.New("was written, and is gone")
	case now.State == resource.Unknown:
		return fmt.Errorf("was written, and cannot be seen: %s", now.Detail)
	case now.Locked || now.State == resource.Busy || s.Verb != plan.Update:
		return nil
	}
	for _, c := range s.Drift {
		if !remains(c, now) {
			return nil
		}
	}
	if len(s.Drift) == 0 {
		return nil
	}
	return futile(s.Drift[0].Field)
}

// remains reports whether a difference is there as it was before.
func remains(c resource.Change, now *resource.Observation) bool {
	if c.Field == resource.FieldUnprotected && c.Mark {
		return now.Unprotected != c.Want
	}
	return slices.ContainsFunc(now.Diff, func(d resource.Change) bool { return d.Field == c.Field && d.Have == c.Have })
}

// futile is the error of an update that was accepted and changed nothing; it is the field that still differs.
type futile string

func (f futile) Error() string { return "was written, and still differs in " + string(f) }

// remember notes how the step ended for those to come.
func (a *act) remember(s plan.Step, err error) {
	switch {
	case err == nil:
		a.pace.succeed(s.Ref)
	case errors.Is(err, resource.ErrUnavailable):
	case errors.Is(err, resource.ErrRejected):
		a.pace.refuse(s.Ref, refusal{commit: a.commit, form: form(a.want[s.Ref], a.before[s.Ref]), version: a.before[s.Ref].Version, why: err.Error()})
	default:
		a.pace.fail(s.Ref, err)
	}
}

func result(s plan.Step, usable bool, err error) plan.Result {
	return plan.Result{Ref: s.Ref, Verb: s.Verb, Outcome: plan.OutcomeOf(err), Usable: usable, Err: err}
}
