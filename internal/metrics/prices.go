package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/spend"
)

// The bases of recsysd_cost_usd_per_month.
const (
	desired   = "desired"   // what is wanted, at full hours
	scheduled = "scheduled" // what is wanted, with its sleep and what is expected of autoscalers
	live      = "live"      // what the pass saw
)

// PriceBook notes which prices are in force.
func (c *Collector) PriceBook(b *cost.Book) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.book = b
}

// Account has a stack's money shown, as it is whenever it is asked for. Whoever has made the account takes the passes in.
func (c *Collector) Account(name string, a *spend.Account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stack(name).account = a
}

// money collects what a stack costs and has cost. The counters grow with the clock, so they are read at this moment, not at the last pass.
func (s *stack) money(emit func(prometheus.ValueType, *prometheus.Desc, float64, ...string)) {
	if s.account == nil {
		return
	}
	f := s.account.At(time.Now())
	gauge := func(d *prometheus.Desc, v float64, labels ...string) { emit(prometheus.GaugeValue, d, v, labels...) }
	if !f.Since.IsZero() {
		emit(prometheus.CounterValue, spentTotal, f.Spent.Float())
		emit(prometheus.CounterValue, savedTotal, f.Saved.Float())
	}
	if f.Reckoning == nil {
		return
	}
	for _, of := range []struct {
		basis  string
		report *cost.Report
	}{{desired, f.Desired}, {scheduled, f.Scheduled}, {live, f.Live}} {
		for i := range of.report.Resources {
			if r := &of.report.Resources[i]; r.Priced() { // else it is in unpriced alone: never a zero
				gauge(usdPerMonth, r.Month.Float(), r.Ref.Kind, r.Ref.Name, of.basis)
			}
		}
	}
	for _, ref := range f.Idle {
		gauge(usdPerMonth, 0, ref.Kind, ref.Name, live)
	}
	gauge(unpriced, float64(f.Unpriced))
	gauge(forecast, f.Forecast.Float())
	if f.Budget != nil {
		gauge(budgetPassed, float64(f.Passed))
	}
}
