package main

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/gitsource"
	"recsysd.dev/recsysd/internal/history"
	"recsysd.dev/recsysd/internal/image/catalog"
	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/spend"
)

// A runner keeps one stack for as long as the daemon has it: it builds what the stack needs, runs that, and builds it anew when
// the configuration changes, between two passes. Runners share the process, and the queue for
// their turns at work in it: one that fails or hangs leaves the others alone.
type runner struct {
	name     string
	world    world
	log      *zap.Logger
	recorded func(reconcile.Pass, *spend.Account) // told of every pass, and of the money that it is part of
	written  func(up, on bool)                    // told with every pass how the writing of tags goes, and whether they are to be written
	request  func(service, method, code string)   // told of every request to a cloud or a cluster
	read     func(*desired.Stack)                 // told of every reading of the stack
	book     func() *cost.Book                    // the price book in force; nil: there is none
	queue    *reconcile.Queue                     // of all stacks; nil: there is no other
	beside   func() []string                      // what there is to tell of this stack and others
	gone     func()                               // told when run returns
	after    <-chan struct{}                      // run begins when this is closed; nil: at once

	kick chan reconcile.Kick
	wake chan struct{} // the configuration changed, or the runner is to stop
	done chan struct{} // closed when run has returned

	mu         sync.Mutex
	conf       *config.Config
	stack      config.Stack
	stopped    bool
	parts      *parts             // nil until they could be built
	broken     error              // why they could not
	turned     chan struct{}      // closed, and replaced, when one of the two is set
	cancel     context.CancelFunc // of the parts
	inPass     bool
	stale      bool // the parts are to be replaced when the pass is through
	last       *reconcile.Pass
	account    *spend.Account // that the last pass is in
	converged  time.Time
	beat       time.Time // of the last progress
	toldBudget string    // what was logged last of the budget
	told       string    // what was logged last of a pass that did nothing
}

// parts are what a runner builds from a configuration.
type parts struct {
	kinds   drivers.Set
	source  *gitsource.Source
	store   *history.Store
	account *spend.Account
	engine  *reconcile.Reconciler
	news    *inbox
	writer  *writeBack
	images  *catalog.Catalog // nil where no registry can be asked
	ended   chan struct{}    // closed when they work no longer
}

// rebuild is how long a runner whose parts could not be built waits before it tries again: for a key file that is not there yet,
// a metadata server that does not answer.
const rebuild = 15 * time.Second

func newRunner(c *config.Config, s config.Stack, w world, log *zap.Logger) *runner {
	return &runner{
		name: s.Name, conf: c, stack: s, world: w, log: log.With(zap.String("stack", s.Name)), beat: time.Now(),
		kick: make(chan reconcile.Kick), wake: make(chan struct{}, 1), done: make(chan struct{}), turned: make(chan struct{}),
		recorded: func(reconcile.Pass, *spend.Account) {}, request: func(string, string, string) {}, gone: func() {},
		read: func(*desired.Stack) {}, written: func(bool, bool) {}, beside: func() []string { return nil },
		book: func() *cost.Book { return nil },
	}
}

// run works until ctx is done or the runner is stopped. When ctx ends within a pass, the steps in flight finish and no new one starts.
func (r *runner) run(ctx context.Context) {
	defer close(r.done)
	defer r.gone()
	if r.after != nil {
		<-r.after
	}
	for !r.over(ctx) {
		err := r.live(ctx)
		if r.over(ctx) {
			return
		}
		if err == nil {
			continue // built anew from the changed configuration
		}
		r.log.Error("stack cannot run", zap.Error(err))
		r.note(func() { r.turn(nil, err) })
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-time.After(rebuild):
		}
	}
}

func (r *runner) over(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ctx.Err() != nil || r.stopped
}

// note changes the runner's state and counts as progress.
func (r *runner) note(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beat = time.Now()
	change()
}

// turn sets the parts, or why there are none. The runner is locked.
func (r *runner) turn(p *parts, broken error) {
	r.parts, r.broken = p, broken
	close(r.turned)
	r.turned = make(chan struct{})
}

