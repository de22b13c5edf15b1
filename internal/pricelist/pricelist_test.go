package pricelist_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/api/cloudbilling/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/pricelist"
)

var today = time.Date(2026, 12, 1, 23, 30, 0, 0, time.FixedZone("behind", -3600)) // 2026-12-02 in UTC

// once is the one book that all others of these tests lie over.
var once = sync.OnceValues(cost.Embedded)

func embedded(t testing.TB) *cost.Book {
	t.Helper()
	b, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t testing.TB, s *gcptest.Server) []pricelist.SKU {
	t.Helper()
	skus, err := pricelist.Read(t.Context(), s.Config())
	if err != nil {
		t.Fatal(err)
	}
	return skus
}

// loaded is the new book as the strict loader has it.
func loaded(t testing.TB, r *pricelist.Refreshed) *cost.Book {
	t.Helper()
	b, err := cost.Parse("new.yaml", r.Book(), embedded(t))
	if err != nil {
		t.Fatalf("what is written must be a price book: %v\n%s", err, r.Book())
	}
	return b
}

func why(r *pricelist.Refreshed, key, region string) string {
	for _, s := range r.Stays {
		if s.Key == key && s.Region == region {
			return s.Why
		}
	}
	return ""
}

func TestRefresh(t *testing.T) {
	s := gcptest.Start(t)
	s.SetSKUPage(3) // every service takes pages
	r := pricelist.Refresh(embedded(t), embedded(t), read(t, s), nil, today)
	b := loaded(t, r)
	for _, c := range []struct{ what, key, region, usd, steps, sku string }{
		{"mCPU hours are thousandths: 0.000051 x 1000", "gke.autopilot.general-purpose.regular.vcpu", "europe-west1", "0.051", "0:0.051", "0000-0000-0019"},
		{"Spot is another SKU", "gke.autopilot.general-purpose.spot.vcpu", "us-central1", "0.0133", "0:0.0133", "0000-0000-0014"},
		{"three SKUs of one price: that of the first id", "gke.cluster.management", "global", "0.1", "0:0.1", "0000-0000-0001"},
		{"the free step is one of two, and usd is the one that is paid", "gcs.storage.standard", "us-central1", "0.02", "0:0 5:0.02", "E5F0-6A5D-7BAD"},
		{"no dual-region, Autoclass or early deletion", "gcs.storage.standard", "europe-west1", "0.02", "0:0.02", "0000-0000-0022"},
		{"nor for another class", "gcs.storage.nearline", "europe-west1", "0.01", "0:0.01", "0000-0000-0024"},
		{"eu is europe in the catalog", "gcs.storage.standard", "eu", "0.026", "0:0.026", "0000-0000-0028"},
		{"single operations become thousands, in price and step", "gcs.ops.class_a.standard.regional", "global", "0.005", "0:0 5:0.005", "4DBF-185F-A415"},
		{"a step at half a GiB", "artifactregistry.storage", "global", "0.1", "0:0 0.5:0.1", "8502-299A-ABAF"},
		{"not the regional disk", "pd.balanced", "us-central1", "0.1", "0:0.1", "0000-0000-0032"},
		{"the description ends with a city", "pd.balanced", "asia-southeast1", "0.11", "0:0.11", "0000-0000-0034"},
		{"on demand: no commitment, no custom machine, no Spot", "gce.e2.regular.vcpu", "us-central1", "0.02181159", "0:0.02181159", "0000-0000-0041"},
		{"N2, not N2D", "gce.n2.regular.vcpu", "us-central1", "0.031611", "0:0.031611", "D982-F0A1-332B"},
		{"a key that the book never had", "gce.n2.spot.vcpu", "us-central1", "0.00765", "0:0.00765", "0000-0000-0047"},
		{"another one", "network.external_ip.spot_vm", "global", "0.0025", "0:0.0025", "4AF8-7C1F-39C4"},
		{"hours that are free now end later", "network.external_ip.standard_vm", "global", "0.005", "0:0 744:0.005", "C054-7F72-A02E"},
		{"a figure that nobody had found", "lb.forwarding_rule.minimum", "asia-southeast1", "0.028", "0:0.028", "0000-0000-0051"},
		{"a region of its own", "gke.autopilot.general-purpose.regular.vcpu", "europe-west3", "0.0573", "0:0.0573", "F3C6-E37E-910A"},
	} {
		p := b.Price(c.key, c.region)
		if p == nil || !p.Known {
			t.Errorf("%s: %s of %s is missing: %s", c.what, c.key, c.region, why(r, c.key, c.region))
			continue
		}
		var steps []string
		for _, t := range p.Tiers {
			steps = append(steps, fmt.Sprintf("%s:%s", t.From, t.USD))
		}
		if got := strings.Join(steps, " "); p.USD.String() != c.usd || got != c.steps || p.SKU != c.sku {
			t.Errorf("%s: %s of %s: %s, steps %s, SKU %s", c.what, c.key, c.region, p.USD, got, p.SKU)
		}
		if p.Source != "SKU "+c.sku || p.AsOf != "2026-12-02" || p.Confidence != "high" {
			t.Errorf("%s: source %q of %s, confidence %s", c.what, p.Source, p.AsOf, p.Confidence)
		}
	}
	if p := b.Price("network.nat.gateway_vm", "global"); p.Cap.String() != "0.044" || p.SKU != "32E2-4EFC-EF9F" || p.AsOf != "2026-12-02" {
		t.Errorf("the cap is in no SKU and stays: %+v", p)
	}
	if b.Compiled != "2026-12-02" {
		t.Errorf("compiled %s", b.Compiled)
	}
}

