// Package reconcile makes one pass over a stack, and repeats it: fetch, load, observe, plan, run, and an account of all that.
// It knows no kind, no Git, no YAML and no metric; memory between passes is a cache, never the truth.
package reconcile

import (
	"context"
	"io/fs"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// Revision is one commit of the stack's repository, readable until the source is closed.
type Revision struct {
	Commit string // full hash; for a local file, the SHA-256 of its content
	Tree   fs.FS
}

// Source is where revisions come from. It polls on its own; no call waits for the network longer than its context.
type Source interface {
	// Fetch returns the newest revision already known. With an error it may still return one, the last that was reached.
	Fetch(ctx context.Context) (Revision, error)
	// Keep marks a revision as good: it stays readable, across restarts, until another is kept.
	Keep(ctx context.Context, r Revision) error
	// Kept returns the revision last kept; ok is false if there is none.
	Kept(ctx context.Context) (r Revision, ok bool, err error)
}

// Load reads a revision's stack as it is at a moment. It is wired to the desired room; errors name file, line and column.
type Load func(ctx context.Context, r Revision, now time.Time) (Stack, error)

// Stack is what a revision wants.
type Stack struct {
	Resources []resource.Resource
	Observe   bool // the whole of it is only looked at: nothing is written, nor removed because it is no longer in the file
	// Until is when the same revision may want something else, because of a schedule or of what is looked up outside Git: it is
	// read again then. Zero: never.
	Until time.Time
	// Credit: the billing account's credit for clusters is spent on this stack. Nothing is decided by it; passes carry it for those who
	// reckon what they saw in dollars.
	Credit bool
	// Budget is what the stack may come to in a month; nil: nothing is said. Carried as Credit is.
	Budget *resource.Budget
}

// Kick asks for a pass now. Kicks that come while a pass runs are answered together by the next one.
type Kick struct {
	Refs       []resource.Ref // empty: everything
	Why        string
	Retry      bool       // asked by a person: do not wait out the delay after a failure
	MaxDeletes int        // above zero: for the commit at hand, if that is more than the settings' own
	Done       func(Pass) // if set, is given the pass that answered; it must not block
}

// DriftFact is what differs on one resource behind the stack's back, and since when a pass has seen it.
type DriftFact struct {
	Fields []resource.Change
	Since  time.Time
	// Live is what the resource was billed for as it was seen in drift, before anything was done about that; Wanted is what it would be
	// billed for as it is wanted.
	Live, Wanted []resource.Usage
	// Done is what the pass did about it, and Why, where there is more to say: the reason, the rival or the error.
	Done Done
	Why  string
}

// Repair is drift that was put back.
type Repair struct {
	DriftFact
	At time.Time // when the pass that put it back was through
}

// Pass is the full account of one pass. Everything that anyone sees is made from passes and from nothing else.
type Pass struct {
	Stack     string
	Attempted string // commit
	Applied   string // newest commit that converged, so far
	Start     time.Time
	End       time.Time
	Why       string                 // what asked for it
	Partial   []resource.Ref         // what the pass was limited to: what its Kick names, and what stands on that; empty: everything
	Want      []resource.Resource    // the same slice in every pass until the stack is read again
	Credit    bool                   // Stack.Credit of what is wanted
	Budget    *resource.Budget       // Stack.Budget of the newest stack that is valid
	Seen      []resource.Observation // the newest look at each resource; after the steps
	Plan      plan.Plan
	Results   []plan.Result // same order as Plan.Steps
	Suspended string        // reason, if the whole stack is
	SourceErr error         // Git could not be reached, or refused
	StackErr  error         // the newest revision's stack is invalid; the last good one is kept to
	Err       error         // the pass could not be made at all

	// OverBudget is the sum that shows that the newest stack passes its budget; "": it does not. Withheld: it is held for that, and Want
	// is the one that was let through before it; or itself, if that is not known.
	OverBudget string
	Withheld   bool

	Detected    []resource.Ref // in drift now and not at the pass before
	Corrected   []resource.Ref // were in drift, were written by us, and are in sync
	Fought      []resource.Ref // of which a field is left alone from this pass on: see Fights
	Unexplained []resource.Ref // updated although desired hash and live version are those after our own last write

	// Named are the resources of which it was learned, with this pass, who has changed them: now, or before an earlier pass put that back.
	Named map[resource.Ref]resource.Author

	// Same: everything is as in the pass before, what is to be remembered included, and that was recorded. Only the times are others, why it was
	// made, and whether Git could be reached.
	Same bool

	outcome  Outcome          // once the pass is through
	only     scope            // Partial
	words    words            // that held when it began
	stamps   []uint64         // of what each kind saw; nil: not everything was looked at
	using    Revision         // that the plan is made for
	unlisted map[string]error // by Ref.Kind: what is not named may be there unseen
	lookout  bool             // Stack.Observe of that
	withheld plan.Withheld    // what is not done of the newest
	asides   []string         // notices of its own
	drift    map[resource.Ref]DriftFact
	repairs  map[resource.Ref]Repair
	fights   map[resource.Ref][]Fight
}
