package cost_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

func ref(kind, name string) resource.Ref { return resource.Ref{Kind: kind, Name: name} }

// use is a usage of n/d units.
func use(component, price, region string, n, d int64) resource.Usage {
	return resource.Usage{Component: component, Price: price, Region: region, Quantity: resource.Ratio(n, d)}
}

func bill(name string, us ...resource.Usage) cost.Bill {
	return cost.Bill{Ref: ref("thing", name), Usages: us}
}

// months are the sums per resource and in all, in cents.
func months(r *cost.Report) string {
	var all []string
	for _, c := range r.Resources {
		all = append(all, c.Ref.Name+" "+c.Month.String())
	}
	return strings.Join(append(all, "total "+r.Month.String()), ", ")
}

// The worked example that the price book was handed over with: 4 pods, 1.5 vCPU and 3 GiB in all, one Autopilot cluster, 730 hours.
func TestWorkedExample(t *testing.T) {
	b := book(t)
	// api 500m/1Gi, postgres 500m/1Gi, mlflow 250m/512Mi, redis 250m/512Mi; 1 GiB of ephemeral storage each.
	pods := []struct {
		name     string
		milli, m int64
	}{{"api", 500, 1024}, {"postgres", 500, 1024}, {"mlflow", 250, 512}, {"redis", 250, 512}}
	for _, c := range []struct {
		region, model, working string
		credit                 bool
		want                   string
	}{
		{"us-central1", "regular", "1.5×0.0445×730 = 48.7275; 3×0.0049225×730 = 10.780275; 4×0.0000548×730 = 0.160016; fee 73, credit -73", true, "59.67"},
		{"us-central1", "regular", "the same and 73", false, "132.67"},
		{"us-central1", "spot", "1.5×0.0133×730 = 14.5635; 3×0.0014767×730 = 3.233973; 0.160016", true, "17.96"},
		{"us-central1", "spot", "the same and 73", false, "90.96"},
		{"europe-west1", "regular", "1.5×0.049×730 = 53.655; 3×0.0054202×730 = 11.870238; 0.160016", true, "65.69"},
		{"europe-west1", "regular", "the same and 73", false, "138.69"},
		{"europe-west1", "spot", "1.5×0.0147×730 = 16.0965; 3×0.001626×730 = 3.56094; 0.160016", true, "19.82"},
		{"europe-west1", "spot", "the same and 73", false, "92.82"},
		{"asia-southeast1", "regular", "1.5×0.0549×730 = 60.1155; 3×0.0060729×730 = 13.299651; 4×0.0000603×730 = 0.176076", true, "73.59"},
		{"asia-southeast1", "regular", "the same and 73", false, "146.59"},
		{"asia-southeast1", "spot", "1.5×0.0165×730 = 18.0675; 3×0.0018219×730 = 3.989961; 0.176076", true, "22.23"},
		{"asia-southeast1", "spot", "the same and 73", false, "95.23"},
	} {
		key := "gke.autopilot.general-purpose." + c.model + "."
		bills := []cost.Bill{bill("cluster", use("management-fee", "gke.cluster.management", "", 1, 1), use("free-tier-credit", "gke.free_tier.credit", "", 1, 1))}
		for _, p := range pods {
			bills = append(bills, bill(p.name, use("cpu", key+"vcpu", c.region, p.milli, 1000), use("memory", key+"memory", c.region, p.m, 1024),
				use("ephemeral", key+"ephemeral", c.region, 1, 1)))
		}
		r := cost.Of(b, bills, cost.Full, cost.Options{FreeTierCredit: c.credit})
		if r.Month.String() != c.want || r.Unpriced != 0 {
			t.Errorf("%s, %s, credit %v: %s = %s, want %s (%d unpriced)", c.region, c.model, c.credit, c.working, r.Month.Text(6), c.want, r.Unpriced)
		}
	}
}

