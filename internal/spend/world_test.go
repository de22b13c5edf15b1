package spend_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/history"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
	"recsysd.dev/recsysd/internal/spend"
)

// prices are such that the sums below can be worked out by eye.
const prices = `
schema: 1
currency: USD
compiled: "2026-11-23"
sources: {list: {what: for this test, as_of: "2026-11"}}
prices:
  - {key: gke.autopilot.general-purpose.regular.vcpu, region: us-central1, unit: vCPU-hour, usd: 0.1, source: list, as_of: "2026-11", confidence: high}
  - {key: gcs.storage.standard, region: us-central1, unit: GiB-month, usd: 0.02, source: list, as_of: "2026-11", confidence: high}
`

func bookOf(t *testing.T, text string) *cost.Book {
	t.Helper()
	b, err := cost.Parse("book.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// thing is billed for vCPUs by the hour and for GiB by the month. Some of its pods may sleep; what it stores never does.
type thing struct {
	Name   string
	CPU    int64
	GiB    int64
	Sleepy bool
	Form   resource.Rest `json:"-"`
}

func (p thing) Ref() resource.Ref           { return resource.Ref{Kind: "Thing", Name: p.Name} }
func (p thing) Needs() []resource.Need      { return nil }
func (p thing) Lifetime() resource.Lifetime { return resource.Disposable }
func (p thing) Validate() error             { return nil }
func (p thing) Diff(live thing) (all []resource.Change) {
	differ := func(field string, want, have any) {
		if want != have {
			all = append(all, resource.Change{Field: field, Want: fmt.Sprint(want), Have: fmt.Sprint(have)})
		}
	}
	differ("cpu", p.CPU, live.CPU)
	differ("gib", p.GiB, live.GiB)
	differ("asleep", p.Form.Asleep, live.Form.Asleep)
	return all
}
func (p thing) Rest() *resource.Rest {
	if !p.Sleepy {
		return nil
	}
	return &p.Form
}
func (p thing) WithRest(r resource.Rest) thing {
	if p.Sleepy {
		p.Form = r
	}
	return p
}

// Usage: what sleeps is awake for 60 of a week's 168 hours.
func (p thing) Usage() (all []resource.Usage) {
	if p.CPU > 0 {
		u := resource.Usage{Component: resource.ComponentCPU, Price: "gke.autopilot.general-purpose.regular.vcpu", Region: "us-central1", Quantity: resource.Count(p.CPU)}
		if p.Sleepy {
			u.Asleep = resource.Ratio(108, 168)
		}
		all = append(all, u)
	}
	if p.GiB > 0 {
		all = append(all, resource.Usage{Component: resource.ComponentStorage, Price: "gcs.storage.standard", Region: "us-central1", Quantity: resource.Count(p.GiB)})
	}
	return all
}

// world is a simulated cloud with a daemon over it, which lives several lives. Everything that one life hands to the next is in files.
type world struct {
	t     *testing.T
	dir   string
	cloud *sim.Cloud

	mu     sync.Mutex // guards what a test changes while a life runs: commit, things, dies
	commit string
	things []thing
	budget *resource.Budget
	book   *cost.Book

	load    reconcile.Load
	account *spend.Account // of the life that runs, or ran last
	writes  int            // of the file
	passes  int
	news    []string
	dies    time.Time // see kill
	kick    chan reconcile.Kick
	end     func() // the life
}

func newWorld(t *testing.T, things ...thing) *world {
	w := &world{t: t, dir: t.TempDir(), cloud: &sim.Cloud{}, commit: "1", things: things, book: bookOf(t, prices)}
	w.load = w.scheduled
	return w
}

// Fetch, Keep and Kept: the newest commit is there at once.
func (w *world) Fetch(context.Context) (reconcile.Revision, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return reconcile.Revision{Commit: w.commit, Tree: fstest.MapFS{}}, nil
}
func (w *world) Keep(context.Context, reconcile.Revision) error { return nil }
func (w *world) Kept(context.Context) (reconcile.Revision, bool, error) {
	return reconcile.Revision{}, false, nil
}

// awake: Mondays to Fridays, from 8 to 20 o'clock UTC. until is when that is next looked at.
func awake(now time.Time) (is bool, until time.Time) {
	now = now.UTC()
	for _, hour := range []int{8, 20, 24} {
		until = time.Date(now.Year(), now.Month(), now.Day(), hour, 0, 0, 0, time.UTC)
		if now.Before(until) {
			return hour == 20 && now.Weekday() != time.Saturday && now.Weekday() != time.Sunday, until
		}
	}
	panic("a day has 24 hours")
}

// scheduled is the stack as it reads at a moment.
func (w *world) scheduled(_ context.Context, _ reconcile.Revision, now time.Time) (reconcile.Stack, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	is, until := awake(now)
	s := reconcile.Stack{Until: until, Budget: w.budget}
	for _, p := range w.things {
		r := resource.Of(p.WithRest(resource.Rest{Asleep: !is, Until: until}))
		r.Entry = "things." + p.Name
		s.Resources = append(s.Resources, r)
	}
	return s, nil
}

// engine is a reconciler as the daemon builds it, with what an earlier one has left.
func (w *world) engine() *reconcile.Reconciler {
	w.t.Helper()
	store, memory, err := history.Open(w.dir, "recsys")
	if err != nil {
		w.t.Fatal(err)
	}
	if w.account, err = store.Account(); err != nil {
		w.t.Fatal(err)
	}
	account := w.account
	return &reconcile.Reconciler{
		Stack: "recsys", Source: w, Load: w.load, Memory: memory,
		Kinds:    []resource.Kind{resource.NewKind("thing", sim.NewDriver[thing](w.cloud, "recsys"))},
		Settings: reconcile.Settings{Prune: true, MaxDeletes: 9, Width: 4, Interval: time.Minute, MinGap: 5 * time.Second, StepTimeout: time.Minute},
		Record: func(p reconcile.Pass, m reconcile.Memory) error {
			w.passes++
			if w.dying(p.Start) {
				go w.end()
				return nil
			}
			w.news = append(w.news, account.Pass(w.book, p)...)
			before := w.file()
			if err := store.SaveAccount(account); err != nil {
				w.t.Error(err)
			}
			if after := w.file(); after != nil && (before == nil || !os.SameFile(before, after)) {
				w.writes++
			}
			if err := store.Record(p, m); err != nil {
				w.t.Error(err)
			}
			return nil
		},
	}
}

// file is what lies on disk: another each time that it is written.
func (w *world) file() os.FileInfo {
	info, err := os.Stat(w.path())
	if err != nil && !os.IsNotExist(err) {
		w.t.Error(err)
	}
	return info
}

func (w *world) path() string { return filepath.Join(w.dir, "recsys", "spent.json") }

// start begins a life.
func (w *world) start() {
	w.t.Helper()
	r := w.engine()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.kick = make(chan reconcile.Kick)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx, w.kick); err != nil && ctx.Err() == nil {
			w.t.Error(err)
		}
	}()
	w.end = func() { cancel(); <-done }
}

// push makes another commit and has the daemon told of it.
func (w *world) push(change func()) {
	w.mu.Lock()
	change()
	w.commit += "1"
	w.mu.Unlock()
	w.kick <- reconcile.Kick{Why: "commit"}
}

// kill has the life end in the first pass from a moment on, when everything is done and nothing of it is written down.
func (w *world) kill(from time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dies = from
}

// dying reports whether a life ends at a moment, once.
func (w *world) dying(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dies.IsZero() || now.Before(w.dies) {
		return false
	}
	w.dies = time.Time{}
	return true
}

// until lets time pass up to a moment of the year 2000, in UTC.
func until(month time.Month, day, hour, minute int) {
	time.Sleep(time.Until(time.Date(2000, month, day, hour, minute, 0, 0, time.UTC)))
}
