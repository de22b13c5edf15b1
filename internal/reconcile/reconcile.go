package reconcile

import (
	"context"
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
	InSync    map[resource.Ref]string // the desired hash with which each resource was last seen in sync
	Applied   string                  // the newest commit that converged
	Suspended string                  // reason, if the whole stack is suspended by hand
	Held      map[resource.Ref]string // resources suspended by hand, with the reason
}

// Reconciler keeps one stack converged. Fill the fields, then call Run once, or Pass for a single pass.
type Reconciler struct {
	Stack    string
	Source   Source
	Load     Load
	Kinds    []resource.Kind
	Settings Settings
	Memory   Memory
	// Record is given every finished pass, in order, with what is to be remembered. Its error is part of the pass's account.
	Record func(Pass, Memory) error
	// Progress, if set, is told of every step's result as it happens. It is called from several goroutines.
	Progress func(plan.Result)
}

// Run makes passes until ctx is done: at the interval, on every kick, and soon again while anything moves. It returns after
// the steps in flight are through.
func (r *Reconciler) Run(ctx context.Context, kick <-chan Kick) error { panic("not built yet") }

// Pass makes one pass and records it.
func (r *Reconciler) Pass(ctx context.Context, k Kick) Pass { panic("not built yet") }

// Preview decides what a pass would do now. It never writes and is not recorded.
func (r *Reconciler) Preview(ctx context.Context) Pass { panic("not built yet") }
