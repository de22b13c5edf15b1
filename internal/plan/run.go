package plan

import (
	"context"
	"errors"
	"fmt"

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
	Usable  bool // others may build on the resource now; for what is removed: it is gone
	Err     error
}

// Do performs one step and looks at the resource again. usable says whether others may now build on it (for a Delete, and a
// Recreate that is Within: whether it is gone); err is wrapped ErrUnavailable, ErrRejected or anything else, which is to be retried.
type Do func(ctx context.Context, s Step) (usable bool, err error)

// Run performs the steps of p, width at a time, each after the steps that it names. A failure stops only what stands on it. Once
// ctx is done no new step starts; those in flight are waited for. The results are in the order of the steps.
func Run(ctx context.Context, p Plan, width int, do Do) []Result {
	r := run{plan: p, results: make([]Result, len(p.Steps)), settled: make([]bool, len(p.Steps))}
	var due []int // steps that are neither begun nor settled
	for i := range p.Steps {
		s := &p.Steps[i]
		r.results[i] = Result{Ref: s.Ref, Verb: s.Verb, Usable: s.Usable}
		if r.settled[i] = !s.Verb.Writes(); !r.settled[i] {
			due = append(due, i)
		}
	}
	if len(due) == 0 {
		return r.results
	}
	r.at = make(map[resource.Ref]int, len(p.Steps))
	for i := range p.Steps {
		r.at[p.Steps[i].Ref] = i
	}
	type end struct {
		i      int
		usable bool
		err    error
	}
	ends := make(chan end)
	for running := 0; ; {
		var later []int
		for n, i := range due {
			if running >= max(width, 1) {
				later = append(later, due[n:]...)
				break
			}
			if !r.ready(ctx, i) {
				if !r.settled[i] {
					later = append(later, i)
				}
				continue
			}
			running++
			go func() {
				usable, err := do(ctx, p.Steps[i])
				ends <- end{i, usable, err}
			}()
		}
		due = later
		if running == 0 {
			return r.results
		}
		e := <-ends
		running--
		r.settled[e.i] = true
		r.results[e.i].Usable, r.results[e.i].Err = e.usable, e.err
		r.results[e.i].Outcome = OutcomeOf(e.err)
	}
}

// OutcomeOf is how a step ended that returned err.
func OutcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, resource.ErrUnavailable):
		return Waiting
	case errors.Is(err, resource.ErrRejected):
		return Rejected
	}
	return Failed
}

type run struct {
	plan    Plan
	results []Result
	settled []bool
	at      map[resource.Ref]int
}

// ready reports whether step i may start now. One that can no longer start is settled instead.
func (r *run) ready(ctx context.Context, i int) bool {
	s := r.plan.Steps[i]
	for _, ref := range s.After {
		j, known := r.at[ref]
		switch {
		case !known:
			r.wait(i, fmt.Errorf("%w: %s, which it lives in, does not exist", resource.ErrUnavailable, ref))
			return false
		case !r.settled[j]:
			return false
		case !r.clears(s, r.plan.Steps[j], r.results[j]):
			r.wait(i, fmt.Errorf("%w: waits for %s", resource.ErrUnavailable, ref))
			return false
		}
	}
	if ctx.Err() != nil {
		r.wait(i, fmt.Errorf("%w: not started: %w", resource.ErrUnavailable, context.Cause(ctx)))
		return false
	}
	return true
}

// clears reports whether step s may go on as far as before is concerned. What is only removed in this run clears the way for
// another removal, never for something that is built; what is rewritten clears it for a removal only once that has been done. What
// sleeps first, or wakes first, must have turned.
func (r *run) clears(s, before Step, was Result) bool {
	switch gone := before.Verb == Delete || before.Within; {
	case gone && !s.removes():
		return false
	case s.Verb == Delete && !gone && was.Outcome != OK:
		return false
	case s.turns(resource.Sleep) && before.Turn == "" && !before.Verb.Writes() && before.Verb != Keep:
		return false // whether it sleeps is not known
	case s.Turn != "" && s.Turn == before.Turn && !(before.turns(s.Turn) && was.Outcome == OK):
		return false
	}
	return was.Usable
}

func (r *run) wait(i int, err error) {
	r.settled[i] = true
	r.results[i].Outcome, r.results[i].Err = Waiting, err
}
