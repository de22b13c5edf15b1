package sim_test

import (
	"fmt"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// judge compares the cloud with the stack after all has settled. It does not ask the planner: what is not as it was wanted must have a
// reason that can be told from the stack and the cloud alone.
func (h *history) judge() string {
	j := judgement{mark: digits(h.commit), all: h.mutant.all, dark: h.dark, live: map[resource.Ref]sim.Thing{}, want: map[resource.Ref]resource.Resource{}}
	for _, t := range h.cloud.Things() {
		j.live[t.Ref] = t
	}
	for _, r := range h.want[h.commit] {
		j.want[r.Ref] = r
	}
	var wrong []string
	for ref, r := range j.want {
		if w := j.wanted(r); w != "" {
			wrong = append(wrong, fmt.Sprintf("%v %s", ref, w))
		}
	}
	for ref, t := range j.live {
		if _, ok := j.want[ref]; !ok && t.Owner == "mine" && !j.mayStay(t, nil) {
			wrong = append(wrong, fmt.Sprintf("%v is not wanted, and nothing keeps it", ref))
		}
	}
	slices.Sort(wrong)
	return strings.Join(wrong, "; ")
}

// judgeRuins compares the cloud with what may be left of a stack that was taken down: what is protected or suspended, and what
// that stands on.
func (h *history) judgeRuins() string {
	j := judgement{all: h.mutant.all, live: map[resource.Ref]sim.Thing{}, want: map[resource.Ref]resource.Resource{}}
	for _, t := range h.cloud.Things() {
		j.live[t.Ref] = t
	}
	for _, r := range h.want[h.commit] { // of the rest nothing is wanted any longer
		if r.Suspend != "" || j.live[r.Ref].Owner != "mine" {
			j.want[r.Ref] = r
		}
	}
	var wrong []string
	for ref, t := range j.live {
		if t.Owner == "mine" && j.want[ref].Suspend == "" && !j.mayStay(t, nil) {
			wrong = append(wrong, fmt.Sprintf("%v is left, and nothing keeps it", ref))
		}
	}
	slices.Sort(wrong)
	return strings.Join(wrong, "; ")
}

// stuck: the daemon goes on asking for the removal of a thing that another's lives in, which it cannot see.
func (h *history) stuck() bool {
	j := judgement{live: map[resource.Ref]sim.Thing{}}
	for _, t := range h.cloud.Things() {
		j.live[t.Ref] = t
	}
	for _, t := range j.live {
		if t.Owner == "mine" && slices.ContainsFunc(j.inside(t.Ref), func(in sim.Thing) bool { return in.Owner != "mine" }) {
			return true
		}
	}
	return false
}

type judgement struct {
	mark string // of the commit that is applied
	all  bool   // the planner sees what is not ours
	dark bool   // it is night
	live map[resource.Ref]sim.Thing
	want map[resource.Ref]resource.Resource
}

func (j judgement) wanted(r resource.Resource) string {
	t, ok := j.live[r.Ref]
	switch {
	case r.Suspend != "", j.haunted(r):
		return ""
	case !ok && !j.mayLack(r, nil):
		return "is wanted and does not exist"
	case !ok:
		return ""
	}
	diff := j.diff(r, t)
	immutable := j.immutable(r, t)
	switch {
	case t.Owner != "mine" && r.Adopt && !immutable:
		return fmt.Sprintf("should have been adopted from %q", t.Owner)
	case t.Owner != "mine":
		return ""
	case asBox(t.Spec).Keeps && r.Protect != (t.Unprotected == ""):
		return fmt.Sprintf("is marked %q although protect is %v", t.Unprotected, r.Protect)
	case len(diff) == 0:
		return ""
	case immutable && j.mayLack(r, nil): // what it would be made on is not there
		return ""
	case j.waits(r, t):
		return ""
	case immutable && j.circle(r.Ref, r.Ref, nil):
		return ""
	case j.late(r): // a change waits for those of what it stands on
		return ""
	case immutable && !j.mayGo(t):
		if i := slices.IndexFunc(diff, func(c resource.Change) bool { return c.Mark }); i >= 0 {
			return fmt.Sprintf("is held, and a mark is not written: %v", diff[i])
		}
		return ""
	}
	return fmt.Sprintf("differs: %v", diff)
}

func (j judgement) immutable(r resource.Resource, t sim.Thing) bool {
	return slices.ContainsFunc(asBox(r.Spec).Diff(asBox(t.Spec)), func(c resource.Change) bool { return c.Recreate })
}

// mayGo: neither it nor anything in it is kept from being replaced.
func (j judgement) mayGo(t sim.Thing) bool {
	if asBox(t.Spec).Keeps && (t.Unprotected == "" || t.Unprotected == j.mark) || t.Owner != "mine" || j.want[t.Ref].Suspend != "" {
		return false
	}
	return !slices.ContainsFunc(j.inside(t.Ref), func(in sim.Thing) bool {
		_, wanted := j.want[in.Ref]
		return !j.mayGo(in) || !wanted && j.mayStay(in, nil)
	})
}

// circle: at has to be made anew, or to go, only after what leads back to ref. Nothing is then done about either, and a person is told.
func (j judgement) circle(at, ref resource.Ref, path []resource.Ref) bool {
	if slices.Contains(path, at) {
		return false
	}
	path = append(path, at)
	want, wanted := j.want[at]
	anew := func(ref resource.Ref) bool {
		r, ok := j.want[ref]
		t, exists := j.live[ref]
		return ok && exists && j.immutable(r, t)
	}
	var before []resource.Ref
	for other, t := range j.live {
		asked := wanted && slices.ContainsFunc(want.Needs, func(n resource.Need) bool { return n.Ref == other })
		stands := slices.ContainsFunc(asBox(t.Spec).Needs(), func(n resource.Need) bool { return n.Ref == at })
		if _, kept := j.want[other]; asked && anew(other) || stands && (!kept || !wanted && anew(other)) {
			before = append(before, other)
		}
	}
	return slices.ContainsFunc(before, func(b resource.Ref) bool { return b == ref || j.circle(b, ref, path) })
}

// haunted: what it lives in cannot be made anew, because of something in it that is not ours and that nobody sees.
func (j judgement) haunted(r resource.Resource) bool {
	for _, n := range r.Needs {
		house, ok := j.want[n.Ref]
		if !n.In || !ok {
			continue
		}
		t, exists := j.live[n.Ref]
		foreign := slices.ContainsFunc(j.inside(n.Ref), func(in sim.Thing) bool { return in.Owner != "mine" })
		if exists && foreign && j.immutable(house, t) || j.haunted(house) {
			return true
		}
	}
	return false
}

// late: something that it stands on is to be made or changed first, and that has to wait itself.
func (j judgement) late(r resource.Resource) bool {
	for _, n := range r.Needs {
		on, wanted := j.want[n.Ref]
		t, exists := j.live[n.Ref]
		switch {
		case n.In || !wanted || on.Suspend != "" || exists && t.Owner != "mine":
		case !exists && j.mayLack(on, nil):
			return true
		case exists && len(j.diff(on, t)) > 0 && (j.immutable(on, t) && j.mayLack(on, nil) || j.late(on)):
			return true
		}
	}
	return false
}

// mayLack: it waits for something that may itself be missing, or an entry's old disk stands unused.
func (j judgement) mayLack(r resource.Resource, path []resource.Ref) bool {
	if slices.Contains(path, r.Ref) {
		return false
	}
	path = append(path, r.Ref)
	for _, n := range r.Needs {
		on, wanted := j.want[n.Ref]
		t, exists := j.live[n.Ref]
		switch {
		case exists && !t.State.Usable():
			return true
		case wanted && (!exists || j.immutable(on, t)) && (on.Suspend != "" || j.mayLack(on, path)):
			return true // missing, or waiting to be made anew
		}
	}
	for _, other := range j.want {
		if _, exists := j.live[other.Ref]; other.Entry == r.Entry && other.InheritsFirst && !exists && j.unused(other.Ref.Kind) {
			return true
		}
	}
	return false
}

func (j judgement) unused(kind string) bool {
	for ref, t := range j.live {
		if _, wanted := j.want[ref]; ref.Kind == kind && t.Owner == "mine" && !wanted {
			return true
		}
	}
	return false
}

// mayStay: it is protected, or something that stays lives in it or stands on it.
func (j judgement) mayStay(t sim.Thing, path []resource.Ref) bool {
	if asBox(t.Spec).Keeps && (t.Unprotected == "" || t.Unprotected == j.mark) {
		return true
	}
	if slices.Contains(path, t.Ref) {
		return false
	}
	path = append(path, t.Ref)
	if j.renamed(t) {
		return true
	}
	for _, other := range j.live {
		for _, n := range asBox(other.Spec).Needs() {
			if n.Ref != t.Ref {
				continue
			}
			if _, wanted := j.want[other.Ref]; wanted || other.Owner != "mine" && (n.In || j.all) || other.Owner == "mine" && j.mayStay(other, path) {
				return true
			}
		}
	}
	return false
}

// renamed: a disk of the same entry stands unused, and a new one is held for that; the old entry goes on meanwhile.
func (j judgement) renamed(t sim.Thing) bool {
	entry := asBox(t.Spec).Labels["entry"]
	for ref, disk := range j.live {
		if _, wanted := j.want[ref]; wanted || entry == "" || disk.Owner != "mine" || asBox(disk.Spec).Labels["entry"] != entry {
			continue
		}
		for _, heir := range j.want {
			if _, exists := j.live[heir.Ref]; heir.InheritsFirst && !exists && heir.Ref.Kind == ref.Kind {
				return true
			}
		}
	}
	return false
}

// inside is what lives in it or is to live in it.
func (j judgement) inside(ref resource.Ref) []sim.Thing {
	var in []sim.Thing
	for _, t := range j.live {
		if r, ok := j.want[t.Ref]; asBox(t.Spec).In == ref || ok && asBox(r.Spec).In == ref {
			in = append(in, t)
		}
	}
	return in
}
