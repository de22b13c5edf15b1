package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/metrics"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
	"recsysd.dev/recsysd/internal/spend"
)

// book has prices by which the figures below can be worked out by eye, and none for disks.
const book = `
schema: 1
currency: USD
compiled: "2026-11-23"
sources: {list: {what: for this test, as_of: "2026-11"}}
prices:
  - {key: gke.autopilot.general-purpose.regular.vcpu, region: us-central1, unit: vCPU-hour, usd: 0.1, source: list, as_of: "2026-11", confidence: high}
  - {key: gcs.storage.standard, region: us-central1, unit: GiB-month, usd: 0.02, source: list, as_of: "2026-11", confidence: high}
  - {key: pd.balanced, region: us-central1, unit: GiB-month, usd: null, source: list, as_of: "2026-11", confidence: unknown}
`

func listPrices(t *testing.T) *cost.Book {
	t.Helper()
	b, err := cost.Parse("book.yaml", []byte(book), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pods is a kind of vCPUs, of which the live one may be billed for something else than the wanted one.
type pods struct {
	Name   string
	Needed resource.Amount
	Asleep resource.Amount
	Disk   bool // it has a disk too, for which the book has no price
	Job    bool // it is billed for nothing that has a price
}

func (p pods) Ref() resource.Ref           { return resource.Ref{Kind: "Pods", Name: p.Name} }
func (p pods) Needs() []resource.Need      { return nil }
func (p pods) Lifetime() resource.Lifetime { return resource.Disposable }
func (p pods) Validate() error             { return nil }
func (p pods) Diff(pods) []resource.Change { return nil }
func (p pods) Usage() (all []resource.Usage) {
	if p.Job {
		return []resource.Usage{{Component: resource.ComponentCPU, Unknown: "duration unknown"}}
	}
	if p.Disk {
		all = append(all, resource.Usage{Component: resource.ComponentDisk, Price: "pd.balanced", Region: "us-central1", Quantity: resource.Count(10)})
	}
	if p.Needed.Zero() {
		return all
	}
	return append(all, resource.Usage{
		Component: resource.ComponentCPU, Price: "gke.autopilot.general-purpose.regular.vcpu", Region: "us-central1", Quantity: p.Needed, Asleep: p.Asleep,
	})
}

// priced is a collector over a simulated cloud of pods, with the series that are about money.
type priced struct {
	t         *testing.T
	cloud     *sim.Cloud
	collector *metrics.Collector
	registry  *prometheus.Registry
	want      []resource.Resource
	engine    *reconcile.Reconciler
	book      *cost.Book
	account   *spend.Account
}

func newPriced(t *testing.T, want ...pods) *priced {
	t.Helper()
	w := &priced{t: t, cloud: &sim.Cloud{}, collector: metrics.New(metrics.Build{}), registry: prometheus.NewRegistry(), book: listPrices(t), account: &spend.Account{}}
	w.registry.MustRegister(w.collector)
	w.wants(want...)
	return w
}

// wants makes another stack of the same name, over the same cloud.
func (w *priced) wants(want ...pods) {
	w.want = nil
	for _, p := range want {
		r := resource.Of(p)
		r.Entry = "pods." + p.Name
		w.want = append(w.want, r)
	}
	w.engine = stack(w.cloud, &source{})
	w.engine.Kinds = []resource.Kind{resource.NewKind("pods", sim.NewDriver[pods](w.cloud, "recsys"))}
	w.engine.Load = func(context.Context, reconcile.Revision, time.Time) (reconcile.Stack, error) {
		return reconcile.Stack{Resources: w.want}, nil
	}
}

func (w *priced) pass() {
	p := w.engine.Pass(w.t.Context(), reconcile.Kick{})
	w.account.Pass(w.book, p)
	w.collector.Record(p)
	w.collector.Account(p.Stack, w.account)
}

func (w *priced) edit(name string, change func(*pods)) {
	w.t.Helper()
	err := w.cloud.Edit(resource.Ref{Kind: "Pods", Name: name}, func(s any) any {
		p := s.(pods)
		change(&p)
		return p
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// series are the samples about money, without their labels of the stack.
func (w *priced) series() []string {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if f.GetName() == "recsysd_cost_usd_per_month" || f.GetName() == "recsysd_cost_unpriced" {
			if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	var all []string
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			line = strings.NewReplacer(`recsysd_cost_usd_per_month{basis=`, "", `kind="Pods",name=`, "", `,stack="recsys"}`, "", `recsysd_cost_unpriced{stack="recsys"}`, "unpriced").Replace(line)
			all = append(all, strings.ReplaceAll(line, `"`, ""))
		}
	}
	slices.Sort(all)
	return all
}

func (w *priced) shows(why string, want ...string) {
	w.t.Helper()
	if got := w.series(); !slices.Equal(got, want) {
		w.t.Errorf("%s:\n got %q\nwant %q", why, got, want)
	}
}

func TestPricesByBasis(t *testing.T) {
	w := newPriced(t, pods{Name: "api", Needed: resource.Count(2), Asleep: resource.Ratio(1, 4)})
	w.pass()
	w.shows("2 vCPU at 0.1 an hour are 146 in 730 hours, and 109.5 in the three quarters in which it is awake",
		"desired,api 146", "live,api 146", "scheduled,api 109.5", "unpriced 0")

	w.edit("api", func(p *pods) { p.Needed = resource.Count(10) })
	w.shows("a scrape looks at nothing", "desired,api 146", "live,api 146", "scheduled,api 109.5", "unpriced 0")
	w.pass()
	w.shows("what a hand made of it is live", "desired,api 146", "live,api 730", "scheduled,api 109.5", "unpriced 0")
}

func TestWhatIsThereAndCostsNothingNowIsAZero(t *testing.T) {
	w := newPriced(t, pods{Name: "api", Needed: resource.Count(1)})
	w.pass()
	w.edit("api", func(p *pods) { p.Needed = resource.Amount{} })
	w.pass()
	w.shows("it is known that it has no pods", "desired,api 73", "live,api 0", "scheduled,api 73", "unpriced 0")
}

func TestWhatOthersPayForIsNotCounted(t *testing.T) {
	w := newPriced(t, pods{Name: "api", Needed: resource.Count(1)}, pods{Name: "theirs", Needed: resource.Count(1)})
	w.pass() // creates both
	w.wants(pods{Name: "api", Needed: resource.Count(1)}, pods{Name: "theirs", Needed: resource.Count(1)})
	w.want[1].Foreign = true
	w.pass()
	w.shows("one with a mode of its own is another stack's", "desired,api 73", "live,api 73", "scheduled,api 73", "unpriced 0")
}

func TestWhatCouldNotBeSeenHasNoLivePrice(t *testing.T) {
	w := newPriced(t, pods{Name: "api", Needed: resource.Count(1)})
	w.pass()
	w.engine.Kinds = []resource.Kind{resource.NewKind("pods", away{sim.NewDriver[pods](w.cloud, "recsys")})}
	w.pass()
	w.shows("unknown is neither its price nor nothing", "desired,api 73", "scheduled,api 73", "unpriced 0")
}

// away is a driver whose provider does not answer.
type away struct{ resource.Driver[pods] }

func (away) Observe(context.Context, []pods, bool) (resource.Seen[pods], error) {
	return resource.Seen[pods]{}, errors.New("host is down")
}

func TestWhatHasNoPriceIsCountedAndHasNoSeries(t *testing.T) {
	w := newPriced(t, pods{Name: "api", Needed: resource.Count(1), Disk: true}, pods{Name: "job", Job: true})
	w.pass()
	w.shows("the disk and the job have no price, wanted or live; what has one is shown, and none is a zero",
		"desired,api 73", "live,api 73", "scheduled,api 73", "unpriced 2")
}

func TestPricesOfWhatIsGone(t *testing.T) {
	w := newPriced(t, pods{Name: "api", Needed: resource.Count(1)}, pods{Name: "old", Needed: resource.Count(1)})
	w.pass()
	w.wants(pods{Name: "api", Needed: resource.Count(1)})
	w.engine.Settings.Observe = true
	w.pass()
	w.shows("what is no longer wanted costs as long as it is there", "desired,api 73", "live,api 73", "live,old 73", "scheduled,api 73", "unpriced 0")

	if err := w.cloud.Remove(resource.Ref{Kind: "Pods", Name: "old"}); err != nil {
		t.Fatal(err)
	}
	w.pass()
	w.shows("what is gone leaves no series", "desired,api 73", "live,api 73", "scheduled,api 73", "unpriced 0")

	if err := w.cloud.Remove(resource.Ref{Kind: "Pods", Name: "api"}); err != nil {
		t.Fatal(err)
	}
	w.pass()
	w.shows("nor does what is wanted and absent", "desired,api 73", "scheduled,api 73", "unpriced 0")
}

func TestAnotherPriceBookIsInForceFromTheNextPassOn(t *testing.T) {
	w := newPriced(t, pods{Name: "api", Needed: resource.Count(1)})
	w.pass()
	dearer, err := cost.Parse("book.yaml", []byte(strings.Replace(book, "usd: 0.1", "usd: 0.2", 1)), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.book = dearer
	w.pass()
	w.shows("0.2 × 730", "desired,api 146", "live,api 146", "scheduled,api 146", "unpriced 0")
}
