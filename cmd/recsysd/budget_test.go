package main

import (
	"fmt"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/view"
)

// check and cost say what a stack leaves of its budget: 74.35 a month of small (45 GiB at 0.02, 4.5 GiB at 0.10, and the fee).
func TestWhatAFileLeavesOfItsBudget(t *testing.T) {
	for _, c := range []struct{ what, budget, check, cost, left string }{
		{"within it", "budget: {monthly: 80}\n", "budget: stack.yaml:9:19: budget.monthly: $74.35 of $80.00 a month, $5.65 left\n", "\nBudget: $74.35 of $80.00 a month, $5.65 left.\n", `"left": 5.65,`},
		{"over it", "budget: {monthly: 74.34, onExceed: hold}\n",
			"warning: stack.yaml:9:19: budget.monthly: over the budget: $74.35 a month, the budget is $74.34: $0.01 too much; onExceed: hold holds a commit that adds to what is wanted before it\n",
			"\nThe stack is over the budget: $74.35 a month, the budget is $74.34: $0.01 too much.\n", `"left": -0.01,`},
		{"without one", "", "", "", `"budget": null,`},
	} {
		path := file(t, "stack.yaml", small+c.budget)
		code, out, errs := invoke(t, "check", path)
		if first, _, _ := strings.Cut(out, "\n"); code != exitWell || c.check != "" && first+"\n" != c.check || c.check == "" && strings.Contains(out, "budget") {
			t.Errorf("%s: check ends in %d and says %q %q, want %q", c.what, code, out, errs, c.check)
		}
		if code, out, errs = invoke(t, "cost", path); code != exitWell || !strings.Contains(out, c.cost) || c.cost == "" && strings.Contains(out, "udget") {
			t.Errorf("%s: cost ends in %d and says %s%s, want %q", c.what, code, out, errs, c.cost)
		}
		if _, out, _ = invoke(t, "cost", "-o", "json", path); !strings.Contains(out, c.left) {
			t.Errorf("%s: cost -o json says %s, want %q", c.what, out, c.left)
		}
	}
}

// A plan against the empty cloud holds all of a stack that is too much from the beginning, and ends as with any difference.
func TestPlanOfAStackOverItsBudget(t *testing.T) {
	path := file(t, "stack.yaml", small+"budget: {monthly: 1, onExceed: hold}\n")
	code, out, errs := invoke(t, "plan", "--file", path, "--cloud", "sim")
	if code != exitDiffers || !strings.Contains(out, "3 held.") || !strings.Contains(out, "over the budget: $74.35 a month with this commit, the budget is $1.00") {
		t.Errorf("plan ends in %d and says\n%s%s", code, out, errs)
	}
	path = file(t, "stack.yaml", small+"budget: {monthly: 1, onExceed: warn}\n")
	code, out, errs = invoke(t, "plan", "--file", path, "--cloud", "sim")
	if code != exitDiffers || !strings.Contains(out, "3 to create.") || !strings.Contains(out, "notice: stack.yaml:9:19: over the budget: $74.35 a month, the budget is $1.00: $73.35 too much") {
		t.Errorf("plan that only warns ends in %d and says\n%s%s", code, out, errs)
	}
}

// In a daemon a commit that adds too much is held until a larger budget, or another price book, lets it through; a restart changes nothing.
func TestADaemonHoldsWhatItsBudgetDoesNotAllow(t *testing.T) {
	h := newHouse(t)
	with := func(registry, monthly string) string {
		return strings.Replace(small, "{primary: {}}", "{primary: {mode: autopilot}}", 1) + registry + "budget: {monthly: " + monthly + ", onExceed: hold}\n"
	}
	h.commit("stack.yaml", with("", "80"))
	_, stop := h.start()
	h.until("recsys", "the first converges", converged)
	// 100 GiB of images more at 0.10; the free half of one was used up before.
	h.commit("stack.yaml", strings.Replace(with("", "80"), "registries: {", "registries: {more: {estimate: 100Gi}, ", 1))
	held := func(s view.StackStatus) bool { return s.Budget != nil && s.Budget.Held }
	s := h.until("recsys", "the second is held", held)
	why := "over the budget: $84.35 a month with this commit, the budget is $80.00; it adds $10.00: registry/acme-recsys-more +$"
	if !strings.HasPrefix(s.Budget.Over, why) || s.Outcome != string(reconcile.Progressing) || s.Word() != "held: over the budget" {
		t.Errorf("%s, %s: %q", s.Word(), s.Outcome, s.Budget.Over)
	}
	log := stop()
	if n := strings.Count(log, why); n < 1 || strings.Count(log, `"msg":"budget"`) != 1 {
		t.Errorf("the log tells of it %d times:\n%s", n, log)
	}
	_, stop = h.start()
	h.until("recsys", "it is held after a restart", held)
	h.commit("stack.yaml", strings.Replace(with("", "84.35"), "registries: {", "registries: {more: {estimate: 100Gi}, ", 1))
	if s = h.until("recsys", "the larger budget lets it through", converged); s.Budget.Over != "" {
		t.Errorf("exactly the budget is not over it: %s", s.Budget.Over)
	}
	stop()
}

// A purse reckons anew only where something has changed, and never lets through what it cannot reckon.
func TestAPurse(t *testing.T) {
	book, err := cost.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p := &purse{book: func() (*cost.Book, error) { return book, nil }}
	stack := reconcile.Stack{Resources: disks(1000), Budget: &resource.Budget{Monthly: resource.Count(1), Hold: true}}
	before := stack
	before.Resources = disks(500)
	if v := p.afford(stack, &before); !v.Hold || v.Over == "" {
		t.Fatalf("%+v", v)
	}
	if v := p.afford(before, &stack); v.Hold || !strings.Contains(v.Over, "it adds nothing to what was wanted before, so it is not held") {
		t.Errorf("half of it is held: %+v", v)
	}
	p.afford(stack, &before)
	p.afford(stack, nil)
	if n := testing.AllocsPerRun(10, func() { p.afford(stack, nil); p.afford(stack, &before) }); n != 0 {
		t.Errorf("%v allocations in a pass in which nothing changed", n)
	}
	free := *stack.Budget
	free.Monthly = resource.Count(1_000_000)
	stack.Budget = &free
	if v := p.afford(stack, &before); v != (reconcile.Verdict{}) {
		t.Errorf("another budget is not seen: %+v", v)
	}
	p.book = func() (*cost.Book, error) { return nil, nil }
	if v := p.afford(stack, &before); !v.Hold || v.Over != "whether it passes the budget is not known: there is no price book" {
		t.Errorf("without prices: %+v", v)
	}
}

// disk is the settings struct of something that has a price: ten GiB of it are a dollar a month.
type disk struct{ Name string }

func (d disk) Ref() resource.Ref           { return resource.Ref{Kind: "disk", Name: d.Name} }
func (d disk) Needs() []resource.Need      { return nil }
func (d disk) Lifetime() resource.Lifetime { return resource.Disposable }
func (d disk) Validate() error             { return nil }
func (d disk) Diff(disk) []resource.Change { return nil }
func (d disk) Usage() []resource.Usage {
	return []resource.Usage{{Component: resource.ComponentDisk, Price: "pd.balanced", Region: "us-central1", Quantity: resource.Count(10)}}
}

func disks(n int) []resource.Resource {
	all := make([]resource.Resource, n)
	for i := range all {
		all[i] = resource.Of(disk{fmt.Sprintf("d-%04d", i)})
	}
	return all
}