// What the catalog does not say stays to the letter, with its source and date, and is told.
func TestNothingIsGuessed(t *testing.T) {
	base := embedded(t)
	for _, c := range []struct {
		what, key, region string
		sell              func([]*cloudbilling.Sku) []*cloudbilling.Sku
		why               string
	}{
		{"none fits", "gke.autopilot.balanced.regular.vcpu", "asia-southeast1", nil, "no SKU fits"},
		{"the Global rule is not that of a region", "lb.forwarding_rule.minimum", "us-central1", nil, "no SKU fits"},
		{"no pattern is for dual-regions", "gcs.storage.standard", "nam4", nil, "no SKU fits"},
		{"two prices", "gke.autopilot.general-purpose.regular.memory", "us-central1", with("Autopilot Pod Memory Requests (us-central1)", "OnDemand", "GiBy.h", "0.005"),
			"SKUs 0000-0000-0012 (Autopilot Pod Memory Requests (us-central1)) and FFFF-0000-0000 (Autopilot Pod Memory Requests (us-central1)) have different prices, 0.0049225 and 0.005"},
		{"another unit, by which it would be off by 720", "gke.autopilot.general-purpose.regular.ephemeral", "europe-west1", with("Autopilot Pod Ephemeral Storage Requests (europe-west1)", "OnDemand", "GiBy.mo", "0.04"),
			"SKU FFFF-0000-0000 (Autopilot Pod Ephemeral Storage Requests (europe-west1)) is priced per GiBy.mo, not per GiBy.h"},
		{"only a commitment", "gke.autopilot.balanced.regular.memory", "us-central1", with("Autopilot Balanced Pod Memory Requests (us-central1)", "Commit3Yr", "GiBy.h", "0.004"), "no SKU fits"},
		{"no rates at all", "gke.autopilot.balanced.regular.memory", "us-central1", with("Autopilot Balanced Pod Memory Requests (us-central1)", "OnDemand", "GiBy.h"),
			"SKU FFFF-0000-0000 (Autopilot Balanced Pod Memory Requests (us-central1)) has no price"},
		{"steps that do not begin at 0", "gke.autopilot.balanced.regular.memory", "us-central1", with("Autopilot Balanced Pod Memory Requests (us-central1)", "OnDemand", "GiBy.h", "5:0.004"),
			"SKU FFFF-0000-0000 (Autopilot Balanced Pod Memory Requests (us-central1)) has steps that do not go upwards from 0"},
		{"another currency than was asked for", "gke.autopilot.balanced.regular.memory", "us-central1", func(skus []*cloudbilling.Sku) []*cloudbilling.Sku {
			skus = with("Autopilot Balanced Pod Memory Requests (us-central1)", "OnDemand", "GiBy.h", "0.004")(skus)
			skus[len(skus)-1].PricingInfo[0].PricingExpression.TieredRates[0].UnitPrice.CurrencyCode = "EUR"
			return skus
		}, "SKU FFFF-0000-0000 (Autopilot Balanced Pod Memory Requests (us-central1)) is priced in EUR, not in USD"},
		{"steps of a day", "gke.autopilot.balanced.regular.memory", "us-central1", func(skus []*cloudbilling.Sku) []*cloudbilling.Sku {
			skus = with("Autopilot Balanced Pod Memory Requests (us-central1)", "OnDemand", "GiBy.h", "0", "1:0.004")(skus)
			skus[len(skus)-1].PricingInfo[0].AggregationInfo.AggregationInterval = "DAILY"
			return skus
		}, "SKU FFFF-0000-0000 (Autopilot Balanced Pod Memory Requests (us-central1)) has steps of a day, not of a month"},
	} {
		s := gcptest.Start(t)
		if c.sell != nil {
			s.Sell(gcptest.SKUsOfKubernetes, c.sell(gcptest.Catalog()[gcptest.SKUsOfKubernetes]))
		}
		r := pricelist.Refresh(base, base, read(t, s), nil, today)
		if got := why(r, c.key, c.region); got != c.why {
			t.Errorf("%s: %q, want %q", c.what, got, c.why)
		}
		if loaded(t, r).Price(c.key, c.region) == nil || strings.Contains(string(r.Book()), "key: "+c.key+", region: "+c.region+",") {
			t.Errorf("%s: the embedded price must go on as it is", c.what)
		}
	}
}

