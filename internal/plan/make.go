package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// ErrEmpty: a stack that wants nothing is taken for a mistake, never for the wish to remove everything.
var ErrEmpty = errors.New("the stack is empty: nothing would be kept; use destroy to take a stack down")

// Make decides what to do about every wanted resource and every live one that is ours. The error is one of the stack itself:
// it is empty, or stands on itself.
//
// A plan is drawn, and then looked at as a whole: whatever may not be removed because of what else is in the plan is
// added to the holds, and the plan is drawn again. Every round holds more, so the rounds end.
func Make(want []resource.Resource, v View, p Policy) (Plan, error) {
	if !p.Destroy && !p.Checked {
		if err := Check(want); err != nil {
			return Plan{}, err
		}
	}
	d := newDraft(want, v, p)
	for {
		d.draw()
		more := d.findStanding()
		maps.Copy(more, d.findUngrounded())
		if len(more) == 0 {
			more = d.findTooMany()
		}
		if len(more) == 0 {
			var cycle []resource.Ref
			if cycle = d.order(); cycle == nil {
				break
			}
			if more = d.removalsOf(cycle); len(more) == 0 {
				return Plan{}, cycleError(cycle)
			}
		}
		maps.Copy(d.held, more)
	}
	return Plan{Steps: append(d.steps, d.newcomers()...), Blind: reasons(v.Blind), Notices: notices(v)}, nil
}

// draft is a plan in the making.
type draft struct {
	view   View
	policy Policy
	items  map[resource.Ref]*item
	refs   []resource.Ref  // of items, sorted: every walk goes in this order
	houses map[string]bool // the kinds that anything lives in
	held   map[resource.Ref]string
	steps  []Step
}

// item pairs what is wanted with what was seen; one of the two may be missing.
type item struct {
	ref        resource.Ref
	want       *resource.Resource
	live       *resource.Observation
	fought     []resource.Change // differences of the live one that are left alone; its Diff is without them
	dependents []resource.Ref    // whose wanted or live form stands on this one
	step       Step              // no Verb: no business of ours
}

func newDraft(want []resource.Resource, v View, p Policy) *draft {
	most := max(len(want), len(v.Found))
	d := &draft{view: v, policy: p, items: make(map[resource.Ref]*item, most), refs: make([]resource.Ref, 0, most), houses: map[string]bool{}, held: map[resource.Ref]string{}}
	at := func(ref resource.Ref) *item {
		it := d.items[ref]
		if it == nil {
			it = &item{ref: ref}
			d.items[ref], d.refs = it, append(d.refs, ref)
		}
		return it
	}
	for i := range want {
		at(want[i].Ref).want = &want[i]
	}
	for i := range v.Found {
		if v.Found[i].State != resource.Absent {
			at(v.Found[i].Ref).see(&v.Found[i], p.Fought[v.Found[i].Ref])
		}
	}
	slices.SortFunc(d.refs, resource.Ref.Compare)
	for _, ref := range d.refs {
		it := d.items[ref]
		for _, needs := range [][]resource.Need{it.wants(p), it.stands()} {
			for _, n := range needs {
				if n.In && !d.houses[n.Ref.Kind] {
					d.houses[n.Ref.Kind] = true
				}
				// One that is needed twice by ref has it last.
				if on := d.items[n.Ref]; on != nil && (len(on.dependents) == 0 || on.dependents[len(on.dependents)-1] != ref) {
					on.dependents = append(on.dependents, ref)
				}
			}
		}
	}
	return d
}

// draw decides each resource by itself, then what follows from one for another.
func (d *draft) draw() {
	for _, ref := range d.refs {
		it := d.items[ref]
		it.step = d.withhold(it, d.decide(it))
		it.step.Ref = ref
		switch {
		case it.want != nil:
			it.step.Entry = it.want.Entry
		case it.live != nil:
			it.step.Entry = it.live.Entry
		}
		it.step.Usable = it.live != nil && it.live.State.Usable() && !it.step.removes()
		it.step.Rest, it.step.Turn = d.rest(it)
	}
	d.inherit()
	d.spread()
	d.goAlong()
}

// rest is what a resource is to be, asleep or awake, and whether it is to turn for that.
func (d *draft) rest(it *item) (*resource.Rest, resource.Turn) {
	switch {
	case it.want == nil || d.policy.Destroy:
		return nil, ""
	case it.live == nil || it.live.State == resource.Unknown:
		return it.want.Rest, ""
	case !it.live.Owned && !it.want.Adopt:
		return nil, ""
	}
	return it.live.Rest, it.live.Turn()
}

// wants are the needs of the wanted form; nothing is wanted of a stack that is taken down.
func (it *item) wants(p Policy) []resource.Need {
	if it.want == nil || p.Destroy {
		return nil
	}
	return it.want.Needs
}

// stands are the needs of the live form.
func (it *item) stands() []resource.Need {
	if it.live == nil {
		return nil
	}
	return it.live.Needs
}

// on reports whether one of needs is ref, and whether as what it lives in.
func on(needs []resource.Need, ref resource.Ref) (found, in bool) {
	for _, n := range needs {
		if n.Ref == ref {
			found, in = true, in || n.In
		}
	}
	return found, in
}

func reasons(m map[string]error) map[string]string {
	out := map[string]string{}
	for kind, err := range m {
		out[kind] = err.Error()
	}
	return out
}

// notices are what people should read beside the steps: a listing that failed, and what the drivers noted.
func notices(v View) []string {
	out := slices.Sorted(slices.Values(v.Notices)) // the kinds look side by side
	for _, kind := range slices.Sorted(maps.Keys(v.Unlisted)) {
		out = append(out, fmt.Sprintf("%s could not be listed, so nothing of that kind is removed: %v", kind, v.Unlisted[kind]))
	}
	var telling []*resource.Observation
	for i := range v.Found {
		if len(v.Found[i].Notices) > 0 {
			telling = append(telling, &v.Found[i])
		}
	}
	slices.SortFunc(telling, func(a, b *resource.Observation) int { return a.Ref.Compare(b.Ref) })
	for _, o := range telling {
		for _, n := range o.Notices {
			out = append(out, fmt.Sprintf("%s: %s", o.Ref, n))
		}
	}
	return out
}
