package kube

import (
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// store holds the newest known version of each object of one kind. Versions of one kind compare as numbers.
type store struct {
	mu     sync.Mutex
	listed bool
	items  map[string]*item // by namespace/name
	ours   map[string]*own  // requests of our own that are under way
	turns  uint64           // how often anything of the items has changed
}

// own is what is kept while an object is being written or read by us: events may come before the answer.
type own struct {
	requests int
	held     bool   // an event came that nobody was told of
	gone     uint64 // the version at which the object left the list meanwhile: nothing older comes back
}

func newStore() store { return store{items: map[string]*item{}, ours: map[string]*own{}} }

func key(u *unstructured.Unstructured) string { return u.GetNamespace() + "/" + u.GetName() }

// get returns the object, or nil.
func (s *store) get(namespace, name string) *item { return s.at(namespace + "/" + name) }

func (s *store) at(key string) *item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[key]
}

// turn is the same as before if the store has not changed since.
func (s *store) turn() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turns
}

// all returns every object.
func (s *store) all() []*item {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*item, 0, len(s.items))
	for _, i := range s.items {
		all = append(all, i)
	}
	return all
}

// put takes i in, which an event brought, unless something newer is known, and reports whether it is worth a look.
func (s *store) put(i *item) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key(i.object)
	before, o := s.items[k], s.ours[k]
	if i.version != 0 && (o != nil && i.version <= o.gone || before != nil && i.version <= before.version) {
		return false
	}
	s.items[k] = i
	s.turns++
	moved := i.moved(before)
	if o != nil {
		o.held = o.held || moved
		return false
	}
	return moved
}

// stale reports whether what an event has brought is known already, or older: the echo of our own writes, as a rule.
func (s *store) stale(u *unstructured.Unstructured) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, version := key(u), number(u.GetResourceVersion())
	before, o := s.items[k], s.ours[k]
	return version != 0 && (o != nil && version <= o.gone || before != nil && version <= before.version)
}

// begin says that we write an object, or read it: its events are not told of until end.
func (s *store) begin(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := namespace + "/" + name
	if s.ours[k] == nil {
		s.ours[k] = &own{}
	}
	s.ours[k].requests++
}

// end takes in the answer to our request, nil if there was none, and returns what has come from elsewhere meanwhile.
func (s *store) end(namespace, name string, answer *unstructured.Unstructured) (moved []*item) {
	var i *item
	if answer != nil {
		i = newItem(answer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := namespace + "/" + name
	o, now := s.ours[k], s.items[k]
	if o == nil {
		o = &own{} // announced to an earlier watch of the kind
	} else if o.requests--; o.requests == 0 {
		delete(s.ours, k)
	}
	switch {
	case i == nil && now != nil && o.held, i != nil && now != nil && now.version > i.version && now.moved(i):
		return []*item{now}
	case i != nil && (now == nil || now.version < i.version) && o.gone < i.version:
		s.items[k] = i
		s.turns++
	}
	return nil
}

// drop takes u out: it was removed, or has lost the label, at its version. It reports whether that is news.
func (s *store) drop(u *unstructured.Unstructured) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, version := key(u), number(u.GetResourceVersion())
	if o := s.ours[k]; o != nil {
		o.gone = max(o.gone, version)
	}
	before := s.items[k]
	if before == nil || before.version > version {
		return false
	}
	delete(s.items, k)
	s.turns++
	return true
}

// doubt takes an object out without a version: the next look reads it by name.
func (s *store) doubt(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, namespace+"/"+name)
	s.turns++
}

// replace takes in everything that there is at a version and returns what is worth a look; nothing at the first. With anew, nothing that is known
// is newer than that.
func (s *store) replace(items map[string]*item, version uint64, anew bool) (moved []*item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, before := range s.items {
		now := items[k]
		switch {
		case now == nil && before.version > version && !anew: // an answer of our own, newer than the list
			items[k] = before
		case now == nil:
			moved = append(moved, before)
		case now.version < before.version && !anew:
			items[k] = before
		}
	}
	for k, now := range items {
		if now.moved(s.items[k]) {
			moved = append(moved, now)
		}
	}
	for k, o := range s.ours {
		if anew {
			o.gone = 0
		}
		if items[k] == nil {
			o.gone = max(o.gone, version)
		}
	}
	if !s.listed {
		moved = nil
	}
	s.items, s.listed = items, true
	s.turns++
	return moved
}
