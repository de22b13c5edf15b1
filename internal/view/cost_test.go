package view

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

// priced has one of everything: a tier that is shared, a credit, an estimate, a range with sleep, what has no price, a low confidence, and a name
// that no terminal should be given as it is.
func priced(t *testing.T) Priced {
	t.Helper()
	book, err := cost.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	bill := func(kind, name string, us ...resource.Usage) cost.Bill {
		return cost.Bill{Ref: resource.Ref{Kind: kind, Name: name}, Usages: us}
	}
	const here = "europe-west1"
	return Priced{
		Stack: "recsys", Region: here, Book: book, Options: cost.Options{FreeTierCredit: true},
		Foreign: []resource.Ref{{Kind: "cluster", Name: "theirs"}},
		Bills: []cost.Bill{
			bill("Deployment", "recsys/api", resource.Usage{Component: "cpu", Price: "gke.autopilot.general-purpose.regular.vcpu", Region: here,
				Quantity: resource.Milli(1000), Least: resource.Milli(500), Most: resource.Milli(5000), Asleep: resource.Ratio(1, 2)}),
			bill("Job", "recsys/train\x1b[2J", resource.Usage{Component: "cpu", Unknown: "duration unknown"}),
			bill("PersistentVolumeClaim", "recsys/db", resource.Usage{Component: "disk", Price: "pd.ssd", Region: here, Quantity: resource.Count(10)},
				resource.Usage{Component: "disk", Price: "pd.ssd", Region: "europe-west4", Quantity: resource.Count(10)}),
			bill("cluster", "acme-gke", resource.Usage{Component: "management-fee", Price: "gke.cluster.management", Quantity: resource.Count(1)},
				resource.Usage{Component: "free-tier-credit", Price: "gke.free_tier.credit", Quantity: resource.Count(1)}),
			bill("registry", "a", resource.Usage{Component: "storage", Price: "artifactregistry.storage", Region: here, Quantity: resource.Count(3), Estimated: true}),
			bill("registry", "b", resource.Usage{Component: "storage", Price: "artifactregistry.storage", Region: here, Quantity: resource.Count(1)}),
		},
	}
}

func TestCostText(t *testing.T) {
	var b bytes.Buffer
	if err := CostOf(priced(t)).Text(&b, Paint{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "cost.txt", b.Bytes())
}

func TestCostJSON(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, CostOf(priced(t))); err != nil {
		t.Fatal(err)
	}
	golden(t, "cost.json", b.Bytes())
}

// The keys that others' programs rely on.
func TestCostContract(t *testing.T) {
	b, err := json.Marshal(CostOf(priced(t)))
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	has := func(what string, in any, keys ...string) map[string]any {
		m, ok := in.(map[string]any)
		for _, k := range keys {
			if _, there := m[k]; !ok || !there {
				t.Errorf("%s has no %s", what, k)
			}
		}
		return m
	}
	has("cost", v, "currency", "priceBook", "region", "hoursPerMonth", "resources", "total", "unpriced")
	has("total", v["total"], "usdPerMonth")
	for _, r := range v["resources"].([]any) {
		for _, c := range has("a resource", r, "kind", "name", "usdPerMonth", "components")["components"].([]any) {
			has("a component", c, "component", "quantity", "unit", "price", "source", "asOf", "usdPerMonth")
		}
	}
	for _, u := range v["unpriced"].([]any) {
		has("an unpriced", u, "kind", "name", "component")
	}
	if v["hoursPerMonth"] != 730.0 || v["currency"] != "USD" || len(v["unpriced"].([]any)) != 2 {
		t.Errorf("%v hours, %v, unpriced %v", v["hoursPerMonth"], v["currency"], v["unpriced"])
	}
}

func TestPricesOf(t *testing.T) {
	book := priced(t).Book
	v := PricesOf(book, "forwarding_rule")
	i := slices.IndexFunc(v.Prices, func(p Price) bool { return p.Region == "asia-southeast1" })
	if len(v.Prices) != 5 || i < 0 || v.Prices[i].USD != nil || v.Prices[i].Confidence != "unknown" {
		t.Errorf("a price that nobody has found is shown as such: %+v", v.Prices)
	}
	if v := PricesOf(book, "europe-west3"); len(v.Prices) != 1 || v.Sources["frankfurt-eur"].What == "" || len(v.Sources) != 1 {
		t.Errorf("a region is a filter too, and its sources are told: %+v", v)
	}
	var b bytes.Buffer
	if err := PricesOf(book, "artifactregistry.storage").Text(&b, Paint{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "prices.txt", b.Bytes())
}
