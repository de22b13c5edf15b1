package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

var driftUSD = desc("recsysd_drift_usd_per_month", "List price in dollars of a month, of what a resource in drift costs beyond what is wanted; below zero where it is less.", "stack", "kind", "name")

// driftPrices are what resources in drift cost beyond what is wanted. What differs in nothing that is billed, or in what has no price, is
// not among them.
type driftPrices map[resource.Ref]cost.Money

// update takes a pass in. Where nothing is in drift there is nothing to do.
func (d *driftPrices) update(book *cost.Book, p *reconcile.Pass) {
	*d = nil
	facts := p.Drift()
	if book == nil || len(facts) == 0 {
		return
	}
	strays := make(map[resource.Ref]cost.Stray, len(facts))
	for ref, f := range facts {
		strays[ref] = cost.Stray{Live: f.Live, Wanted: f.Wanted}
	}
	for ref, e := range cost.Beyond(book, p.Want, strays, cost.Options{FreeTierCredit: p.Credit}) {
		if e.Unpriced != "" || e.Month.Sign() == 0 {
			continue
		}
		if *d == nil {
			*d = driftPrices{}
		}
		(*d)[ref] = e.Month
	}
}

func (d driftPrices) collect(gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	for ref, m := range d {
		gauge(driftUSD, m.Float(), ref.Kind, ref.Name)
	}
}
