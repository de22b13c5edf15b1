package kube

import (
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"recsysd.dev/recsysd/internal/resource"
)

// store holds the newest known version of each object of one kind. Versions of one kind compare as numbers.
type store struct {
	mu     sync.Mutex
	listed bool
	items  map[string]*item  // by namespace/name
	gone   map[string]uint64 // versions at which objects left the list: nothing older comes back
	ours   map[string]*own   // writes of our own that are under way
}

// own is what is kept while an object is being written by us: the event may come before the answer.
type own struct {
	writes int
	held   bool // an event came that nobody was told of
}

// item is one live object with what is compared again and again. It is never changed.
type item struct {
	object  *unstructured.Unstructured
	version uint64
	print   string // of the compared parts, who owns them included
	state   resource.State
	leaving bool
	usage   atomic.Pointer[billedBy] // nil until it is asked for
}

func newItem(u *unstructured.Unstructured) *item {
	state, _ := health(Object{Manifest: u.Object})
	return &item{object: u, version: number(u.GetResourceVersion()), print: fingerprint(u.Object), state: state,
		leaving: u.GetDeletionTimestamp() != nil}
}

// moved reports whether a difference between two versions of an object is worth a look.
func (i *item) moved(before *item) bool {
	return before == nil || i.print != before.print || i.state != before.state || i.leaving != before.leaving
}

// number reads a resource version; 0, older than everything, if it is none.
func number(version string) uint64 {
	n, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func key(u *unstructured.Unstructured) string { return u.GetNamespace() + "/" + u.GetName() }

// get returns the object, or nil.
func (s *store) get(namespace, name string) *item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[namespace+"/"+name]
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

// put takes u in unless something newer is known, and reports whether it is worth a look.
func (s *store) put(u *unstructured.Unstructured) bool {
	i := newItem(u)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.items[key(u)]
	if i.version <= s.gone[key(u)] && i.version != 0 || before != nil && i.version <= before.version && i.version != 0 {
		return false
	}
	s.items[key(u)] = i
	moved := i.moved(before)
	if o := s.ours[key(u)]; o != nil {
		o.held = o.held || moved
		return false
	}
	return moved
}

// begin says that we write an object: its events are not told of until end.
func (s *store) begin(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := namespace + "/" + name
	if s.ours[k] == nil {
		s.ours[k] = &own{}
	}
	s.ours[k].writes++
}

// end takes in the answer to our write, nil if there was none, and returns what has come from elsewhere meanwhile.
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
	} else if o.writes--; o.writes == 0 {
		delete(s.ours, k)
	}
	switch {
	case i == nil && now != nil && o.held, i != nil && now != nil && now.version > i.version && now.moved(i):
		return []*item{now}
	case i != nil && (now == nil || now.version < i.version) && s.gone[k] < i.version:
		s.items[k] = i
	}
	return nil
}

// drop takes u out: it was removed, or has lost the label, at its version.
func (s *store) drop(u *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := number(u.GetResourceVersion())
	s.gone[key(u)] = max(version, s.gone[key(u)])
	if before := s.items[key(u)]; before != nil && before.version <= version {
		delete(s.items, key(u))
	}
}

// doubt takes an object out without a version: the next look reads it by name.
func (s *store) doubt(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, namespace+"/"+name)
}

// replace takes in a whole list of the given version and returns what is worth a look; nothing at the first.
func (s *store) replace(list []unstructured.Unstructured, version uint64) (moved []*item) {
	items := make(map[string]*item, len(list))
	for n := range list {
		i := newItem(&list[n])
		items[key(i.object)] = i
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := map[string]uint64{}
	for k, before := range s.items {
		now := items[k]
		switch {
		case now == nil && before.version > version: // an answer of our own, newer than the list
			items[k] = before
		case now == nil:
			gone[k] = version
			moved = append(moved, before)
		case now.version < before.version:
			items[k] = before
		}
	}
	for k, now := range items {
		if now.moved(s.items[k]) {
			moved = append(moved, now)
		}
	}
	if !s.listed {
		moved = nil
	}
	s.items, s.gone, s.listed = items, gone, true
	return moved
}

// fingerprint is equal for two versions of a live object that compare alike: status and bookkeeping apart, but with
// who owns which field.
func fingerprint(live map[string]any) string {
	m := compared(live)
	var owners []any
	for _, e := range objects(list(live, "metadata", "managedFields")) {
		if text(e, "subresource") != "status" {
			owners = append(owners, []any{e["manager"], e["operation"], e["apiVersion"], e["subresource"], e["fieldsV1"]})
		}
	}
	b, err := json.Marshal([]any{value(live, "metadata", "uid"), m, owners})
	if err != nil {
		return "" // the API server sends nothing that JSON cannot hold; no fingerprint matches none
	}
	return digest(string(b))
}

// compared is a live object without what is never compared. It shares the rest with live.
func compared(live map[string]any) map[string]any {
	m := make(map[string]any, len(live))
	for k, v := range live {
		if k != "status" {
			m[k] = v
		}
	}
	meta := map[string]any{}
	for k, v := range object(live, "metadata") {
		switch k {
		case "managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink", "deletionTimestamp",
			"deletionGracePeriodSeconds":
		default:
			meta[k] = v
		}
	}
	m["metadata"] = meta
	return m
}
