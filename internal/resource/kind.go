package resource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Kind is a driver with its settings struct erased, so that the engine can hold all kinds in one slice. This file is the only
// one in the program that asserts a spec's type.
type Kind struct {
	Name string // of the driver: cluster, bucket, registry, kube

	owns    func(spec any) bool
	observe func(ctx context.Context, want []Resource, list bool) (Sight, error)
	again   func(ctx context.Context, want []Resource) (Sight, error)
	create  func(ctx context.Context, want Resource) error
	update  func(ctx context.Context, want Resource, live Observation, drift []Change) error
	remove  func(ctx context.Context, live Observation, replace bool) error
	compare func(now, was any) []Change
	setRest func(ctx context.Context, live Observation, by Rest) error       // nil: nothing of this kind can be told to sleep
	who     func(ctx context.Context, spec any, during Span) (Author, error) // nil: nobody keeps a record
}

// Sight is what one Observe of a Kind saw. See Seen.
type Sight struct {
	Found    []Observation
	Unlisted map[string]error
	Notices  []string
	// Stamp is the same for looks with list that came to the same, when they were given the very same slice; 0: nothing is known of that.
	Stamp uint64
	// Spared: nothing has changed, and the rest but for Stamp was not worked out again.
	Spared bool
}

// Owns reports whether r is described by this kind's settings struct.
func (k Kind) Owns(r Resource) bool { return k.owns(r.Spec) }

// Observe looks at the resources of want that this kind owns and, with list, at all that carry the stack's mark. Like
// the other calls it follows the contract of Driver.
func (k Kind) Observe(ctx context.Context, want []Resource, list bool) (Sight, error) {
	return k.observe(ctx, want, list)
}

// Again is Observe with list for whoever holds what that came to before: it may be spared.
func (k Kind) Again(ctx context.Context, want []Resource) (Sight, error) { return k.again(ctx, want) }

// Create makes want, which is absent.
func (k Kind) Create(ctx context.Context, want Resource) error { return k.create(ctx, want) }

// Update brings live to want.
func (k Kind) Update(ctx context.Context, want Resource, live Observation, drift []Change) error {
	return k.update(ctx, want, live, drift)
}

// Delete removes live, an observation made by this kind.
func (k Kind) Delete(ctx context.Context, live Observation, replace bool) error {
	return k.remove(ctx, live, replace)
}

// Compare is what one form of a wanted resource says otherwise than another, as far as can be told without asking the provider.
func (k Kind) Compare(now, was Resource) []Change {
	return compared(k.compare(now.Spec, was.Spec), now.Ignore)
}

// SetRest notes a person's word on live, an observation made by this kind. See Waker.
func (k Kind) SetRest(ctx context.Context, live Observation, by Rest) error {
	if k.setRest == nil || live.Rest == nil {
		return fmt.Errorf("%s neither sleeps nor wakes", live.Ref)
	}
	return k.setRest(ctx, live, by)
}

// resting is the part of Sleeper that needs no type.
type resting interface{ Rest() *Rest }

func restOf(spec any) *Rest {
	if s, ok := spec.(resting); ok {
		return s.Rest()
	}
	return nil
}

// billed is the part of Spec that needs no type.
type billed interface{ Usage() []Usage }

func usageOf(spec any) []Usage {
	if s, ok := spec.(billed); ok {
		return s.Usage()
	}
	return nil
}

// Of wraps a kind's settings struct as a wanted resource, protected until the stack says otherwise.
func Of[S Spec[S]](s S) Resource {
	return Resource{Ref: s.Ref(), Spec: s, Hash: hash(s), Needs: s.Needs(), Lifetime: s.Lifetime(), Protect: true, Rest: restOf(s)}
}

// NewKind erases S.
func NewKind[S Spec[S]](name string, d Driver[S]) Kind {
	k := Kind{
		Name:   name,
		owns:   func(spec any) bool { _, ok := spec.(S); return ok },
		create: func(ctx context.Context, want Resource) error { return d.Create(ctx, want.Spec.(S)) },
		update: func(ctx context.Context, want Resource, live Observation, drift []Change) error {
			s := want.Spec.(S)
			if form, ok := want.Spec.(Sleeper[S]); ok && live.Rest != nil {
				s = form.WithRest(*live.Rest)
			}
			return d.Update(ctx, leaving(s, want.Ignore), live.live.(S), drift)
		},
		compare: func(now, was any) []Change {
			s, ok := now.(S)
			before, same := was.(S)
			if !ok || !same {
				return nil
			}
			return s.Diff(before)
		},
		remove: func(ctx context.Context, live Observation, replace bool) error {
			return d.Delete(ctx, live.live.(S), replace)
		},
	}
	e := &eye[S]{driver: d}
	k.observe, k.again = e.look, e.again
	if w, ok := d.(Waker[S]); ok {
		k.setRest = func(ctx context.Context, live Observation, by Rest) error { return w.SetRest(ctx, live.live.(S), by) }
	}
	if w, ok := d.(Witness[S]); ok {
		k.who = func(ctx context.Context, spec any, during Span) (Author, error) {
			return w.Who(ctx, spec.(S), during)
		}
	}
	return k
}

// observation is l as the engine sees it; wanted is nil where nobody asks for it.
func observation[S Spec[S]](l *Live[S], wanted *Resource) Observation {
	o := Observation{
		Ref: l.Spec.Ref(), State: l.State, Locked: l.Locked, Owned: l.Owned, Lifetime: l.Spec.Lifetime(), Needs: l.Spec.Needs(),
		Entry: l.Entry, Unprotected: l.Unprotected, Detail: l.Detail, Refused: l.Refused, Version: l.Version, Outputs: l.Outputs,
		Notices: l.Notices, ByHand: l.ByHand, live: l.Spec,
	}
	if o.State == Unknown {
		return o
	}
	if r := restOf(o.live); r != nil {
		o.Asleep = r.Asleep
	}
	o.usage = billedNow(usageOf(l.Spec), o.Asleep)
	if o.Version == "" {
		o.Version = hash(l.Spec)
	}
	if wanted != nil {
		want, spec := l.Want, wanted.Spec
		if want == nil {
			s := spec.(S)
			want = &s
		} else {
			spec = *want
		}
		o.Owned = o.Owned || l.Unmarkable && wanted.Adopt
		o.Diff, o.Rest = compared((*want).Diff(l.Spec), wanted.Ignore), restOf(spec)
	}
	return o
}

// leaving is s told which fields are not its own, where its driver has to know.
func leaving[S Spec[S]](s S, fields []string) S {
	if len(fields) == 0 {
		return s
	}
	if l, ok := any(s).(Leaver[S]); ok {
		return l.Leaving(fields)
	}
	return s
}

// compared is diff without what is ignored. The marks of recsysd itself are nobody else's to say.
func compared(diff []Change, ignore []string) []Change {
	if len(ignore) == 0 {
		return diff
	}
	var left []Change
	for _, c := range diff {
		if c.Mark || !slices.ContainsFunc(ignore, func(pattern string) bool { return Covers(pattern, c.Field) }) {
			left = append(left, c)
		}
	}
	return left
}

// hash is of the JSON form: struct fields in order, map keys sorted.
func hash(spec any) string {
	b, err := json.Marshal(spec)
	if err != nil {
		panic(fmt.Sprintf("resource: a spec that JSON cannot hold: %T: %v", spec, err)) // a programming mistake in the kind
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