func TestPricedTogether(t *testing.T) {
	b := book(t)
	const us, eu = "us-central1", "europe-west1"
	rule := func(n int64, region string) resource.Usage {
		return use("load-balancer", "lb.forwarding_rule.minimum", region, n, 1)
	}
	images := func(n, d int64, region string) resource.Usage {
		return use("storage", "artifactregistry.storage", region, n, d)
	}
	cluster := []resource.Usage{use("management-fee", "gke.cluster.management", "", 1, 1), use("free-tier-credit", "gke.free_tier.credit", "", 1, 1)}
	credit := cost.Options{FreeTierCredit: true}
	for _, c := range []struct {
		what, working string
		bills         []cost.Bill
		options       cost.Options
		want          string
	}{
		{"nothing costs nothing", "", nil, credit, "total 0.00"},
		{"one rule pays the minimum", "0.025×730", []cost.Bill{bill("a", rule(1, us))}, credit, "a 18.25, total 18.25"},
		{"five rules share it", "18.25/5 = 3.65", []cost.Bill{bill("a", rule(1, us)), bill("b", rule(4, us))}, credit, "a 3.65, b 14.60, total 18.25"},
		{"the sixth costs more, and all rules are alike", "18.25 + 0.01×730 = 25.55; /6 = 4.2583", []cost.Bill{bill("a", rule(2, us)), bill("b", rule(4, us))}, credit,
			"a 8.52, b 17.03, total 25.55"},
		{"each region has a minimum of its own", "18.25 twice", []cost.Bill{bill("a", rule(1, us)), bill("b", rule(1, eu))}, credit, "a 18.25, b 18.25, total 36.50"},
		{"no rule is free", "0 rules", []cost.Bill{bill("a", rule(0, us))}, credit, "a 0.00, total 0.00"},

		{"images below the free step", "0.4 < 0.5", []cost.Bill{bill("a", images(4, 10, us))}, credit, "a 0.00, total 0.00"},
		{"at the free step", "0.5 - 0.5", []cost.Bill{bill("a", images(1, 2, us))}, credit, "a 0.00, total 0.00"},
		{"above it", "(0.6 - 0.5)×0.1", []cost.Bill{bill("a", images(6, 10, us))}, credit, "a 0.01, total 0.01"},
		{"5 GiB", "4.5×0.1", []cost.Bill{bill("a", images(5, 1, us))}, credit, "a 0.45, total 0.45"},
		{"the free step is one for all registries of all regions", "(1 + 4 - 0.5)×0.1 = 0.45, 1:4", []cost.Bill{bill("a", images(1, 1, us)), bill("b", images(4, 1, eu))}, credit,
			"a 0.09, b 0.36, total 0.45"},
		{"Standard storage of us-central1 at its free step", "5 GiB", []cost.Bill{bill("a", use("storage", "gcs.storage.standard", us, 5, 1))}, credit, "a 0.00, total 0.00"},
		{"and above", "(50 - 5)×0.02", []cost.Bill{bill("a", use("storage", "gcs.storage.standard", us, 50, 1))}, credit, "a 0.90, total 0.90"},
		{"other regions have none", "50×0.02", []cost.Bill{bill("a", use("storage", "gcs.storage.standard", eu, 50, 1))}, credit, "a 1.00, total 1.00"},
		{"pd-standard of us-central1: 30 GiB free", "(31 - 30)×0.04", []cost.Bill{bill("a", use("disk", "pd.standard", us, 31, 1))}, credit, "a 0.04, total 0.04"},
		{"steps of hours are of the month's hours", "(730 - 720)×0.005", []cost.Bill{bill("a", use("address", "network.external_ip.standard_vm", us, 1, 1))}, credit, "a 0.05, total 0.05"},
		{"and a second address has all of them", "(1460 - 720)×0.005 = 3.70", []cost.Bill{bill("a", use("address", "network.external_ip.standard_vm", us, 2, 1))}, credit, "a 3.70, total 3.70"},
		{"operations by the thousand", "(20 - 5)×0.005", []cost.Bill{bill("a", use("operations", "gcs.ops.class_a.standard.regional", us, 20, 1))}, credit, "a 0.08, total 0.08"},

		{"the credit covers the fee", "73 - min(73, 74.40)", []cost.Bill{bill("a", cluster...)}, credit, "a 0.00, total 0.00"},
		{"it is not counted unless the stack says so", "73", []cost.Bill{bill("a", cluster...)}, cost.Options{}, "a 73.00, total 73.00"},
		{"there is one, and the next cluster by name has what it leaves", "146 - 74.40", []cost.Bill{bill("b", cluster...), bill("a", cluster...)}, credit, "a 0.00, b 71.60, total 71.60"},
		{"a regional Standard cluster has no claim to it", "73", []cost.Bill{bill("a", cluster[0])}, credit, "a 73.00, total 73.00"},
		{"it pays for nothing but the fee", "73 - 73 + 1", []cost.Bill{bill("a", append(slices.Clone(cluster), use("disk", "pd.balanced", us, 10, 1))...)}, credit, "a 1.00, total 1.00"},

		{"NAT below its cap", "31×0.0014×730 = 31.682", []cost.Bill{bill("a", use("nat", "network.nat.gateway_vm", us, 31, 1))}, credit, "a 31.68, total 31.68"},
		{"and above, per gateway", "0.044×730 = 32.12 each", []cost.Bill{bill("a", use("nat", "network.nat.gateway_vm", us, 32, 1)), bill("b", use("nat", "network.nat.gateway_vm", us, 500, 1))}, credit,
			"a 32.12, b 32.12, total 64.24"},
	} {
		if got := months(cost.Of(b, c.bills, cost.Full, c.options)); got != c.want {
			t.Errorf("%s (%s):\n got %s\nwant %s", c.what, c.working, got, c.want)
		}
	}
}

