package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// decide looks at one resource alone.
func (d *draft) decide(it *item) Step {
	if it.live == nil {
		return d.decideAbsent(it)
	}
	if it.live.State == resource.Unknown {
		if it.want == nil && !it.live.Owned {
			return Step{}
		}
		return hold(Keep, d.unread(it))
	}
	if it.want == nil || d.policy.Destroy {
		return d.decideUnwanted(it)
	}
	return d.decideWanted(it)
}

func (d *draft) decideAbsent(it *item) Step {
	kind := it.ref.Kind
	if d.view.Blind[kind] != nil { // the plan says why, once for all of them
		return hold(Keep, kind+" could not be observed, so it is left alone")
	}
	if d.policy.Destroy {
		return Step{} // nothing there, nothing to remove
	}
	if why := d.suspended(it); why != "" {
		return Step{Verb: Hold, Held: Keep, Why: why, Left: true}
	}
	if why, refused := d.restrained(it); why != "" {
		return d.restrain(it, Step{Verb: Hold, Held: Create, Why: why, Rejected: refused})
	}
	if asleep(it.want.Rest) {
		return Step{Verb: Create, Why: "is absent; it is made asleep"}
	}
	return Step{Verb: Create, Why: "is absent"}
}

// unread is why one that exists is left alone. A reason that the plan gives for the whole kind is not repeated.
func (d *draft) unread(it *item) string {
	const why = "could not be read, so it is left alone"
	if blind := d.view.Blind[it.ref.Kind]; blind != nil && blind.Error() == it.live.Detail {
		return why
	}
	return why + ": " + cmp.Or(it.live.Detail, "no reason given")
}

// decideWanted compares what is wanted with what lives.
func (d *draft) decideWanted(it *item) Step {
	want, live := it.want, it.live
	if !live.Owned && (want.Observe || want.Shared && !want.Adopt) {
		return Step{Verb: Keep, Why: "is not ours: used as it is"}
	}
	step := d.bring(it)
	if why := d.suspended(it); why != "" {
		return Step{Verb: Hold, Held: Keep, Why: why, Drift: d.differences(it), Left: true}
	}
	if why, refused := d.restrained(it); why != "" && (step.Verb.Writes() || len(it.fought) > 0) {
		if step.Claim && d.policy.Observe {
			return hold(Keep, why)
		}
		held := step.Verb
		if !held.Writes() {
			held = Update
		}
		return d.restrain(it, Step{Verb: Hold, Held: held, Why: why, Drift: d.differences(it), Rejected: refused, Claim: step.Claim})
	}
	return d.yield(it, step)
}

// bring is the step that would bring live to what is wanted, if nothing else spoke against it.
func (d *draft) bring(it *item) Step {
	want, live := it.want, it.live
	if !live.Owned && !want.Adopt {
		return Step{Verb: Hold, Held: Update, Drift: live.Diff, Why: "exists, but is not ours: take it over with adopt: true, or choose another name"}
	}
	if marks := d.marks(it); len(marks) > 0 && live.Owned {
		return Step{Verb: Update, Why: noted(marks), Drift: marks}
	}
	fixed := only(live.Diff, func(c resource.Change) bool { return c.Recreate })
	if live.Refused != "" && len(live.Diff) > 0 {
		why := "differs in " + fields(live.Diff) + ", which is refused: " + live.Refused
		if want.Pos != "" {
			why += " (" + want.Pos + ")"
		}
		return Step{Verb: Hold, Held: Update, Why: why, Drift: live.Diff, Rejected: true}
	}
	switch {
	case len(fixed) > 0:
		return d.replace(it, fixed)
	case !live.Owned:
		// Marks are for what is ours: they follow in the next pass.
		changes := only(live.Diff, func(c resource.Change) bool { return !c.Mark })
		if len(only(changes, func(c resource.Change) bool { return !c.Owner })) == 0 {
			return Step{Verb: Update, Why: "is as it should be; will be marked as this stack's, as adopt asks", Drift: changes, Claim: true}
		}
		return Step{Verb: Update, Why: "is taken over, as adopt asks", Drift: changes}
	case len(live.Diff) > 0 && live.Turn() != "":
		return Step{Verb: Update, Why: fmt.Sprintf("is to be %s: differs in %s", live.Rest, fields(live.Diff)), Drift: live.Diff}
	case len(live.Diff) > 0:
		return Step{Verb: Update, Why: "differs in " + fields(live.Diff), Drift: live.Diff}
	case live.State != resource.Ready:
		return Step{Verb: Keep, Why: cmp.Or(live.Detail, "is "+live.State.String())}
	case live.Rest != nil && *live.Rest != (resource.Rest{}):
		return Step{Verb: Keep, Why: fmt.Sprintf("is %s, as it should be", live.Rest)}
	}
	return Step{Verb: Keep, Why: "is as it should be"}
}

func asleep(r *resource.Rest) bool { return r != nil && r.Asleep }

