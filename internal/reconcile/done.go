package reconcile

import (
	"errors"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// Done is what a pass did about a resource in drift. These are all the words that there are for it, wherever it is shown.
type Done string

const (
	DoneCorrected Done = "corrected" // it was put back
	DoneHeld      Done = "held"      // it could be put back, but that is held, for a reason
	DoneLeft      Done = "left"      // nobody wants it written: it is only looked at, or suspended
	DoneFought    Done = "fought"    // another sets it again whenever it is put back
	DoneWaits     Done = "waits"     // it is being put back, or its turn has not come
	DoneFailed    Done = "failed"    // it could not be put back
)

// settle says of every resource in drift what was done about it.
func (p *Pass) settle() {
	if len(p.drift) == 0 {
		return
	}
	results := make(map[resource.Ref]int, len(p.Results))
	for i, res := range p.Results {
		results[res.Ref] = i
	}
	for ref, d := range p.drift {
		d.Done, d.Why = DoneWaits, ""
		if i, known := results[ref]; known {
			d.Done, d.Why = p.did(d, p.Plan.Steps[i], p.Results[i])
		}
		p.drift[ref] = d
	}
}

// did is what a step, which ended so, has done about drift that is still there.
func (p *Pass) did(d DriftFact, s plan.Step, res plan.Result) (Done, string) {
	switch {
	case s.Left:
		return DoneLeft, s.Why
	case s.Awaited:
		return DoneWaits, s.Why
	case s.Rejected:
		return DoneFailed, s.Why
	case p.fought(s.Ref, d.Fields):
		return DoneFought, p.rivals(s.Ref)
	case s.Verb == plan.Hold:
		return DoneHeld, s.Why
	case failing(res):
		return DoneFailed, res.Err.Error()
	case res.Err != nil && errors.Is(res.Err, resource.ErrUnavailable):
		return DoneWaits, res.Err.Error()
	}
	return DoneWaits, ""
}

// fought reports whether all of these fields are left to another.
func (p *Pass) fought(ref resource.Ref, fields []resource.Change) bool {
	all := p.fights[ref]
	return len(all) > 0 && !slices.ContainsFunc(fields, func(c resource.Change) bool {
		return !c.Mark && !slices.ContainsFunc(all, func(f Fight) bool { return f.Field == c.Field })
	})
}

// rivals names who fights for a resource; "" if nobody knows.
func (p *Pass) rivals(ref resource.Ref) string {
	var names []string
	for _, f := range p.fights[ref] {
		if f.Rival != "" && !slices.Contains(names, f.Rival) {
			names = append(names, f.Rival)
		}
	}
	return strings.Join(names, ", ")
}
