package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// asleepMark follows a desired hash where it was the sleeping form that was wanted.
const asleepMark = "/asleep"

// form identifies what is wanted of a resource now: its spec, and whether asleep. o is the newest look at it; where there is nothing to
// look at, the schedule alone speaks. Two forms of one spec are two things to be in sync with, so that to turn is a change.
func form(w resource.Resource, o resource.Observation) string {
	rest := o.Rest
	if rest == nil {
		rest = w.Rest
	}
	if rest != nil && rest.Asleep {
		return w.Hash + asleepMark
	}
	return w.Hash
}

// specOf is the desired hash in a form.
func specOf(form string) string { return strings.TrimSuffix(form, asleepMark) }

// settled are the resources that were in sync with what is wanted now when they were last seen, and are not to turn.
func settled(inSync map[resource.Ref]string, want []resource.Resource, view plan.View) map[resource.Ref]bool {
	all := make(map[resource.Ref]bool, len(want))
	for _, w := range want {
		was, known := inSync[w.Ref]
		if !known {
			continue
		}
		if seen := seenAmong(view.Found, w.Ref); was == form(w, seen) && seen.Turn() == "" {
			all[w.Ref] = true
		}
	}
	return all
}

// nextTurn is when the first of what was seen is to turn by itself; zero: nothing does.
func nextTurn(seen []resource.Observation, now time.Time) time.Time {
	var next time.Time
	for i := range seen {
		if o := &seen[i]; o.Rest != nil && o.Rest.Until.After(now) && (next.IsZero() || o.Rest.Until.Before(next)) {
			next = o.Rest.Until
		}
	}
	return next
}

// SetRest notes a person's word on a wanted resource: that it is asleep, or awake, until a time, whatever its schedule says. The word is
// kept on the live resource alone, and followed by the next pass. It may be called at any time.
func (r *Reconciler) SetRest(ctx context.Context, w resource.Resource, by resource.Rest) error {
	r.begin()
	stack, one := r.suspended(w.Ref)
	switch {
	case r.Settings.Observe || w.Observe:
		return fmt.Errorf("%s is only looked at: its mode is observe", w.Ref)
	case stack != "":
		return fmt.Errorf("the stack is suspended: %s", stack)
	case one != "" || w.Suspend != "":
		return fmt.Errorf("%s is suspended: %s", w.Ref, one+w.Suspend)
	}
	k, err := r.kindOf(w)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.Settings.StepTimeout)
	defer cancel()
	now, err := r.again(ctx, k, w)
	switch {
	case err != nil:
		return err
	case now == nil:
		return fmt.Errorf("%s does not exist", w.Ref)
	case now.State == resource.Unknown:
		return fmt.Errorf("%s could not be read: %s", w.Ref, now.Detail)
	case !now.Owned:
		return fmt.Errorf("%s is not ours", w.Ref)
	}
	return k.SetRest(ctx, *now, by)
}
