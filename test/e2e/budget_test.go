package e2e_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// What the example comes to in a month, by hand, of the price book's us-central1:
//
//	api, postgres   (0.5  × 0.0445 + 1   × 0.0049225 + 1 × 0.0000548) × 730 = 19.875929 each
//	mlflow, redis   (0.25 × 0.0445 + 0.5 × 0.0049225 + 1 × 0.0000548) × 730 =  9.9579665 each
//	disk            10 × 0.10 = 1.00; bucket (10 − 5 free) × 0.02 = 0.10; registry (5 − 0.5 free) × 0.10 = 0.45
//	cluster         73.00, and as much of the free credit
const (
	podsMonth    = 59.667791
	exampleMonth = podsMonth + 1.00 + 0.10 + 0.45 // 61.22
	emptyMonth   = exampleMonth - 0.45            // what plan says: that nothing is in the registry yet has been seen
	apiMonth     = 19.875929
)

// budgeted is a JSON contract, as a program would read it.
type budgeted struct {
	USDPerMonth, Forecast, Left *float64
	Over                        string
	Held                        bool
}

// dear is what plan says of money.
type dear struct {
	Steps []struct {
		Kind, Name, Verb, Why, Holds string
		Drift                        []change
		USDPerMonth                  *struct{ Before, After *float64 }
	}
	USDPerMonth struct{ Before, After *float64 }
	Unpriced    int
	Budget      *budgeted
}

func dollars(what string, got *float64, want float64) error {
	if got == nil {
		return fmt.Errorf("%s is not known, want %v", what, want)
	}
	if math.Abs(*got-want) > 1e-5 {
		return fmt.Errorf("%s is %v, want %v", what, *got, want)
	}
	return nil
}

// plans is a plan. At some hours a schedule makes a difference already.
func (w *world) plans(args ...string) (v dear, text string) {
	w.Helper()
	v, err := ask[dear](w, append([]string{"plan"}, args...)...)
	if status := exitStatus(err); status > 1 {
		w.Fatalf("plan ends in %d: %v", status, err)
	}
	text, _ = w.recsysd(append([]string{"plan"}, args...)...)
	return v, text
}

// Before a change plan says what it will cost: two replicas more, and pods that sleep.
func TestAPlanSaysWhatItWillCost(t *testing.T) {
	w := newWorld(t, "e2e-plancost")
	stack := w.example()
	w.start()
	w.eventually("the example converges", w.converged(w.push("the stack", stack)))

	for _, c := range []struct {
		what, file, line string
		after            float64
	}{
		{
			"two API replicas more", edit(t, stack, `(?m)^    replicas: 1$`, "    replicas: 3"),
			"List price a month in dollars: 60.77 now, 100.52 after: +39.75.", emptyMonth + 2*apiMonth,
		},
		{ // 60 of a week's 168 hours are awake; 59.667791 × 108/168 = 38.357866 of the pods, and nothing else, is saved
			"a sleep schedule", stack + "\nschedule: {timezone: Europe/Berlin, awake: \"Mon-Fri 08:00-20:00\"}\n",
			"List price a month in dollars: 60.77 now, 22.41 after: -38.36.", emptyMonth - podsMonth*108/168,
		},
	} {
		v, text := w.plans("--file", w.write("other.yaml", c.file))
		if err := errors.Join(dollars("before", v.USDPerMonth.Before, emptyMonth), dollars("after", v.USDPerMonth.After, c.after)); err != nil || v.Unpriced != 0 {
			t.Errorf("%s: %v; %d without a price", c.what, err, v.Unpriced)
		}
		if !strings.Contains(text, c.line) {
			t.Errorf("%s: plan does not say %q:\n%s", c.what, c.line, text)
		}
	}
}

