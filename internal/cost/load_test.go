package cost_test

import (
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/cost"
)

// head is a sound beginning of a book, six lines long; prices follow from line 7 on.
const head = `schema: 1
currency: USD
compiled: "2026-12-01"
sources:
  list: {what: a list, where: example.com, as_of: "2026-12"}
prices:
`

// row is a sound price.
const row = `- {key: pd.balanced, region: us-central1, unit: GiB-month, usd: 0.1, source: list, as_of: "2026-12-01", confidence: high}
`

// with is row with one thing changed.
func with(old, now string) string {
	if !strings.Contains(row, old) {
		panic(old)
	}
	return strings.Replace(row, old, now, 1)
}

func TestFaultsOfABook(t *testing.T) {
	for _, c := range []struct{ what, data, want string }{
		{"a price below zero", head + with("usd: 0.1", "usd: -0.1"), `b.yaml:7:65: prices[0].usd: negative price -0.1`},
		{"a unit that nobody reckons in", head + with("GiB-month", "GB-month"),
			`b.yaml:7:49: prices[0].unit: unknown unit "GB-month"; there is 1000-objects-month, 1000-operations, GiB, GiB-hour, GiB-month, VM-hour, billing-account-month, cluster-hour, hour, image-digest, vCPU-hour`},
		{"one price twice", head + row + row, `b.yaml:8:3: prices[1]: pd.balanced of us-central1 is given twice; first at b.yaml:7:3`},
		{"a book in another currency", strings.Replace(head, "USD", "EUR", 1) + row, `b.yaml:2:11: currency: "EUR" beside USD: a book has one currency, and sums are in USD`},
		{"two currencies in one book", head + with("usd: 0.1", "usd: 0.1, currency: EUR"), `b.yaml:7:80: prices[0].currency: "EUR" beside USD: a book has one currency, and sums are in USD`},
		{"a step out of order", head + with("usd: 0.1", "usd: 0.1, tiers: [{from: 0, usd: 0}, {from: 30, usd: 0.1}, {from: 20, usd: 0.05}]"),
			`b.yaml:7:126: prices[0].tiers[2].from: 20 is not above the step before it, 30; steps go upwards`},
		{"a step twice", head + with("usd: 0.1", "usd: 0.1, tiers: [{from: 0, usd: 0}, {from: 0, usd: 0.1}]"),
			`b.yaml:7:104: prices[0].tiers[1].from: 0 is not above the step before it, 0; steps go upwards`},
		{"what lies below the first step", head + with("usd: 0.1", "usd: 0.1, tiers: [{from: 5, usd: 0.1}]"),
			`b.yaml:7:85: prices[0].tiers[0].from: the first step begins at 0, not at 5`},
		{"usd is none of the steps", head + with("usd: 0.1", "usd: 0.1, tiers: [{from: 0, usd: 0}, {from: 5, usd: 0.2}]"),
			`b.yaml:7:65: prices[0].usd: 0.1 is the price of none of its steps`},
		{"a step below zero", head + with("usd: 0.1", "usd: 0.1, tiers: [{from: 0, usd: -1}, {from: 5, usd: 0.1}]"), `b.yaml:7:93: prices[0].tiers[0].usd: negative price -1`},
		{"steps of nothing", head + with("usd: 0.1", "usd: null, tiers: [{from: 0, usd: 1}]"), `b.yaml:7:71: prices[0].tiers: steps of a price that is not known`},
		{"no steps at all", head + with("usd: 0.1", "usd: 0.1, tiers: []"), `b.yaml:7:77: prices[0].tiers: must be a list of steps, at least one`},
		{"no figure is not the same as an unknown one", head + with("usd: 0.1, ", ""), `b.yaml:7:3: prices[0].usd: missing; null says that the price is not known`},
		{"floating point in a price", head + with("usd: 0.1", "usd: 1e-7"), `b.yaml:7:65: prices[0].usd: must be a plain decimal number of dollars such as 0.0445, not "1e-7"`},
		{"not a number", head + with("usd: 0.1", "usd: .nan"), `b.yaml:7:65: prices[0].usd: must be a plain decimal number of dollars such as 0.0445, not ".nan"`},
		{"finer than a rate can be", head + with("usd: 0.1", "usd: 0.0000000000001"), `b.yaml:7:65: prices[0].usd: 0.0000000000001 has more than 12 digits behind the point`},
		{"dearer than a rate can be", head + with("usd: 0.1", "usd: 10000000"), `b.yaml:7:65: prices[0].usd: 10000000 is beyond any price`},
		{"a credit that takes", head + with("GiB-month, usd: 0.1", "billing-account-month, usd: 0.1"), `b.yaml:7:77: prices[0].usd: 0.1: what a billing account is given is below zero`},
		{"a cap of nothing", head + with("usd: 0.1", "usd: 0.1, cap: 0"), `b.yaml:7:75: prices[0].cap: must be more than nothing`},
		{"a field that nobody reads", head + with("usd:", "eur: 1, usd:"),
			`b.yaml:7:60: prices[0].eur: unknown field; there is key, region, unit, usd, source, as_of, confidence, sku, tiers, cap, note, currency`},
		{"a field twice", head + with("usd: 0.1", "usd: 0.1, usd: 0.2"), `b.yaml:7:70: prices[0].usd: given twice; first in line 7`},
		{"a price that says no source", head + with("source: list, ", ""), `b.yaml:7:3: prices[0].source: missing`},
		{"a source that nobody described", head + with("source: list", "source: lsit"), `b.yaml:7:78: prices[0].source: "lsit" is not in sources, and not SKU and an id such as SKU E5F0-6A5D-7BAD`},
		{"an id that is none", head + with("source: list", "source: SKU 12"), `b.yaml:7:78: prices[0].source: "SKU 12" is not in sources, and not SKU and an id such as SKU E5F0-6A5D-7BAD`},
		{"two ids", head + with("source: list", "sku: E5F0-6A5D-7BAE, source: SKU E5F0-6A5D-7BAD"), `b.yaml:7:75: prices[0].sku: E5F0-6A5D-7BAE, but its source is SKU E5F0-6A5D-7BAD`},
		{"a date that is none", head + with(`"2026-12-01"`, `"2026-13-01"`), `b.yaml:7:91: prices[0].as_of: "2026-13-01" is no date such as 2026-11-23, 2026-11 or 2026`},
		{"a day that no month has", strings.Replace(head, "2026-12-01", "2026-02-31", 1) + row, `b.yaml:3:11: compiled: "2026-02-31" is no date such as 2026-11-23, 2026-11 or 2026`},
		{"a month where a day is needed", strings.Replace(head, "2026-12-01", "2026-12", 1) + row, `b.yaml:3:11: compiled: must be a day such as 2026-11-23`},
		{"a word of confidence of one's own", head + with("high", "certain"), `b.yaml:7:117: prices[0].confidence: "certain" is not one of high, medium-high, medium, low, unknown`},
		{"one key, two units", head + row + strings.NewReplacer("us-central1", "europe-west1", "GiB-month", "GiB-hour").Replace(row),
			`b.yaml:8:3: prices[1]: pd.balanced is priced per GiB-month, not per GiB-hour; see b.yaml:7:3`},
		{"a wrong unit is not blamed on the right ones after it", head + row +
			strings.NewReplacer("us-central1", "europe-west1", "GiB-month", "GiB-hour").Replace(row) + strings.Replace(row, "us-central1", "europe-west2", 1),
			`b.yaml:8:3: prices[1]: pd.balanced is priced per GiB-month, not per GiB-hour; see b.yaml:7:3`},
		{"another form of the file", strings.Replace(head, "schema: 1", "schema: 2", 1) + row, `b.yaml:1:9: schema: "2" is not known; it must be 1`},
		{"a book without prices", strings.Replace(head, "prices:\n", "prices: {}\n", 1), `b.yaml:6:9: prices: must be a list, not a mapping`},
		{"nothing", "", `b.yaml:1:1: the file is empty`},
		{"no mapping", "- a\n", `b.yaml:1:1: must be a mapping, not a list`},
		{"no YAML", "a: [\n", "b.yaml:2:1: not YAML that can be read: "},
		{"an alias could make a small file huge", head + "- &a " + row[2:] + "- *a\n", `b.yaml:8:3: prices[1]: must be a mapping, not an alias`},
		{"two documents", head + row + "---\na: 1\n", `b.yaml:9:1: a second document; a price book is one`},
	} {
		_, err := cost.Parse("b.yaml", []byte(c.data), nil)
		if err == nil {
			t.Errorf("%s: accepted", c.what)
			continue
		}
		if got := err.Error(); got != c.want && !(c.what == "no YAML" && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
}

func TestAllFaultsInOneRun(t *testing.T) {
	_, err := cost.Parse("b.yaml", []byte(head+with("usd: 0.1", "usd: -1")+strings.Replace(with("GiB-month", "barrel"), "us-central1", "asia-east1", 1)+with("us-central1", "Iowa!")), nil)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three faults are three lines:\n%v", err)
	}
}

func TestOverride(t *testing.T) {
	base := book(t)
	over := `schema: 1
currency: USD
compiled: "2027-01-15"
sources: {contract: {what: our contract with Google, as_of: "2027-01"}}
prices:
- {key: pd.balanced, region: us-central1, unit: GiB-month, usd: 0.08, source: contract, as_of: "2027-01", confidence: high}
- {key: pd.balanced, region: europe-west4, unit: GiB-month, usd: 0.1, source: gke-kvstore-10-07, as_of: "2026-10-07", confidence: low}
- {key: pd.ssd, region: us-central1, unit: GiB-month, usd: null, source: none, as_of: "2027-01", confidence: unknown}
`
	b, err := cost.Parse("mine.yaml", []byte(over), base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, key, region, want string }{
		{"a price of the override", "pd.balanced", "us-central1", "0.08"},
		{"a region that only the override has", "pd.balanced", "europe-west4", "0.1"},
		{"what it does not name stays", "pd.balanced", "europe-west1", "0.1"},
		{"null takes a price away", "pd.ssd", "us-central1", ""},
	} {
		p, _ := b.Lookup(c.key, c.region)
		got := ""
		if p != nil {
			got = p.USD.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	if p, _ := base.Lookup("pd.balanced", "us-central1"); p.USD.String() != "0.1" {
		t.Error("the book beneath must not change")
	}
	if b.Compiled != "2027-01-15" || b.Name != "mine.yaml of 2027-01-15 over the embedded price book of 2026-11-23" {
		t.Errorf("a book says what it is: %q, %s", b.Name, b.Compiled)
	}
	if _, err := cost.Parse("mine.yaml", []byte(strings.Replace(over, "unit: GiB-month, usd: 0.08", "unit: GiB-hour, usd: 0.08", 1)), base); err == nil ||
		!strings.Contains(err.Error(), "pd.balanced is priced per GiB-month, not per GiB-hour; see the embedded price book of 2026-11-23") {
		t.Errorf("an override in another unit would be off by 730: %v", err)
	}
}

// Every figure that the program comes with can be traced.
func TestEmbeddedBook(t *testing.T) {
	b := book(t)
	for _, p := range b.Prices() {
		if s := b.Sources[p.Source]; s.What == "" || p.AsOf == "" {
			t.Errorf("%s of %s: no source", p.Key, p.Region)
		}
		if p.Known == (p.Confidence == "unknown") {
			t.Errorf("%s of %s: a figure is known or it is of unknown confidence", p.Key, p.Region)
		}
	}
	if len(b.Prices()) < 120 {
		t.Errorf("%d prices", len(b.Prices()))
	}
}
