package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// Settings are the stack's numbers from the daemon's configuration. They may be replaced between passes.
type Settings struct {
	Observe     bool // drift only, never writes
	Prune       bool
	MaxDeletes  int
	Width       int
	Interval    time.Duration // look at the live state this often even if nothing moved
	MinGap      time.Duration // one resource is not written again sooner than this
	StepTimeout time.Duration
}

// Memory is what a stack remembers between passes and over restarts. Losing it costs precision (a change may be called
// drift), never correctness.
type Memory struct {
	InSync     map[resource.Ref]string    // the desired hash, and whether asleep, with which each was last seen in sync; "" for one we made that never was
	DriftSince map[resource.Ref]time.Time // when a pass first saw the drift that is there
	Applied    string                     // the newest commit that converged
	Suspended  string                     // reason, if the whole stack is suspended by hand
	Fights     map[resource.Ref][]Fight   // fields that are left alone, because another sets them again
	Held       map[resource.Ref]string    // resources suspended by hand, with the reason
}

// Reconciler keeps one stack converged. Fill the exported fields, then call Run once, or Pass for a single pass; passes do not
// overlap. Suspend may be called at any time.
type Reconciler struct {
	Stack    string
	Source   Source
	Load     Load
	Kinds    []resource.Kind
	Settings Settings
	Memory   Memory
	Destroy  bool // take the stack down instead of keeping it
	// Queue, if set, is where the stack waits for its turns among those of its daemon: one for each look, and one for each step.
	Queue *Queue
	// Agree, if set, is asked about every plan before it is performed. Its error ends the pass, and nothing is written.
	Agree func(plan.Plan) error
	// Afford, if set, is asked whether the newest stack may be applied; nil: whatever its budget.
	Afford Afford
	// Before, if set, takes the place of what the Source has kept, to compare the newest stack with.
	Before Before
	// Record is given every finished pass, in order, with what is to be remembered. Its error is a notice of the next pass.
	Record func(Pass, Memory) error
	// Progress, if set, is told of every step's result as it happens. It is called from several goroutines.
	Progress func(plan.Result)

	once    sync.Once
	good    stackAt                   // the last revision whose stack was valid, and not too much for its budget
	asked   stackAt                   // the newest whose stack was valid
	kept    string                    // the commit that the source was last told to keep
	view    *plan.View                // of the last full pass, with what was seen since
	taken   int                       // how often good was set
	viewOf  int                       // taken when the view was made: its differences are from that stack
	still   *still                    // the last pass, if the next may be like it
	above   above                     // what stands on each resource of the stack
	shares  shares                    // of the stack's resources, by kind
	writes  map[resource.Ref]write    // our last write to each resource
	strays  map[resource.Ref]stray    // drift that lasts
	repairs map[resource.Ref]Repair   // the last of each resource, for as long as they are worth telling
	efforts efforts                   // how often each field was put back lately
	authors authors                   // who has made the drift that lasts, as far as anybody was asked
	inquiry inquiry                   // what is to be asked about that
	pace    *pace                     // when each may be written again
	allowed allowance                 // what a person allowed beyond Settings.MaxDeletes
	asks    map[resource.Ref]plan.Ask // what asked would change, where it is withheld
	asksOf  pair                      // the readings that asks is from

	askedTimes int // how often asked was read
	takenAsked int // the reading of it that was taken last

	early    time.Time // when the first step that was too early may be taken
	recorded error     // what the last Record said

	mu       sync.Mutex          // guards what follows, and Memory.Suspended and Memory.Held
	unlisted map[string]unlisted // by driver: listings that are not tried for a while
}

func (r *Reconciler) begin() {
	r.once.Do(func() {
		r.pace, r.writes, r.unlisted = newPace(), map[resource.Ref]write{}, map[string]unlisted{}
		r.strays, r.repairs, r.efforts = map[resource.Ref]stray{}, map[resource.Ref]Repair{}, efforts{}
		r.authors, r.inquiry = authors{}, inquiry{open: map[resource.Ref]question{}, looked: map[string]time.Time{}, named: map[resource.Ref]time.Time{}}
		m := &r.Memory
		m.InSync, m.DriftSince, m.Held, m.Fights = or(m.InSync), or(m.DriftSince), or(m.Held), or(m.Fights)
	})
}

// or is m, or a new map.
func or[V any](m map[resource.Ref]V) map[resource.Ref]V {
	if m == nil {
		return map[resource.Ref]V{}
	}
	return maps.Clone(m)
}

// Pass makes one pass and records it, unless ctx ends before there is a plan.
func (r *Reconciler) Pass(ctx context.Context, k Kick) Pass {
	p := r.decide(ctx, k)
	if ctx.Err() != nil && p.Err != nil {
		p.End = time.Now()
		return p // cut off before it came to anything: that says nothing of the stack
	}
	if p.Err == nil && r.Agree != nil {
		p.Err = r.Agree(p.Plan)
	}
	if p.Err == nil {
		p.SourceErr = errors.Join(p.SourceErr, r.keep(ctx, &p))
	}
	switch {
	case p.Err != nil:
	case p.Same:
		r.lookedAgain(p.Start)
	default:
		before := p.Observed()
		answers := r.askWho(ctx, &p, before)
		after := r.perform(ctx, &p, before, p.only)
		r.account(&p, before, after)
		r.hearWho(&p, answers())
		r.view.Found = p.Seen
	}
	p.Applied, p.End = r.Memory.Applied, time.Now()
	r.recall(&p)
	p.outcome = p.Outcome()
	var m Memory
	if p.Same {
		m = r.still.memory
	} else {
		m = r.snapshot()
	}
	if r.Record != nil {
		r.recorded = r.Record(p, m)
	}
	if !p.Same {
		r.settleDown(&p, m)
	}
	return p
}

