package sim

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

var (
	errExists = errors.New("it exists already")
	errGone   = errors.New("it does not exist")
	errBusy   = errors.New("another operation is running on it")
	errStale  = errors.New("it has changed since it was looked at")
)

// mayCreate: not twice, not what is invalid, not into what is not there.
func (c *Cloud) mayCreate(now time.Time, call Call, want anySpec) error {
	if err := want.Validate(); err != nil {
		return fmt.Errorf("create %v: %w: %w", call.Ref, resource.ErrRejected, err)
	}
	if c.things[call.Ref] != nil {
		return fmt.Errorf("create %v: %w", call.Ref, errExists)
	}
	for _, n := range want.Needs() {
		if in := c.things[n.Ref]; n.In && (in == nil || !in.usable(now)) {
			return c.refuse(call, fmt.Errorf("%v, which it lives in: %w", n.Ref, resource.ErrUnavailable))
		}
	}
	return nil
}

// mayUpdate: not what is away or locked, not on an older look, not to what is invalid.
func (c *Cloud) mayUpdate(now time.Time, call Call, want anySpec, live anySpec) (*thing, error) {
	t := c.things[call.Ref]
	if t == nil {
		return nil, fmt.Errorf("update %v: %w", call.Ref, errGone)
	}
	if state, locked, _ := t.state(now); locked || state == resource.Busy {
		return nil, c.refuse(call, errBusy)
	}
	if !reflect.DeepEqual(t.spec, live) {
		return nil, fmt.Errorf("update %v: %w", call.Ref, errStale)
	}
	if err := want.Validate(); err != nil {
		return nil, fmt.Errorf("update %v: %w: %w", call.Ref, resource.ErrRejected, err)
	}
	return t, nil
}

// mayDelete: not what is locked, not on an older look, not from under what stands on it. A nil thing is gone already.
func (c *Cloud) mayDelete(now time.Time, call Call, live anySpec, replace bool) (*thing, error) {
	t := c.things[call.Ref]
	if t == nil {
		return nil, nil
	}
	if state, locked, _ := t.state(now); locked || state == resource.Busy {
		return nil, c.refuse(call, errBusy)
	}
	if !reflect.DeepEqual(t.spec, live) {
		return nil, fmt.Errorf("delete %v: %w", call.Ref, errStale)
	}
	for _, other := range c.standing(call.Ref) {
		in, ours := livesIn(other, call.Ref), other.owner == t.owner
		switch {
		case in && ours && partOf(other, call.Ref): // goes with it
		case in && ours:
			return nil, c.refuse(call, fmt.Errorf("%v lives in it", other.spec.Ref()))
		case in: // nobody could have known
			return nil, fmt.Errorf("delete %v: %v lives in it", call.Ref, other.spec.Ref())
		case ours && !replace:
			return nil, c.refuse(call, fmt.Errorf("%v stands on it", other.spec.Ref()))
		}
	}
	switch {
	case t.owner != call.Stack:
		c.violation(call, "it belongs to %q", t.owner)
	case t.spec.Lifetime() == resource.Permanent:
		c.violation(call, "it is permanent")
	case t.spec.Lifetime() == resource.Stateful && t.unprotected == "":
		c.violation(call, "it is protected")
	}
	return t, nil
}

// standing are the things that need ref, in order of their names.
func (c *Cloud) standing(ref resource.Ref) []*thing {
	var on []*thing
	for _, t := range c.things {
		if slices.ContainsFunc(t.spec.Needs(), func(n resource.Need) bool { return n.Ref == ref }) {
			on = append(on, t)
		}
	}
	slices.SortFunc(on, func(a, b *thing) int { return a.spec.Ref().Compare(b.spec.Ref()) })
	return on
}

func livesIn(t *thing, ref resource.Ref) bool {
	return slices.ContainsFunc(t.spec.Needs(), func(n resource.Need) bool { return n.Ref == ref && n.In })
}

// partOf reports whether t is made and removed with ref by the cloud itself.
func partOf(t *thing, ref resource.Ref) bool {
	return slices.ContainsFunc(t.spec.Needs(), func(n resource.Need) bool { return n.Ref == ref && n.Part })
}
