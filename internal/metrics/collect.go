package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/plan"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// The gauges that are rendered from the last pass.
var (
	resourceDrift = desc("recsysd_resource_drift", "Fields in drift when the last pass looked.", "stack", "kind", "name")
	driftSince    = desc("recsysd_resource_drift_since_timestamp_seconds", "When a pass first saw the drift that is there now.", "stack", "kind", "name")
	usable        = desc("recsysd_resource_usable", "1 if others may build on the resource.", "stack", "kind", "name")
	fights        = desc("recsysd_drift_fights", "1 while fields of the resource are left alone because another sets them again whenever they are put back.", "stack", "kind", "name")
	held          = desc("recsysd_resource_held", "1 if a step on the resource is held back.", "stack", "kind", "name")
	lastPass      = desc("recsysd_last_pass_timestamp_seconds", "When the last pass ended.", "stack")
	lastConverged = desc("recsysd_last_converged_timestamp_seconds", "When the last pass ended that found or left everything as wanted.", "stack")
	revisionInfo  = desc("recsysd_revision_info", "The commit being applied and the newest that converged.", "stack", "attempted", "applied")
	sourceUp      = desc("recsysd_source_up", "1 if the repository could be read.", "stack")
	stackValid    = desc("recsysd_stack_valid", "1 if the newest revision's stack is valid.", "stack")
	suspended     = desc("recsysd_suspended", "1 if the whole stack is suspended.", "stack")
	kindBlind     = desc("recsysd_kind_blind", "1 if the kind could not be observed.", "stack", "kind")
	usdPerMonth   = desc("recsysd_cost_usd_per_month", "List price in dollars of a month of 730 hours; as wanted at full hours (desired), as wanted with its sleep (scheduled), as it was seen (live).", "stack", "kind", "name", "basis")
	unpriced      = desc("recsysd_cost_unpriced", "Things billed that have no price, so that they are in no figure.", "stack")
	spentTotal    = desc("recsysd_cost_usd_total", "List price in dollars of what was there, since the stack was first seen.", "stack")
	savedTotal    = desc("recsysd_cost_saved_usd_total", "Dollars that were not spent because what sleeps was asleep.", "stack")
	forecast      = desc("recsysd_cost_forecast_usd", "What this calendar month (UTC) will have come to: what was spent, and the rest of it as scheduled.", "stack")
	budgetPassed  = desc("recsysd_budget_passed_percent", "The highest threshold of the budget that the forecast of this month is above; 0: none.", "stack")
	budget        = desc("recsysd_budget_usd_per_month", "What the stack may come to in a full month, as it says itself.", "stack")
	budgetHeld    = desc("recsysd_budget_held", "1 if the newest commit is held because it comes to more than the budget; only where there is one.", "stack")
	bookOf        = desc("recsysd_price_book_timestamp_seconds", "The day on which the prices in force were put together.")
	buildInfo     = desc("recsysd_build_info", "The program that is running.", "version", "revision", "goversion")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		resourceDrift, driftSince, fights, usable, held, lastPass, lastConverged, revisionInfo, sourceUp, stackValid, suspended,
		kindBlind, buildInfo, usdPerMonth, unpriced, bookOf, driftUSD, spentTotal, savedTotal, forecast, budgetPassed, budget, budgetHeld,
	} {
		ch <- d
	}
	for _, v := range c.vectors() {
		v.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ch <- c.build
	for _, v := range c.vectors() {
		v.Collect(ch)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.book != nil {
		ch <- constant(prometheus.GaugeValue, bookOf, seconds(c.book.Day()))
	}
	for name, s := range c.stacks {
		s.collect(name, ch)
	}
}

func (c *Collector) vectors() []prometheus.Collector {
	return []prometheus.Collector{
		c.steps, c.passes, c.requests, c.hooks, c.detected, c.corrected, c.unexplained, c.duration, c.configValid, c.writeBack,
	}
}

func (s *stack) collect(name string, ch chan<- prometheus.Metric) {
	emit := func(t prometheus.ValueType, d *prometheus.Desc, v float64, labels ...string) {
		ch <- constant(t, d, v, append([]string{name}, labels...)...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) { emit(prometheus.GaugeValue, d, v, labels...) }
	p := s.last
	gauge(lastPass, seconds(p.End))
	if !s.converged.IsZero() {
		gauge(lastConverged, seconds(s.converged))
	}
	gauge(revisionInfo, 1, p.Attempted, p.Applied)
	gauge(sourceUp, number(p.SourceErr == nil))
	gauge(stackValid, number(p.StackErr == nil))
	gauge(suspended, number(p.Suspended != ""))
	if p.Budget != nil {
		gauge(budget, cost.Dollars(p.Budget.Monthly).Float())
		gauge(budgetHeld, number(p.Withheld))
	}

	kinds := map[string]bool{}
	for kind := range p.Plan.Blind {
		kinds[kind] = true
	}
	drift, seen := p.Drift(), p.Observed()
	for _, step := range p.Plan.Steps {
		ref := step.Ref
		if !kinds[ref.Kind] {
			kinds[ref.Kind] = false
		}
		d := drift[ref]
		gauge(resourceDrift, float64(len(d.Fields)), ref.Kind, ref.Name)
		if len(d.Fields) > 0 {
			gauge(driftSince, seconds(d.Since), ref.Kind, ref.Name)
		}
		if len(p.Fights()[ref]) > 0 {
			gauge(fights, 1, ref.Kind, ref.Name)
		}
		gauge(usable, number(seen[ref].State.Usable()), ref.Kind, ref.Name)
		gauge(held, number(step.Verb == plan.Hold), ref.Kind, ref.Name)
	}
	for kind, blind := range kinds {
		gauge(kindBlind, number(blind), kind)
	}
	s.money(emit)
	s.driftPrices.collect(gauge)
}

// constant is a figure of this moment.
func constant(t prometheus.ValueType, d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	m, err := prometheus.NewConstMetric(d, t, v, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
