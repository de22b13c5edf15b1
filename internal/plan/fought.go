package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// see takes in the live form, with the fields that are fought over kept apart.
func (it *item) see(seen *resource.Observation, rivals map[string]string) {
	it.live = seen
	if len(rivals) == 0 {
		return
	}
	live := *seen
	it.live = &live
	isFought := func(c resource.Change) bool {
		_, fought := rivals[c.Field]
		return fought && !c.Mark
	}
	it.fought = only(live.Diff, isFought)
	live.Diff = only(live.Diff, func(c resource.Change) bool { return !isFought(c) })
	for i := range it.fought {
		it.fought[i].Manager = cmp.Or(it.fought[i].Manager, rivals[it.fought[i].Field])
	}
}

// all are cs with the differences that are fought over, sorted.
func (it *item) all(cs []resource.Change) []resource.Change {
	return slices.SortedFunc(slices.Values(slices.Concat(cs, it.fought)), func(a, b resource.Change) int { return cmp.Compare(a.Field, b.Field) })
}

// yield is step, leaving alone what is fought over and saying so.
func (d *draft) yield(it *item, step Step) Step {
	if len(it.fought) == 0 {
		return step
	}
	why := contested(it.ref, it.fought)
	switch {
	case step.Verb == Keep:
		return Step{Verb: Hold, Held: Update, Why: why, Drift: it.fought}
	case step.Verb == Hold:
		step.Drift = it.all(step.Drift)
	case step.Verb != Recreate: // that makes it anew, as it is declared
		step.Fought = it.fought
	}
	if step.Verb != Recreate {
		step.Why += "; " + why
	}
	return step
}

// contested says what is left alone, because of whom, and how to end it.
func contested(ref resource.Ref, cs []resource.Change) string {
	var names, rivals []string
	for _, c := range cs {
		names = append(names, c.Field)
		if c.Manager != "" && !slices.Contains(rivals, c.Manager) {
			rivals = append(rivals, c.Manager)
		}
	}
	who := "another"
	if len(rivals) > 0 {
		who = strings.Join(rivals, ", ")
	}
	return fmt.Sprintf("%s is left alone: %s sets it again whenever it is put back; stop that, or say in the stack: ignore: [%s]",
		strings.Join(names, ", "), who, resource.IgnoreRule(ref.String(), names))
}
