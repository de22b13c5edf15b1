package sim_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// history is one random life of a stack on a simulated cloud.
type history struct {
	rand   *rand.Rand
	cloud  *sim.Cloud
	stacks *stacks
	mutant mutant
	log    []string // of passes and what came between them, for the failure

	mu      sync.Mutex
	calm    bool
	began   time.Time
	dark    bool            // it was night when the stack was last read
	ctx     context.Context // of the whole history
	seed    uint64
	commit  int
	applied int                         // newest commit whose stack could be loaded
	want    map[int][]resource.Resource // by commit
	told    map[int][]resource.Resource // the same, as the mutant has it
	kill    context.CancelFunc
	dead    bool            // the daemon: nothing that it does reaches the cloud any longer
	blind   map[string]bool // Ref.Kinds that the pass could not list; "" is all
	wrote   bool
	updated map[resource.Ref]bool // by this pass
	made    map[resource.Ref]bool // by this pass
	fell    map[resource.Ref]bool // asleep, by this pass
	refused int                   // refusals that were looked at
	wrong   []string              // what must not happen, and did
	memory  reconcile.Memory
	daemon  *reconcile.Reconciler
}

func newHistory(seed uint64, m mutant) *history {
	r := rand.New(rand.NewPCG(seed, 1))
	h := &history{rand: r, seed: seed, began: time.Now(), mutant: m, stacks: &stacks{Rand: r}, want: map[int][]resource.Resource{}, told: map[int][]resource.Resource{}}
	h.cloud = &sim.Cloud{OnWrite: h.written, Delays: map[string]sim.Delay{
		"site": {Create: 8 * time.Minute, Update: 2 * time.Minute, Delete: 4 * time.Minute},
		"room": {Delete: 20 * time.Second},
		"disk": {Create: 5 * time.Second, Delete: 5 * time.Second},
		"app":  {Start: 40 * time.Second},
	}}
	h.cloud.SetFault(h.fault)
	h.start(reconcile.Memory{})
	return h
}

// run lives the history and returns what was wrong with it.
func (h *history) run(ctx context.Context) error {
	h.ctx = ctx
	h.foreigners()
	for range 2 + h.rand.IntN(4) {
		h.push(h.stacks.next())
		for range 1 + h.rand.IntN(4) {
			h.pass(ctx)
			if len(h.wrong) > 0 {
				return h.failure("")
			}
			h.between()
		}
	}
	return h.settle(ctx)
}

// settle ends all trouble, lets the stack converge, and does so again with a new commit of the same stack, by which
// what was unprotected may go. Then all must be well, and the stack can be taken down.
func (h *history) settle(ctx context.Context) error {
	h.calm = true
	h.daemon.Settings.MaxDeletes = 1000
	for _, t := range h.cloud.Things() {
		h.cloud.Break(t.Ref, "")
	}
	h.log = append(h.log, "calm")
	for range 2 {
		h.push(h.want[h.commit])
		if err := h.quiet(ctx); err != nil {
			return err
		}
	}
	if wrong := h.judge(); wrong != "" {
		return h.failure(wrong)
	}
	h.log = append(h.log, "destroy")
	h.daemon.Destroy = true
	if err := h.quiet(ctx); err != nil {
		return err
	}
	if wrong := h.judgeRuins(); wrong != "" {
		return h.failure(wrong)
	}
	return nil
}

// quiet makes passes until three in a row write nothing.
func (h *history) quiet(ctx context.Context) error {
	quiet := 0
	for n := 0; quiet < 3; n++ {
		if n == 100 {
			return h.failure("it is calm and after 100 passes it still writes")
		}
		before := h.cloud.Writes()
		h.pass(ctx)
		if len(h.wrong) > 0 {
			return h.failure("")
		}
		time.Sleep(10 * time.Minute)
		quiet++
		if h.cloud.Writes() > before && (n < 20 || !h.stuck()) {
			quiet = 0
		}
	}
	return nil
}

// foreigners puts things into the cloud that are another stack's, or nobody's; some have the names of ours.
func (h *history) foreigners() {
	for n := range 3 {
		h.cloud.Put(box{Kind: "key", Name: fmt.Sprint("key", n), Size: 7}, []string{"", "theirs"}[h.rand.IntN(2)])
		if h.rand.IntN(2) == 0 {
			h.cloud.Put(site{box{Kind: "site", Name: fmt.Sprint("site", n+1), Size: 7, Keeps: true}}, "")
		}
	}
	h.cloud.Put(site{box{Kind: "site", Name: "alien", Keeps: true}}, "theirs")
	h.cloud.Put(box{Kind: "room", Name: "alien", In: resource.Ref{Kind: "site", Name: "alien"}}, "theirs")
}

func (h *history) push(want []resource.Resource) {
	h.commit++
	h.want[h.commit], h.told[h.commit] = want, want
	if h.mutant.stack != nil {
		h.told[h.commit] = slices.Clone(want)
		h.mutant.stack(h.told[h.commit])
	}
	h.log = append(h.log, fmt.Sprintf("commit %d", h.commit))
	for _, r := range want {
		h.log = append(h.log, fmt.Sprintf("  want %v protect=%v adopt=%v suspend=%q %v", r.Ref, r.Protect, r.Adopt, r.Suspend, asBox(r.Spec)))
	}
}

