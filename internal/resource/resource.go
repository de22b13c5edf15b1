// Package resource is the vocabulary that every room of recsysd uses: what a resource is called, what it
// stands on, how a wanted one differs from a live one, and what a driver of one kind promises. It decides
// nothing, performs nothing and imports only the standard library.
package resource

import (
	"fmt"
	"strings"
	"time"
)

// Ref names a resource within a stack. Kind is the cloud kind in lower case (cluster, bucket, registry, …), the
// bare Kubernetes kind for the API server's own groups, else Kind.group. Name is the cloud name or, for a
// namespaced Kubernetes object, namespace/name.
type Ref struct{ Kind, Name string }

// String is KIND/NAME, the form used on the command line.
func (r Ref) String() string { return r.Kind + "/" + r.Name }

// Compare orders by kind, then by name.
func (r Ref) Compare(o Ref) int {
	if c := strings.Compare(r.Kind, o.Kind); c != 0 {
		return c
	}
	return strings.Compare(r.Name, o.Name)
}

// ParseRef reads KIND/NAME.
func ParseRef(s string) (Ref, error) {
	kind, name, ok := strings.Cut(s, "/")
	if !ok || kind == "" || name == "" {
		return Ref{}, fmt.Errorf("%q is not KIND/NAME", s)
	}
	return Ref{kind, name}, nil
}

// Need says that one resource stands on another. In: it lives inside it, comes and goes with it. Otherwise the need
// is one of order only, at creation. Part, beside In: the provider itself makes and removes it together with what it lives in, so
// that no step of its own is needed where that goes.
type Need struct {
	Ref  Ref
	In   bool
	Part bool
}

// Lifetime says what is lost when a resource goes.
type Lifetime uint8

const (
	Disposable Lifetime = iota // made again from Git without loss
	Stateful                   // holds what Git does not: never removed or replaced by surprise
	Permanent                  // never removed by recsysd at all
)

// State is one small vocabulary for the health of everything.
type State uint8

const (
	Absent  State = iota
	Pending       // exists, not usable yet; or on its way out
	Ready         // as it should be
	Busy          // usable, but the provider is working on it: do not write
	Broken        // exists and does not work
	Unknown       // could not be observed: neither absent nor present
)

var stateNames = [...]string{"absent", "pending", "ready", "busy", "broken", "unknown"}

// String is the word used in every output.
func (s State) String() string { return stateNames[s] }

// MarshalText writes the word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *State) UnmarshalText(b []byte) error {
	for i, n := range stateNames {
		if n == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("unknown state %q", b)
}

// Usable reports whether others may build on a resource in this state.
func (s State) Usable() bool { return s == Ready || s == Busy }

// Change is one field that differs. Values are text for people; a secret one is masked before it comes here.
type Change struct {
	Field      string
	Want, Have string
	Recreate   bool      // the provider cannot change it in place
	Mark       bool      // a note of recsysd's own on the resource: written even while the rest is held
	Owner      bool      // of the mark that says whose the resource is: no difference in what is not ours yet, but what taking it over writes
	Manager    string    // who set Have, where that is known
	At         time.Time // when Manager did; zero: not known
	Veiled     bool      // Want and Have are not the values themselves, being masked or cut short: the same text may stand for another one
	Note       string    // what the change costs, or how to make it where it cannot be made in place: for people
}

// FieldUnprotected is the Change by which the planner asks a driver to write (Want is a commit's first 12 digits) or
// clear (Want is empty) the mark that allows a stateful resource to go. No Spec reports it.
const FieldUnprotected = "unprotected"

// Resource is one wanted resource with what the stack file says about its handling. Build it with Of.
type Resource struct {
	Ref      Ref
	Spec     any    // the kind's settings struct
	Hash     string // of Spec: equal specs, equal hashes
	Needs    []Need // Spec's own, and those that the stack adds for order
	Lifetime Lifetime

	Protect bool   // a stateful resource that may not go; set for every resource, obeyed for stateful ones
	Adopt   bool   // take over an existing one that is not ours
	Observe bool   // look, never write
	Shared  bool   // one that exists and is not ours is used as it is: neither held nor different
	Foreign bool   // looked at by a mode of its own, which leaves it unmarked: another's, who pays for it too
	Suspend string // reason for leaving it alone; "" is not suspended
	// Ignore are fields, as Covers has them, that others say: at creation they are what is wanted, after that they are never compared and
	// stay as they are, whatever else of the resource is written.
	Ignore []string
	Entry  string // the stack file's entry that it belongs to, such as workloads.api
	Pos    string // file:line:column of that entry

	// InheritsFirst holds creation of this resource, and of the absent rest of its entry, while an owned one of the same
	// kind is no longer wanted: a renamed entry must not start on an empty disk while the full one stands unused.
	InheritsFirst bool

	Rest *Rest // what its schedule says; nil: it never sleeps
}

// Observation is one live resource, as the engine sees it.
type Observation struct {
	Ref         Ref
	State       State
	Locked      bool // takes no writes now: being created, being removed
	Owned       bool
	Lifetime    Lifetime
	Needs       []Need            // of the live resource
	Diff        []Change          // wanted against live; nil when in sync, not wanted or Unknown
	Entry       string            // the entry it was made for, where it carries that
	Unprotected string            // the mark of FieldUnprotected as it stands on the resource
	Detail      string            // what it is doing or what is wrong with it, for people
	Refused     string            // why the provider would not take what is wanted, as it says when asked; nothing is written then
	Version     string            // changes whenever a compared part of the live resource does
	Outputs     map[string]string // such as endpoint, url, path, address: what others use it by
	Notices     []string          // worth telling, no difference: foreign members, labels of others
	Asleep      bool              // it is in its sleeping form
	Rest        *Rest             // what is wanted of it, by schedule or by hand; nil: it never sleeps, or nothing is wanted
	ByHand      string            // the command by which a person removes what recsysd never does

	live  any     // the driver's own Live.Spec
	usage []Usage // that it is billed for
}

// Resource names a live resource, so that it can be looked at again although nothing in the stack asks for it.
func (o Observation) Resource() Resource {
	return Resource{Ref: o.Ref, Spec: o.live, Needs: o.Needs, Lifetime: o.Lifetime, Entry: o.Entry}
}
