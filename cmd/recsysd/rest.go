package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

func (p *program) wakeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "wake STACK WORKLOAD", Short: "Wake a workload and what it uses for a time, whatever its schedule says",
		Long: "Wake a workload and what it uses for a time, whatever its schedule says. WORKLOAD is its key in the stack file, or KIND/NAME.\n" +
			"The time is noted on the live objects, so it holds over restarts. Without --for, a sleep by hand is ended.",
		Args: arguments(2, 2),
	}
	return p.restCommand(c, false)
}

func (p *program) sleepCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "sleep STACK WORKLOAD", Short: "Put a workload and what uses it to sleep, whatever its schedule says",
		Long: "Put a workload and what uses it to sleep, whatever its schedule says. WORKLOAD is its key in the stack file, or KIND/NAME.\n" +
			"The time is noted on the live objects, so it holds over restarts. Without --for, it sleeps until its schedule next wakes it,\n" +
			"and without a schedule until recsysd wake. What uses it and has no schedule of its own wakes with it.",
		Args: arguments(2, 2),
	}
	return p.restCommand(c, true)
}

func (p *program) restCommand(c *cobra.Command, asleep bool) *cobra.Command {
	var span span
	c.Flags().Var(&span, "for", "how long, such as 90m, 2h or 3d")
	return p.ask(c, func(ctx context.Context, d control.Daemon, args []string) error {
		done, err := d.Rest(ctx, args[0], control.Rest{Workload: args[1], Asleep: asleep, For: time.Duration(span)})
		if err != nil {
			return err
		}
		for _, one := range done {
			fmt.Fprintf(p.out, "%s/%s: %s\n", one.Kind, one.Name, one.Rest)
		}
		if len(done) == 0 {
			fmt.Fprintf(p.out, "%s: nothing to do, it is so already\n", args[1])
		}
		return nil
	})
}

// span is the value of --for, written as in the stack file and the configuration.
type span time.Duration

func (s *span) String() string {
	if *s == 0 {
		return "" // no default to tell of
	}
	return time.Duration(*s).String()
}

func (*span) Type() string { return "duration" }

func (s *span) Set(text string) error {
	var d config.Duration
	if err := d.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	if time.Duration(d) < time.Second {
		return errors.New("a second at least")
	}
	*s = span(d)
	return nil
}

// Rest implements control.Daemon.
func (d *daemon) Rest(ctx context.Context, stack string, o control.Rest) ([]control.Rested, error) {
	r, err := d.find(stack)
	if err != nil {
		return nil, err
	}
	p, err := r.running(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if last == nil || len(last.Want) == 0 {
		return nil, fmt.Errorf("stack %s: no pass has been made yet; ask again", r.name)
	}
	words, err := restOrder(*last, o, time.Now())
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", r.name, err)
	}
	var done []control.Rested
	for _, w := range words {
		if err := p.engine.SetRest(ctx, w.of, w.by); err != nil {
			return done, fmt.Errorf("%s: %w", w.of.Ref, err)
		}
		done = append(done, control.Rested{Kind: w.of.Ref.Kind, Name: w.of.Ref.Name, Rest: w.says(time.Now())})
	}
	why := "wake"
	if o.Asleep {
		why = "sleep"
	}
	return done, r.pass(ctx, p, reconcile.Kick{Why: why})
}

// word is what a person says on one resource.
type word struct {
	of resource.Resource
	by resource.Rest
}

// says is what comes of it, with times in the zone of the schedule.
func (w word) says(now time.Time) string {
	if !w.by.ByHand && !w.of.Rest.Wakes.IsZero() {
		return "as its schedule says"
	}
	return w.of.Rest.Heed(w.by, now).String()
}

