package resourcetest

import (
	"errors"
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

func (x *trial[S]) sample() {
	for n := range 8 {
		a, b, theirs := x.Ours.Spec(n), x.Ours.Spec(n), x.Other.Spec(n)
		if err := a.Validate(); err != nil {
			x.Fatalf("sample %d is not valid: %v", n, err)
		}
		if d := a.Diff(b); len(d) > 0 {
			x.Fatalf("sample %d differs from itself: %s", n, text(d))
		}
		if resource.Of(a).Hash != resource.Of(b).Hash {
			x.Fatalf("sample %d does not always have the same hash", n)
		}
		if a.Ref() != theirs.Ref() {
			x.Fatalf("sample %d is %v in one stack and %v in the other", n, a.Ref(), theirs.Ref())
		}
		if n > 0 && a.Ref() == x.Ours.Spec(n-1).Ref() {
			x.Fatalf("samples %d and %d are both %v", n-1, n, a.Ref())
		}
	}
}

func (x *trial[S]) absent() {
	for _, list := range []bool{false, true} {
		if s := x.observe(x.ours, list, x.Ours.Spec(0)); len(s.Found) > 0 || len(s.Unlisted) > 0 {
			x.Fatalf("nothing was created, and this is seen: %+v", s)
		}
	}
}

func (x *trial[S]) created() {
	want, first := x.make(0)
	if first.Unprotected != "" {
		x.Fatalf("a new resource is marked as unprotected: %q", first.Unprotected)
	}
	o, ok := find(x.observe(x.ours, true, want), want.Ref())
	if !ok || !o.Owned || len(o.Diff) > 0 {
		x.Fatalf("a look by list should agree with one by name, and sees %+v", o)
	}
	if o.Version == "" || o.Version != first.Version {
		x.Fatalf("nothing changed between two looks, and the version did: %q, %q", first.Version, o.Version)
	}
}

func (x *trial[S]) createdTwice() {
	want, _ := x.make(0)
	err := x.ours.Create(x.Context(), resource.Of(want))
	if err == nil {
		x.Fatal("it exists, and creating it again was no error")
	}
	if errors.Is(err, resource.ErrRejected) || errors.Is(err, resource.ErrUnavailable) {
		x.Fatalf("the next look shows that it exists, so this is to be retried: %v", err)
	}
	x.Settle()
	x.inSync(x.ours, want)
}

func (x *trial[S]) byName() {
	x.make(0)
	if s := x.observe(x.ours, false, x.Ours.Spec(1)); len(s.Found) > 0 {
		x.Fatalf("a look by name at something absent found %v", s.Found[0].Ref)
	}
	if s := x.observe(x.ours, false); len(s.Found) > 0 {
		x.Fatalf("a look at nothing found %v", s.Found[0].Ref)
	}
}

func (x *trial[S]) listed() {
	a, _ := x.make(0)
	b, _ := x.make(1)
	for _, want := range [][]S{nil, {a}, {a, b}} {
		s := x.observe(x.ours, true, want...)
		for _, ref := range []resource.Ref{a.Ref(), b.Ref()} {
			o, ok := find(s, ref)
			if !ok || !o.Owned {
				x.Fatalf("with %d of 2 wanted, %v should be listed as ours: %+v", len(want), ref, o)
			}
			wanted := slices.ContainsFunc(want, func(s S) bool { return s.Ref() == ref })
			if !wanted && o.Diff != nil {
				x.Fatalf("%v is not wanted and differs from something: %s", ref, text(o.Diff))
			}
		}
	}
}

func (x *trial[S]) foreign() {
	want, before := x.make(0)
	x.Foreign.Do(x.T, want)
	x.Settle()
	for _, list := range []bool{false, true} {
		o, ok := find(x.observe(x.ours, list, want), want.Ref())
		if !ok || !o.Owned {
			x.Fatalf("a changed resource is still there and still ours (list %v): %+v", list, o)
		}
		x.differs(o, x.Foreign.Field)
		if o.Version == before.Version {
			x.Fatalf("a compared field changed, and the version did not (list %v)", list)
		}
	}
	x.converge(x.ours, want)
}

func (x *trial[S]) edits() {
	for _, e := range x.Edits {
		want := e.Do(x.Ours.Spec(0))
		if err := want.Validate(); err != nil {
			x.Fatalf("edit of %s: %v", e.Field, err)
		}
		if _, ok := find(x.observe(x.ours, false, want), want.Ref()); !ok {
			x.make(0)
		}
		o := x.see(x.ours, want)
		x.differs(o, e.Field)
		if o.Diff[0].Recreate {
			x.Fatalf("%s can be changed in place and is reported as a reason to recreate", e.Field)
		}
		x.converge(x.ours, want)
		x.converge(x.ours, x.Ours.Spec(0)) // and back
	}
}

func (x *trial[S]) recreates() {
	x.make(0)
	for _, e := range x.Recreates {
		o := x.see(x.ours, e.Do(x.Ours.Spec(0)))
		x.differs(o, e.Field)
		if !o.Diff[0].Recreate {
			x.Fatalf("%s cannot be changed in place, and the difference does not say so", e.Field)
		}
	}
}

func (x *trial[S]) deleted() {
	want, o := x.make(0)
	if o.Lifetime == resource.Permanent {
		x.refusesToDelete(want, o)
		return
	}
	stays, _ := x.make(1)
	x.remove(x.ours, want)
	if _, ok := find(x.observe(x.ours, true, want), want.Ref()); ok {
		x.Fatal("it is deleted and still listed")
	}
	for _, replace := range []bool{false, true} {
		if err := x.ours.Delete(x.Context(), o, replace); err != nil {
			x.Fatalf("it is gone, which is what was asked for (replace %v): %v", replace, err)
		}
	}
	x.Settle()
	x.inSync(x.ours, stays)
	x.make(0) // the name is free again
}

// refusesToDelete: the planner never asks for it, and if it did, the driver would not.
func (x *trial[S]) refusesToDelete(want S, o resource.Observation) {
	x.Helper()
	before := x.Writes()
	if err := x.ours.Delete(x.Context(), o, false); !errors.Is(err, resource.ErrRejected) {
		x.Fatalf("what is permanent is never removed, and deleting it said: %v", err)
	}
	if n := x.Writes() - before; n != 0 {
		x.Fatalf("what is permanent is never removed, and %d writes were made", n)
	}
	if o.ByHand == "" {
		x.Fatal("who may not be removed by recsysd should say how a person does it")
	}
	x.inSync(x.ours, want)
}

func (x *trial[S]) othersApart() {
	want, before := x.make(0)
	theirs := x.Other.Spec(0)
	if s := x.observe(x.other, true); len(s.Found) > 0 {
		x.Fatalf("%v belongs to another stack and is listed", s.Found[0].Ref)
	}
	for _, list := range []bool{false, true} {
		o, ok := find(x.observe(x.other, list, theirs), theirs.Ref())
		if !ok || o.Owned {
			x.Fatalf("it should be seen by name, and as not ours (list %v): %+v", list, o)
		}
	}
	if o := x.inSync(x.ours, want); o.Version != before.Version {
		x.Fatal("a look by another stack has changed it")
	}
}

func (x *trial[S]) adopted() {
	want, _ := x.make(0)
	theirs := x.Other.Spec(0)
	if x.MarkedOnce {
		x.refusesAdoption(want, theirs)
		return
	}
	if err := x.other.Update(x.Context(), resource.Of(theirs), x.see(x.other, theirs), x.see(x.other, theirs).Diff); err != nil {
		x.Fatalf("taking it over: %v", err)
	}
	x.Settle()
	x.converge(x.other, theirs)
	if o := x.see(x.ours, want); o.Owned {
		x.Fatal("it was taken over by another stack, and both call it theirs")
	}
	if s := x.observe(x.ours, true); len(s.Found) > 0 {
		x.Fatal("it was taken over by another stack and is still listed in ours")
	}
}

// refusesAdoption: a mark that cannot be written again is not argued with.
func (x *trial[S]) refusesAdoption(want, theirs S) {
	x.Helper()
	adopts := resource.Of(theirs)
	adopts.Adopt = true
	sight, err := x.other.Observe(x.Context(), []resource.Resource{adopts}, true)
	if err != nil {
		x.Fatal(err)
	}
	o, ok := find(sight, adopts.Ref)
	if !ok || o.Owned {
		x.Fatalf("it carries another stack's mark and is not ours, whatever the stack says: %+v", o)
	}
	before := x.Writes()
	if err := x.other.Update(x.Context(), adopts, o, o.Diff); !errors.Is(err, resource.ErrRejected) {
		x.Fatalf("it cannot be taken over, and this was said: %v", err)
	}
	if n := x.Writes() - before; n != 0 {
		x.Fatalf("it cannot be taken over, and %d writes were made", n)
	}
	x.inSync(x.ours, want)
}

func (x *trial[S]) unprotected() {
	want, before := x.make(0)
	if want.Lifetime() != resource.Stateful {
		return // the planner asks for no mark
	}
	x.Foreign.Do(x.T, want)
	x.Settle()
	for _, mark := range []string{"0123456789ab", "ba9876543210", ""} {
		o := x.see(x.ours, want)
		drift := []resource.Change{{Field: resource.FieldUnprotected, Want: mark, Have: o.Unprotected, Mark: true}}
		if err := x.ours.Update(x.Context(), resource.Of(want), o, drift); err != nil {
			x.Fatalf("writing the mark %q: %v", mark, err)
		}
		x.Settle()
		for _, list := range []bool{false, true} {
			o, _ := find(x.observe(x.ours, list, want), want.Ref())
			if o.Unprotected != mark {
				x.Fatalf("the mark should read %q and reads %q (list %v)", mark, o.Unprotected, list)
			}
			x.differs(o, x.Foreign.Field) // a mark alone was asked for
		}
		if mark == "" {
			continue
		}
		// What is written otherwise leaves the mark.
		if o := x.converge(x.ours, want); o.Unprotected != mark {
			x.Fatalf("a repair has changed the mark from %q to %q", mark, o.Unprotected)
		}
		x.Foreign.Do(x.T, want)
		x.Settle()
	}
	if o := x.converge(x.ours, want); o.Unprotected != "" || before.Unprotected != "" {
		x.Fatalf("the mark is back: %q", o.Unprotected)
	}
}
