package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/resource"
)

// costCase is one of testdata/cost.yaml, whose head says what its keys are.
type costCase struct {
	Case, Source, Region, Stack, Manifests, Want, Scheduled string
}

// TestCostByHand prices stacks through the command and compares every component with what a hand has worked out.
func TestCostByHand(t *testing.T) {
	data, err := os.ReadFile("testdata/cost.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []costCase
	if err := yaml.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 52 {
		t.Fatalf("%d cases: some are lost", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Case, func(t *testing.T) {
			region := c.Region
			if region == "" {
				region = "us-central1"
			}
			path := file(t, "stack.yaml", "apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: recsys\nproject: acme\nregion: "+region+"\n"+c.Stack)
			if c.Manifests != "" {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), "k8s.yaml"), []byte(c.Manifests), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, out, errs := invoke(t, "cost", "-o", "json", path)
			if code != exitWell {
				t.Fatalf("cost: %s", errs)
			}
			if c.Source == "" {
				t.Error("it has no source")
			}
			want := wantedLines(t, c.Want)
			got, scheduled := pricedLines(t, out, strings.Contains(c.Want, "cluster/"), strings.Contains(c.Want, "total:"))
			if !slices.Equal(got, want) {
				t.Errorf("\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if c.Scheduled != "" && scheduled != c.Scheduled {
				t.Errorf("scheduled %s, want %s", scheduled, c.Scheduled)
			}
		})
	}
}

// TestCostOfTheExampleByHand is the worked example with its disk of 10 GiB, the bucket's 10 and the images' 5.
func TestCostOfTheExampleByHand(t *testing.T) {
	_, out, _ := invoke(t, "cost", "-o", "json", "../../examples/stack.yaml")
	const pods = `
		Deployment/recsys/api cpu 0.5: 0.5 × 0.0445 × 730 = 16.2425
		Deployment/recsys/api memory 1: 1 × 0.0049225 × 730 = 3.593425
		Deployment/recsys/api ephemeral 1: 1 × 0.0000548 × 730 = 0.040004
		StatefulSet/recsys/postgres cpu 0.5: 0.5 × 0.0445 × 730 = 16.2425
		StatefulSet/recsys/postgres memory 1: 1 × 0.0049225 × 730 = 3.593425
		StatefulSet/recsys/postgres ephemeral 1: 1 × 0.0000548 × 730 = 0.040004
		Deployment/recsys/mlflow cpu 0.25: 0.25 × 0.0445 × 730 = 8.12125
		Deployment/recsys/mlflow memory 0.5: 0.5 × 0.0049225 × 730 = 1.796713
		Deployment/recsys/mlflow ephemeral 1: 1 × 0.0000548 × 730 = 0.040004
		Deployment/recsys/redis cpu 0.25: 0.25 × 0.0445 × 730 = 8.12125
		Deployment/recsys/redis memory 0.5: 0.5 × 0.0049225 × 730 = 1.796713
		Deployment/recsys/redis ephemeral 1: 1 × 0.0000548 × 730 = 0.040004`
	const rest = `
		PersistentVolumeClaim/recsys/postgres-data disk 10: 10 × 0.1 = 1
		bucket/acme-recsys-data storage 10: (10 - 5) × 0.02 = 0.1
		registry/acme-recsys storage 5: (5 - 0.5) × 0.1 = 0.45`
	want := wantedLines(t, strings.TrimSpace(pods+rest))
	if got, _ := pricedLines(t, out, false, false); !slices.Equal(got, want) {
		t.Errorf("\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// wantedLines leaves out the working.
func wantedLines(t *testing.T, text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		what, rest, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			t.Fatalf("%q is no line of a price", line)
		}
		if i := strings.LastIndex(rest, " = "); i >= 0 {
			rest = rest[i+len(" = "):]
		}
		all = append(all, what+": "+rest)
	}
	slices.Sort(all)
	return all
}

// pricedLines are the same lines of what the command says.
func pricedLines(t *testing.T, out string, clusters, total bool) (all []string, scheduled string) {
	var v struct {
		Resources []struct {
			Kind, Name string
			Components []struct {
				Component   string
				Quantity    json.Number
				USDPerMonth *json.Number
			}
		}
		Unpriced []struct{ Kind, Name, Component, Reason string }
		Total    struct {
			USDPerMonth json.Number
			Scheduled   struct{ Minimum, Expected, Maximum json.Number }
		}
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	for _, r := range v.Resources {
		for _, c := range r.Components {
			if c.USDPerMonth != nil && (clusters || r.Kind != "cluster") {
				all = append(all, r.Kind+"/"+r.Name+" "+c.Component+" "+c.Quantity.String()+": "+c.USDPerMonth.String())
			}
		}
	}
	for _, u := range v.Unpriced {
		all = append(all, u.Kind+"/"+u.Name+" "+u.Component+": "+u.Reason)
	}
	if total {
		all = append(all, "total: "+v.Total.USDPerMonth.String())
	}
	slices.Sort(all)
	s := v.Total.Scheduled
	return all, s.Minimum.String() + " " + s.Expected.String() + " " + s.Maximum.String()
}

// BenchmarkCost prices a stack of 10,000 workloads from its resources on: what each is billed for, and what that comes to.
func BenchmarkCost(b *testing.B) {
	book, err := cost.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	in := &kube.Place{Region: "us-central1", Mode: kube.Autopilot, Bursting: true}
	wanted := make([]resource.Resource, 10_000)
	for i := range wanted {
		pod := map[string]any{"containers": []any{map[string]any{"name": "main", "resources": map[string]any{"requests": map[string]any{"cpu": "500m", "memory": "1Gi"}}}}}
		wanted[i] = resource.Of(kube.Object{Billing: kube.Billing{Place: in, Asleep: resource.Ratio(108, 168)}, Manifest: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": fmt.Sprintf("api-%05d", i), "namespace": "recsys"},
			"spec": map[string]any{"replicas": int64(2), "template": map[string]any{"spec": pod}},
		}})
	}
	b.ReportAllocs()
	for b.Loop() {
		bills, _ := cost.BillsOf(wanted)
		if r := cost.Of(book, bills, cost.Expected, cost.Options{}); len(r.Resources) != len(wanted) || r.Unpriced != 0 {
			b.Fatalf("%d resources, %d without a price", len(r.Resources), r.Unpriced)
		}
	}
}
