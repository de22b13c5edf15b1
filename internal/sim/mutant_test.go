package sim_test

import (
	"context"
	"slices"

	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// mutant has the drivers lie in one respect, which comes to the same as an engine that does not care about it: to a planner that
// forgot the ownership test, everything it sees might as well be its own. The zero value tells the truth.
type mutant struct {
	name  string
	all   bool                            // list what belongs to others too
	live  func(l *facts)                  // alter what was seen of a resource
	lost  bool                            // leave out what is unknown
	sight func(unlisted map[string]error) // alter what could not be listed
	err   func(error) error               // alter the error of a look
	stack func(want []resource.Resource)  // alter what was loaded
}

// facts are what a Live says beside its spec.
type facts struct {
	State       resource.State
	Locked      bool
	Owned       bool
	Unprotected string
	Wanted      bool
}

// liar is a driver under a mutant.
type liar[S resource.Spec[S]] struct {
	*sim.Driver[S]
	cloud *sim.Cloud
	mutant
}

func (d liar[S]) Observe(ctx context.Context, want []S, list bool) (resource.Seen[S], error) {
	seen, err := d.Driver.Observe(ctx, want, list)
	if err != nil && d.err != nil && ctx.Err() == nil {
		err = d.err(err)
	}
	if d.all && list {
		for _, t := range d.cloud.Things() {
			if s, ok := t.Spec.(S); ok && t.Owner != "mine" && !has(seen, t.Ref) {
				seen.Live = append(seen.Live, resource.Live[S]{Spec: s, State: t.State})
			}
		}
	}
	if d.sight != nil {
		d.sight(seen.Unlisted)
	}
	kept := seen.Live[:0]
	for _, l := range seen.Live {
		if d.lost && l.State == resource.Unknown {
			continue
		}
		if d.live != nil {
			wanted := slices.ContainsFunc(want, func(s S) bool { return s.Ref() == l.Spec.Ref() })
			f := facts{l.State, l.Locked, l.Owned, l.Unprotected, wanted}
			d.live(&f)
			l.State, l.Locked, l.Owned, l.Unprotected = f.State, f.Locked, f.Owned, f.Unprotected
		}
		kept = append(kept, l)
	}
	seen.Live = kept
	return seen, err
}

func has[S resource.Spec[S]](seen resource.Seen[S], ref resource.Ref) bool {
	for _, l := range seen.Live {
		if l.Spec.Ref() == ref {
			return true
		}
	}
	return false
}

// driver is the simulator's, telling the entry as the real ones do, and lying as the mutant has it.
func driver[S resource.Spec[S]](h *history) resource.Driver[S] {
	d := sim.NewDriver[S](h.cloud, "mine")
	d.Entry = func(s S) string { return asBox(s).Labels["entry"] }
	return liar[S]{d, h.cloud, h.mutant}
}

// retold has the daemon read every resource of the stack differently.
func retold(change func(*resource.Resource)) func([]resource.Resource) {
	return func(want []resource.Resource) {
		for i := range want {
			change(&want[i])
		}
	}
}
