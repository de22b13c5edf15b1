package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/view"
)

// record takes the account of a pass: to disk, to the metrics, to the log, and to whoever asks for the status.
func (r *runner) record(of *parts, p reconcile.Pass, m reconcile.Memory) error {
	news, err := keep(of.store, of.account, r.book(), p, m)
	for _, n := range news {
		r.log.Warn("money", zap.String("notice", n))
	}
	of.writer.passed(p)
	r.note(func() {
		r.last, r.account = &p, of.account
		if p.Converged() {
			r.converged = p.End
		}
	})
	r.tell(p)
	r.recorded(p, of.account)
	r.written(of.writer.up())
	r.note(func() {
		r.inPass = false
		if r.stale && r.cancel != nil {
			r.cancel()
		}
	})
	return err
}

// tell logs a pass: at info what was done and what became different, at debug the many passes that found everything as before.
func (r *runner) tell(p reconcile.Pass) {
	steps := 0
	for i, res := range p.Results {
		if res.Outcome == plan.None {
			continue
		}
		steps++
		fields := []zap.Field{
			zap.String("resource", res.Ref.String()), zap.String("verb", string(res.Verb)), zap.String("outcome", string(res.Outcome)),
			zap.String("why", p.Plan.Steps[i].Why),
		}
		switch res.Outcome {
		case plan.Failed, plan.Rejected:
			r.log.Warn("step", append(fields, zap.Error(res.Err))...)
		case plan.Waiting:
			r.log.Debug("step", append(fields, zap.Error(res.Err))...)
		default:
			r.log.Info("step", fields...)
		}
	}
	for _, ref := range p.Fought {
		for _, f := range p.Fights()[ref] {
			if f.Since.Equal(p.Start) {
				r.log.Warn("fight", zap.String("resource", ref.String()), zap.String("field", f.Field), zap.String("rival", f.Rival),
					zap.String("ignore", resource.IgnoreRule(ref.String(), []string{f.Field})))
			}
		}
	}
	r.tellBudget(p)
	err := errors.Join(p.SourceErr, p.StackErr, p.Err)
	blind := slices.Sorted(maps.Keys(p.Plan.Blind))
	fields := []zap.Field{
		zap.String("outcome", string(p.Outcome())), zap.String("commit", view.Short(p.Attempted)), zap.String("reason", p.Why),
		zap.Duration("took", p.End.Sub(p.Start).Round(time.Millisecond)), zap.Int("steps", steps),
	}
	if n := len(p.Partial); n > 0 {
		fields = append(fields, zap.Int("limitedTo", n))
	}
	if err != nil {
		fields = append(fields, zap.Error(err))
	}
	now := fmt.Sprint(p.Outcome(), p.Attempted, err, blind)
	if now != r.told {
		for _, kind := range blind {
			r.log.Warn("blind", zap.String("kind", kind), zap.String("why", p.Plan.Blind[kind]))
		}
	}
	switch {
	case now == r.told && steps == 0:
		r.log.Debug("pass", fields...)
	case err != nil:
		r.log.Error("pass", fields...)
	default:
		r.log.Info("pass", fields...)
	}
	r.told = now
}

// tellBudget logs that a stack passes its budget, or no longer does: once, not with every pass.
func (r *runner) tellBudget(p reconcile.Pass) {
	if p.StackErr != nil || p.Err != nil || p.OverBudget == r.toldBudget {
		return // the first two say nothing of the newest stack
	}
	r.toldBudget = p.OverBudget
	commit, held := zap.String("commit", view.Short(p.Attempted)), zap.Bool("held", p.Withheld)
	if p.OverBudget == "" {
		r.log.Info("budget", commit, held, zap.String("why", "within the budget again"))
		return
	}
	r.log.Warn("budget", commit, held, zap.String("why", p.OverBudget))
}

// status is where the stack stands.
func (r *runner) status() view.StackStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := view.StackOf(r.stack.Name, r.last, r.converged)
	v.PriceDrift(r.last, r.book())
	v.Notices = append(v.Notices, r.beside()...)
	money := r.money()
	v.Cost = view.StackCostOf(money)
	if n := money.Notice(); n != "" {
		v.Notices = append(v.Notices, n)
	}
	if r.parts != nil {
		v.Notices = append(v.Notices, r.parts.writer.notices()...)
	}
	r.complain(&v)
	return v
}

// word says in a word where the stack stands.
func (r *runner) word() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := view.HeadOf(r.stack.Name, r.last, r.converged)
	r.complain(&v)
	return v.Word()
}

// complain adds why the stack cannot run. The runner is locked.
func (r *runner) complain(v *view.StackStatus) {
	if r.broken != nil {
		v.Error = strings.TrimPrefix(v.Error+"\n"+r.broken.Error(), "\n")
	}
}

// ready says why there is no account of the stack yet.
func (r *runner) ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.last != nil:
		return nil
	case r.broken != nil:
		return fmt.Errorf("stack %s: %w", r.stack.Name, r.broken)
	default:
		return fmt.Errorf("stack %s: its first pass is not through yet", r.stack.Name)
	}
}

// healthy says why the stack makes no progress. Progress is a pass that begins or ends, and every step in it; between two of
// these lies at most a pause, or a look, which may be made twice, and one step, each with its time limit.
func (r *runner) healthy(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	bound := time.Duration(r.stack.Interval)*5/4 + 3*time.Duration(r.stack.StepTimeout) + 30*time.Second
	if idle := now.Sub(r.beat); idle > bound {
		return fmt.Errorf("stack %s: no progress for %s, at most %s is expected", r.stack.Name, idle.Round(time.Second), bound)
	}
	return nil
}
