package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/gitsource"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
	"recsysd.dev/recsysd/internal/view"
)

const twoPods = `
apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: recsys
project: acme
region: us-central1
clusters: {main: {mode: autopilot}}
workloads:
  api:
    image: us-docker.pkg.dev/acme/images/api:1
    replicas: 2
    port: 8080
    cpu: 500m
    memory: 1Gi
`

// slept is half of the hours, whichever half it is while the test runs.
const slept = "    schedule: {timezone: UTC, awake: \"00:00-12:00\"}\n"

// pricedPlan is the plan for the stack file after over a simulated cloud in which before has converged, a hand may have changed something,
// and with what it comes to.
func pricedPlan(t *testing.T, before, after string, hand func(*sim.Cloud)) view.Plan {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stack.yaml")
	source, err := gitsource.NewFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(before)
	cloud := &sim.Cloud{}
	s := config.DefaultStack()
	s.Name, s.Project = "recsys", "acme"
	r := &reconcile.Reconciler{
		Stack: s.Name, Source: source, Settings: settings(s), Kinds: drivers.Simulated(cloud, s.Name, s.Project),
	}
	r.Load = func(ctx context.Context, from reconcile.Revision, now time.Time) (reconcile.Stack, error) {
		stack, err := stackReader(s, source.Name(), true, outside{})(ctx, from.Tree, now)
		if err != nil {
			return reconcile.Stack{}, err
		}
		return reconcile.Stack{Resources: stack.Resources, Credit: stack.Cost.FreeTierCredit}, nil
	}
	var was []resource.Resource
	for range 20 {
		p := r.Pass(t.Context(), reconcile.Kick{Retry: true})
		if was = p.Want; p.Err != nil || p.StackErr != nil {
			t.Fatal(p.Err, p.StackErr)
		}
		if p.Converged() {
			break
		}
	}
	write(after)
	if hand != nil {
		hand(cloud)
	}
	p := r.Preview(t.Context())
	if p.Err != nil || p.StackErr != nil {
		t.Fatal(p.Err, p.StackErr)
	}
	book, err := priceBook("")
	if err != nil {
		t.Fatal(err)
	}
	v := view.PlanOf(p)
	v.Price(p, book, was)
	return v
}

func TestPlanEndsWithTheMonthlyDifference(t *testing.T) {
	for _, c := range []struct{ what, before, after, line string }{
		// One pod: 0.5 × 0.0445 × 730 = 16.2425, 1 × 0.0049225 × 730 = 3.593425, 1 GiB ephemeral × 0.0000548 × 730 = 0.040004: 19.875929.
		{"two more pods of 500m and 1Gi", twoPods, strings.Replace(twoPods, "replicas: 2", "replicas: 4", 1), "112.75 now, 152.50 after: +39.75."},
		{"the same stack again", twoPods, twoPods, "112.75 now, 112.75 after: no difference."},
		{"one fewer", twoPods, strings.Replace(twoPods, "replicas: 2", "replicas: 1", 1), "112.75 now, 92.88 after: -19.88."},
		// Awake 12 of 24 hours: half of 39.751858.
		{"half of the hours asleep", twoPods, twoPods + slept, "112.75 now, 92.88 after: -19.88."},
		{"with the schedule that it had, another image", twoPods + slept, strings.Replace(twoPods, "api:1", "api:2", 1) + slept, "92.88 now, 92.88 after: no difference."},
		{"with the schedule that it had, two more pods", twoPods + slept, strings.Replace(twoPods, "replicas: 2", "replicas: 4", 1) + slept, "92.88 now, 112.75 after: +19.88."},
		{"always awake again", twoPods + slept, twoPods, "92.88 now, 112.75 after: +19.88."},
	} {
		v := pricedPlan(t, c.before, c.after, nil)
		var b bytes.Buffer
		if err := v.Text(&b, view.Paint{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "List price a month in dollars: "+c.line) {
			t.Errorf("%s: want %s in\n%s", c.what, c.line, b.String())
		}
	}
}

func TestPlanPricesStepsAndDrift(t *testing.T) {
	v := pricedPlan(t, twoPods, twoPods, func(c *sim.Cloud) {
		ref := resource.Ref{Kind: "Deployment", Name: "recsys/api"}
		if err := c.Remove(ref); err != nil {
			t.Fatal(err)
		}
	})
	for _, s := range v.Steps {
		switch d := s.USDPerMonth; {
		case s.Kind == "Deployment" && (d == nil || d.Before.String() != "0.00" || d.After.String() != "39.75"):
			t.Errorf("what somebody removed costs nothing now, and what it cost afterwards: %+v", d)
		case s.Kind == "cluster" && (d == nil || d.Before.String() != "73.00" || d.After.String() != "73.00"):
			t.Errorf("what stays as it is costs what it did: %+v", d)
		case s.Kind == "Service" && d != nil:
			t.Errorf("what is free has no price: %+v", d)
		}
	}
}