// A commit that comes to more than the budget is held with the sum that shows why, nothing that exists is touched, and a larger budget
// lets it through.
func TestABudgetHolds(t *testing.T) {
	w := newWorld(t, "e2e-budget")
	stack := w.example() + "\nbudget: {monthly: 80, onExceed: hold}\n"
	w.start()
	first := w.push("the stack", stack)
	w.eventually("the example converges, with 61.22 of 80", w.converged(first))
	mark := kube.Mark()
	w.google.Forget()
	more := edit(t, stack, `(?m)^    replicas: 1$`, "    replicas: 3")
	over := w.push("two API replicas more", more)
	why := "over the budget: $100.97 a month with this commit, the budget is $80.00; it adds $39.75: Deployment/e2e-budget/api +$39.75"

	w.eventually("status and metrics say that it is held", func() error { return w.overBudget(over, first, why) })
	v, text := w.plans()
	if err := w.plansHold(v, why); err != nil {
		t.Error(err)
	}
	if !strings.Contains(text, "! hold     Deployment/e2e-budget/api  over the budget") || !strings.Contains(text, "The commit is held as a whole: it is "+why) {
		t.Errorf("plan does not say why:\n%s", text)
	}
	for range 3 { // a person's word is no money
		if _, err := w.recsysd("sync", w.stack); err != nil {
			t.Fatal(err)
		}
	}
	w.wrote(mark)
	if n := w.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"); n != "1" {
		t.Errorf("the API has %s replicas", n)
	}
	log, err := os.ReadFile(w.daemon.log)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), `"why":"`+why); n != 1 {
		t.Errorf("the log says why %d times", n)
	}

	t.Run("a hand on what is held is put back", func(t *testing.T) {
		w := w.in(t)
		w.kubectl("scale", "deployment/api", "--replicas=9")
		w.eventually("it is put back to what was let through", func() error {
			return same(w.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"), "1")
		})
		w.eventually("and held as before", func() error { return w.overBudget(over, first, why) })
	})
	w.daemon.kill()
	mark = kube.Mark()
	w.start()
	w.eventually("a daemon that was killed holds it as before", func() error { return w.overBudget(over, first, why) })
	w.wrote(mark)
	t.Run("a larger budget lets it through, and whoever is over a smaller one can come down", func(t *testing.T) {
		w := w.in(t)
		mark := kube.Mark()
		larger := edit(t, more, `monthly: 80`, "monthly: 110")
		w.eventually("the larger budget converges", w.converged(w.push("a larger budget", larger)))
		w.wrote(mark, "deployments/api", "poddisruptionbudgets/api")
		if held, err := w.metric("recsysd_budget_held"); err != nil || held != 0 {
			t.Errorf("recsysd_budget_held %v, %v", held, err)
		}
		fewer := edit(t, more, `(?m)^    replicas: 3$`, "    replicas: 2") // 81.09 of 80, and less than there is
		w.eventually("less than before goes through", w.converged(w.push("one replica less, the smaller budget again", fewer)))
		if n := w.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"); n != "2" {
			t.Errorf("the API has %s replicas", n)
		}
	})
}

// overBudget is nil when the newest commit is held for this reason, and the one before it stands.
func (w *world) overBudget(newest, before, why string) error {
	v, err := ask[struct {
		Stacks []struct {
			Attempted, Applied, Outcome string
			Converged                   bool
			Budget                      *budgeted
			Resources                   []struct{ Kind, Name, Held string }
		}
	}](w, "status")
	if err != nil || len(v.Stacks) != 1 || v.Stacks[0].Budget == nil {
		return errors.Join(err, fmt.Errorf("status says %+v", v))
	}
	s := v.Stacks[0]
	if s.Attempted != newest || s.Applied != before || s.Converged || s.Outcome != "progressing" || !s.Budget.Held || s.Budget.Over != why {
		return fmt.Errorf("status says %+v with %+v", s, *s.Budget)
	}
	for _, r := range s.Resources {
		if asked := w.asked(r.Kind, r.Name) != ""; asked != (r.Held == why) || !asked && r.Held != "" {
			return fmt.Errorf("%s/%s: held %q", r.Kind, r.Name, r.Held)
		}
	}
	for _, m := range []struct {
		name   string
		want   float64
		labels []string
	}{
		{"recsysd_budget_held", 1, nil}, {"recsysd_budget_usd_per_month", 80, nil}, {"recsysd_resource_held", 2, nil},
		{"recsysd_resource_held", 1, []string{`kind="Deployment"`, `name="` + w.stack + `/api"`}},
	} {
		if got, err := w.metric(m.name, m.labels...); err != nil || got != m.want {
			return errors.Join(err, fmt.Errorf("%s%v is %v, want %v", m.name, m.labels, got, m.want))
		}
	}
	return nil
}

// plansHold is nil for a plan that holds the API's two further replicas and keeps all else.
func (w *world) plansHold(v dear, why string) error {
	if v.Budget == nil || !v.Budget.Held || v.Budget.Over != why {
		return fmt.Errorf("the budget is %+v", v.Budget)
	}
	errs := []error{dollars("the budget", v.Budget.USDPerMonth, 80), dollars("the forecast of what stands", v.Budget.Forecast, exampleMonth)}
	for _, s := range v.Steps {
		asked := w.asked(s.Kind, s.Name)
		switch {
		case asked == "" && s.Verb != "keep":
			errs = append(errs, fmt.Errorf("%s %s/%s: %s", s.Verb, s.Kind, s.Name, s.Why))
		case asked != "" && (s.Verb != "hold" || s.Holds != asked || s.Why != why):
			errs = append(errs, fmt.Errorf("%+v is no hold of what would %s it", s, asked))
		case asked == "update" && !slices.ContainsFunc(s.Drift, func(c change) bool { return c.Field == "spec.replicas" && c.Want == "3" && c.Have == "1" }):
			errs = append(errs, fmt.Errorf("the replicas of %+v are not shown", s))
		}
	}
	return errors.Join(errs...)
}

// asked is what a commit for more replicas of the API would do to a resource: several of them may not all be evicted at once.
func (w *world) asked(kind, name string) string {
	if name != w.stack+"/api" {
		return ""
	}
	return map[string]string{"Deployment": "update", "PodDisruptionBudget": "create"}[kind]
}
