package resource

import (
	"context"
	"time"
)

// Author is who changed something, and when.
type Author struct {
	Name string
	At   time.Time
}

// Span is a time with its ends.
type Span struct{ From, To time.Time }

// Witness is an optional part of a Driver, where the provider keeps a record of who changed what.
type Witness[S any] interface {
	// Who tells who was the last to change the resource of s within that time, recsysd itself left out; the zero Author: the record names
	// nobody, or not yet. s is the live form or, of a resource that is gone, the wanted one. It is asked about drift that is new, never about
	// what is in sync. An error means that nobody is known.
	Who(ctx context.Context, s S, during Span) (Author, error)
}

// Tells reports whether Who has anybody to ask.
func (k Kind) Tells() bool { return k.who != nil }

// Who tells who changed named last. See Witness; without one nobody is known.
func (k Kind) Who(ctx context.Context, named Resource, during Span) (Author, error) {
	if k.who == nil {
		return Author{}, nil
	}
	return k.who(ctx, named.Spec, during)
}
