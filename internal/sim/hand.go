package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// Thing is a resource in the cloud as the cloud's own console would show it.
type Thing struct {
	Ref         resource.Ref
	Spec        any
	Owner       string // the stack whose mark it carries
	Unprotected string
	State       resource.State
	Word        resource.Rest // a person's, if it is ByHand
}

// Things are all that exist, in order of their names.
func (c *Cloud) Things() []Thing {
	var all []Thing
	c.do(func(now time.Time) error {
		for ref, t := range c.things {
			s, _, _ := t.state(now)
			all = append(all, Thing{Ref: ref, Spec: clone(t.spec), Owner: t.owner, Unprotected: t.unprotected, State: s, Word: t.hand})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Thing) int { return a.Ref.Compare(b.Ref) })
	return all
}

// The foreign hand: what people, other tools and the provider itself do to a cloud. It asks nobody, is not counted as a
// call, and needs no time.

// Put makes spec exist, ready, with the mark of the stack owner, or "" for none.
func (c *Cloud) Put(spec any, owner string) error {
	s, ok := spec.(anySpec)
	if !ok {
		return fmt.Errorf("%T is not a kind's settings struct", spec)
	}
	return c.do(func(now time.Time) error {
		c.put(now, clone(s), owner)
		t := c.things[s.Ref()]
		t.made, t.idle, t.started = now, now, now
		return nil
	})
}

// Edit replaces the spec of ref by what edit makes of it; the name must stay.
func (c *Cloud) Edit(ref resource.Ref, edit func(spec any) any) error {
	return c.touch(ref, func(t *thing) error {
		next, ok := edit(clone(t.spec)).(anySpec)
		if !ok || next.Ref() != ref {
			return fmt.Errorf("edit %v: the edit makes something else of it", ref)
		}
		t.spec = clone(next)
		return nil
	})
}

// Relabel gives ref the mark of another stack, or none.
func (c *Cloud) Relabel(ref resource.Ref, owner string) error {
	return c.touch(ref, func(t *thing) error { t.owner = owner; return nil })
}

// Break makes ref broken, with the reason, until the next update of it or an empty reason.
func (c *Cloud) Break(ref resource.Ref, reason string) error {
	return c.touch(ref, func(t *thing) error { t.sick = reason; return nil })
}

// Remove removes ref and everything that lives in it.
func (c *Cloud) Remove(ref resource.Ref) error {
	return c.touch(ref, func(*thing) error { c.removeAll(ref); return nil })
}

func (c *Cloud) removeAll(ref resource.Ref) {
	delete(c.things, ref)
	for _, t := range c.standing(ref) {
		if livesIn(t, ref) {
			c.removeAll(t.spec.Ref())
		}
	}
}

func (c *Cloud) touch(ref resource.Ref, do func(*thing) error) error {
	return c.do(func(time.Time) error {
		t := c.things[ref]
		if t == nil {
			return fmt.Errorf("%v: %w", ref, errGone)
		}
		return do(t)
	})
}

// OneIn lets one call in n go wrong with err, half of these after their effect. Which ones depends on the seed and on the
// call alone, so calls side by side do not make a difference.
func OneIn(n int, seed uint64, err error) func(Call) Fault {
	return func(c Call) Fault {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s %s %s %s %d", c.Stack, c.Driver, c.Op, c.Ref, c.N)
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		if r.IntN(n) > 0 {
			return Fault{}
		}
		return Fault{Err: err, After: r.IntN(2) == 0}
	}
}
