package plan

import (
	"fmt"
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// inherit holds entries that must not start empty while what they may be the new name of stands unused, and leaves the rest
// of the old entry where it is.
func (d *draft) inherit() {
	if d.policy.Destroy {
		return
	}
	heirs, testators := map[string]resource.Ref{}, map[string]resource.Ref{} // entry -> what keeps it from moving
	for _, ref := range d.refs {
		it := d.items[ref]
		if it.step.Verb != Create || !it.want.InheritsFirst {
			continue
		}
		unused := d.unused(ref.Kind)
		for _, old := range unused {
			if old.step.Verb != Delete { // what is free to go takes its entry along
				testators[old.live.Entry] = ref
			}
		}
		if len(unused) > 0 {
			heirs[it.want.Entry] = unused[0].ref
			it.demote(fmt.Sprintf("would start empty while %s stands unused: give the entry its old name, or let go of what that holds", unused[0].ref))
		}
	}
	for _, ref := range d.refs {
		it := d.items[ref]
		if old, ok := heirs[it.step.Entry]; ok && it.step.Entry != "" && it.step.Verb == Create {
			it.demote(fmt.Sprintf("its entry would start empty while %s stands unused", old))
		}
		if heir, ok := testators[it.step.Entry]; ok && it.step.Entry != "" && it.step.Verb == Delete {
			it.demote(fmt.Sprintf("is no longer wanted; its entry may have been renamed to that of %s, which is held", heir))
		}
	}
}

// unused are the owned resources of a kind that nothing asks for any longer.
func (d *draft) unused(kind string) []*item {
	var out []*item
	for _, ref := range d.refs {
		if it := d.items[ref]; ref.Kind == kind && it.want == nil && it.live != nil && it.live.Owned {
			out = append(out, it)
		}
	}
	return out
}

// demote turns a step into a hold of what it would have done.
func (it *item) demote(why string) {
	it.step = Step{
		Ref: it.ref, Verb: Hold, Held: it.step.Verb, Why: why, Drift: it.step.Drift, Entry: it.step.Entry,
		Usable: it.live != nil && it.live.State.Usable(), Turn: it.step.Turn, Rest: it.step.Rest,
	}
}

// spread carries every recreation on to what lives in the resource, or holds it if one of those may not go.
func (d *draft) spread() {
	for _, ref := range d.refs {
		root := d.items[ref]
		if root.step.Verb != Recreate {
			continue
		}
		for _, in := range d.dwellers(root) {
			if why := d.stuck(in); why != "" {
				root.demote(fmt.Sprintf("%s; %s lives in it: %s", root.step.Why, in.ref, why))
				break
			}
		}
	}
	for _, ref := range d.refs {
		root := d.items[ref]
		if root.step.Verb != Recreate || root.step.Within {
			continue
		}
		for _, in := range d.dwellers(root) {
			if in.want == nil || !in.live.Owned {
				continue // on its way out by itself, or part of what it lives in
			}
			if partOf(in.stands(), ref) {
				in.goes(fmt.Sprintf("is part of %s, which is made anew", ref))
				continue
			}
			why := fmt.Sprintf("lives in %s, which is made anew", ref)
			in.step = Step{Ref: in.ref, Verb: Recreate, Why: why, Drift: in.live.Diff, Within: true, Entry: in.step.Entry, Rest: in.step.Rest}
		}
	}
}

// goAlong leaves what is no longer wanted, and is a part of something else that is no longer wanted either, to go with that: removed
// by itself it would take long, and leave the rest without it if that were to stay.
func (d *draft) goAlong() {
	for _, ref := range d.refs {
		it := d.items[ref]
		if it.step.Verb != Delete {
			continue
		}
		for _, n := range it.stands() {
			house := d.items[n.Ref]
			switch {
			case !n.Part || house == nil || house.live == nil || !house.live.Owned || house.want != nil && !d.policy.Destroy:
			case house.step.Verb == Delete:
				it.goes(fmt.Sprintf("is no longer wanted; is part of %s and goes with it", n.Ref))
			default:
				it.demote(fmt.Sprintf("is no longer wanted; is part of %s, which stays for now", n.Ref))
			}
		}
	}
}

// goes turns a step into none, because its resource goes with what it is a part of.
func (it *item) goes(why string) {
	it.step = Step{Ref: it.ref, Verb: Keep, Why: why, Within: true, Entry: it.step.Entry, Usable: it.live.State.Usable()}
}

func partOf(needs []resource.Need, house resource.Ref) bool {
	return slices.ContainsFunc(needs, func(n resource.Need) bool { return n.Ref == house && n.Part })
}

// dwellers are all live resources inside root, at any depth, sorted.
func (d *draft) dwellers(root *item) []*item {
	seen := map[resource.Ref]bool{root.ref: true}
	var out []*item
	for queue := []*item{root}; len(queue) > 0; queue = queue[1:] {
		house := queue[0]
		for _, ref := range house.dependents {
			it := d.items[ref]
			_, lives := on(it.stands(), house.ref)
			_, asked := on(it.wants(d.policy), house.ref)
			if it.live == nil || seen[ref] || !lives && !asked {
				continue
			}
			seen[ref] = true
			out, queue = append(out, it), append(queue, it)
		}
	}
	slices.SortFunc(out, func(a, b *item) int { return a.ref.Compare(b.ref) })
	return out
}

// stuck is why a resource may not go together with what it lives in.
func (d *draft) stuck(it *item) string {
	switch {
	case it.live.State == resource.Unknown:
		return "it could not be read"
	case it.part():
		return ""
	case !it.live.Owned:
		return "it is not ours"
	case it.want == nil && it.step.Verb == Hold:
		return it.step.Why
	case d.suspended(it) != "":
		return d.suspended(it)
	case it.live.Locked || it.live.State == resource.Busy || it.want != nil && it.want.Observe:
		why, _ := d.restrained(it)
		return why
	}
	return d.protected(it)
}

// findStanding finds removals that would take the ground from under something that stays.
func (d *draft) findStanding() map[resource.Ref]string {
	found := map[resource.Ref]string{}
	for _, ref := range d.refs {
		it := d.items[ref]
		if it.step.Verb != Delete {
			continue
		}
		for _, dep := range d.above(it) {
			if d.stays(dep, it) {
				found[ref] = fmt.Sprintf("%s stands on it and stays", dep.ref)
				break
			}
		}
	}
	return found
}

// above is what stands on it, and what lives in it at any depth.
func (d *draft) above(it *item) []*item {
	out := d.dwellers(it)
	for _, ref := range it.dependents {
		if dep := d.items[ref]; !slices.Contains(out, dep) {
			out = append(out, dep)
		}
	}
	return out
}

// findUngrounded finds recreations of what stands on something that this plan only takes away: they wait until that is back.
func (d *draft) findUngrounded() map[resource.Ref]string {
	found := map[resource.Ref]string{}
	for _, ref := range d.refs {
		it := d.items[ref]
		if it.step.Verb != Recreate || it.step.Within {
			continue
		}
		for _, n := range it.wants(d.policy) {
			if need := d.items[n.Ref]; need != nil && need.step.Within {
				found[ref] = fmt.Sprintf("waits for %s, which is made anew first", n.Ref)
				break
			}
		}
	}
	return found
}

// stays reports whether dep goes on standing on it once the plan is through.
func (d *draft) stays(dep, it *item) bool {
	if dep.step.Verb == Delete || dep.step.Within {
		return false
	}
	if asked, _ := on(dep.wants(d.policy), it.ref); asked {
		return true
	}
	if dep.part() && d.policy.Destroy {
		return false
	}
	return !dep.letsGo()
}

// part reports whether a resource that is not ours belongs to what it lives in, as a namespace may that comes with a cluster.
func (it *item) part() bool {
	return it.live != nil && !it.live.Owned && it.want != nil && it.want.Shared
}

// letsGo reports whether the step of a dependent rewrites it as it is wanted.
func (it *item) letsGo() bool { return it.step.rewrites() }

// findTooMany holds every removal once they concern more entries than one plan may remove: many removals at once are more
// often a mistake than a wish, and half of a mistake helps nobody.
func (d *draft) findTooMany() map[resource.Ref]string {
	if d.policy.Destroy {
		return nil
	}
	entries := map[string]bool{}
	all := map[resource.Ref]string{}
	for _, ref := range d.refs {
		if s := d.items[ref].step; s.Verb == Delete {
			name := s.Entry
			if name == "" {
				name = ref.String()
			}
			entries[name] = true
			all[ref] = ""
		}
	}
	if len(entries) <= d.policy.MaxDeletes {
		return nil
	}
	for ref := range all {
		all[ref] = fmt.Sprintf("%d entries would be removed at once and maxDeletes is %d: allow it once with sync --max-deletes %d", len(entries), d.policy.MaxDeletes, len(entries))
	}
	return all
}
