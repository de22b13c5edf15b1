// Package plan decides what a pass does. It is pure: no I/O, no clock, no kinds, no YAML. Make turns what is wanted and
// what was seen into one step per resource, each with its reason; Run performs steps in order through a function that is given to it.
package plan

import (
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// Verb is what a step does.
type Verb string

const (
	Keep     Verb = "keep"
	Create   Verb = "create"
	Update   Verb = "update"
	Recreate Verb = "recreate"
	Delete   Verb = "delete"
	Hold     Verb = "hold"
)

// Writes reports whether a step with this verb changes anything.
func (v Verb) Writes() bool { return v == Create || v == Update || v == Recreate || v == Delete }

// View is what was observed of the world.
type View struct {
	Found    []resource.Observation
	Blind    map[string]error // by Ref.Kind: nothing, or not everything wanted, is known of it. Unknown, not absent
	Unlisted map[string]error // by Ref.Kind: what is named was read, the listing failed
	Notices  []string         // of no single resource; they change nothing
}

// Policy is what the configuration and the moment say about a plan.
type Policy struct {
	Commit     string // being applied; its first 12 digits are what an unprotected mark names
	Observe    bool   // report, never write
	Lookout    bool   // the stack is only looked at, but for what says otherwise: nothing is removed because it is no longer wanted
	Prune      bool   // remove what is no longer wanted
	MaxDeletes int    // entries of the stack file that one plan may remove
	Destroy    bool   // nothing is wanted any longer: want only says what protection was asked for
	Checked    bool   // Check has passed what is wanted
	Suspended  string // reason why the whole stack is left alone; "" is not suspended
	// Held holds, per resource, the reason why a person wants it left alone.
	Held map[resource.Ref]string
	// Fought holds, per resource and field, who sets the field again whenever it is put back ("": nobody knows). Such a field is left
	// alone; the others of the resource are not.
	Fought map[resource.Ref]map[string]string
	// Settled are the resources that were in sync with what is wanted now when they were last seen: what differs is drift. To repair
	// that waits for nothing.
	Settled map[resource.Ref]bool
	// Withheld is a newer commit, if that is held as a whole.
	Withheld Withheld
	// Rejected holds, per resource, why the provider refused this very spec in this very situation.
	Rejected map[resource.Ref]string
}

// Step is what is decided about one resource.
type Step struct {
	Ref   resource.Ref
	Verb  Verb
	Why   string // one clause, for people
	Drift []resource.Change
	// Fought are differences beside Drift that the step leaves as they are, because another sets them again whenever they are put back.
	// A Hold has them in Drift.
	Fought []resource.Change
	// After are the resources that must be ready for this step: usable, and through with a step of their own; gone, where
	// both are removals; rewritten, where this step removes what they stood on. One that has no step in the plan is not
	// there and will not be: the step waits.
	After []resource.Ref
	// Usable: others may build on the resource as it is now, whatever becomes of this step.
	Usable bool
	// Held is what a Hold holds back; Keep where it hides no difference (suspended).
	Held Verb
	// Within: a Recreate of something that lives in what is recreated. It is only removed; a later plan makes it again. Of a Keep: it is
	// a part of what is removed or recreated, and goes with that by itself.
	Within bool
	// Rejected: a Hold because the provider refused this very spec in this very situation.
	Rejected bool
	// Left: a Hold because nobody wants it written: it is only looked at, or suspended.
	Left bool
	// Awaited: a Hold until the resource takes writes again, or the provider is through with its own work on it.
	Awaited bool
	// Claim: an Update that takes over, as adopt asks, what is as it should be in all but recsysd's own marks, or a Hold of
	// that. It writes, and it is no difference.
	Claim bool
	Entry string
	// Turn: the resource is to fall asleep or to wake. A step that changes marks alone, and a Hold, leave that to another.
	Turn resource.Turn
	Rest *resource.Rest // what is wanted, by schedule or by hand; nil: it never sleeps
}

// Differs reports whether something is not as it should be: the step changes it, or holds the change back.
func (s Step) Differs() bool {
	return s.Verb != Keep && !(s.Verb == Hold && s.Held == Keep) && !s.Claim
}

// turns reports whether the step puts its resource to sleep or wakes it.
func (s Step) turns(t resource.Turn) bool { return s.Turn == t && s.rewrites() }

// rewrites reports whether the step brings the resource to its wanted form, beyond marks.
func (s Step) rewrites() bool {
	if s.Verb == Recreate {
		return true
	}
	return s.Verb == Update && slices.ContainsFunc(s.Drift, func(c resource.Change) bool { return !c.Mark })
}

// removes reports whether the step takes its resource away for the time being.
func (s Step) removes() bool { return s.Verb == Delete || s.Verb == Recreate }

// Plan is the steps in an order in which they can be performed; the same input gives the same plan.
type Plan struct {
	Steps   []Step
	Blind   map[string]string // by Ref.Kind, the reason
	Notices []string          // worth telling; they change nothing
}

// Mark is the form in which a commit stands in an unprotected mark: its first 12 digits.
func Mark(commit string) string {
	if len(commit) > 12 {
		return commit[:12]
	}
	return commit
}
