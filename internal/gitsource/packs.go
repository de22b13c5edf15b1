package gitsource

import (
	"errors"

	"github.com/go-git/go-git/v5/plumbing"
)

// packs are several packs that are read as one: first what a commit brought, then what those before it did.
type packs []*pack

// find looks an object up by its hash.
func (ps packs) find(h plumbing.Hash) (packed, bool) {
	for _, p := range ps {
		if o, ok := p.find(h); ok {
			return o, true
		}
	}
	return packed{}, false
}

// object is pack.object of the first that has it.
func (ps packs) object(h plumbing.Hash, kind plumbing.ObjectType) ([]byte, error) {
	for _, p := range ps {
		if content, err := p.object(h, kind); !errors.Is(err, errAbsent) {
			return content, err
		}
	}
	return nil, errAbsent
}
