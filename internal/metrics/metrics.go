// Package metrics is the Prometheus view of passes. Gauges are rendered from the last pass of each stack, so what is gone leaves
// no stale series; counters add up what passes say. It decides nothing and registers nothing by itself.
package metrics

import (
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/spend"
)

// Build names the program that is running.
type Build struct{ Version, Revision string }

// Collector is given passes and collected by a registry. Its methods are safe for concurrent use.
type Collector struct {
	build prometheus.Metric

	steps, passes, requests, hooks   *prometheus.CounterVec
	detected, corrected, unexplained *prometheus.CounterVec
	duration                         *prometheus.HistogramVec
	configValid                      prometheus.Gauge
	writeBack                        *prometheus.GaugeVec

	mu     sync.Mutex
	book   *cost.Book // nil: none is in force
	stacks map[string]*stack
}

// stack is what the gauges are made from.
type stack struct {
	last      reconcile.Pass
	converged time.Time      // end of the last pass that was
	account   *spend.Account // nil: nothing is priced

	driftPrices driftPrices
}

// New makes an empty collector.
func New(b Build) *Collector {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	c := &Collector{
		stacks:      map[string]*stack{},
		build:       prometheus.MustNewConstMetric(buildInfo, prometheus.GaugeValue, 1, b.Version, b.Revision, runtime.Version()),
		steps:       counter("recsysd_steps_total", "Steps performed, by how they ended.", "stack", "kind", "verb", "outcome"),
		passes:      counter("recsysd_passes_total", "Passes made, by what they came to.", "stack", "outcome"),
		requests:    counter("recsysd_api_requests_total", "Requests sent to cloud and cluster.", "service", "method", "code"),
		hooks:       counter("recsysd_webhook_requests_total", "Webhooks received, by the status they were answered with.", "code"),
		detected:    counter("recsysd_drift_detected_total", "Resources found in drift, once per appearance.", "stack", "kind"),
		corrected:   counter("recsysd_drift_corrected_total", "Drifted resources that were put back.", "stack", "kind"),
		unexplained: counter("recsysd_unexplained_writes_total", "Updates of what nobody had changed since our own last write.", "stack"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "recsysd_pass_duration_seconds", Help: "How long passes take.",
			Buckets: []float64{.005, .02, .1, .5, 1, 2, 5, 10, 30, 60, 120, 300},
		}, []string{"stack"}),
		writeBack: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "recsysd_writeback_up", Help: "1 if new image tags could be written into Git when that was tried last; only where they are to be.",
		}, []string{"stack"}),
		configValid: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "recsysd_config_valid", Help: "1 if the configuration in force is the one in its file.",
		}),
	}
	c.configValid.Set(1)
	return c
}

// Request counts one request to a cloud or a cluster. code is the status as the service names it.
func (c *Collector) Request(service, method, code string) {
	c.requests.WithLabelValues(service, method, code).Inc()
}

// Hook counts one webhook by the status that it was answered with.
func (c *Collector) Hook(code int) { c.hooks.WithLabelValues(strconv.Itoa(code)).Inc() }

// ConfigValid notes whether the configuration in its file is in force.
func (c *Collector) ConfigValid(ok bool) {
	c.configValid.Set(number(ok))
}

// WriteBack notes whether new image tags could be written into Git when that was tried last. on is false where nobody asks for it.
func (c *Collector) WriteBack(stack string, up, on bool) {
	if !on {
		c.writeBack.DeleteLabelValues(stack)
		return
	}
	c.writeBack.WithLabelValues(stack).Set(number(up))
}

// Expect says that a stack is to have passes, so that one that never has any can be told.
func (c *Collector) Expect(stack string) {
	for _, o := range reconcile.Outcomes {
		c.passes.WithLabelValues(stack, string(o))
	}
}

// Record adds a finished pass.
func (c *Collector) Record(p reconcile.Pass) {
	c.mu.Lock()
	s := c.stack(p.Stack)
	again := p.Same && s.last.Stack != ""
	s.last = p
	if p.Converged() {
		s.converged = p.End
	}
	s.driftPrices.update(c.book, &p)
	c.mu.Unlock()

	if !again {
		c.zeros(p)
	}
	c.passes.WithLabelValues(p.Stack, string(p.Outcome())).Inc()
	c.duration.WithLabelValues(p.Stack).Observe(p.End.Sub(p.Start).Seconds())
	for _, r := range p.Results {
		if r.Outcome != plan.None {
			c.steps.WithLabelValues(p.Stack, r.Ref.Kind, string(r.Verb), string(r.Outcome)).Inc()
		}
	}
	for _, ref := range p.Detected {
		c.detected.WithLabelValues(p.Stack, ref.Kind).Inc()
	}
	for _, ref := range p.Corrected {
		c.corrected.WithLabelValues(p.Stack, ref.Kind).Inc()
	}
	c.unexplained.WithLabelValues(p.Stack).Add(float64(len(p.Unexplained)))
}

// stack is what is known of one. The collector is locked.
func (c *Collector) stack(name string) *stack {
	s := c.stacks[name]
	if s == nil {
		s = &stack{}
		c.stacks[name] = s
	}
	return s
}

// zeros starts counters at nought, since a rate cannot see the first event of a series that begins with it.
func (c *Collector) zeros(p reconcile.Pass) {
	c.Expect(p.Stack)
	for _, r := range p.Want {
		c.detected.WithLabelValues(p.Stack, r.Ref.Kind)
		c.corrected.WithLabelValues(p.Stack, r.Ref.Kind)
	}
}

// Forget drops all series of a stack that is no longer configured.
func (c *Collector) Forget(name string) {
	c.mu.Lock()
	delete(c.stacks, name)
	c.mu.Unlock()
	of := prometheus.Labels{"stack": name}
	for _, v := range []*prometheus.CounterVec{c.steps, c.passes, c.detected, c.corrected, c.unexplained} {
		v.DeletePartialMatch(of)
	}
	c.duration.DeletePartialMatch(of)
	c.writeBack.DeletePartialMatch(of)
}
