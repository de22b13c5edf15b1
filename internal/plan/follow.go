package plan

import (
	"fmt"
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// inherit holds the creation of entries that must not start empty while what they may be the new name of stands unused.
func (d *draft) inherit() {
	if d.policy.Destroy {
		return
	}
	waits := map[string]resource.Ref{} // entry -> what stands unused
	for _, ref := range d.refs {
		it := d.items[ref]
		if it.want == nil || !it.want.InheritsFirst || it.live != nil {
			continue
		}
		unused, ok := d.unused(ref.Kind)
		if !ok {
			continue
		}
		if it.want.Entry != "" {
			waits[it.want.Entry] = unused
		}
		it.holdCreate(unused)
	}
	for _, ref := range d.refs {
		it := d.items[ref]
		if unused, ok := waits[it.step.Entry]; ok && it.want != nil {
			it.holdCreate(unused)
		}
	}
}

func (it *item) holdCreate(unused resource.Ref) {
	if it.step.Verb == Create {
		it.step.Verb, it.step.Held = Hold, Create
		it.step.Why = fmt.Sprintf("would start empty while %s stands unused: give this entry the old name, or let go of the old one", unused)
	}
}

// unused finds an owned resource of that kind that nothing asks for any longer.
func (d *draft) unused(kind string) (resource.Ref, bool) {
	for _, ref := range d.refs {
		it := d.items[ref]
		if ref.Kind == kind && it.want == nil && it.live != nil && it.live.Owned {
			return ref, true
		}
	}
	return resource.Ref{}, false
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
				root.step.Verb, root.step.Held = Hold, Recreate
				root.step.Usable = root.live.State.Usable()
				root.step.Why = fmt.Sprintf("%s; held because %s lives in it: %s", root.step.Why, in.ref, why)
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
			if in.want == nil || in.step.Verb == "" {
				continue // on its way out by itself, or none of ours
			}
			in.step.Verb, in.step.Held, in.step.Within, in.step.Usable = Recreate, "", true, false
			in.step.Drift = in.live.Diff
			in.step.Why = fmt.Sprintf("lives in %s, which is made anew", ref)
		}
	}
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
	case !it.live.Owned && it.want != nil && it.want.Shared:
		return ""
	case !it.live.Owned:
		return "it is not ours"
	case it.want == nil && it.step.Verb == Hold:
		return it.step.Why
	case d.suspended(it) != "":
		return d.suspended(it)
	case it.live.Locked || it.live.State == resource.Busy || it.want != nil && it.want.Observe:
		return d.restrained(it)
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
		for _, dep := range it.dependents {
			if d.stays(d.items[dep], ref) {
				found[ref] = fmt.Sprintf("%s stands on it and stays", dep)
				break
			}
		}
	}
	return found
}

// stays reports whether dep goes on standing on ref once the plan is through.
func (d *draft) stays(dep *item, ref resource.Ref) bool {
	if dep.step.Verb == Delete || dep.step.Within {
		return false
	}
	if asked, _ := on(dep.wants(d.policy), ref); asked {
		return true
	}
	if d.policy.Destroy && !dep.live.Owned && dep.want != nil && dep.want.Shared {
		return false // part of what it lives in, such as a namespace that comes with a cluster
	}
	return !dep.letsGo()
}

// letsGo reports whether the step of a dependent rewrites it as it is wanted.
func (it *item) letsGo() bool {
	if it.step.Verb == Recreate {
		return true
	}
	return it.step.Verb == Update && slices.ContainsFunc(it.step.Drift, func(c resource.Change) bool { return !c.Mark })
}

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
