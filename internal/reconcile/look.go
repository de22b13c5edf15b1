package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// A listing that failed is not tried again for a while, longer each time; what is named is read meanwhile.
const (
	firstRelist = 10 * time.Second
	lastRelist  = 10 * time.Minute
)

// look observes all kinds side by side. A kind that does not answer in time is blind; the others are not. before are the stamps of the last
// look: if this one comes to the same, they are the stamps of this, and the view is left out. nil: the view is wanted in any case.
func (r *Reconciler) look(ctx context.Context, want []resource.Resource, before []uint64) (v plan.View, stamps []uint64) {
	if of := readingOf(want); r.shares.by == nil || r.shares.of != of {
		r.shares = shares{of, map[string][]resource.Resource{}}
		for _, k := range r.Kinds {
			r.shares.by[k.Name] = owned(k, want)
		}
	}
	sights, errs, stamps := make([]resource.Sight, len(r.Kinds)), make([]error, len(r.Kinds)), make([]uint64, len(r.Kinds))
	all := func(spare bool) {
		var looking sync.WaitGroup
		for i, k := range r.Kinds {
			if !spare && before != nil && !sights[i].Spared {
				continue // it has looked
			}
			looking.Go(func() {
				sights[i], errs[i] = r.lookAt(ctx, k, r.shares.by[k.Name], spare)
				stamps[i] = sights[i].Stamp
			})
		}
		looking.Wait()
	}
	if before != nil {
		if all(true); slices.Equal(stamps, before) && !slices.Contains(stamps, 0) {
			return v, stamps
		}
	}
	all(false)
	v = plan.View{Blind: map[string]error{}, Unlisted: map[string]error{}}
	for i, k := range r.Kinds {
		add(&v, k, r.shares.by[k.Name], sights[i], errs[i])
	}
	slices.SortFunc(v.Found, func(a, b resource.Observation) int { return a.Ref.Compare(b.Ref) })
	return v, stamps
}

// add lays what one kind saw into the view. What it could not see is blind by the Ref.Kind of what was wanted of it.
func add(v *plan.View, k resource.Kind, ours []resource.Resource, sight resource.Sight, err error) {
	if err != nil {
		if len(ours) == 0 {
			v.Blind[k.Name] = err
		}
		for _, w := range ours {
			v.Blind[w.Ref.Kind] = err
		}
		return
	}
	v.Found = append(slices.Grow(v.Found, len(sight.Found)), sight.Found...)
	v.Notices = append(v.Notices, sight.Notices...)
	for _, o := range sight.Found {
		if o.State == resource.Unknown {
			v.Blind[o.Ref.Kind] = errors.New(o.Detail)
		}
	}
	for kind, err := range sight.Unlisted {
		v.Unlisted[kind] = err
	}
}

// lookAt observes one kind within the time of one step. A listing that failed lately is left out and still counts as failed. With spare, the
// kind need not work out what has not changed.
func (r *Reconciler) lookAt(ctx context.Context, k resource.Kind, ours []resource.Resource, spare bool) (resource.Sight, error) {
	ctx, cancel := r.patiently(ctx)
	defer cancel()
	r.mu.Lock()
	lately := r.unlisted[k.Name]
	r.mu.Unlock()
	list := time.Now().After(lately.until)
	observe := func() (resource.Sight, error) { return k.Observe(ctx, ours, list) }
	if spare && list {
		observe = func() (resource.Sight, error) { return k.Again(ctx, ours) }
	}
	sight, err := observe()
	if err != nil {
		return sight, because(ctx, err)
	}
	if !list {
		sight.Unlisted = map[string]error{k.Name: lately.err}
		return sight, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if whole, failed := sight.Unlisted[k.Name]; failed {
		wait := min(lastRelist, firstRelist<<min(lately.times, 10))
		r.unlisted[k.Name] = unlisted{lately.times + 1, time.Now().Add(wait), whole}
	} else {
		delete(r.unlisted, k.Name)
	}
	return sight, nil
}

// patiently bounds ctx by the time of one step.
func (r *Reconciler) patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.Settings.StepTimeout, fmt.Errorf("no answer within %s", r.Settings.StepTimeout))
}

// because adds to err why ctx was ended, if it was.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// unlisted is a listing that failed so many times in a row.
type unlisted struct {
	times int
	until time.Time
	err   error
}

// shares has, by kind, what is wanted of it.
type shares struct {
	of reading
	by map[string][]resource.Resource
}

func owned(k resource.Kind, want []resource.Resource) (ours []resource.Resource) {
	for _, w := range want {
		if k.Owns(w) {
			ours = append(ours, w)
		}
	}
	return ours
}

// again looks at one resource by name; nil: it is absent.
func (r *Reconciler) again(ctx context.Context, k resource.Kind, named resource.Resource) (*resource.Observation, error) {
	sight, err := k.Observe(ctx, []resource.Resource{named}, false)
	if err != nil {
		return nil, err
	}
	for _, o := range sight.Found {
		if o.Ref == named.Ref {
			return &o, nil
		}
	}
	return nil, nil
}

// kindOf finds who reads and writes a resource.
func (r *Reconciler) kindOf(named resource.Resource) (resource.Kind, error) {
	for _, k := range r.Kinds {
		if k.Owns(named) {
			return k, nil
		}
	}
	return resource.Kind{}, fmt.Errorf("%s: no kind owns %T: %w", named.Ref, named.Spec, resource.ErrRejected)
}
