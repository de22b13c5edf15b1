package view

import (
	"fmt"
	"io"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// Drift is what was found changed behind the stack's back and is not put back yet.
type Drift struct {
	Stack     string          `json:"stack"`
	Resources []ResourceDrift `json:"resources"`
}

// ResourceDrift is one resource in drift.
type ResourceDrift struct {
	Kind  string    `json:"kind"`
	Name  string    `json:"name"`
	Since time.Time `json:"since"` // when a pass saw it first
	Drift []Change  `json:"drift"`
	// Done is what the last pass did about it, and Why the reason, the rival or the error.
	Done reconcile.Done `json:"done"`
	Why  string         `json:"why"`
	Held string         `json:"held"` // why it is left as it is; "": it is being put back
	Excess
	// Fights are those of the fields that another sets again whenever they are put back: they are left alone.
	Fights []Fight `json:"fights,omitempty"`
}

// Fight is a field that is left alone, and since when.
type Fight struct {
	Field string    `json:"field"`
	Rival string    `json:"rival"` // who sets it; "" if nobody knows
	Since time.Time `json:"since"`
}

// DriftOf shows the drift that the last pass left; nil is a stack before its first pass.
func DriftOf(stack string, p *reconcile.Pass) Drift {
	v := Drift{Stack: stack, Resources: []ResourceDrift{}}
	if p == nil {
		return v
	}
	held := map[resource.Ref]string{}
	for _, s := range p.Plan.Steps {
		if s.Verb == plan.Hold || len(s.Fought) > 0 {
			held[s.Ref] = s.Why
		}
	}
	for ref, d := range p.Drift() {
		r := ResourceDrift{Kind: ref.Kind, Name: ref.Name, Since: d.Since, Drift: changes(d.Fields), Done: d.Done, Why: d.Why, Held: held[ref]}
		for _, f := range p.Fights()[ref] {
			r.Fights = append(r.Fights, Fight{f.Field, f.Rival, f.Since})
		}
		v.Resources = append(v.Resources, r)
	}
	slices.SortFunc(v.Resources, func(a, b ResourceDrift) int {
		return resource.Ref{Kind: a.Kind, Name: a.Name}.Compare(resource.Ref{Kind: b.Kind, Name: b.Name})
	})
	return v
}

// Text writes the drift for people.
func (v Drift) Text(w io.Writer, p Paint, now time.Time) error {
	if len(v.Resources) == 0 {
		_, err := fmt.Fprintf(w, "%s: no drift\n", v.Stack)
		return err
	}
	for _, r := range v.Resources {
		head := p.as(change, r.Kind+"/"+plain(r.Name))
		money := r.text()
		if money != "" {
			money = "  " + p.as(change, money)
		}
		if _, err := fmt.Fprintf(w, "%s  for %s%s\n", head, ago(now.Sub(r.Since)), money); err != nil {
			return err
		}
		if err := fields(w, p, r.Drift, nil, r.Since); err != nil {
			return err
		}
		why := r.Why
		if r.Done == reconcile.DoneFought { // that names the rival too, and how to end it
			why = r.Held
		}
		if _, err := fmt.Fprintf(w, "        %s\n", p.as(change, done(r.Done, why))); err != nil {
			return err
		}
	}
	return nil
}
