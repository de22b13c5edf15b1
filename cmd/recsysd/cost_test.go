package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// small is a stack without workloads: what it costs does not change with how pods are billed.
const small = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: recsys
project: acme
region: us-central1
clusters: {primary: {}}
buckets: {data: {estimate: 50Gi}}
registries: {images: {estimate: 5Gi}}
`

// priced is recsysd cost FILE -o json.
func priced(t *testing.T, args ...string) (total, unpriced string) {
	t.Helper()
	code, out, errs := invoke(t, append([]string{"cost", "-o", "json"}, args...)...)
	if code != exitWell {
		t.Fatalf("cost %v: %s", args, errs)
	}
	var v struct {
		Total    struct{ USDPerMonth json.Number }
		Unpriced []struct{ Kind, Name, Component, Reason string }
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	for _, u := range v.Unpriced {
		unpriced += u.Kind + "/" + u.Name + " " + u.Component + ": " + u.Reason + "\n"
	}
	return v.Total.USDPerMonth.String(), unpriced
}

func TestCost(t *testing.T) {
	for _, c := range []struct{ what, stack, total, unpriced string }{
		{"fee 73, 45 GiB at 0.02, 4.5 GiB at 0.10", small, "74.35", ""},
		{"the credit takes the fee away", small + "cost: {freeTierCredit: true}\n", "1.35", ""},
		{"it may be said not to", small + "cost: {freeTierCredit: false}\n", "74.35", ""},
		{"a cluster that is another's is no cost", strings.Replace(small, "{primary: {}}", "{primary: {mode: observe}}", 1), "1.35", ""},
		{"one's own stack that is only looked at is", small + "mode: observe\n", "74.35", ""},
		{"a bucket of unknown size", strings.Replace(small, "{estimate: 50Gi}", "{}", 1), "73.45",
			"bucket/acme-recsys-data storage: size unknown; estimate says what is expected\n"},
		{"a region without prices", strings.Replace(small, "region: us-central1", "region: europe-north1", 1), "73.45",
			"bucket/acme-recsys-data storage: the price book has gcs.storage.standard of asia-southeast1, eu, europe-west1, nam4, us, us-central1, not of europe-north1\n"},
	} {
		total, unpriced := priced(t, file(t, "stack.yaml", c.stack))
		if total != c.total || unpriced != c.unpriced {
			t.Errorf("%s: %s, want %s; unpriced %q, want %q", c.what, total, c.total, unpriced, c.unpriced)
		}
	}
}

const over = `schema: 1
currency: USD
compiled: "2027-01-15"
sources: {contract: {what: our contract, as_of: "2027-01"}}
prices:
- {key: artifactregistry.storage, region: global, unit: GiB-month, usd: 0.05, source: contract, as_of: "2027-01", confidence: high}
`

func TestCostWithPricesOfOnesOwn(t *testing.T) {
	stack := file(t, "stack.yaml", small)
	if total, _ := priced(t, "--prices", file(t, "mine.yaml", over), stack); total != "74.15" { // 73 + 0.9 + 5 × 0.05
		t.Errorf("total %s", total)
	}
	code, out, errs := invoke(t, "prices", "show", "artifactregistry.storage", "--prices", file(t, "mine.yaml", over))
	if code != exitWell || !strings.Contains(out, "mine.yaml of 2027-01-15 over the embedded price book of") || !strings.Contains(out, "0.05/GiB-month") {
		t.Errorf("prices show: %s%s", out, errs)
	}
	code, _, errs = invoke(t, "cost", stack, "--prices", file(t, "mine.yaml", strings.Replace(over, "0.05", "-0.05", 1)))
	if want := "mine.yaml:6:73: prices[0].usd: negative price -0.05\n"; code != exitError || errs != want {
		t.Errorf("a fault of the book is one line with its place: %d, %q", code, errs)
	}
	if code, _, errs := invoke(t, "prices", "show", "warp-drive"); code != exitError || !strings.Contains(errs, `"warp-drive"`) {
		t.Errorf("a filter that nothing fits: %d, %q", code, errs)
	}
}

func TestCostOfTheExample(t *testing.T) {
	code, out, errs := invoke(t, "cost", "../../examples/stack.yaml")
	if code != exitWell {
		t.Fatal(errs)
	}
	for what, line := range map[string][]string{
		"a bucket as its estimate says, less 5 GiB that are free":     {"10 GiB, estimated", "0.02/GiB-month", "0.10"},
		"images as their estimate says, less 0.5 GiB that are free":   {"5 GiB, estimated", "0.1/GiB-month", "0.45"},
		"the management fee, whose price is of a source and of a day": {"management-fee", "0.1/cluster-hour", "73.00", "cave-catalog 2026-07-06"},
		"the credit against it": {"free-tier-credit", "-73.00"},
	} {
		found := false
		for l := range strings.Lines(out) {
			all := true
			for _, part := range line {
				all = all && strings.Contains(l, part)
			}
			found = found || all
		}
		if !found {
			t.Errorf("%s: no line with %v in\n%s", what, line, out)
		}
	}
}