func TestUnpricedIsNeverNothingInSilence(t *testing.T) {
	b := book(t)
	bills := []cost.Bill{
		bill("a", use("disk", "pd.balanced", "europe-west4", 10, 1)),
		bill("b", resource.Usage{Component: "storage", Price: "gcs.storage.standard", Region: "us-central1", Unknown: "size unknown"}),
		bill("c", use("load-balancer", "lb.forwarding_rule.minimum", "asia-southeast1", 1, 1)),
		bill("d", use("load-balancer", "lb.forwarding_rule.minimum", "europe-west1", 6, 1)),
		bill("e", use("load-balancer", "lb.forwarding_rule.minimum", "asia-southeast1", 0, 1)),
		bill("f", resource.Usage{Component: "cpu", Unknown: "duration unknown"}),
	}
	r := cost.Of(b, bills, cost.Full, cost.Options{})
	want := map[string]string{
		"a": "the price book has pd.balanced of asia-southeast1, europe-west1, us-central1, not of europe-west4",
		"b": "size unknown",
		"c": "the price book knows no figure for lb.forwarding_rule.minimum in asia-southeast1: not found; look it up live",
		"d": "the price book has lb.forwarding_rule.additional of us-central1, not of europe-west1",
		"e": "", // there is none of it, so there is nothing to price
		"f": "duration unknown",
	}
	for _, c := range r.Resources {
		if got := c.Components[0].Unpriced; got != want[c.Ref.Name] {
			t.Errorf("%s: %q, want %q", c.Ref.Name, got, want[c.Ref.Name])
		}
	}
	if r.Unpriced != 5 || r.Month.String() != "18.25" {
		t.Errorf("%d unpriced and %s; the sixth rule has no price, the first five have", r.Unpriced, r.Month)
	}
}

func TestBases(t *testing.T) {
	u := use("cpu", "gke.autopilot.general-purpose.regular.vcpu", "us-central1", 2, 1)
	u.Least, u.Most, u.Asleep = resource.Count(1), resource.Count(10), resource.Ratio(128, 168)
	b := book(t)
	// 0.0445×730 = 32.485 a vCPU; awake 40 of 168 hours.
	for basis, want := range map[cost.Basis]string{cost.Full: "64.97", cost.Least: "7.73", cost.Expected: "15.47", cost.Most: "77.35"} {
		if got := cost.Of(b, []cost.Bill{bill("a", u)}, basis, cost.Options{}).Month.String(); got != want {
			t.Errorf("basis %d: %s, want %s", basis, got, want)
		}
	}
	u.Least = resource.Amount{}
	if got := cost.Of(b, []cost.Bill{bill("a", u)}, cost.Least, cost.Options{}).Month.String(); got != "0.00" {
		t.Errorf("a pool may go down to nothing: %s", got)
	}
	u.Most = resource.Amount{}
	if got := cost.Of(b, []cost.Bill{bill("a", u)}, cost.Least, cost.Options{}).Month.String(); got != "15.47" {
		t.Errorf("without a range it is what it is: %s", got)
	}
}

