package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// item is one entry of a random stack, with what the stack file says of it.
type item struct {
	box
	protect, adopt, suspend bool
	entry                   string
	naps                    bool // an app that sleeps at night
}

// stacks makes one random stack after another out of a small pool of names, so that they overlap: things come, change,
// move, lose their protection, go and come back.
//
//	site   cloud-like, stateful, nothing but a place for others          (a cluster)
//	room   in a site, disposable                                         (a folder)
//	disk   in a room, stateful, of an entry that inherits                 (a claim)
//	app    in a room, stands on disks and other apps, of the same entries (a workload)
//	key    in nothing, disposable
type stacks struct {
	*rand.Rand
	items map[resource.Ref]item
}

func (s *stacks) next() []resource.Resource {
	if s.items == nil || s.IntN(4) == 0 {
		s.items = map[resource.Ref]item{}
	}
	sites := s.some("site", 2, 1, func(it *item, _ []resource.Ref) { it.Keeps = true })
	rooms := s.some("room", 3, 0, func(it *item, _ []resource.Ref) { s.place(it, sites) })
	var disks, apps []resource.Ref
	if len(rooms) > 0 {
		disks = s.some("disk", 3, 0, func(it *item, _ []resource.Ref) { it.Keeps = true; s.place(it, rooms) })
		apps = s.some("app", 4, 0, func(it *item, before []resource.Ref) { s.place(it, rooms); s.on(it, slices.Concat(disks, before)) })
	}
	keys := s.some("key", 2, 0, func(*item, []resource.Ref) {})
	all := slices.Concat(sites, rooms, disks, apps, keys)
	for ref := range s.items {
		if !slices.Contains(all, ref) {
			delete(s.items, ref)
		}
	}
	var want []resource.Resource
	for _, ref := range all {
		want = append(want, s.items[ref].resource())
	}
	return want
}

// some picks between least and most items of a kind, keeps what they were, and lets shape change some of them.
func (s *stacks) some(kind string, most, least int, shape func(it *item, before []resource.Ref)) []resource.Ref {
	var refs []resource.Ref
	for n := range most {
		ref := resource.Ref{Kind: kind, Name: fmt.Sprint(kind, n)}
		it, ok := s.items[ref]
		if (ok && s.IntN(6) == 0 || !ok && s.IntN(2) == 0) && !(n < least) {
			continue
		}
		if !ok {
			it = item{box: box{Kind: kind, Name: ref.Name, Place: "here"}, protect: s.IntN(2) == 0}
			it.entry = fmt.Sprintf("%s.%d", kind, n)
			if kind == "disk" || kind == "app" {
				it.entry = fmt.Sprintf("workloads.%d", n)
			}
			it.naps = kind == "app" && s.IntN(4) > 0
			it.Labels = map[string]string{"entry": it.entry}
		}
		if shape(&it, refs); it.Keeps && s.IntN(3) == 0 {
			it.protect = !it.protect
		}
		s.change(&it)
		s.items[ref] = it
		refs = append(refs, ref)
	}
	return refs
}

func (s *stacks) change(it *item) {
	if s.IntN(4) == 0 {
		it.Size = s.IntN(3)
	}
	if s.IntN(8) == 0 {
		it.Place = []string{"here", "there"}[s.IntN(2)]
	}
	if s.IntN(8) == 0 {
		it.Force = !it.Force
	}
	if s.IntN(8) == 0 {
		it.Colour = []*string{nil, ptr("red"), ptr("blue")}[s.IntN(3)]
	}
	it.adopt = s.IntN(6) == 0
	it.suspend = s.IntN(20) == 0
}

// place gives it a home among homes; it moves rarely, unless it has to.
func (s *stacks) place(it *item, homes []resource.Ref) {
	if !slices.Contains(homes, it.In) || s.IntN(10) == 0 {
		it.In = homes[s.IntN(len(homes))]
	}
}

func (s *stacks) on(it *item, others []resource.Ref) {
	keep := it.On
	it.On = nil
	for _, o := range others {
		if slices.Contains(keep, o) && s.IntN(8) > 0 || s.IntN(5) == 0 {
			it.On = append(it.On, o)
		}
	}
}

func (it item) resource() resource.Resource {
	it.Form.Asleep = it.naps
	r := resource.Of(it.box)
	if it.Kind == "site" {
		r = resource.Of(site{it.box})
	}
	r.Protect, r.Adopt, r.Entry, r.InheritsFirst = it.protect, it.adopt, it.entry, it.Kind == "disk"
	if it.suspend {
		r.Suspend = "for a test"
	}
	return r
}

// asBox is the box in a spec of either kind.
func asBox(spec any) box {
	if s, ok := spec.(site); ok {
		return s.box
	}
	return spec.(box)
}

// rewrap is the spec with its box changed.
func rewrap(spec any, change func(*box)) any {
	b := asBox(spec)
	change(&b)
	if _, ok := spec.(site); ok {
		return site{b}
	}
	return b
}

func ptr(s string) *string { return &s }
