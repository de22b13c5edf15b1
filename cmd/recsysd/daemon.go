package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/httpd"
	"recsysd.dev/recsysd/internal/metrics"
	"recsysd.dev/recsysd/internal/reconcile"
)

// A daemon keeps all stacks of a configuration and answers for them. Make it with newDaemon, then call run once.
type daemon struct {
	file    string // of the configuration
	world   world
	log     logger
	super   supervisor
	metrics *metrics.Collector
	beside  *neighbours          // what the stacks are to one another
	queue   *reconcile.Queue     // for the stacks' turns at work
	orders  *http.ServeMux       // over the control socket
	passed  func(reconcile.Pass) // told of every pass of every stack

	address string // where the metrics are; set before the first stack starts

	book atomic.Pointer[cost.Book] // the price book in force

	reloading sync.Mutex // held by whoever changes the configuration

	mu      sync.Mutex
	conf    *config.Config
	confErr error
	runners []*runner                  // in the order of the configuration
	leaving map[string]<-chan struct{} // by stack: closed when its former runner has gone
}

func newDaemon(file string, w world, log logger) *daemon {
	d := &daemon{file: file, world: w, log: log, super: supervisor{log.Logger}, beside: newNeighbours(log.Logger), leaving: map[string]<-chan struct{}{}, passed: func(reconcile.Pass) {}, metrics: metrics.New(metrics.Build{Version: version, Revision: revision()})}
	d.queue = reconcile.NewQueue(config.Default().Width)
	d.orders = control.Handler(d)
	return d
}

// run works until ctx is done and everything has come to its end. Whoever calls it holds the control socket's lock from before
// anything is touched until after run has returned. started is called when everything runs.
func (d *daemon) run(ctx context.Context, lock *control.Lock, c *config.Config, started func()) error {
	book, err := priceBook(c.Prices)
	if err != nil {
		return err
	}
	d.book.Store(book)
	d.metrics.PriceBook(book)
	socket, err := lock.Listen()
	if err != nil {
		return err
	}
	defer socket.Close()
	web, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer web.Close()
	hooks, err := listenForHooks(c.Webhook.Listen)
	if err != nil {
		return err
	}

	d.address = web.Addr().String()
	group, ctx := errgroup.WithContext(ctx)
	var stacks sync.WaitGroup
	defer stacks.Wait()
	start := func(r *runner) { stacks.Go(func() { r.run(ctx) }) }
	d.adopt(c, start)
	group.Go(func() error { return httpd.Serve(ctx, web, d.pages().Handler(), 30*time.Second) })
	group.Go(func() error { return httpd.Serve(ctx, socket, d.orders, 0) })
	if hooks != nil {
		group.Go(func() error { return d.hooks(ctx, hooks) })
	}
	group.Go(func() error { return config.Watch(ctx, d.file, func() { d.reload(start) }) })
	group.Go(func() error { return d.hangups(ctx, start) })
	group.Go(func() error { return d.super.watch(ctx, d.healthy) })
	d.super.ready(d.headline())
	d.log.Info("started", zap.String("listen", d.address), zap.String("socket", c.ControlSocket), zap.Int("stacks", len(c.Stacks)))
	started()

	<-ctx.Done()
	d.super.stopping()
	d.log.Info("stopping")
	return group.Wait()
}

// pages is what anybody may see.
func (d *daemon) pages() httpd.Pages {
	registry := prometheus.NewRegistry()
	registry.MustRegister(d.metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return httpd.Pages{
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Healthy: d.healthy,
		Ready:   func() error { return d.each((*runner).ready) },
		Status:  func() any { return d.status() },
	}
}

// healthy joins the reasons for which a stack makes no progress.
func (d *daemon) healthy() error {
	now := time.Now()
	return d.each(func(r *runner) error { return r.healthy(now) })
}

func (d *daemon) each(ask func(*runner) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, r := range d.runners {
		errs = append(errs, ask(r))
	}
	return errors.Join(errs...)
}
