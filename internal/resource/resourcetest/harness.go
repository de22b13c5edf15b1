// Package resourcetest is the contract of resource.Driver as a test suite. Every driver passes it against the backend that its
// kind is tested with, and so does the simulator. It knows no kind and no backend: a kind's own test hands it a
// Harness and keeps for itself what only that provider does.
package resourcetest

import (
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

// Harness is one backend, empty of the samples, with two stacks' drivers over it and the means to disturb it.
// All fields are required unless their comment says otherwise.
type Harness[S resource.Spec[S]] struct {
	Ours, Other Stack[S]

	// Edits are changes of a sample that its provider makes in place: one for every mutable field.
	Edits []Edit[S]
	// Recreates are changes that it cannot make in place. May be empty.
	Recreates []Edit[S]
	// Foreign changes a live resource behind the driver's back.
	Foreign Foreign[S]

	// Writes counts the mutating calls that the backend has received, those of Foreign excepted. A dry run is none.
	Writes func() int
	// Settle returns once everything that was asked of the backend so far, by a driver or by Foreign, is through and
	// shows in reads. It is called after every write.
	Settle func()
	// ForbidList and ForbidGet forbid listing, and reading by name, to both stacks, or allow it again.
	ForbidList, ForbidGet func(forbid bool)
	// Hang makes the backend leave every call without an answer, or answer again. Optional.
	Hang func(hang bool)
	// Staged: Create makes a part, and updates bring the rest. Optional.
	Staged bool
	// MarkedOnce: the mark of ownership is written at creation and never again, so what is another stack's is never taken over. Optional.
	MarkedOnce bool
	// Guarded: the provider refuses an Update that was decided on an older look.
	Guarded bool
}

// Stack is one of the two stacks that share the backend.
type Stack[S resource.Spec[S]] struct {
	Driver resource.Driver[S]
	// Spec makes the n-th sample, fresh each time, as the stack would want it: ownership marks that are part of the spec
	// included. The same n names the same resource in both stacks. n runs from 0 to 7.
	Spec func(n int) S
}

// Edit changes a spec in a way that Diff reports as Field.
type Edit[S any] struct {
	Field string
	Do    func(S) S
}

// Foreign changes the live resource that s names so that Diff of s reports Field.
type Foreign[S any] struct {
	Field string
	Do    func(t *testing.T, s S)
}

// Run checks that the driver keeps its contract. open is called once for each part of it and gives a backend on which the
// samples do not exist; clean up with t.Cleanup.
func Run[S resource.Spec[S]](t *testing.T, open func(t *testing.T) Harness[S]) {
	parts := []struct {
		name string
		run  func(*trial[S])
	}{
		{"a sample is valid, and equal to itself", (*trial[S]).sample},
		{"what is absent is left out", (*trial[S]).absent},
		{"what was created is ours and in sync, and stays so", (*trial[S]).created},
		{"creating what exists is an error to be retried", (*trial[S]).createdTwice},
		{"without list only the named are looked at", (*trial[S]).byName},
		{"what is ours and not wanted is listed", (*trial[S]).listed},
		{"what a foreign hand changed is a difference, and is repaired", (*trial[S]).foreign},
		{"every mutable field can be changed, and alone", (*trial[S]).edits},
		{"what cannot change in place says so", (*trial[S]).recreates},
		{"what was deleted is gone, and deleting it again is success", (*trial[S]).deleted},
		{"another stack's resource is not listed, and seen by name as not ours", (*trial[S]).othersApart},
		{"what is not ours is taken over by an update", (*trial[S]).adopted},
		{"the unprotected mark is written, read and cleared, and nothing else with it", (*trial[S]).unprotected},
		{"a forbidden listing leaves what is named known", (*trial[S]).unlisted},
		{"what may not be read is unknown, not absent", (*trial[S]).unknown},
		{"a write is repeated without harm when its answer was lost", (*trial[S]).answerLost},
		{"an update decided on an older look is refused", (*trial[S]).guarded},
		{"a call returns when its context is done", (*trial[S]).cancelled},
		{"calls may run side by side", (*trial[S]).sideBySide},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) { p.run(newTrial(t, open(t))) })
	}
}