// start begins a new daemon, with what the old one left.
func (h *history) start(m reconcile.Memory) {
	h.daemon = &reconcile.Reconciler{
		Stack: "mine", Source: (*source)(h), Load: h.load, Memory: m,
		Kinds: []resource.Kind{resource.NewKind("box", driver[box](h)), resource.NewKind("site", driver[site](h))},
		Settings: reconcile.Settings{Prune: true, MaxDeletes: []int{1, 3, 100}[h.rand.IntN(3)], Width: h.width(), Interval: 5 * time.Minute,
			StepTimeout: time.Minute},
		Record: func(_ reconcile.Pass, m reconcile.Memory) error {
			if !h.dead {
				h.memory = m
			}
			return nil
		},
	}
}

// width is one where daemons are killed: with others in flight, a kill would not always find them at the same place.
func (h *history) width() int { return 1 + 3*int(h.seed%2) }

// pass makes one, and compares what is not ours before and after.
func (h *history) pass(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.mu.Lock()
	h.kill, h.blind, h.wrote, h.updated, h.made, h.fell = cancel, map[string]bool{}, false, map[resource.Ref]bool{}, map[resource.Ref]bool{}, map[resource.Ref]bool{}
	h.mu.Unlock()
	before := h.cloud.Things()
	began := len(h.log)
	p := h.daemon.Pass(ctx, reconcile.Kick{Retry: true})
	if h.width() > 1 {
		slices.Sort(h.log[began:]) // steps side by side are in no order
	}
	h.log = append(h.log, fmt.Sprintf("pass at %s killed=%v err=%v", p.Start.Format(time.TimeOnly), h.dead, p.Err))
	for i, s := range p.Plan.Steps {
		if s.Verb == plan.Keep {
			continue
		}
		line := fmt.Sprintf("  %s %v: %s", s.Verb, s.Ref, s.Why)
		if i < len(p.Results) && p.Results[i].Outcome != "" {
			line += fmt.Sprintf(" -> %s %v", p.Results[i].Outcome, p.Results[i].Err)
		}
		h.log = append(h.log, line)
	}
	after := h.cloud.Things()
	for _, t := range before {
		if t.Owner != "mine" && !h.adopts(t.Ref) && !slices.ContainsFunc(after, func(now sim.Thing) bool {
			return now.Ref == t.Ref && now.Owner == t.Owner && reflect.DeepEqual(now.Spec, t.Spec)
		}) {
			h.wrong = append(h.wrong, fmt.Sprintf("%v belongs to %q and was touched", t.Ref, t.Owner))
		}
	}
	h.wrong = append(h.wrong, h.charged()...)
	h.wrong = append(h.wrong, h.cloud.Violations()...)
	if h.dead {
		h.dead = false
		m := h.memory
		if h.rand.IntN(2) == 0 {
			m = reconcile.Memory{}
		}
		h.start(m)
	}
}

// between is what happens while the daemon is not looking.
func (h *history) between() {
	time.Sleep(time.Duration(h.rand.IntN(600)) * time.Second)
	things := h.cloud.Things()
	if len(things) == 0 || h.rand.IntN(2) == 0 {
		return
	}
	t := things[h.rand.IntN(len(things))]
	hand := []func(){
		func() { h.cloud.Edit(t.Ref, func(s any) any { return rewrap(s, func(b *box) { b.Size += 10 }) }) },
		func() { h.cloud.Edit(t.Ref, func(s any) any { return rewrap(s, func(b *box) { b.Force = !b.Force }) }) },
		func() { h.cloud.Edit(t.Ref, func(s any) any { return rewrap(s, func(b *box) { b.Labels = nil }) }) },
		func() { h.cloud.Break(t.Ref, "crash loop") },
		func() { h.cloud.Remove(t.Ref) },
		func() { h.cloud.Relabel(t.Ref, "") },
		func() {
			h.cloud.Edit(t.Ref, func(s any) any { return rewrap(s, func(b *box) { b.Form.Asleep = b.Kind == "app" && !b.Form.Asleep }) })
		},
		func() { h.say(t) },
		func() { h.say(t) },
	}
	n := h.rand.IntN(len(hand))
	h.log = append(h.log, fmt.Sprintf("hand %d on %v", n, t.Ref))
	hand[n]()
}

func (h *history) failure(wrong string) error {
	var text []byte
	for _, l := range h.log {
		text = fmt.Appendln(text, l)
	}
	for _, t := range h.cloud.Things() {
		text = fmt.Appendf(text, "live %v %v owner=%q mark=%q %v\n", t.Ref, t.State, t.Owner, t.Unprotected, asBox(t.Spec))
	}
	if wrong != "" {
		h.wrong = append(h.wrong, wrong)
	}
	return fmt.Errorf("seed %d: %q\n%s", h.seed, h.wrong, text)
}

func digits(commit int) string { return fmt.Sprintf("%012x", commit) }
