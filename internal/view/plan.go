package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
)

// Plan is what a pass does, or would do.
type Plan struct {
	Stack    string            `json:"stack"`
	Revision string            `json:"revision"`
	Steps    []PlanStep        `json:"steps"`
	Summary  Summary           `json:"summary"`
	Blind    map[string]string `json:"blind"` // by kind, why it could not be observed
	Notices  []string          `json:"notices"`
	// USDPerMonth is of the whole stack, and Unpriced how many things billed are not in it; null until priced.
	USDPerMonth *Delta  `json:"usdPerMonth"`
	Unpriced    int     `json:"unpriced"`
	Budget      *Budget `json:"budget"` // null: the stack has none
}

// PlanStep is one step of a Plan. Drift lists every field that differs, changes too.
type PlanStep struct {
	Kind        string   `json:"kind"`
	Name        string   `json:"name"`
	Verb        string   `json:"verb"`
	Why         string   `json:"why"`
	Drift       []Change `json:"drift"`
	USDPerMonth *Delta   `json:"usdPerMonth"` // null until priced
	Holds       string   `json:"holds"`       // of a hold: the verb that it holds back, keep if there is no difference

	differs  bool
	recreate map[string]bool // fields that cannot change in place
	asleep   bool            // it sleeps, as it should
}

// Summary counts the steps by verb.
type Summary struct {
	Keep     int `json:"keep"`
	Create   int `json:"create"`
	Update   int `json:"update"`
	Recreate int `json:"recreate"`
	Delete   int `json:"delete"`
	Hold     int `json:"hold"`
}

// PlanOf shows the plan of a pass. What is only marked as ours is kept as it is, with a notice.
func PlanOf(p reconcile.Pass) Plan {
	v := Plan{
		Stack: p.Stack, Revision: p.Attempted, Steps: []PlanStep{}, Blind: p.Plan.Blind, Notices: slices.Clone(p.Plan.Notices),
		Budget: budgetOf(p),
	}
	if v.Blind == nil {
		v.Blind = map[string]string{}
	}
	if v.Notices == nil {
		v.Notices = []string{}
	}
	counters := map[plan.Verb]*int{
		plan.Keep: &v.Summary.Keep, plan.Create: &v.Summary.Create, plan.Update: &v.Summary.Update,
		plan.Recreate: &v.Summary.Recreate, plan.Delete: &v.Summary.Delete, plan.Hold: &v.Summary.Hold,
	}
	for _, s := range p.Plan.Steps {
		if s.Claim && s.Verb == plan.Update {
			s.Verb, s.Drift = plan.Keep, nil
			v.Notices = append(v.Notices, s.Ref.String()+": "+s.Why)
		}
		*counters[s.Verb]++
		step := PlanStep{
			Kind: s.Ref.Kind, Name: s.Ref.Name, Verb: string(s.Verb), Why: s.Why, Drift: changes(slices.Concat(s.Drift, s.Fought)),
			Holds: string(s.Held), differs: s.Differs(), recreate: map[string]bool{},
			asleep: s.Verb == plan.Keep && s.Rest != nil && s.Rest.Asleep,
		}
		for _, c := range s.Drift {
			step.recreate[c.Field] = c.Recreate
		}
		v.Steps = append(v.Steps, step)
	}
	return v
}

// signs and colours of the verbs in text. A keep is not shown.
var verbs = map[plan.Verb]struct{ sign, colour, summary string }{
	plan.Create:   {"+", good, "to create"},
	plan.Update:   {"~", change, "to update"},
	plan.Recreate: {"±", bad, "to recreate"},
	plan.Delete:   {"-", bad, "to delete"},
	plan.Hold:     {"!", change, "held"},
	plan.Keep:     {"", "", "unchanged"},
}

// Text writes a plan for people: what is to be done in its order, per field what is wanted and what is there, and why.
func (v Plan) Text(w io.Writer, p Paint) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s\n\n", p.as(strong, v.Stack), Short(v.Revision))
	todo := false
	for _, s := range v.Steps {
		verb := verbs[plan.Verb(s.Verb)]
		if s.asleep {
			fmt.Fprintf(&b, "%s\n", p.as(faint, fmt.Sprintf("  asleep   %s/%s  %s", s.Kind, plain(s.Name), plain(s.Why))))
		}
		if verb.sign == "" {
			continue
		}
		todo = todo || s.differs
		fmt.Fprintf(&b, "%s  %s\n", p.as(verb.colour, fmt.Sprintf("%s %-8s %s/%s", verb.sign, s.Verb, s.Kind, plain(s.Name))), plain(v.Budget.brief(brief(s.Why, v.Blind[s.Kind])))+s.money())
		if err := fields(&b, p, s.Drift, s.recreate, time.Time{}); err != nil {
			return err
		}
	}
	for _, blind := range byReason(v.Blind) {
		todo = true
		fmt.Fprintf(&b, "%s  %s\n", p.as(bad, "? blind    "+blind.kinds), plain(blind.reason))
	}
	for _, n := range v.Notices {
		fmt.Fprintf(&b, "%s\n", p.as(faint, "notice: "+plain(n)))
	}
	if !strings.HasSuffix(b.String(), "\n\n") {
		b.WriteByte('\n')
	}
	fmt.Fprintln(&b, v.Summary.text(todo))
	if money := v.money(); money != "" {
		fmt.Fprintln(&b, money)
	}
	if budget := v.Budget.text(); budget != "" {
		fmt.Fprintln(&b, budget)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// brief is why something is left as it is, without what is told once for all of its kind: why that could not be observed.
func brief(why, blind string) string {
	if blind == "" {
		return why
	}
	return strings.TrimSuffix(why, ": "+blind)
}

func (s Summary) text(todo bool) string {
	var parts []string
	for _, c := range []struct {
		verb plan.Verb
		n    int
	}{
		{plan.Create, s.Create}, {plan.Update, s.Update}, {plan.Recreate, s.Recreate}, {plan.Delete, s.Delete},
		{plan.Hold, s.Hold}, {plan.Keep, s.Keep},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, verbs[c.verb].summary))
		}
	}
	switch {
	case len(parts) == 0 && !todo:
		return "Nothing to do: nothing is wanted and nothing is there."
	case !todo:
		return "Nothing to do: " + strings.Join(parts, ", ") + "."
	default:
		return strings.Join(parts, ", ") + "."
	}
}