// live builds the parts and runs them until they are to be replaced, which is no error.
func (r *runner) live(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var c *config.Config
	var s config.Stack
	r.note(func() { c, s, r.cancel, r.stale = r.conf, r.stack, cancel, false })
	p, err := r.build(ctx, c, s)
	if err != nil {
		return err
	}
	r.note(func() { r.turn(p, nil) })
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.source.Run(ctx) })
	group.Go(func() error { return p.engine.Run(ctx, r.kick) })
	group.Go(func() error { return p.news.forward(ctx, r.send) })
	group.Go(func() error { return p.writer.run(ctx) })
	group.Go(func() error {
		return r.watchKeys(ctx, s.Secrets.AgeKeyFile, func(why string) { p.news.put(why) })
	})
	err = group.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	close(p.ended)
	r.note(func() { r.parts, r.cancel, r.inPass = nil, nil, false })
	return errors.Join(err, p.images.Close(), p.source.Close(), p.kinds.Close())
}

func (r *runner) build(ctx context.Context, c *config.Config, s config.Stack) (*parts, error) {
	p := &parts{news: newInbox(), ended: make(chan struct{})}
	store, memory, err := history.Open(c.StateDir, s.Name)
	if store == nil {
		return nil, err
	}
	if err != nil { // what could not be read was set aside: only memory is lost
		r.log.Warn("history lost", zap.Error(err))
	}
	store.PriceBy(r.book)
	p.store, p.account = store, r.accountOf(store)
	g := gitConfig(c, s)
	g.Notify = func() { p.news.put("news from Git") }
	if p.source, err = gitsource.New(g); err != nil {
		return nil, err
	}
	p.kinds, err = r.world(ctx, c, s, hooks{
		request: r.request,
		changed: func(refs []resource.Ref) { p.news.put("a watch saw a change", refs...) },
	})
	if err != nil {
		return nil, errors.Join(err, p.source.Close())
	}
	p.images = catalogOf(ctx, p.kinds, s, listingPatience)
	read := stackReader(s, s.Git.Path, false, outside{p.kinds.Secrets, p.images})
	p.writer = newWriteBack(c, s, read, r.log, func(ctx context.Context) { p.source.Poll(ctx) }) // what a poll fails by, the next pass tells
	p.engine = &reconcile.Reconciler{
		Stack:  s.Name,
		Source: entrance{p.source, r},
		Load: loader(read, func(n string) { r.log.Info("notice", zap.String("notice", n)) }, func(s *desired.Stack) {
			r.read(s)
			p.writer.heard(s)
		}),
		Afford:   (&purse{book: func() (*cost.Book, error) { return r.book(), nil }}).afford,
		Kinds:    p.kinds.Kinds,
		Queue:    r.queue,
		Settings: settings(s),
		Memory:   memory,
		Record:   func(pass reconcile.Pass, m reconcile.Memory) error { return r.record(p, pass, m) },
		Progress: func(plan.Result) { r.note(func() {}) },
	}
	return p, nil
}

// send hands the engine a kick; false if the stack stopped first.
func (r *runner) send(ctx context.Context, k reconcile.Kick) bool {
	select {
	case r.kick <- k:
		return true
	case <-r.done:
	case <-ctx.Done():
	}
	return false
}

// configure gives the runner another configuration. A pass that runs is not cut short, and what is the same goes on undisturbed.
func (r *runner) configure(c *config.Config, s config.Stack) {
	r.mu.Lock()
	same := reflect.DeepEqual(r.stack, s) && r.conf.GCP == c.GCP && slices.Equal(r.conf.UndoManagers, c.UndoManagers)
	r.mu.Unlock()
	if !same {
		r.replace(func() { r.conf, r.stack = c, s })
	}
}

// stop ends the runner after the pass that runs.
func (r *runner) stop() { r.replace(func() { r.stopped = true }) }

func (r *runner) replace(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	switch {
	case r.cancel != nil && r.inPass:
		r.stale = true
	case r.cancel != nil:
		r.cancel()
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// entrance tells the runner that a pass begins: to fetch is its first act.
type entrance struct {
	reconcile.Source
	r *runner
}

func (e entrance) Fetch(ctx context.Context) (reconcile.Revision, error) {
	e.r.note(func() { e.r.inPass = true })
	return e.Source.Fetch(ctx)
}
