package plan

import (
	"context"

	"recsysd.dev/recsysd/internal/resource"
)

// Outcome is how a step ended.
type Outcome string

const (
	None     Outcome = ""         // nothing was due: keep, hold
	OK       Outcome = "ok"       // done, and seen to be done
	Failed   Outcome = "failed"   // to be tried again
	Waiting  Outcome = "waiting"  // what it stands on is not there yet
	Rejected Outcome = "rejected" // not to be tried again with this spec
)

// Result is what became of one step.
type Result struct {
	Ref     resource.Ref
	Verb    Verb
	Outcome Outcome
	Usable  bool // others may build on the resource now
	Err     error
}

// Do performs one step and looks at the resource again. usable says whether others may now build on it (for a Delete:
// whether it is gone); err is wrapped ErrUnavailable, ErrRejected or anything else, which is to be retried.
type Do func(ctx context.Context, s Step) (usable bool, err error)

// Run performs the steps of p, width at a time, each after the steps that it names. A failure stops only what stands on it. Once
// ctx is done no new step starts; those in flight are waited for. The results are in the order of the steps.
func Run(ctx context.Context, p Plan, width int, do Do) []Result {
	panic("not built yet")
}
