package metrics_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/metrics"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
	"recsysd.dev/recsysd/internal/spend"
)

const reference = "../../docs/metrics.md"

var (
	described  = regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([\w,]*)\}`)
	documented = regexp.MustCompile("(?m)^\\| `(recsysd_\\w+)(?:\\{([\\w,]*)\\})?` \\| (counter|gauge|histogram) \\| .+ \\|$")
	formula    = regexp.MustCompile(`(?m)^    at (rest|most): (\d+) N \+ (\d+) B \+ (\d+) K \+ (\d+)$`)
)

// exported are the labels of all metrics by name, as the collector describes them.
func exported(t *testing.T) map[string]string {
	t.Helper()
	descs := make(chan *prometheus.Desc, 1000)
	metrics.New(metrics.Build{}).Describe(descs)
	close(descs)
	all := map[string]string{}
	for d := range descs {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("cannot read %s", d)
		}
		all[m[1]] = m[2]
	}
	return all
}

func readReference(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every metric has a row in docs/metrics.md with its labels and its type, and every row is a metric.
func TestTheReferenceIsComplete(t *testing.T) {
	all, kinds := exported(t), map[string]string{}
	for _, m := range documented.FindAllStringSubmatch(readReference(t), -1) {
		name, labels, kind := m[1], m[2], m[3]
		if has, ok := all[name]; !ok {
			t.Errorf("%s is in %s and not exported", name, reference)
		} else if has != labels {
			t.Errorf("%s has the labels {%s}, and in %s {%s}", name, has, reference, labels)
		}
		if kinds[name] != "" {
			t.Errorf("%s stands twice in %s", name, reference)
		}
		kinds[name] = kind
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if kinds[name] == "" {
			t.Errorf("%s{%s} has no row in %s", name, all[name], reference)
		}
		if total := strings.HasSuffix(name, "_total"); total != (kinds[name] == "counter") {
			t.Errorf("%s is said to be a %s", name, kinds[name])
		}
	}
}

// size is how many series there are: for each resource, for each that has a price, for each kind, and once.
type size struct{ each, billed, kind, once int }

func (s size) of(resources, billed, kinds int) int {
	return s.each*resources + s.billed*billed + s.kind*kinds + s.once
}

// grown is how many series a metric has at most, by its labels. Those of the daemon itself count nowhere.
func grown(t *testing.T, name, labels string) size {
	t.Helper()
	switch labels {
	case "stack,kind,name":
		return size{each: 1}
	case "stack,kind,name,basis":
		return size{billed: 3}
	case "stack,kind":
		return size{kind: 1}
	case "stack,kind,verb,outcome":
		return size{kind: 16}
	case "stack,outcome":
		return size{once: len(reconcile.Outcomes)}
	case "stack,attempted,applied":
		return size{once: 1}
	case "stack":
		if strings.HasSuffix(name, "_duration_seconds") {
			return size{once: 15} // 12 buckets, the one without an end, sum and count
		}
		return size{once: 1}
	case "", "service,method,code", "code", "version,revision,goversion":
		return size{}
	}
	t.Errorf("%s{%s}: say here and in %s how many series that makes", name, labels, reference)
	return size{}
}

// The formulas in docs/metrics.md are those of the real series.
func TestHowManySeriesAStackHas(t *testing.T) {
	said := map[string]size{}
	for _, m := range formula.FindAllStringSubmatch(readReference(t), -1) {
		var n [4]int
		for i := range n {
			n[i], _ = strconv.Atoi(m[i+2])
		}
		said[m[1]] = size{n[0], n[1], n[2], n[3]}
	}
	var most size
	for name, labels := range exported(t) {
		g := grown(t, name, labels)
		most = size{most.each + g.each, most.billed + g.billed, most.kind + g.kind, most.once + g.once}
	}
	if said["most"] != most {
		t.Errorf("%s says at most %+v; by their labels it is %+v", reference, said["most"], most)
	}
	for _, n := range []int{2, 10, 200} {
		resting, drifted := seriesOf(t, n)
		if want := said["rest"].of(n, n/2, 2); resting != want {
			t.Errorf("%d resources of 2 kinds, half of them billed, have %d series at rest, by %s %d", n, resting, reference, want)
		}
		if want := most.of(n, n/2, 2); drifted > want || drifted <= resting {
			t.Errorf("%d resources of 2 kinds, half of them in drift, have %d series, at rest %d, at most %d", n, drifted, resting, want)
		}
	}
}

// seriesOf counts the series of a stack of n resources, of which half are pods, and half buckets of which nobody knows how much will be
// stored: when it is at rest, and when the buckets drift.
func seriesOf(t *testing.T, n int) (resting, drifted int) {
	t.Helper()
	cloud := &sim.Cloud{}
	var want []resource.Resource
	for i := range n {
		r := resource.Of(pods{Name: fmt.Sprint("api-", i), Needed: resource.Count(1)})
		if i%2 == 0 {
			off := false
			r = resource.Of(bucket.Spec{Name: fmt.Sprint("acme-", i), Location: "us-central1", Versioning: &off})
		}
		r.Entry = fmt.Sprint("some.", i)
		want = append(want, r)
	}
	r := stack(cloud, &source{})
	r.Kinds = append(r.Kinds, resource.NewKind("pods", sim.NewDriver[pods](cloud, "recsys")))
	r.Load = func(context.Context, reconcile.Revision, time.Time) (reconcile.Stack, error) {
		return reconcile.Stack{Resources: want, Budget: &resource.Budget{Monthly: resource.Count(100), WarnAt: []int{100}}}, nil
	}
	r.Pass(t.Context(), reconcile.Kick{}) // creates everything
	c := metrics.New(metrics.Build{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	book, account := listPrices(t), &spend.Account{}
	c.PriceBook(book)
	c.WriteBack("recsys", true, true)
	pass := func() {
		p := r.Pass(t.Context(), reconcile.Kick{})
		account.Pass(book, p)
		c.Record(p)
		c.Account(p.Stack, account)
	}
	pass()
	resting = count(t, registry)

	r.Settings.Observe = true
	for i := 0; i < n; i += 2 {
		err := cloud.Edit(want[i].Ref, func(s any) any {
			b, on := s.(bucket.Spec), true
			b.Versioning = &on
			return b
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pass()
	return resting, count(t, registry)
}

// count counts the series that belong to a stack.
func count(t *testing.T, g prometheus.Gatherer) (n int) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				switch {
				case l.GetName() != "stack":
				case m.GetHistogram() != nil:
					n += len(m.GetHistogram().GetBucket()) + 3
				default:
					n++
				}
			}
		}
	}
	return n
}
