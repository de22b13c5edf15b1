package plan

import (
	"fmt"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// Check finds what is wrong with a stack as a whole, whatever lives: it is empty, names a resource twice, or has resources that
// stand on themselves.
func Check(want []resource.Resource) error {
	if len(want) == 0 {
		return ErrEmpty
	}
	g := graph{}
	for _, r := range want {
		if _, twice := g[r.Ref]; twice {
			return fmt.Errorf("%s is in the stack twice", r.Ref)
		}
		g[r.Ref] = []resource.Ref{}
		for _, n := range r.Needs {
			g[r.Ref] = append(g[r.Ref], n.Ref)
		}
	}
	if _, cycle := g.sort(); cycle != nil {
		return cycleError(cycle)
	}
	return nil
}

func cycleError(cycle []resource.Ref) error {
	names := make([]string, 0, len(cycle)+1)
	for _, ref := range append(slices.Clone(cycle), cycle[0]) {
		names = append(names, ref.String())
	}
	return fmt.Errorf("resources stand on one another in a circle: %s", strings.Join(names, " needs "))
}

// order sets After of every step and lays the steps in a row. A cycle is returned instead, if there is one.
func (d *draft) order() (cycle []resource.Ref) {
	g, courtesy := make(graph, len(d.refs)), graph{}
	for _, ref := range d.refs {
		it := d.items[ref]
		if it.step.Verb == "" {
			continue
		}
		g[ref] = append(d.ground(it), d.upon(it)...)
		ahead := d.ahead(it)
		if it.step.turns(resource.Sleep) {
			ahead = d.sleepers(it)
		}
		if len(ahead) > 0 {
			courtesy[ref] = ahead
		}
	}
	if g.none() && courtesy.none() { // nothing is to be done, or nothing waits: names alone give the order
		d.steps = make([]Step, 0, len(g))
		for _, ref := range d.refs {
			if it := d.items[ref]; it.step.Verb != "" {
				d.steps = append(d.steps, it.step)
			}
		}
		return nil
	}
	sorted, cycle := g.with(courtesy).sort()
	for cycle != nil && courtesy.cut(cycle) {
		sorted, cycle = g.with(courtesy).sort()
	}
	whole := g.with(courtesy)
	d.steps = make([]Step, 0, len(sorted))
	for _, ref := range sorted {
		d.items[ref].step.After = whole[ref]
		d.steps = append(d.steps, d.items[ref].step)
	}
	return cycle
}

// ground is what must be usable before a step that builds: without it the provider would refuse.
func (d *draft) ground(it *item) []resource.Ref {
	var after []resource.Ref
	for _, n := range it.wants(d.policy) {
		need := d.items[n.Ref]
		built := need != nil && (need.step.Verb == Create || need.step.Verb == Recreate)
		switch {
		case it.step.Verb == Update:
			if n.In && built && it.letsGo() { // a mark is written where the resource is now
				after = append(after, n.Ref)
			}
		case it.step.Verb == Create, it.step.Verb == Recreate && !it.step.Within:
			// What nobody wants and nobody has seen is no obstacle to order, but nothing can be made inside it.
			known := need != nil && need.step.Verb != ""
			usable := known && need.step.Usable || need != nil && need.live != nil && need.live.State.Usable()
			if built || !usable && (known || n.In) {
				after = append(after, n.Ref)
			}
		}
	}
	return after
}

// ahead is what goes ahead of a change although it could be made without: what the resource stands on, where that is itself
// written by this plan, does not work now, or is to wake. So a commit reaches what is stood on first, and goes no further while that
// is in trouble. The repair of drift restores what was well before, and waits for nothing.
func (d *draft) ahead(it *item) []resource.Ref {
	builds := it.letsGo() && !it.step.Within && !it.step.Claim && !d.policy.Settled[it.ref] || it.step.Verb == Create && !asleep(it.want.Rest)
	if !builds {
		return nil
	}
	var after []resource.Ref
	for _, n := range it.wants(d.policy) {
		need := d.items[n.Ref]
		if n.In || need == nil || need.step.Verb == "" {
			continue
		}
		state := resource.Absent
		if need.live != nil {
			state = need.live.State
		}
		if need.step.Verb.Writes() || need.step.Turn == resource.Wake || state == resource.Pending || state == resource.Broken {
			after = append(after, n.Ref)
		}
	}
	return after
}

// sleepers are what stands on a resource that is to fall asleep, and is to fall asleep before it.
func (d *draft) sleepers(it *item) []resource.Ref {
	var after []resource.Ref
	for _, ref := range it.dependents {
		dep := d.items[ref]
		if asked, _ := on(dep.wants(d.policy), it.ref); !asked || !asleep(dep.step.Rest) {
			continue
		}
		lies := dep.live != nil && dep.live.Asleep && dep.live.State != resource.Pending
		if absent := dep.live == nil && d.view.Blind[ref.Kind] == nil; !lies && !absent {
			after = append(after, ref)
		}
	}
	return after
}

// upon is what must be gone, or have let go, before a step that removes.
func (d *draft) upon(it *item) []resource.Ref {
	if !it.step.removes() {
		return nil
	}
	var after []resource.Ref
	for _, dep := range d.above(it) {
		if dep.step.Verb == Keep { // a part of it: nothing is done about it
			continue
		}
		gone := dep.step.Verb == Delete || dep.step.Within
		if stood, _ := on(dep.stands(), it.ref); gone || stood && it.step.Verb == Delete && dep.letsGo() {
			after = append(after, dep.ref)
		}
	}
	return after
}

// removalsOf holds the removals of a cycle: live resources may stand on one another, whatever the stack says.
func (d *draft) removalsOf(cycle []resource.Ref) map[resource.Ref]string {
	found := map[resource.Ref]string{}
	for _, ref := range cycle {
		if s := d.items[ref].step; s.Verb == Delete || s.Verb == Recreate && !s.Within {
			found[ref] = "it and others stand on one another: " + cycleError(cycle).Error()
		}
	}
	if len(found) > 0 {
		return found
	}
	// Only what goes with something else: hold what it lives in, which is what the plan would recreate.
	for _, ref := range d.refs {
		root := d.items[ref]
		if root.step.Verb == Recreate && !root.step.Within && slices.ContainsFunc(d.dwellers(root), func(in *item) bool { return slices.Contains(cycle, in.ref) }) {
			found[ref] = "what lives in it stands on one another: " + cycleError(cycle).Error()
		}
	}
	return found
}

// graph has, by resource, what comes before it. What is only named is no part of it.
type graph map[resource.Ref][]resource.Ref

// with is the graph with the edges of another added.
func (g graph) with(o graph) graph {
	both := make(graph, len(g))
	for ref, before := range g {
		both[ref] = slices.Concat(before, o[ref])
		slices.SortFunc(both[ref], resource.Ref.Compare)
		both[ref] = slices.Compact(both[ref])
	}
	return both
}

// none reports whether nothing comes before anything.
func (g graph) none() bool {
	for _, before := range g {
		if len(before) > 0 {
			return false
		}
	}
	return true
}

// cut takes out the edges along a cycle, and reports whether there were any.
func (g graph) cut(cycle []resource.Ref) bool {
	found := false
	for i, ref := range cycle {
		next := cycle[(i+1)%len(cycle)]
		kept := slices.DeleteFunc(slices.Clone(g[ref]), func(b resource.Ref) bool { return b == next })
		found = found || len(kept) < len(g[ref])
		g[ref] = kept
	}
	return found
}

// sort lays the resources in a row in which everything comes after what it needs; names break ties. If that cannot be
// done it returns one cycle.
func (g graph) sort() (row, cycle []resource.Ref) {
	missing := map[resource.Ref]int{}
	next := map[resource.Ref][]resource.Ref{}
	var free []resource.Ref
	for ref, before := range g {
		for _, b := range before {
			if _, ok := g[b]; ok {
				missing[ref]++
				next[b] = append(next[b], ref)
			}
		}
		if missing[ref] == 0 {
			free = append(free, ref)
		}
	}
	slices.SortFunc(free, resource.Ref.Compare)
	for len(free) > 0 {
		ref := free[0]
		free = free[1:]
		row = append(row, ref)
		for _, n := range next[ref] {
			if missing[n]--; missing[n] == 0 {
				i, _ := slices.BinarySearchFunc(free, n, resource.Ref.Compare)
				free = slices.Insert(free, i, n)
			}
		}
	}
	if len(row) == len(g) {
		return row, nil
	}
	return row, g.cycle(missing)
}

// cycle walks from the first resource that is stuck to what it is stuck on, until it meets itself.
func (g graph) cycle(missing map[resource.Ref]int) []resource.Ref {
	var stuck []resource.Ref
	for ref := range g {
		if missing[ref] > 0 {
			stuck = append(stuck, ref)
		}
	}
	at := slices.MinFunc(stuck, resource.Ref.Compare)
	for path := []resource.Ref{}; ; {
		if i := slices.Index(path, at); i >= 0 {
			return path[i:]
		}
		path = append(path, at)
		before := slices.SortedFunc(slices.Values(g[at]), resource.Ref.Compare)
		i := slices.IndexFunc(before, func(b resource.Ref) bool { return missing[b] > 0 })
		at = before[i]
	}
}