// some is a stack at random: of every sort of price, some of them shared.
func some(r *rand.Rand) []cost.Bill {
	prices := []struct{ key, region string }{
		{"gke.autopilot.general-purpose.regular.vcpu", "us-central1"}, {"gke.autopilot.general-purpose.regular.memory", "europe-west1"},
		{"gcs.storage.standard", "us-central1"}, {"artifactregistry.storage", "us-central1"}, {"pd.standard", "us-central1"},
		{"lb.forwarding_rule.minimum", "us-central1"}, {"network.nat.gateway_vm", ""}, {"network.external_ip.standard_vm", ""},
	}
	var bills []cost.Bill
	for i := range 1 + r.IntN(12) {
		b := bill(fmt.Sprintf("r%02d", i))
		for range 1 + r.IntN(4) {
			p := prices[r.IntN(len(prices))]
			den := []int64{1, 7, 1000, 1 << 30}[r.IntN(4)]
			b.Usages = append(b.Usages, use("part", p.key, p.region, r.Int64N(20*den), den))
		}
		if r.IntN(3) == 0 {
			b.Usages = append(b.Usages, use("management-fee", "gke.cluster.management", "", 1, 1), use("free-tier-credit", "gke.free_tier.credit", "", 1, 1))
		}
		bills = append(bills, b)
	}
	return bills
}

func TestSumsAddUpInAnyOrder(t *testing.T) {
	b, r := book(t), rand.New(rand.NewPCG(7, 8))
	for range 500 {
		bills := some(r)
		report := cost.Of(b, bills, cost.Full, cost.Options{FreeTierCredit: true})
		var all cost.Money
		for _, c := range report.Resources {
			var own cost.Money
			for _, p := range c.Components {
				own = own.Plus(p.Month)
			}
			if own != c.Month {
				t.Fatalf("%s: its components come to %s, it to %s", c.Ref, own.Text(18), c.Month.Text(18))
			}
			all = all.Plus(own)
		}
		if all != report.Month {
			t.Fatalf("components come to %s, the stack to %s", all.Text(18), report.Month.Text(18))
		}
		mixed := slices.Clone(bills)
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		if other := cost.Of(b, mixed, cost.Full, cost.Options{FreeTierCredit: true}); months(other) != months(report) || other.Month != report.Month {
			t.Fatalf("in another order:\n%s\n%s", months(report), months(other))
		}
	}
}

func TestMoreIsNeverCheaper(t *testing.T) {
	b, r := book(t), rand.New(rand.NewPCG(9, 10))
	for range 1000 {
		bills := some(r)
		before := cost.Of(b, bills, cost.Full, cost.Options{}).Month
		us := bills[r.IntN(len(bills))].Usages
		u := &us[r.IntN(len(us))]
		u.Quantity = u.Quantity.Plus(resource.Ratio(1+r.Int64N(5), 1+r.Int64N(3)))
		if after := cost.Of(b, bills, cost.Full, cost.Options{}).Month; after.Compare(before) < 0 {
			t.Fatalf("more of %s: %s instead of %s", u.Price, after, before)
		}
	}
}

func BenchmarkTenThousandWorkloads(b *testing.B) {
	prices := book(b)
	var bills []cost.Bill
	for i := range 10_000 {
		bills = append(bills, cost.Bill{Ref: ref("Deployment", fmt.Sprintf("ns/w%05d", i)), Usages: []resource.Usage{
			use("cpu", "gke.autopilot.general-purpose.regular.vcpu", "us-central1", 250, 1000),
			use("memory", "gke.autopilot.general-purpose.regular.memory", "us-central1", 512, 1024),
			use("ephemeral", "gke.autopilot.general-purpose.regular.ephemeral", "us-central1", 1, 1),
			use("disk", "pd.standard", "us-central1", 10, 1), // shared steps
		}})
	}
	b.ReportAllocs()
	for b.Loop() {
		cost.Of(prices, bills, cost.Full, cost.Options{})
	}
}
