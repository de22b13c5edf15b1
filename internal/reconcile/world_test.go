package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// house and pod are the settings structs of two kinds: one like a cluster or a bucket, one like what lives in it.
type (
	house struct {
		Name  string
		Size  int
		Place string // cannot be changed in place
		Keeps bool   // it is stateful
	}
	pod struct {
		Name string
		Size int
		In   string        // a house
		On   string        // a pod
		Form resource.Rest `json:"-"`

		Sealed bool      // its size is not shown
		Set    time.Time `json:"-"` // when somebody set it
	}
)

func aHouse(name string) resource.Ref { return resource.Ref{Kind: "house", Name: name} }
func aPod(name string) resource.Ref   { return resource.Ref{Kind: "pod", Name: name} }

func (h house) Ref() resource.Ref      { return aHouse(h.Name) }
func (h house) Needs() []resource.Need { return nil }
func (h house) Validate() error        { return nil }
func (h house) Lifetime() resource.Lifetime {
	if h.Keeps {
		return resource.Stateful
	}
	return resource.Disposable
}

func (h house) Diff(live house) []resource.Change {
	var d []resource.Change
	if h.Place != live.Place {
		d = append(d, resource.Change{Field: "place", Want: h.Place, Have: live.Place, Recreate: true})
	}
	return append(d, size(h.Size, live.Size)...)
}

func (p pod) Ref() resource.Ref           { return aPod(p.Name) }
func (p pod) Lifetime() resource.Lifetime { return resource.Disposable }
func (p pod) Validate() error             { return nil }
func (p pod) Diff(live pod) []resource.Change {
	var d []resource.Change
	if p.Form.Asleep != live.Form.Asleep {
		d = append(d, resource.Change{Field: "asleep", Want: fmt.Sprint(p.Form.Asleep), Have: fmt.Sprint(live.Form.Asleep)})
	}
	sized := size(p.Size, live.Size)
	for i := range sized {
		if p.Sealed {
			sized[i].Want, sized[i].Have, sized[i].Veiled, sized[i].At = "(size)", "(another size)", true, live.Set
		}
	}
	return append(d, sized...)
}

func (h house) Usage() []resource.Usage { return nil }
func (p pod) Usage() []resource.Usage   { return nil }

func (p pod) Rest() *resource.Rest { return &p.Form }
func (p pod) WithRest(r resource.Rest) pod {
	p.Form = r
	return p
}

func (p pod) Needs() (n []resource.Need) {
	if p.In != "" {
		n = append(n, resource.Need{Ref: aHouse(p.In), In: true})
	}
	if p.On != "" {
		n = append(n, resource.Need{Ref: aPod(p.On)})
	}
	return n
}

func size(want, live int) []resource.Change {
	if want == live {
		return nil
	}
	return []resource.Change{{Field: "size", Want: fmt.Sprint(want), Have: fmt.Sprint(live)}}
}

// world is a repository, a cloud, and a reconciler between them.
type world struct {
	t *testing.T
	*reconcile.Reconciler
	cloud *sim.Cloud
	git   *git

	mu     sync.Mutex
	passes []reconcile.Pass
	memory reconcile.Memory // as it was last recorded
}

// begin makes a world in which a stack wants these resources. It has to be called within a synctest bubble.
func begin(t *testing.T, want ...resource.Resource) *world {
	w := &world{t: t, cloud: &sim.Cloud{Delays: map[string]sim.Delay{}}, git: &git{stacks: map[string][]resource.Resource{}}}
	w.git.push(want...)
	w.start(reconcile.Memory{})
	return w
}

// start begins a new daemon with a memory.
func (w *world) start(m reconcile.Memory) {
	w.Reconciler = &reconcile.Reconciler{
		Stack: "mine", Source: w.git, Load: w.git.load, Memory: m,
		Kinds: []resource.Kind{
			resource.NewKind[house]("house", sim.NewDriver[house](w.cloud, "mine")), resource.NewKind[pod]("pod", sim.NewDriver[pod](w.cloud, "mine")),
		},
		Settings: reconcile.Settings{Prune: true, MaxDeletes: 10, Width: 4, Interval: time.Minute, MinGap: time.Second, StepTimeout: 2 * time.Minute},
		Record: func(p reconcile.Pass, m reconcile.Memory) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.passes, w.memory = append(w.passes, p), m
			return nil
		},
	}
}

// run runs the daemon for a while and stops it.
func (w *world) run(kick <-chan reconcile.Kick, d time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	if err := w.Run(ctx, kick); err != nil {
		w.t.Errorf("Run returned %v, although it was only stopped", err)
	}
}

// pass makes one pass over everything.
func (w *world) pass() reconcile.Pass { return w.Pass(w.t.Context(), reconcile.Kick{Why: "test"}) }

