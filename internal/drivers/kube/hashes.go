package kube

import (
	"maps"
	"reflect"
	"sync"

	"recsysd.dev/recsysd/internal/resource"
)

// hashes remembers the hash of what is declared for each wanted object: the same manifest is asked about in every pass until a
// commit brings another. A manifest is known again by its address, which cannot pass to another as long as it is held here.
type hashes struct {
	mu sync.Mutex
	by map[resource.Ref]hashed
}

type hashed struct {
	manifest map[string]any
	asleep   bool
	hash     string
}

func (h *hashes) of(o Object) string {
	ref := o.Ref()
	h.mu.Lock()
	known := h.by[ref]
	h.mu.Unlock()
	if known.manifest != nil && known.asleep == o.Asleep && reflect.ValueOf(known.manifest).Pointer() == reflect.ValueOf(o.Manifest).Pointer() {
		return known.hash
	}
	_, hash := declared(o)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = map[resource.Ref]hashed{}
	}
	h.by[ref] = hashed{o.Manifest, o.Asleep, hash}
	return hash
}

// keep forgets all but the objects of want.
func (h *hashes) keep(want []Object) {
	wanted := make(map[resource.Ref]bool, len(want))
	for _, o := range want {
		wanted[o.Ref()] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.by, func(ref resource.Ref, _ hashed) bool { return !wanted[ref] })
}
