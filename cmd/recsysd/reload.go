package main

import (
	"context"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"

	"go.uber.org/zap"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/spend"
)

// hangups reloads the configuration at every SIGHUP.
func (d *daemon) hangups(ctx context.Context, start func(*runner)) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	for {
		select {
		case <-signals:
			d.reload(start)
		case <-ctx.Done():
			return nil
		}
	}
}

// reload takes the configuration, and the price book that it names, from their files. One with a mistake changes nothing, and is said in log, metrics and status until
// the next reload.
func (d *daemon) reload(start func(*runner)) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	c, err := config.Load(d.file)
	var book *cost.Book
	if err == nil {
		book, err = priceBook(c.Prices)
	}
	d.mu.Lock()
	d.confErr = err
	old := d.conf
	if err == nil {
		d.book.Store(book)
	}
	d.mu.Unlock()
	d.metrics.ConfigValid(err == nil)
	if err != nil {
		d.log.Error("configuration not reloaded", zap.Error(err))
		return
	}
	d.metrics.PriceBook(book)
	if reflect.DeepEqual(c, old) {
		return
	}
	for _, fixed := range []struct {
		key      string
		was, now string
	}{
		{"listen", old.Listen, c.Listen}, {"controlSocket", old.ControlSocket, c.ControlSocket},
		{"stateDir", old.StateDir, c.StateDir}, {"log.format", old.Log.Format, c.Log.Format},
		{"webhook.listen", old.Webhook.Listen, c.Webhook.Listen},
	} {
		if fixed.was != fixed.now {
			d.log.Warn("takes effect at the next start only", zap.String("key", fixed.key))
		}
	}
	c.Listen, c.ControlSocket, c.StateDir, c.Webhook = old.Listen, old.ControlSocket, old.StateDir, old.Webhook
	d.adopt(c, start)
	d.log.Info("configuration reloaded", zap.Int("stacks", len(c.Stacks)))
}

// adopt makes c the configuration in force: new stacks are started, those that are gone are stopped, those that changed go on with
// their new settings after the pass that runs, and all others do not notice.
func (d *daemon) adopt(c *config.Config, start func(*runner)) {
	d.log.level.SetLevel(level(c.Log.Level))
	d.queue.Resize(c.Width)
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.runners
	d.runners = nil
	for _, s := range c.Stacks {
		i := slices.IndexFunc(old, func(r *runner) bool { return r.name == s.Name })
		if i < 0 {
			r := d.newRunner(c, s)
			d.runners = append(d.runners, r)
			start(r)
			continue
		}
		old[i].configure(c, s)
		d.runners = append(d.runners, old[i])
	}
	for _, r := range old {
		if !slices.Contains(d.runners, r) {
			r.stop()
			d.leaving[r.name] = r.done
		}
	}
	d.conf = c
}

func (d *daemon) newRunner(c *config.Config, s config.Stack) *runner {
	r := newRunner(c, s, d.world, d.log.Logger)
	d.metrics.Expect(s.Name)
	r.request, r.book, r.queue = d.metrics.Request, d.book.Load, d.queue
	r.recorded = func(p reconcile.Pass, a *spend.Account) {
		d.metrics.Record(p)
		d.metrics.Account(p.Stack, a)
		d.super.status(d.headline())
		d.passed(p)
	}
	r.written = func(up, on bool) { d.metrics.WriteBack(s.Name, up, on) }
	r.read = func(read *desired.Stack) { d.beside.moved(s.Name, read) }
	r.beside = func() []string { return d.beside.notices(s.Name) }
	r.gone = func() {
		d.metrics.Forget(s.Name)
		d.beside.left(s.Name)
	}
	r.after = d.leaving[s.Name] // of one stack there is one at a time
	return r
}