// replace decides on a difference that the provider cannot change in place.
func (d *draft) replace(it *item, fixed []resource.Change) Step {
	step := Step{Verb: Hold, Held: Recreate, Drift: it.live.Diff, Why: "differs in " + fields(fixed) + ", which cannot be changed in place" + notes(fixed)}
	marks := only(it.live.Diff, func(c resource.Change) bool { return c.Mark })
	switch {
	case !it.live.Owned && it.lifetime() == resource.Disposable && len(marks) > 0:
		return Step{Verb: Update, Why: "is taken over, as adopt asks; " + fields(fixed) + " cannot be changed in place, so it is made anew after that", Drift: marks}
	case !it.live.Owned:
		step.Why += "; it is not ours yet, so it is not replaced either"
	case it.lifetime() != resource.Disposable && d.protected(it) != "":
		step.Why += "; " + d.protected(it)
	case len(d.view.Blind) > 0:
		step.Why += "; nothing is removed while " + d.blindKinds() + " cannot be observed"
	case d.unlistedDwellers(it) != "":
		step.Why += "; " + d.unlistedDwellers(it)
	case d.held[it.ref] != "":
		step.Why += "; " + d.held[it.ref]
	default:
		step.Verb, step.Held = Recreate, ""
	}
	return step
}

// decideUnwanted is about what lives and is asked for by nobody.
func (d *draft) decideUnwanted(it *item) Step {
	live := it.live
	if !live.Owned {
		if it.want == nil {
			return Step{}
		}
		return Step{Verb: Keep, Why: "is not ours: stays"}
	}
	if why := d.suspended(it); why != "" {
		return hold(Keep, why)
	}
	restrained, refused := d.restrained(it)
	if marks := d.marks(it); len(marks) > 0 && restrained == "" {
		return Step{Verb: Update, Why: noted(marks), Drift: marks}
	}
	// What holds for long comes before what holds for a moment.
	switch why := cmp.Or(d.protected(it), d.notPruned()); {
	case why != "":
		return hold(Delete, "is no longer wanted; "+why)
	case restrained != "":
		return Step{Verb: Hold, Held: Delete, Why: "is no longer wanted; " + restrained, Rejected: refused}
	}
	if why := cmp.Or(d.unseen(it), d.held[it.ref]); why != "" {
		return hold(Delete, "is no longer wanted; "+why)
	}
	return Step{Verb: Delete, Why: "is no longer wanted"}
}

func (d *draft) notPruned() string {
	switch {
	case d.policy.Destroy:
		return ""
	case d.policy.Lookout:
		return "the stack's mode is observe"
	case !d.policy.Prune:
		return "prune is off"
	}
	return ""
}

// unseen is why a removal would be made without knowing enough.
func (d *draft) unseen(it *item) string {
	if len(d.view.Blind) > 0 {
		return "nothing is removed while " + d.blindKinds() + " cannot be observed"
	}
	if err := d.view.Unlisted[it.ref.Kind]; err != nil {
		return fmt.Sprintf("%s could not be listed: %v", it.ref.Kind, err)
	}
	return d.unlistedDwellers(it)
}

// unlistedDwellers is why something may live in a resource that nobody has seen.
func (d *draft) unlistedDwellers(it *item) string {
	if len(d.view.Unlisted) == 0 || !d.houses[it.ref.Kind] {
		return ""
	}
	return "something may live in it: " + strings.Join(slices.Sorted(maps.Keys(d.view.Unlisted)), ", ") + " could not be listed"
}

func (d *draft) blindKinds() string {
	return strings.Join(slices.Sorted(maps.Keys(d.view.Blind)), ", ")
}

// suspended is why somebody wants it left alone, difference or not.
func (d *draft) suspended(it *item) string {
	switch {
	case d.policy.Suspended != "":
		return "the stack is suspended: " + d.policy.Suspended
	case d.policy.Held[it.ref] != "":
		return "is suspended: " + d.policy.Held[it.ref]
	case it.want != nil && it.want.Suspend != "":
		return "is suspended: " + it.want.Suspend
	}
	return ""
}

// onlyLooked reports whether it is not to be written, by its own mode or by that of all.
func (d *draft) onlyLooked(it *item) bool {
	return d.policy.Observe || it.want != nil && it.want.Observe
}

// restrain says of a Hold what sort of reason restrained gave for it.
func (d *draft) restrain(it *item, step Step) Step {
	step.Left = d.onlyLooked(it)
	step.Awaited = !step.Left && it.live != nil && (it.live.Locked || it.live.State == resource.Busy)
	return step
}

// restrained is why nothing is written to it now; refused if that is because the provider would not take it.
func (d *draft) restrained(it *item) (why string, refused bool) {
	detail := func(what string) string {
		if it.live.Detail != "" {
			return what + ": " + it.live.Detail
		}
		return what
	}
	switch {
	case d.policy.Observe:
		return "mode is observe", false
	case it.want != nil && it.want.Observe:
		return "its mode is observe", false
	case it.live != nil && it.live.Locked:
		return detail("waits until it takes writes"), false
	case it.live != nil && it.live.State == resource.Busy:
		return detail("waits until the provider has finished its own work on it"), false
	case d.policy.Rejected[it.ref] != "":
		return "was refused, and is not tried again until the commit, the configuration or the resource changes: " + d.policy.Rejected[it.ref], true
	}
	return "", false
}

func hold(held Verb, why string) Step { return Step{Verb: Hold, Held: held, Why: why} }

func only(cs []resource.Change, keep func(resource.Change) bool) []resource.Change {
	var out []resource.Change
	for _, c := range cs {
		if keep(c) {
			out = append(out, c)
		}
	}
	return out
}

// notes are what the kind has to say to the changes.
func notes(cs []resource.Change) string {
	var all string
	for _, c := range cs {
		if c.Note != "" {
			all += "; " + c.Note
		}
	}
	return all
}

// fields names up to three of the fields.
func fields(cs []resource.Change) string {
	const shown = 3
	var names []string
	for i, c := range cs {
		if i == shown {
			return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", len(cs)-shown)
		}
		names = append(names, c.Field)
	}
	return strings.Join(names, ", ")
}
