package plan

import (
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// Withheld is a commit that is held as a whole, for a reason beyond any single resource. What is wanted meanwhile is the stack as the
// commit before it said it, which is kept up as ever: drift is put back, what sleeps wakes.
type Withheld struct {
	Why  string // "": nothing is withheld
	Asks map[resource.Ref]Ask
	// All: what was wanted before is not known. What is wanted is the commit that is withheld, and nothing at all is written.
	All bool
}

// Ask is what a commit that is withheld would do to one resource.
type Ask struct {
	Verb  Verb
	Drift []resource.Change // against what is wanted meanwhile
	Entry string
}

// AsksOf is what a stack asks for beside the one before it. What it only looks at is nobody's change. differ compares two forms of one resource.
func AsksOf(was, now []resource.Resource, differ func(now, was resource.Resource) []resource.Change) map[resource.Ref]Ask {
	asks := map[resource.Ref]Ask{}
	had := make(map[resource.Ref]*resource.Resource, len(was))
	for i := range was {
		had[was[i].Ref] = &was[i]
	}
	for i := range now {
		w := &now[i]
		before := had[w.Ref]
		delete(had, w.Ref)
		switch {
		case w.Observe || before != nil && before.Hash == w.Hash:
		case before == nil:
			asks[w.Ref] = Ask{Verb: Create, Entry: w.Entry}
		default:
			asks[w.Ref] = rewriting(differ(*w, *before), w.Entry)
		}
	}
	for ref, gone := range had {
		if !gone.Observe {
			asks[ref] = Ask{Verb: Delete, Entry: gone.Entry}
		}
	}
	return asks
}

// rewriting is what bringing a resource to another form asks for.
func rewriting(drift []resource.Change, entry string) Ask {
	ask := Ask{Verb: Update, Drift: drift, Entry: entry}
	if slices.ContainsFunc(drift, func(c resource.Change) bool { return c.Recreate }) {
		ask.Verb = Recreate
	}
	return ask
}

// withhold is step, or in place of one that has nothing to do a hold of what the withheld commit asks for. What is due all the same
// stays due, but that nothing is removed which that commit wants back.
func (d *draft) withhold(it *item, step Step) Step {
	w := d.policy.Withheld
	ask, asked := w.Asks[it.ref]
	switch {
	case w.Why == "" || d.policy.Destroy:
		return step
	case w.All && step.Verb.Writes():
		return Step{Verb: Hold, Held: step.Verb, Why: w.Why, Drift: it.all(step.Drift), Claim: step.Claim}
	case asked && (step.Verb == Keep && it.live != nil && it.live.Owned || step.Verb == Delete):
		return Step{Verb: Hold, Held: ask.Verb, Why: w.Why, Drift: ask.Drift}
	}
	return step
}

// newcomers are holds of what a withheld commit adds: nobody has looked for it yet.
func (d *draft) newcomers() []Step {
	var steps []Step
	for ref, ask := range d.policy.Withheld.Asks {
		if d.items[ref] == nil && ask.Verb == Create {
			steps = append(steps, Step{Ref: ref, Verb: Hold, Held: Create, Why: d.policy.Withheld.Why, Entry: ask.Entry})
		}
	}
	slices.SortFunc(steps, func(a, b Step) int { return a.Ref.Compare(b.Ref) })
	return steps
}