// with sells one more SKU.
func with(description, usage, unit string, rates ...string) func([]*cloudbilling.Sku) []*cloudbilling.Sku {
	return func(skus []*cloudbilling.Sku) []*cloudbilling.Sku {
		regions := strings.TrimSuffix(description[strings.Index(description, "(")+1:], ")")
		return append(skus, gcptest.NewSKU("FFFF-0000-0000", description, "GKEAutopilot", usage, regions, unit, rates...))
	}
}

// The newest of a timeline counts, and cents are not lost on the way through dollars and billionths.
func TestThePriceIsTheNewestAndExact(t *testing.T) {
	s := gcptest.Start(t)
	sku := gcptest.NewSKU("0000-0000-0032", "Balanced PD Capacity", "SSD", "OnDemand", "us-central1", "GiBy.mo", "0.1")
	newer := gcptest.NewSKU("0000-0000-0032", "Balanced PD Capacity", "SSD", "OnDemand", "us-central1", "GiBy.mo", "1234.123456789")
	sku.PricingInfo = append(sku.PricingInfo, newer.PricingInfo...)
	s.Sell(gcptest.SKUsOfCompute, []*cloudbilling.Sku{sku})
	r := pricelist.Refresh(embedded(t), embedded(t), read(t, s), nil, today)
	if p := loaded(t, r).Price("pd.balanced", "us-central1"); p.USD.String() != "1234.123456789" {
		t.Errorf("%s", p.USD)
	}
}

func TestARegionThatTheBookLacks(t *testing.T) {
	s := gcptest.Start(t)
	r := pricelist.Refresh(embedded(t), embedded(t), read(t, s), []string{"europe-west2"}, today)
	b := loaded(t, r)
	for key, usd := range map[string]string{"gcs.storage.standard": "0.023", "gcs.storage.nearline": "0.013"} {
		if p := b.Price(key, "europe-west2"); p == nil || p.USD.String() != usd {
			t.Errorf("%s of London: %+v", key, p)
		}
	}
	if got := why(r, "pd.balanced", "europe-west2"); got != "no SKU fits" {
		t.Errorf("what was asked for and is not there is told: %q", got)
	}
	if got := why(r, "pd.balanced", "europe-west3"); got != "" {
		t.Errorf("what nobody asked for and the book never had is not: %q", got)
	}
}

