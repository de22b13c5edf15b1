package view

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
)

// History is the last passes of a stack that did something, newest first.
type History struct {
	Stack  string        `json:"stack"`
	Passes []HistoryPass `json:"passes"`
}

// HistoryPass is one pass, or several in a row without a step.
type HistoryPass struct {
	Start     time.Time         `json:"start"`
	End       time.Time         `json:"end"`
	Attempted string            `json:"attempted"`
	Applied   string            `json:"applied"`
	Outcome   string            `json:"outcome"`
	Error     string            `json:"error"`
	Broken    map[string]string `json:"broken,omitempty"`   // by KIND/NAME, what did not work, as it was told first
	Withheld  string            `json:"withheld,omitempty"` // why the commit is held as a whole: the sum that shows that it passes its budget
	Partial   bool              `json:"partial,omitempty"`  // of one with steps: it was limited to what had changed and what stands on that
	Steps     []HistoryStep     `json:"steps"`
	Notes     []string          `json:"notes,omitempty"` // what became so in it beside the steps, such as that a threshold of the budget is passed
}

// HistoryStep is one step that was due.
type HistoryStep struct {
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Verb    string   `json:"verb"`
	Outcome string   `json:"outcome"`
	Why     string   `json:"why"`
	Drift   []Change `json:"drift"`
	// Done is what was done about it, where it was drift, Since when that was first seen, and Excess what it costs, or did.
	Done    reconcile.Done `json:"done,omitempty"`
	DoneWhy string         `json:"doneWhy,omitempty"`
	Since   time.Time      `json:"since,omitzero"`
	*Excess
}

// Text writes the history for people.
func (v History) Text(w io.Writer, p Paint) error {
	var b strings.Builder
	for _, pass := range v.Passes {
		colour := map[string]string{"converged": good, "failed": bad, "invalid": bad}[pass.Outcome]
		span := "took " + pass.End.Sub(pass.Start).Round(time.Millisecond).String()
		if len(pass.Steps) == 0 { // one pass, or many alike in a row
			span = "until " + pass.End.Local().Format(time.DateTime)
		}
		if pass.Partial {
			span += ", a part of the stack"
		}
		fmt.Fprintf(&b, "%s  %s  %s  %s\n", pass.Start.Local().Format(time.DateTime), p.as(colour, pass.Outcome), commit(pass.Attempted), span)
		for _, line := range strings.Split(pass.Error, "\n") {
			if line != "" {
				fmt.Fprintf(&b, "    %s\n", p.as(bad, plain(line)))
			}
		}
		for _, ref := range slices.Sorted(maps.Keys(pass.Broken)) {
			fmt.Fprintf(&b, "    %s\n", p.as(bad, plain(ref+" is broken: "+pass.Broken[ref])))
		}
		if pass.Withheld != "" {
			fmt.Fprintf(&b, "    %s\n", p.as(change, plain(withheld(pass.Withheld))))
		}
		for _, n := range pass.Notes {
			fmt.Fprintf(&b, "    %s\n", p.as(change, plain(n)))
		}
		for _, s := range pass.Steps {
			said := plain(s.Why)
			if s.Outcome != "" { // a hold has none
				said = s.Outcome + "  " + said
			}
			fmt.Fprintf(&b, "    %-8s %s/%s  %s\n", s.Verb, s.Kind, plain(s.Name), said)
			if err := fields(&b, p, s.Drift, nil, s.Since); err != nil {
				return err
			}
			if line := s.drift(); line != "" {
				fmt.Fprintf(&b, "        %s\n", p.as(change, line))
			}
		}
	}
	if len(v.Passes) == 0 {
		fmt.Fprintf(&b, "%s: no pass yet\n", v.Stack)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// drift says what was done about drift, and what that cost a month; "" of a step that was about none.
func (s HistoryStep) drift() string {
	if s.Done == "" {
		return ""
	}
	why := s.DoneWhy
	if strings.Contains(s.Why, why) {
		why = "" // it stands above
	}
	line := "drift " + done(s.Done, why)
	if s.Excess != nil && s.Excess.text() != "" {
		line += "; " + s.Excess.text()
	}
	return line
}

// HistoryPassOf shows a pass as history keeps it. A step that only waited is no step; the reasons of those that failed, and which
// kinds could not be observed, are part of the error.
func HistoryPassOf(p reconcile.Pass) HistoryPass {
	h := HistoryPass{
		Start: p.Start, End: p.End, Attempted: p.Attempted, Applied: p.Applied, Outcome: string(p.Outcome()), Steps: []HistoryStep{},
	}
	errs := []error{p.SourceErr, p.StackErr, p.Err}
	if len(p.Plan.Blind) > 0 { // the kinds alone: causes vary in their words, and passes alike in a row are one entry
		errs = append(errs, fmt.Errorf("could not be observed: %s", strings.Join(slices.Sorted(maps.Keys(p.Plan.Blind)), ", ")))
	}
	for i, r := range p.Results {
		// A hold is told of once: when the drift is found that it leaves as it is.
		heldDrift := r.Verb == plan.Hold && slices.Contains(p.Detected, r.Ref)
		if (r.Outcome == plan.None || r.Outcome == plan.Waiting) && !heldDrift {
			continue
		}
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.Ref, r.Err))
		}
		step := HistoryStep{
			Kind: r.Ref.Kind, Name: r.Ref.Name, Verb: string(r.Verb), Outcome: string(r.Outcome),
			Why: p.Plan.Steps[i].Why, Drift: changes(p.Plan.Steps[i].Drift),
		}
		if d, ok := factOf(&p, r.Ref); ok {
			step.Done, step.DoneWhy, step.Since = d.Done, d.Why, d.Since
		}
		h.Steps = append(h.Steps, step)
	}
	h.Partial = len(p.Partial) > 0 && len(h.Steps) > 0
	if err := errors.Join(errs...); err != nil {
		h.Error = err.Error()
	}
	if p.Withheld {
		h.Withheld = p.OverBudget
	}
	for _, o := range p.Broken() {
		if h.Broken == nil {
			h.Broken = map[string]string{}
		}
		h.Broken[o.Ref.String()] = o.Detail
	}
	return h
}
