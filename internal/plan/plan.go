// Package plan decides what a pass does. It is pure: no I/O, no clock, no kinds, no YAML. Make turns what is wanted and
// what was seen into one step per resource, each with its reason; Run performs steps in order through a function that is given to it.
package plan

import "recsysd.dev/recsysd/internal/resource"

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

// View is what was observed of the world.
type View struct {
	Found    []resource.Observation
	Blind    map[string]error // by Ref.Kind: nothing, or not everything wanted, is known of it. Unknown, not absent
	Unlisted map[string]error // by Ref.Kind: what is named was read, the listing failed
}

// Policy is what the configuration and the moment say about a plan.
type Policy struct {
	Commit     string // being applied; its first 12 digits are what an unprotected mark names
	Observe    bool   // report, never write
	Prune      bool   // remove what is no longer wanted
	MaxDeletes int    // entries of the stack file that one plan may remove
	Destroy    bool   // nothing is wanted any longer: want only says what protection was asked for
	// Rejected holds, per resource, why the provider refused this very spec in this very situation.
	Rejected map[resource.Ref]string
}

// Step is what is decided about one resource.
type Step struct {
	Ref   resource.Ref
	Verb  Verb
	Why   string // one clause, for people
	Drift []resource.Change
	After []resource.Ref // steps of the same plan that must be through, and their resources usable (or gone, for a Delete)
	// Usable: others may build on the resource as it is now, whatever becomes of this step.
	Usable bool
	// Held is what a Hold holds back; Keep where it hides no difference (suspended).
	Held  Verb
	Entry string
}

// Plan is the steps in an order in which they can be performed; the same input gives the same plan.
type Plan struct {
	Steps   []Step
	Blind   map[string]string // by Ref.Kind, the reason
	Notices []string          // worth telling; they change nothing
}