// restOrder is what an order comes to: a word on each resource of the workload and, to wake, on what it uses; to sleep, on what uses it.
// The order is that in which they turn.
func restOrder(last reconcile.Pass, o control.Rest, now time.Time) ([]word, error) {
	named := namedBy(last.Want, o.Workload)
	if len(named) == 0 {
		return nil, fmt.Errorf("%s: %w; a workload is named by its key in the stack file, anything else by KIND/NAME as recsysd status shows it", o.Workload, control.ErrNotFound)
	}
	seen := last.Observed()
	rest := func(r resource.Resource) *resource.Rest {
		if live := seen[r.Ref].Rest; live != nil {
			return live
		}
		return r.Rest
	}
	if !slices.ContainsFunc(named, func(r resource.Resource) bool { return rest(r) != nil }) {
		return nil, fmt.Errorf("%w: %s neither sleeps nor wakes; a Deployment, a StatefulSet or a CronJob does", control.ErrInvalid, o.Workload)
	}
	wakes := latest(named)
	var words []word
	for _, r := range reach(last.Want, named, o.Asleep) {
		live := rest(r)
		if live == nil || r.Rest == nil {
			continue
		}
		isNamed := slices.ContainsFunc(named, func(n resource.Resource) bool { return n.Ref == r.Ref })
		w, ok, err := wordOn(r, *live, o, isNamed, wakes, now)
		if err != nil {
			return nil, err
		}
		if ok {
			words = append(words, w)
		}
	}
	return words, nil
}

// latest is when the schedules have woken all of these; zero if one has none.
func latest(named []resource.Resource) time.Time {
	var at time.Time
	for _, r := range named {
		switch {
		case r.Rest == nil: // it does not sleep
		case r.Rest.Wakes.IsZero():
			return time.Time{}
		case r.Rest.Wakes.After(at):
			at = r.Rest.Wakes
		}
	}
	return at
}

// wordOn is the word on one resource, if any is needed: none to wake what is awake for ever. What is only reached keeps a word of the
// same kind that holds longer. wakes is when the schedules have woken what is named: what has none wakes with that.
func wordOn(r resource.Resource, live resource.Rest, o control.Rest, named bool, wakes, now time.Time) (word, bool, error) {
	w := word{of: r, by: resource.Rest{Asleep: o.Asleep, ByHand: true}}
	switch {
	case o.For > 0:
		w.by.Until = now.Add(o.For + time.Second - 1).Truncate(time.Second) // it is noted in whole seconds
	case o.Asleep:
		w.by.Until = r.Rest.Wakes
		if w.by.Until.IsZero() {
			w.by.Until = wakes
		}
	case r.Rest.Asleep && named:
		return w, false, fmt.Errorf("%w: %s sleeps by its schedule: say for how long it is to be awake (--for 2h)", control.ErrInvalid, r.Ref)
	default: // the sleep that somebody ordered ends
		return word{of: r}, live.ByHand && live.Asleep, nil
	}
	ever := !o.Asleep && !live.Asleep && live.Until.IsZero()
	if named {
		return w, !ever, nil
	}
	longer := live.ByHand && live.Asleep == o.Asleep && (live.Until.IsZero() || live.Until.After(w.by.Until) && !w.by.Until.IsZero())
	return w, !ever && !longer, nil
}

// namedBy are the wanted resources of a workload's entry, or the one of a reference.
func namedBy(want []resource.Resource, name string) []resource.Resource {
	ref, _ := resource.ParseRef(name)
	var found []resource.Resource
	for _, r := range want {
		if r.Ref == ref || r.Entry == "workloads."+strings.TrimPrefix(name, "workloads.") {
			found = append(found, r)
		}
	}
	return found
}

// reach is from and, at any distance, what it stands on or, with up, what stands on it: in the order in which they sleep, or wake.
func reach(want, from []resource.Resource, up bool) []resource.Resource {
	next := func(r resource.Resource) []resource.Resource {
		return only(want, func(o resource.Resource) bool {
			if up {
				return needs(o, r.Ref)
			}
			return needs(r, o.Ref)
		})
	}
	met := map[resource.Ref]bool{}
	var row []resource.Resource
	var visit func(resource.Resource)
	visit = func(r resource.Resource) {
		if met[r.Ref] {
			return
		}
		met[r.Ref] = true
		for _, n := range next(r) {
			visit(n)
		}
		row = append(row, r)
	}
	for _, r := range from {
		if r.Rest != nil { // its Service and account are stood on by others than its pods
			visit(r)
		}
	}
	return row
}

func needs(r resource.Resource, on resource.Ref) bool {
	return slices.ContainsFunc(r.Needs, func(n resource.Need) bool { return n.Ref == on })
}

func only(all []resource.Resource, keep func(resource.Resource) bool) []resource.Resource {
	return slices.DeleteFunc(slices.Clone(all), func(r resource.Resource) bool { return !keep(r) })
}
