package resourcetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

// trial is a harness in use. It speaks to the drivers through resource.Kind, as the engine does, so that Live.Want, Version
// and what the driver carries from Observe to Update are under test too.
type trial[S resource.Spec[S]] struct {
	*testing.T
	Harness[S]
	ours, other resource.Kind
}

func newTrial[S resource.Spec[S]](t *testing.T, h Harness[S]) *trial[S] {
	t.Helper()
	if h.Ours.Driver == nil || h.Other.Driver == nil || h.Ours.Spec == nil || h.Other.Spec == nil || len(h.Edits) == 0 ||
		h.Foreign.Do == nil || h.Writes == nil || h.Settle == nil || h.ForbidList == nil || h.ForbidGet == nil {
		t.Fatal("the harness is not complete: see resourcetest.Harness")
	}
	return &trial[S]{T: t, Harness: h,
		ours: resource.NewKind("ours", h.Ours.Driver), other: resource.NewKind("other", h.Other.Driver)}
}

// observe looks, and checks what holds for every look: no write, no error, no resource twice.
func (x *trial[S]) observe(k resource.Kind, list bool, want ...S) resource.Sight {
	x.Helper()
	before := x.Writes()
	sight, err := k.Observe(x.Context(), resources(want), list)
	if err != nil {
		x.Fatalf("observe: %v", err)
	}
	if n := x.Writes() - before; n != 0 {
		x.Fatalf("observe made %d writes: it may never write", n)
	}
	seen := map[resource.Ref]bool{}
	for _, o := range sight.Found {
		if seen[o.Ref] {
			x.Fatalf("%v is reported twice", o.Ref)
		}
		seen[o.Ref] = true
	}
	return sight
}

// see looks at one resource by name; it must be there.
func (x *trial[S]) see(k resource.Kind, want S) resource.Observation {
	x.Helper()
	o, ok := find(x.observe(k, false, want), want.Ref())
	if !ok {
		x.Fatalf("%v is not seen, and should be", want.Ref())
	}
	return o
}

// make creates the n-th sample in our stack and lets it settle.
func (x *trial[S]) make(n int) (S, resource.Observation) {
	x.Helper()
	want := x.Ours.Spec(n)
	if err := x.ours.Create(x.Context(), resource.Of(want)); err != nil {
		x.Fatalf("create %v: %v", want.Ref(), err)
	}
	x.Settle()
	if x.Staged {
		return want, x.converge(x.ours, want)
	}
	return want, x.inSync(x.ours, want)
}

// inSync looks at want, which must be there, ours, writable and without a difference.
func (x *trial[S]) inSync(k resource.Kind, want S) resource.Observation {
	x.Helper()
	o := x.see(k, want)
	switch {
	case o.State == resource.Absent || o.State == resource.Unknown:
		x.Fatalf("%v exists and is reported as %v", o.Ref, o.State)
	case o.Locked:
		x.Fatalf("%v is still locked (%s) after everything has settled", o.Ref, o.Detail)
	case !o.Owned:
		x.Fatalf("%v was made by this stack and is not reported as owned", o.Ref)
	case len(o.Diff) > 0:
		x.Fatalf("%v is in sync and differs all the same: %s", o.Ref, text(o.Diff))
	}
	return o
}

// converge updates until there is no difference. An update may do a part and leave the rest; each must get nearer.
func (x *trial[S]) converge(k resource.Kind, want S) resource.Observation {
	x.Helper()
	for last := -1; ; {
		o := x.see(k, want)
		if len(o.Diff) == 0 {
			return x.inSync(k, want)
		}
		if last >= 0 && len(o.Diff) >= last {
			x.Fatalf("an update of %v changed nothing of: %s", o.Ref, text(o.Diff))
		}
		last = len(o.Diff)
		if err := k.Update(x.Context(), resource.Of(want), o, o.Diff); err != nil {
			x.Fatalf("update %v of %s: %v", o.Ref, text(o.Diff), err)
		}
		x.Settle()
	}
}

// remove deletes until the resource is gone.
func (x *trial[S]) remove(k resource.Kind, want S) {
	x.Helper()
	for range 5 {
		o, ok := find(x.observe(k, false, want), want.Ref())
		if !ok {
			return
		}
		if err := k.Delete(x.Context(), o, false); err != nil {
			x.Fatalf("delete %v: %v", o.Ref, err)
		}
		x.Settle()
	}
	x.Fatalf("%v is still there after five deletes", want.Ref())
}

// differs checks that exactly one field is reported, and which.
func (x *trial[S]) differs(o resource.Observation, field string) {
	x.Helper()
	if len(o.Diff) != 1 || o.Diff[0].Field != field {
		x.Fatalf("%v should differ in %s alone and differs in: %s", o.Ref, field, text(o.Diff))
	}
	if o.Diff[0].Want == o.Diff[0].Have {
		x.Fatalf("%v: the two sides of %s read alike: %s", o.Ref, field, text(o.Diff))
	}
}

func resources[S resource.Spec[S]](specs []S) []resource.Resource {
	var rs []resource.Resource
	for _, s := range specs {
		rs = append(rs, resource.Of(s))
	}
	return rs
}

func find(s resource.Sight, ref resource.Ref) (resource.Observation, bool) {
	i := slices.IndexFunc(s.Found, func(o resource.Observation) bool { return o.Ref == ref })
	if i < 0 {
		return resource.Observation{}, false
	}
	return s.Found[i], true
}

func text(cs []resource.Change) string {
	if len(cs) == 0 {
		return "nothing"
	}
	var parts []string
	for _, c := range cs {
		parts = append(parts, fmt.Sprintf("%s (want %s, have %s)", c.Field, c.Want, c.Have))
	}
	return strings.Join(parts, ", ")
}
