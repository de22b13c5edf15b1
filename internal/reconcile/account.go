package reconcile

import (
	"errors"
	"maps"
	"slices"
	"sort"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// Outcome is what a whole pass came to.
type Outcome string

const (
	Converged   Outcome = "converged"   // everything wanted is usable without any difference, and no step was due
	Progressing Outcome = "progressing" // something was done, is awaited, or is held
	Failed      Outcome = "failed"      // a step failed or was refused, something could not be observed, or what is wanted is broken
	Invalid     Outcome = "invalid"     // the newest revision's stack is
)

// Outcomes are all of them.
var Outcomes = []Outcome{Converged, Progressing, Failed, Invalid}

// Outcome sums the pass up.
func (p Pass) Outcome() Outcome {
	switch {
	case p.outcome != "":
		return p.outcome
	case p.StackErr != nil:
		return Invalid
	case p.Err != nil || len(p.Plan.Blind) > 0:
		return Failed
	case slices.ContainsFunc(p.Results, failing), slices.ContainsFunc(p.Plan.Steps, func(s plan.Step) bool { return s.Rejected }):
		return Failed
	case len(p.Broken()) > 0:
		return Failed
	case p.settled() && !p.Withheld:
		return Converged
	}
	return Progressing
}

// Broken are the resources that are wanted, are the stack's own, and do not work, as they say themselves: a rollout whose pods do not
// start. Nothing is done about that but what a new commit asks for; whether it comes right is seen in later passes.
func (p Pass) Broken() []resource.Observation {
	if p.outcome == Converged {
		return nil
	}
	var broken []resource.Observation
	for i := range p.Seen {
		if o := &p.Seen[i]; o.State == resource.Broken && o.Owned {
			broken = append(broken, *o)
		}
	}
	if len(broken) == 0 {
		return nil
	}
	wanted := make(map[resource.Ref]bool, len(p.Want))
	for i := range p.Want {
		wanted[p.Want[i].Ref] = !p.Want[i].Observe
	}
	return slices.DeleteFunc(broken, func(o resource.Observation) bool { return !wanted[o.Ref] })
}

// failing reports whether a step failed, was refused, or waits out a failure.
func failing(r plan.Result) bool {
	return r.Err != nil && (r.Outcome == plan.Failed || r.Outcome == plan.Rejected || errors.As(r.Err, new(postponed)))
}

// Converged reports whether everything wanted is usable without any difference, nothing is blind and no step was due. Removals
// that are held do not count; what is on its way out has still to go.
func (p Pass) Converged() bool { return p.Outcome() == Converged }

func (p Pass) settled() bool {
	if len(p.Plan.Steps) == 0 {
		return false
	}
	for i := range p.Plan.Steps {
		switch s := &p.Plan.Steps[i]; {
		case s.Verb == plan.Keep && (s.Usable || !p.wants(s.Ref)):
		case s.Verb == plan.Hold && s.Held == plan.Delete && !p.sees(s.Ref).Locked:
		case s.Verb == plan.Hold && s.Held == plan.Keep && (s.Usable && len(s.Drift) == 0 || !p.wants(s.Ref)):
		default:
			return false
		}
	}
	return true
}

// Left reports whether something differs and all of that is left as it is, because it is only looked at, or suspended: the stack converges
// to nothing.
func (p Pass) Left() bool {
	if p.Outcome() != Progressing {
		return false
	}
	left := false
	for _, s := range p.Plan.Steps {
		switch {
		case s.Left:
			left = true
		case s.Differs():
			return false
		}
	}
	return left
}

// wants and sees are for a few resources of a pass: of all of them, maps are made.
func (p Pass) wants(ref resource.Ref) bool {
	return slices.ContainsFunc(p.Want, func(w resource.Resource) bool { return w.Ref == ref })
}

func (p Pass) sees(ref resource.Ref) resource.Observation { return seenAmong(p.Seen, ref) }

// seenAmong finds a resource among what was seen, which is sorted; the zero Observation: it is absent.
func seenAmong(seen []resource.Observation, ref resource.Ref) resource.Observation {
	i, ok := sort.Find(len(seen), func(i int) int { return ref.Compare(seen[i].Ref) })
	if !ok {
		return resource.Observation{}
	}
	return seen[i]
}

// Observed is the newest look at each resource.
func (p Pass) Observed() map[resource.Ref]resource.Observation {
	m := make(map[resource.Ref]resource.Observation, len(p.Seen))
	for _, o := range p.Seen {
		m[o.Ref] = o
	}
	return m
}

// Missed reports whether ref, which is not in Seen, may be there all the same: its kind is blind, or it is not named and could not be listed, or
// the pass did not come to its end.
func (p Pass) Missed(ref resource.Ref) bool {
	switch {
	case p.Err != nil, p.Plan.Blind[ref.Kind] != "":
		return true
	case slices.ContainsFunc(p.Want, func(w resource.Resource) bool { return w.Ref == ref }):
		return false
	}
	return len(p.Plan.Blind) > 0 || p.unlisted[ref.Kind] != nil
}

// account compares what was seen before and after the steps with what is remembered, and remembers it anew.
func (r *Reconciler) account(p *Pass, before, after map[resource.Ref]resource.Observation) {
	p.drift = map[resource.Ref]DriftFact{}
	wanted := make(map[resource.Ref]bool, len(p.Want))
	for _, w := range p.Want {
		wanted[w.Ref] = true
		if r.observedOnly(w, after[w.Ref]) {
			continue
		}
		r.compare(p, w, before, after)
	}
	maps.DeleteFunc(r.Memory.InSync, func(ref resource.Ref, _ string) bool { return !wanted[ref] })
	maps.DeleteFunc(r.Memory.DriftSince, func(ref resource.Ref, _ time.Time) bool { return !wanted[ref] })
	maps.DeleteFunc(r.strays, func(ref resource.Ref, _ stray) bool { return !wanted[ref] })
	maps.DeleteFunc(r.repairs, func(ref resource.Ref, _ Repair) bool { return !wanted[ref] })
	maps.DeleteFunc(r.efforts, func(on effortOn, _ *effort) bool { return !wanted[on.ref] })
	maps.DeleteFunc(r.writes, func(ref resource.Ref, _ write) bool { return !wanted[ref] })
	r.pace.keep(func(ref resource.Ref) bool {
		_, seen := after[ref]
		return wanted[ref] || seen || p.Missed(ref)
	}, r.Settings.MinGap)
	p.settle()
	r.unexplained(p, before, after)
	r.efforts.wrote(p)
	r.efforts.look(p.Seen, time.Now())
	if p.Converged() && !r.Destroy { // what is taken down is not applied, however much of it is held
		r.Memory.Applied = p.using.Commit
	}
	p.Applied = r.Memory.Applied
}

func created(p *Pass, ref resource.Ref) bool {
	for _, res := range p.Results {
		if res.Ref == ref {
			return res.Outcome != plan.None && (res.Verb == plan.Create || res.Verb == plan.Recreate)
		}
	}
	return false
}

// unexplained finds updates of what nobody has changed since our own last write of the same fields, and notes this pass's writes.
func (r *Reconciler) unexplained(p *Pass, before, after map[resource.Ref]resource.Observation) {
	if !slices.ContainsFunc(p.Results, func(res plan.Result) bool { return res.Verb == plan.Update }) {
		return
	}
	forms := map[resource.Ref]string{}
	for _, w := range p.Want {
		forms[w.Ref] = form(w, before[w.Ref])
	}
	for i, res := range p.Results {
		if res.Verb != plan.Update || res.Outcome != plan.OK && !errors.As(res.Err, new(futile)) || errors.As(res.Err, new(postponed)) {
			continue // a call that failed, or was not made again yet, is no write that anything has to explain
		}
		step := p.Plan.Steps[i]
		last, wrote := r.writes[res.Ref]
		if wrote && last.form == forms[res.Ref] && last.version == before[res.Ref].Version && overlap(last.fields, step.Drift) {
			p.Unexplained = append(p.Unexplained, res.Ref)
		}
		r.writes[res.Ref] = write{forms[res.Ref], after[res.Ref].Version, step.Drift}
	}
}

// write is what a resource was after our own last write to it.
type write struct {
	form, version string
	fields        []resource.Change
}

func overlap(a, b []resource.Change) bool {
	return slices.ContainsFunc(a, func(x resource.Change) bool {
		return slices.ContainsFunc(b, func(y resource.Change) bool { return x.Field == y.Field })
	})
}
