package resource

import (
	"context"
	"errors"
)

// Spec is a kind's settings struct S: pure data, no I/O. The wanted and the live world are both reported in it, so like
// is compared with like. A plain field is always compared; a nil pointer means "not ours, leave it alone"; zero is a value.
// What only the driver needs (versions, etags) is left out of JSON, which is what hashes are made from.
type Spec[S any] interface {
	Ref() Ref
	Needs() []Need
	Lifetime() Lifetime
	// Validate reports every value that the provider would refuse and that can be known offline, joined.
	Validate() error
	// Diff reports how live differs from the receiver, sorted by field. Equal in meaning is equal.
	Diff(live S) []Change
	// Usage is what the resource is billed for, each thing once: as it is wanted, at full hours, or of a live one as it is now. nil is free.
	Usage() []Usage
}

// Driver reads and writes the resources of one kind for one stack. No call waits for the provider to finish: progress is
// what the next Observe sees. Every call is idempotent and safe for concurrent use, and returns within its context.
//
// Errors say what happens next: ErrUnavailable (what it stands on is not there yet: wait), ErrRejected (the provider will
// never take this spec: do not retry it), any other (retry later).
type Driver[S Spec[S]] interface {
	// Observe reports those named in want, by name, and with list every other resource that carries this stack's mark. It
	// never writes. What is absent is left out; what could not be read is reported with State Unknown and the reason in
	// Detail. An error means that nothing of this kind is known. Without list it is the look after a write: cheap.
	Observe(ctx context.Context, want []S, list bool) (Seen[S], error)
	// Create makes a resource that is absent. If it exists after all, that is an error to be retried: look again.
	Create(ctx context.Context, want S) error
	// Update brings live, as Observe reported it, to want, in the form that Observe said is wanted. drift is what was decided on: the differences that may change
	// in place, or marks alone. It may do a part and leave the rest to the next pass. A write is refused by
	// the provider if the resource has changed since it was observed, wherever the provider can do that.
	Update(ctx context.Context, want, live S, drift []Change) error
	// Delete begins the removal of live; absent is success. With replace, a Create of the same name follows, and
	// what that can take over is left standing.
	Delete(ctx context.Context, live S, replace bool) error
}

// Leaver is an optional part of a Spec whose driver writes more than the differences it is given: it says which fields are to stay as they
// are, whatever the spec says of them. Patterns are as Covers has them. They are no part of the comparison of two specs, nor of the hash.
type Leaver[S any] interface {
	Leaving(fields []string) S
}

// Waker is an optional part of a Driver: a person may wake what it looks after, or put it to sleep, for a time.
type Waker[S any] interface {
	// SetRest notes on live, as Observe reported it, that it is by.Asleep until by.Until (zero: until somebody says otherwise), whatever
	// its schedule says. The note is kept on the resource; Observe heeds it, in Live.Want, for as long as it holds. It is no part of
	// the comparison. Without ByHand the note is taken back.
	SetRest(ctx context.Context, live S, by Rest) error
}

// Steady is an optional part of a Driver that can tell, for less than a look costs, that a look would come to what it came to before.
type Steady[S any] interface {
	// AsBefore reports whether Observe of want with list would now tell what it told last time, when it was given the very same slice. It
	// may ask the provider whatever Observe would. false says nothing: whoever wants to know looks.
	AsBefore(ctx context.Context, want []S) bool
}

// Seen is what one Observe saw.
type Seen[S any] struct {
	Live []Live[S]
	// Unlisted holds, by Ref.Kind, why the listing failed although what is named was read: resources of that kind are not removed.
	Unlisted map[string]error
	// Notices are for people: they change nothing.
	Notices []string
}

// Live is one existing resource.
type Live[S any] struct {
	Spec        S
	Want        *S // the wanted spec as the provider would store it; nil: as it was given. Diff is Want against Spec
	State       State
	Locked      bool // the provider takes no writes to it now: being created, being removed
	Owned       bool
	Entry       string
	Unprotected string
	Detail      string
	Refused     string // why the provider would not take Want, where it can be asked without a write; "": nothing is known against it
	Version     string // "": made from Spec
	Outputs     map[string]string
	Notices     []string

	// Unmarkable: it is nobody's, and no mark of ownership can be written on it any more. The stack's word for it, adopt, is then
	// all that makes it ours.
	Unmarkable bool
	// ByHand is the command by which a person removes what recsysd never does.
	ByHand string
}

var (
	// ErrUnavailable: what the resource stands on is not there yet.
	ErrUnavailable = errors.New("not available yet")
	// ErrRejected: the provider will not take this spec, however often it is asked.
	ErrRejected = errors.New("rejected")
)