// settle makes passes, a minute apart, until one has converged.
func (w *world) settle() reconcile.Pass {
	w.t.Helper()
	for range 30 {
		if p := w.pass(); p.Converged() {
			return p
		}
		time.Sleep(time.Minute)
	}
	w.t.Fatalf("not converged after 30 passes:\n%s", account(w.passes[len(w.passes)-1]))
	panic("unreachable")
}

func (w *world) last() reconcile.Pass {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.passes[len(w.passes)-1]
}

// fail has every call of op on ref go wrong with err.
func (w *world) fail(op sim.Op, ref resource.Ref, err error) {
	w.cloud.SetFault(func(c sim.Call) sim.Fault {
		if c.Op == op && c.Ref == ref {
			return sim.Fault{Err: err}
		}
		return sim.Fault{}
	})
}

// resize is a foreign hand on a pod.
func (w *world) resize(name string, to int) {
	w.t.Helper()
	w.edit(name, func(p pod) pod {
		p.Size = to
		return p
	})
}

func (w *world) edit(name string, hand func(pod) pod) {
	w.t.Helper()
	err := w.cloud.Edit(aPod(name), func(s any) any { return hand(s.(pod)) })
	if err != nil {
		w.t.Fatal(err)
	}
}

// account is a pass in short: what is not kept, and what became of it.
func account(p reconcile.Pass) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s source=%v stack=%v err=%v\n", p.Outcome(), p.SourceErr, p.StackErr, p.Err)
	for i, s := range p.Plan.Steps {
		if s.Verb == plan.Keep && s.Usable {
			continue
		}
		fmt.Fprintf(&b, "%s %s: %s", s.Verb, s.Ref, s.Why)
		if i < len(p.Results) {
			fmt.Fprintf(&b, " -> %s %v", p.Results[i].Outcome, p.Results[i].Err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func result(p reconcile.Pass, ref resource.Ref) plan.Result {
	i := slices.IndexFunc(p.Results, func(r plan.Result) bool { return r.Ref == ref })
	if i < 0 {
		return plan.Result{}
	}
	return p.Results[i]
}

func step(p reconcile.Pass, ref resource.Ref) plan.Step {
	i := slices.IndexFunc(p.Plan.Steps, func(s plan.Step) bool { return s.Ref == ref })
	if i < 0 {
		return plan.Step{}
	}
	return p.Plan.Steps[i]
}

// git is a source whose commits are put there by the test.
type git struct {
	mu     sync.Mutex
	stacks map[string][]resource.Resource // by commit; nil is a stack that is invalid
	newest string
	kept   string
	away   error // why it cannot be reached
	lost   bool  // it knows no revision, as after a start without network
	full   error // why nothing can be kept
	loads  int
	// night, if set, says whether pods sleep at a moment, and when that turns.
	night func(now time.Time) (asleep bool, until time.Time)
	stale error // why a stack that has been read once cannot be read again
	read  map[string]bool
}

var errAway = errors.New("503: try later")

// in runs a test in a bubble of its own, in which hours take no time.
func in(name string, t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

var errInvalid = errors.New("stack.yaml:3:1: workloads.api: unknown field")

func (g *git) push(want ...resource.Resource) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.newest = fmt.Sprintf("%012d%028d", len(g.stacks)+1, 0)
	g.stacks[g.newest] = want
	return g.newest
}

func (g *git) Fetch(context.Context) (reconcile.Revision, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost {
		return reconcile.Revision{}, g.away
	}
	return g.revision(g.newest), g.away
}

func (g *git) Keep(_ context.Context, r reconcile.Revision) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full == nil {
		g.kept = r.Commit
	}
	return g.full
}

func (g *git) Kept(context.Context) (reconcile.Revision, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.revision(g.kept), g.kept != "", nil
}

func (g *git) revision(commit string) reconcile.Revision {
	return reconcile.Revision{Commit: commit, Tree: fs.FS(fstest.MapFS{})}
}

func (g *git) load(_ context.Context, r reconcile.Revision, now time.Time) (reconcile.Stack, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.loads++
	want := g.stacks[r.Commit]
	switch {
	case want == nil:
		return reconcile.Stack{}, errInvalid
	case g.read[r.Commit] && g.stale != nil:
		return reconcile.Stack{}, g.stale
	}
	if g.read == nil {
		g.read = map[string]bool{}
	}
	g.read[r.Commit] = true
	return g.asOf(want, now), nil
}

// asOf is a stack as it reads at a moment.
func (g *git) asOf(want []resource.Resource, now time.Time) reconcile.Stack {
	if g.night == nil {
		return reconcile.Stack{Resources: want}
	}
	asleep, until := g.night(now)
	stack := reconcile.Stack{Until: until}
	for _, r := range want {
		if p, ok := r.Spec.(pod); ok {
			timed := resource.Of(p.WithRest(resource.Rest{Asleep: asleep, Until: until, Wakes: until}))
			timed.Suspend, timed.Observe = r.Suspend, r.Observe
			r = timed
		}
		stack.Resources = append(stack.Resources, r)
	}
	return stack
}