// A second run over what the first one wrote changes nothing but dates, and prices of one's own outlive both.
func TestAgain(t *testing.T) {
	s := gcptest.Start(t)
	base := embedded(t)
	own := `schema: 1
currency: USD
compiled: "2026-11-25"
sources: {contract: {what: 'our "contract": 20 % off', where: "a drawer", as_of: "2026"}}
prices:
- {key: pd.balanced, region: us-central1, unit: GiB-month, usd: 0.08, source: contract, as_of: "2026", confidence: high, note: "line\none # not a comment"}
- {key: pd.ssd, region: europe-west1, unit: GiB-month, usd: null, source: none, as_of: "2026", confidence: unknown}
- {key: gcs.storage.standard, region: us-central1, unit: GiB-month, usd: 0.03, source: SKU E5F0-6A5D-7BAD, as_of: "2026-11-25", confidence: high}
- {key: pd.ssd, region: europe-north1, unit: GiB-month, usd: 0.19, source: SKU AAAA-0000-0000, as_of: "2026-11-25", confidence: high}
`
	book, err := cost.Parse("mine.yaml", []byte(own), base)
	if err != nil {
		t.Fatal(err)
	}
	first := pricelist.Refresh(base, book, read(t, s), nil, today)
	b := loaded(t, first)
	if p := b.Price("pd.balanced", "us-central1"); p.USD.String() != "0.08" || p.Source != "contract" || p.AsOf != "2026" || p.Note != "line\none # not a comment" {
		t.Errorf("a price of one's own stays: %+v", p)
	}
	if got := b.Sources["contract"]; got != book.Sources["contract"] {
		t.Errorf("with what is known of its source: %+v", got)
	}
	if p := b.Price("pd.ssd", "europe-west1"); p.Known {
		t.Errorf("also one that takes a price away: %+v", p)
	}
	if p := b.Price("gcs.storage.standard", "us-central1"); p.USD.String() != "0.02" || p.AsOf != "2026-12-02" {
		t.Errorf("a price that was refreshed is refreshed again: %+v", p)
	}
	if p := b.Price("pd.ssd", "europe-north1"); p == nil || p.AsOf != "2026-11-25" {
		t.Errorf("one that has gone from the catalog stays, of its date: %+v", p)
	}
	if got := why(first, "pd.balanced", "us-central1"); got != "your own, of contract" {
		t.Errorf("and it is told: %q", got)
	}
	second := pricelist.Refresh(base, b, read(t, s), nil, today.AddDate(0, 1, 0))
	if len(second.Changed) != 0 || second.Same != first.Found() {
		t.Errorf("nothing has changed: %+v", second.Changed)
	}
	if a, z := string(first.Book()), string(second.Book()); strings.ReplaceAll(a, "2026-12-02", "2027-01-02") != z {
		t.Errorf("but dates:\n%s\n%s", a, z)
	}
}

func TestTrouble(t *testing.T) {
	s := gcptest.Start(t)
	s.Fail("cloudbilling.services.skus.list", codes.Unavailable, "try again", 1)
	if _, err := pricelist.Read(t.Context(), s.Config()); err != nil {
		t.Errorf("what goes wrong for a moment is tried again: %v", err)
	}
	s.Forbid("cloudbilling.services.skus.list")
	_, err := pricelist.Read(t.Context(), s.Config())
	if err == nil || !strings.Contains(err.Error(), "cloudbilling.googleapis.com is enabled, or --api-key-file") {
		t.Errorf("a refusal says what is needed: %v", err)
	}
	s.Heal()
	away := s.Config()
	away.Endpoints = map[string]string{"billing": "http://127.0.0.1:1"}
	if _, err = pricelist.Read(t.Context(), away); err == nil || !strings.Contains(err.Error(), "could not be asked: ") || !strings.Contains(err.Error(), "--api-key-file") {
		t.Errorf("no network says what it takes: %v", err)
	}
	s.RequireAPIKey("AIza-right")
	c := s.Config()
	c.APIKey = "AIza-wrong"
	if _, err = pricelist.Read(t.Context(), c); err == nil || strings.Contains(err.Error(), c.APIKey) {
		t.Errorf("an error never has the key: %v", err)
	}
	c.APIKey = "AIza-right"
	if _, err = pricelist.Read(t.Context(), c); err != nil {
		t.Errorf("the right key is enough: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = pricelist.Read(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends when it is told to: %v", err)
	}
}

// Every key that the program asks the book for by name has a pattern, but for those that Google lists nowhere.
func TestEveryPriceOfTheBookIsLookedForOrSaidNotToBe(t *testing.T) {
	r := pricelist.Refresh(embedded(t), embedded(t), nil, nil, today)
	want := []string{
		"artifactregistry.scan", "gce.free_tier.e2_micro", "gce.machine.e2-medium", "gce.machine.e2-micro", "gce.machine.e2-small", "gce.machine.e2-standard-2",
		"gcs.autoclass.management", "gcs.ops.delete", "gcs.retrieval.archive", "gcs.retrieval.coldline", "gcs.retrieval.nearline", "gke.free_tier.credit",
		"lb.data_processed", "network.egress.internet.premium",
	}
	if !slices.Equal(r.Unasked, want) {
		t.Errorf("no SKU is known for %v, want %v", r.Unasked, want)
	}
}
