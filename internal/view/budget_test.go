package view

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// A commit that is held as a whole says its sum once, not with each of its resources, and history says that it was held.
func TestHeldCommitIsToldOnce(t *testing.T) {
	const why = "over the budget: $81.09 a month with this commit, the budget is $70.00; it adds $19.88"
	p := reconcile.Pass{
		Stack: "recsys", Budget: &resource.Budget{}, OverBudget: why, Withheld: true, Start: time.Unix(1, 0), End: time.Unix(2, 0),
		Plan: plan.Plan{Steps: []plan.Step{
			{Ref: resource.Ref{Kind: "Deployment", Name: "recsys/api"}, Verb: plan.Hold, Why: why},
			{Ref: resource.Ref{Kind: "bucket", Name: "acme"}, Verb: plan.Hold, Why: why},
			{Ref: resource.Ref{Kind: "bucket", Name: "other"}, Verb: plan.Hold, Why: "protected"},
		}},
	}
	told := func(what, text string, times int) {
		t.Helper()
		if n := strings.Count(text, "$81.09"); n != times {
			t.Errorf("%s: the sum stands %d times, want %d:\n%s", what, n, times, text)
		}
	}
	v := PlanOf(p)
	text := written(t, v)
	told("plan", text, 1)
	for _, line := range []string{"Deployment/recsys/api  over the budget\n", "bucket/other  protected\n", "The commit is held as a whole: it is " + why + "."} {
		if !strings.Contains(text, line) {
			t.Errorf("the plan lacks %q:\n%s", line, text)
		}
	}
	if v.Steps[0].Why != why {
		t.Errorf("JSON keeps the whole reason, not %q", v.Steps[0].Why)
	}
	h := HistoryPassOf(p)
	told("history", written(t, History{Stack: "recsys", Passes: []HistoryPass{h}}), 1)
	p.Withheld = false
	if h := HistoryPassOf(p); h.Withheld != "" {
		t.Errorf("over the budget, but let through: %q", h.Withheld)
	}
	text = written(t, History{Passes: []HistoryPass{{Steps: []HistoryStep{{Kind: "bucket", Name: "b", Verb: "hold", Why: "mode is observe"}}}}})
	if !strings.Contains(text, "hold     bucket/b  mode is observe\n") {
		t.Errorf("a step without an outcome leaves no gap:\n%s", text)
	}
}

func written(t *testing.T, v interface{ Text(io.Writer, Paint) error }) string {
	t.Helper()
	return string(render(t, func(b *bytes.Buffer) error { return v.Text(b, Paint{}) }))
}
