package view

import (
	"fmt"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// Delta is a month's price before and after: nil where it is not known, for want of a price or because nobody could look.
type Delta struct {
	Before *cost.Money `json:"before"`
	After  *cost.Money `json:"after"`
}

// text is the difference with its sign; "" where there is none to tell.
func (d *Delta) text() string {
	if d == nil || d.Before == nil || d.After == nil {
		return ""
	}
	more := d.After.Minus(*d.Before)
	switch more.Sign() {
	case 0:
		return ""
	case 1:
		return "+" + more.Text(2)
	}
	return more.Text(2)
}

// Price adds what the plan of p changes of the stack's monthly list price, with its sleep and what is expected of autoscalers. was is
// what the stack wanted before, nil where that is not known: a change of schedule is seen by that alone, since what exists does not
// tell when it will sleep.
func (v *Plan) Price(p reconcile.Pass, book *cost.Book, was []resource.Resource) {
	t := turnover{seen: p.Observed(), want: byRef(p.Want), was: byRef(was)}
	for _, s := range p.Plan.Steps {
		t.add(s)
	}
	o := cost.Options{FreeTierCredit: p.Credit}
	before, after := cost.Of(book, t.before, cost.Expected, o), cost.Of(book, t.after, cost.Expected, o)
	had, has := months(before), months(after)
	for i := range v.Steps {
		ref := resource.Ref{Kind: v.Steps[i].Kind, Name: v.Steps[i].Name}
		_, billedBefore := had[ref]
		_, billedAfter := has[ref]
		if billedBefore || billedAfter {
			d := delta(had, has, ref)
			v.Steps[i].USDPerMonth = &d
		}
	}
	if v.Budget != nil {
		bills, _ := cost.BillsOf(p.Want)
		v.Budget.price(cost.Of(book, bills, cost.Expected, o))
	}
	v.USDPerMonth = &Delta{&before.Month, &after.Month}
	v.Unpriced = max(before.Unpriced, after.Unpriced)
}

// orNothing is zero for what is billed for nothing, and nil for what has no price.
func orNothing(m *cost.Money, billed bool) *cost.Money {
	if !billed {
		return new(cost.Money)
	}
	return m
}

// months are the sums of a report; nil where nothing of a resource has a price.
func months(r *cost.Report) map[resource.Ref]*cost.Money {
	all := make(map[resource.Ref]*cost.Money, len(r.Resources))
	for i := range r.Resources {
		all[r.Resources[i].Ref] = nil
		if r.Resources[i].Priced() {
			all[r.Resources[i].Ref] = &r.Resources[i].Month
		}
	}
	return all
}

func byRef(all []resource.Resource) map[resource.Ref]*resource.Resource {
	m := make(map[resource.Ref]*resource.Resource, len(all))
	for i := range all {
		m[all[i].Ref] = &all[i]
	}
	return m
}

// turnover is what is billed before and after the steps of a plan.
type turnover struct {
	seen          map[resource.Ref]resource.Observation
	want, was     map[resource.Ref]*resource.Resource
	before, after []cost.Bill
}

func (t *turnover) add(s plan.Step) {
	want := t.want[s.Ref]
	live, seen := t.seen[s.Ref]
	if want != nil && want.Foreign || live.State == resource.Unknown && seen || !seen && s.Verb != plan.Create && s.Held != plan.Create {
		return // another pays for it, or it is not known whether it is there
	}
	var before, after []resource.Usage
	if seen && live.State != resource.Absent {
		before = t.now(s, live)
	}
	switch stays := s.Verb == plan.Keep || s.Claim || s.Verb == plan.Hold; {
	case s.Verb == plan.Hold:
		after = before // nothing is done
	case want != nil && s.Verb != plan.Delete:
		after = t.then(want, live)
	case stays && !s.Within:
		after = before
	}
	if len(before) > 0 {
		t.before = append(t.before, cost.Bill{Ref: s.Ref, Usages: before})
	}
	if len(after) > 0 {
		t.after = append(t.after, cost.Bill{Ref: s.Ref, Usages: after})
	}
}

// now is what a live resource is billed for in a month: what was seen, but by the schedule that it had so far. What sleeps at this
// moment, what an autoscaler has chosen, and what is as it should be is told by the stack that it was made from.
func (t *turnover) now(s plan.Step, live resource.Observation) []resource.Usage {
	was := t.was[s.Ref]
	if was == nil {
		was = t.want[s.Ref]
	}
	if was == nil {
		return live.Usage()
	}
	said := was.Usage()
	if !s.Differs() && len(s.Drift) == 0 {
		return resource.Measured(said, live.Usage())
	}
	return live.Monthly(said)
}

// then is what a resource will be billed for: what is wanted of it, and what is stored in it already.
func (t *turnover) then(want *resource.Resource, live resource.Observation) []resource.Usage {
	return resource.Measured(want.Usage(), live.Usage())
}

// money is what a step changes.
func (s PlanStep) money() string {
	if more := s.USDPerMonth.text(); more != "" {
		return "  (" + more + " a month)"
	}
	return ""
}

// money is the last line of a plan: what its steps come to in a month.
func (v Plan) money() string {
	d := v.USDPerMonth
	if d == nil || d.Before == nil || d.After == nil {
		return ""
	}
	more := d.text()
	if more == "" {
		more = "no difference"
	}
	lacks := ""
	if v.Unpriced > 0 {
		lacks = fmt.Sprintf("; without %d things that have no price", v.Unpriced)
	}
	return fmt.Sprintf("List price a month in dollars: %s now, %s after: %s%s.", d.Before.Text(2), d.After.Text(2), more, lacks)
}