// Preview decides what a pass would do now. It never writes and is not recorded.
func (r *Reconciler) Preview(ctx context.Context) Pass {
	p := r.decide(ctx, Kick{Why: "preview"})
	p.Results, p.Same = nil, false
	p.Applied, p.End = r.Memory.Applied, time.Now()
	return p
}

// decide is a pass up to its plan.
func (r *Reconciler) decide(ctx context.Context, k Kick) Pass {
	r.begin()
	leave, err := r.Queue.enter(ctx, r.Stack)
	if err != nil {
		return Pass{Stack: r.Stack, Start: time.Now(), Why: k.Why, Err: err}
	}
	defer leave()
	if k.Retry {
		r.pace.hurry()
	}
	r.early = time.Time{}
	w := r.words()
	p := Pass{Stack: r.Stack, Start: time.Now(), Why: k.Why, Suspended: w.suspended, words: w}
	if p.Err = r.revise(ctx, &p); p.Err != nil {
		return p
	}
	if len(k.Refs) > 0 && r.view != nil && r.viewOf == r.taken {
		p.only = r.within(p.Want, k.Refs)
		p.Partial = slices.SortedFunc(maps.Keys(p.only), resource.Ref.Compare)
	}
	var view plan.View
	if p.only != nil {
		view = r.glance(ctx, p.Want, p.only)
	} else {
		before := r.stamps(&p, k)
		view, p.stamps = r.look(ctx, p.Want, before)
		p.Same = before != nil && slices.Equal(before, p.stamps)
	}
	if err := ctx.Err(); err != nil {
		p.Err, p.Same = fmt.Errorf("interrupted: %w", context.Cause(ctx)), false
		return p
	}
	if p.Same {
		r.repeat(&p)
		return p
	}
	r.still = nil
	r.authors.sign(view.Found)
	r.view, r.viewOf, p.Seen, p.unlisted = &view, r.taken, view.Found, view.Unlisted
	rejected := r.pace.rejected(p.using.Commit, p.Want, view.Found)
	policy := r.policy(k, &p, rejected)
	policy.Settled = settled(r.Memory.InSync, p.Want, view)
	r.fight(&p, k.Retry)
	policy.Fought = rivals(r.Memory.Fights)
	p.Plan, p.Err = plan.Make(p.Want, view, policy)
	r.missed(&p)
	p.Plan.Notices = append(p.Plan.Notices, p.asides...)
	if r.recorded != nil {
		p.Plan.Notices = append(p.Plan.Notices, "the last pass could not be recorded: "+r.recorded.Error())
	}
	return p
}

// allowance is how many removals a person has allowed of one commit. What stands on a thing goes before it, so they may take several
// passes; the next commit needs a permission of its own.
type allowance struct {
	commit  string
	deletes int
}

func (r *Reconciler) policy(k Kick, p *Pass, rejected map[resource.Ref]string) plan.Policy {
	commit := p.using.Commit
	if k.MaxDeletes > 0 {
		r.allowed = allowance{commit, k.MaxDeletes}
	}
	deletes := r.Settings.MaxDeletes
	if r.allowed.commit == commit {
		deletes = max(deletes, r.allowed.deletes)
	}
	return plan.Policy{
		Commit: commit, Observe: r.Settings.Observe, Prune: r.Settings.Prune, Lookout: p.lookout, MaxDeletes: deletes, Destroy: r.Destroy, Checked: true,
		Suspended: p.words.suspended, Held: p.words.held, Rejected: rejected, Withheld: p.withheld,
	}
}

// Suspend leaves ref alone from the next pass on, for a reason; the zero Ref is the whole stack, no reason ends the suspension.
func (r *Reconciler) Suspend(ref resource.Ref, reason string) error {
	r.begin()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ref == resource.Ref{}:
		r.Memory.Suspended = reason
	case reason == "":
		if _, held := r.Memory.Held[ref]; !held {
			return fmt.Errorf("%s is not suspended by hand", ref)
		}
		delete(r.Memory.Held, ref)
	default:
		r.Memory.Held[ref] = reason
	}
	return nil
}

// suspended is why the stack, and why one resource of it, is left alone; it may be asked beside a pass.
func (r *Reconciler) suspended(ref resource.Ref) (stack, one string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Memory.Suspended, r.Memory.Held[ref]
}

// snapshot is a copy of the memory that nobody changes. Only a pass takes one.
func (r *Reconciler) snapshot() Memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.Memory
	m.InSync, m.DriftSince, m.Held, m.Fights = maps.Clone(m.InSync), maps.Clone(m.DriftSince), maps.Clone(m.Held), maps.Clone(m.Fights)
	return m
}
