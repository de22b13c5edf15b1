package reconcile

import (
	"context"
	"maps"
	"slices"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// A partial pass looks at what a kick names and at what stands on that, directly or not, and writes nothing else. It lies over the last
// look at everything, and never removes anything. Its plan is over everything: what was decided of the rest stays to be seen.

// scope is what a pass is limited to.
type scope map[resource.Ref]bool

// reading knows a slice of resources again: it is the same in every pass until the stack is read again.
type reading struct {
	first *resource.Resource
	n     int
}

func readingOf(want []resource.Resource) reading {
	if len(want) == 0 {
		return reading{}
	}
	return reading{&want[0], len(want)}
}

// above has, by resource, what stands on it.
type above struct {
	of reading
	by map[resource.Ref][]resource.Ref
}

// within is the scope of refs and what stands on them.
func (r *Reconciler) within(want []resource.Resource, refs []resource.Ref) scope {
	if of := readingOf(want); r.above.of != of {
		r.above = above{of, map[resource.Ref][]resource.Ref{}}
		for i := range want {
			for _, n := range want[i].Needs {
				r.above.by[n.Ref] = append(r.above.by[n.Ref], want[i].Ref)
			}
		}
	}
	s := scope{}
	for next := slices.Clone(refs); len(next) > 0; {
		ref := next[len(next)-1]
		next = next[:len(next)-1]
		if !s[ref] {
			s[ref] = true
			next = append(next, r.above.by[ref]...)
		}
	}
	return s
}

// allows reports whether a pass of this scope may take a step. A pass over everything has none.
func (s scope) allows(step plan.Step) bool {
	return s == nil || s[step.Ref] && (step.Verb == plan.Create || step.Verb == plan.Update)
}

// glance is the last view with a new look at what is in scope laid over it.
func (r *Reconciler) glance(ctx context.Context, want []resource.Resource, only scope) plan.View {
	v := *r.view
	v.Blind = maps.Clone(v.Blind)
	var named []resource.Resource
	wanted := scope{}
	for i := range want {
		if only[want[i].Ref] {
			named, wanted[want[i].Ref] = append(named, want[i]), true
		}
	}
	v.Found = make([]resource.Observation, 0, len(r.view.Found))
	for _, o := range r.view.Found {
		switch {
		case !only[o.Ref]:
			v.Found = append(v.Found, o)
		case o.Owned && o.State != resource.Unknown && !wanted[o.Ref]:
			named = append(named, o.Resource())
		}
	}
	for _, k := range r.Kinds {
		ours := owned(k, named)
		if len(ours) == 0 {
			continue
		}
		ctx, cancel := r.patiently(ctx)
		sight, err := k.Observe(ctx, ours, false)
		err = because(ctx, err)
		cancel()
		sight.Notices = nil // those of the last whole look stand
		add(&v, k, ours, sight, err)
	}
	slices.SortFunc(v.Found, func(a, b resource.Observation) int { return a.Ref.Compare(b.Ref) })
	return v
}
