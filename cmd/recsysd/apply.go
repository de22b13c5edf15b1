package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/view"
)

func (p *program) applyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "apply", Short: "Make passes until the stack has converged", Args: arguments(0, 0),
	}
	var file string
	var single bool
	var timeout time.Duration
	p.configFlag(c)
	p.stackFlag(c)
	c.Flags().StringVar(&file, "file", "", "a local stack file in place of Git's")
	c.Flags().BoolVar(&single, "once", false, "make one pass only")
	c.Flags().DurationVar(&timeout, "timeout", 30*time.Minute, "give up after so long")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return p.alone(func() error {
			o, err := p.once(c.Context(), file, false)
			if err != nil {
				return err
			}
			return errors.Join(p.converge(c.Context(), o, single, timeout), o.close())
		})
	}
	return c
}

// alone does what writes while no daemon and no other command works on the same stacks.
func (p *program) alone(do func() error) error {
	c, _, err := p.selected()
	if err != nil {
		return err
	}
	lock, err := control.Hold(c.ControlSocket)
	if errors.Is(err, control.ErrHeld) {
		return fmt.Errorf("%w; the daemon applies by itself (recsysd sync asks it to), or stop it first", err)
	}
	if err != nil {
		return err
	}
	return errors.Join(do(), lock.Release())
}

// converge makes passes until nothing is left to do or to wait for, and shows what happens as it happens.
func (p *program) converge(ctx context.Context, o *once, single bool, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	show := &progress{program: p, states: map[resource.Ref]string{}}
	o.Progress = show.result
	record := o.Record
	running, enough := context.WithCancel(ctx)
	defer enough()
	var last reconcile.Pass
	o.Record = func(pass reconcile.Pass, m reconcile.Memory) error {
		last = pass
		show.pass(pass)
		if single || settled(pass) {
			enough()
		}
		return record(pass, m)
	}
	if err := o.Run(running, nil); err != nil && running.Err() == nil {
		return err
	}
	if o.Destroy {
		for _, n := range last.Plan.Notices { // what clusters have left behind, above all
			if _, err := fmt.Fprintf(p.out, "notice: %s\n", n); err != nil {
				return err
			}
		}
	}
	switch {
	case o.Destroy && removed(last):
		_, err := fmt.Fprintf(p.out, "%s is gone\n", o.Stack)
		return err
	case o.Destroy && last.Converged():
		_, err := fmt.Fprintf(p.out, "%s is taken down but for what is held: %s\n", o.Stack, strings.Join(held(last), ", "))
		return err
	case last.Converged():
		_, err := fmt.Fprintf(p.out, "%s has converged at %s\n", o.Stack, view.Short(last.Applied))
		return err
	case single && ctx.Err() == nil:
		return failures(last)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errors.Join(unconverged(last), fmt.Errorf("%s: not through within %s", o.Stack, timeout))
	case ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted; what was begun goes on in the cloud, and the next apply takes it up", o.Stack)
	}
	return errors.Join(unconverged(last), fmt.Errorf("%s: not through, and nothing more will happen by itself", o.Stack))
}

// removed reports whether a pass that takes a stack down found nothing left.
func removed(pass reconcile.Pass) bool {
	return pass.Err == nil && pass.StackErr == nil && len(pass.Plan.Blind) == 0 && len(pass.Plan.Steps) == 0
}

// held names what a pass left as it is.
func held(pass reconcile.Pass) []string {
	var names []string
	for _, s := range pass.Plan.Steps {
		if s.Verb == plan.Hold {
			names = append(names, s.Ref.String())
		}
	}
	return names
}

// settled reports whether nothing more will happen by itself: what is left is held, or refused for good.
func settled(pass reconcile.Pass) bool {
	if pass.Converged() || errors.Join(pass.SourceErr, pass.StackErr, pass.Err) != nil {
		return true
	}
	if len(pass.Plan.Blind) > 0 {
		return false
	}
	for _, o := range pass.Seen {
		if o.Owned && o.State != resource.Ready && o.State != resource.Broken {
			return false
		}
	}
	for _, r := range pass.Results {
		if r.Outcome != plan.None && r.Outcome != plan.Rejected {
			return false
		}
	}
	return true
}

// failures lists what went wrong in a pass, one line each.
func failures(pass reconcile.Pass) error {
	errs := []error{pass.SourceErr, pass.StackErr, pass.Err}
	for _, kind := range slices.Sorted(maps.Keys(pass.Plan.Blind)) {
		errs = append(errs, fmt.Errorf("%s could not be observed: %s", kind, pass.Plan.Blind[kind]))
	}
	for _, r := range pass.Results {
		if r.Outcome == plan.Failed || r.Outcome == plan.Rejected {
			errs = append(errs, fmt.Errorf("%s: %w", r.Ref, r.Err))
		}
	}
	return errors.Join(errs...)
}

// unconverged lists what is in the way, one line each.
func unconverged(pass reconcile.Pass) error {
	errs := []error{failures(pass)}
	for i, s := range pass.Plan.Steps {
		switch {
		case s.Verb == plan.Hold:
			errs = append(errs, fmt.Errorf("%s: held: %s", s.Ref, s.Why))
		case i < len(pass.Results) && pass.Results[i].Outcome == plan.Waiting:
			errs = append(errs, fmt.Errorf("%s: %w", s.Ref, pass.Results[i].Err))
		}
	}
	return errors.Join(errs...)
}

// progress writes a line for every step and for every change of a state.
type progress struct {
	*program
	mu     sync.Mutex
	states map[resource.Ref]string
}

func (s *progress) result(r plan.Result) {
	if r.Outcome == plan.None || r.Outcome == plan.Waiting {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	line := fmt.Sprintf("%-8s %s  %s", r.Verb, r.Ref, r.Outcome)
	if r.Err != nil {
		line += ": " + r.Err.Error()
	}
	fmt.Fprintln(s.out, line)
}

func (s *progress) pass(p reconcile.Pass) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range p.Seen {
		now := o.State.String()
		if o.Detail != "" {
			now += ": " + o.Detail
		}
		was, known := s.states[o.Ref]
		s.states[o.Ref] = now
		if now != was && (known || o.State != resource.Ready) {
			fmt.Fprintf(s.out, "         %s  %s\n", o.Ref, now)
		}
	}
}
