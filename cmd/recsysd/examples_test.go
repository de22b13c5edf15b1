package main

import (
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
)

// Every example is a stack that check takes as it stands, that converges in the simulated cloud, and that then stays as it is.
func TestExamples(t *testing.T) {
	for _, c := range []struct{ file, environment string }{
		{"stack.yaml", ""}, {"growing.yaml", ""}, {"team/stack.yaml", ""}, {"team/stack.yaml", "staging"}, {"team/stack.yaml", "production"},
	} {
		t.Run(c.file+" "+c.environment, func(t *testing.T) {
			path := "../../examples/" + c.file
			if code, out, errs := invoke(t, "check", path, "--environment", c.environment); code != 0 || strings.Contains(out, "notice") {
				t.Fatalf("check: exit %d\n%s%s", code, out, errs)
			}
			p := &program{out: &output{}, err: &output{}}
			o, err := p.planned(t.Context(), path, "sim", c.environment)
			if err != nil {
				t.Fatal(err)
			}
			o.Settings.MinGap = 0
			var pass reconcile.Pass
			for range 30 {
				if pass = o.Pass(t.Context(), reconcile.Kick{Why: "test"}); pass.Converged() {
					break
				}
			}
			if !pass.Converged() {
				t.Fatalf("not converged after 30 passes: %+v", pass.Plan.Steps)
			}
			pass = o.Pass(t.Context(), reconcile.Kick{Why: "once more"})
			for i, s := range pass.Plan.Steps {
				if s.Verb != plan.Keep {
					t.Errorf("once more: %s %s: %s %v %v", s.Verb, s.Ref, s.Why, s.Drift, pass.Results[i].Err)
				}
			}
		})
	}
}
