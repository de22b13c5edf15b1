package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

func (p *program) destroyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "destroy", Short: "Remove everything of a stack that is not protected", Args: arguments(0, 0),
	}
	var yes string
	var timeout time.Duration
	p.configFlag(c)
	p.stackFlag(c)
	c.Flags().StringVar(&yes, "yes", "", "the stack's name, instead of being asked for it")
	c.Flags().DurationVar(&timeout, "timeout", 30*time.Minute, "give up after so long")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return p.alone(func() error {
			o, err := p.once(c.Context(), "", false)
			if err != nil {
				return err
			}
			o.Destroy = true
			return errors.Join(p.destroy(c.Context(), o, yes, timeout), o.close())
		})
	}
	return c
}

// destroy shows what would go, and lets it go once the stack has been named.
func (p *program) destroy(ctx context.Context, o *once, yes string, timeout time.Duration) error {
	pass := o.Preview(ctx)
	p.format = "text"
	if err := p.showPlan(ctx, o, pass); err != nil {
		return err
	}
	if !removes(pass) {
		return errors.Join(pass.SourceErr, blindness(pass))
	}
	if yes == "" {
		var err error
		if yes, err = p.question(fmt.Sprintf("\nThis cannot be undone. Type the stack's name (%s) to go on: ", o.Stack)); err != nil {
			return err
		}
	}
	if yes != o.Stack {
		return fmt.Errorf("%q is not the stack's name, %s: nothing was removed", yes, o.Stack)
	}
	o.Agree = agreed(pass)
	return p.converge(ctx, o, false, timeout)
}

// agreed allows the removals that a pass's plan has shown, and what only waited for the provider then. Meanwhile a commit may have come,
// or a mark been written that lets something go: nobody has said yes to that.
func agreed(shown reconcile.Pass) func(plan.Plan) error {
	seen := shown.Observed()
	goes := map[resource.Ref]bool{}
	for _, s := range shown.Plan.Steps {
		o := seen[s.Ref]
		waited := s.Verb == plan.Hold && s.Held == plan.Delete && (o.State == resource.Busy || o.Locked)
		goes[s.Ref] = s.Verb == plan.Delete || s.Within || waited
	}
	return func(now plan.Plan) error {
		var errs []error
		for _, s := range now.Steps {
			if s.Verb == plan.Delete && !goes[s.Ref] {
				errs = append(errs, fmt.Errorf("%s: would be removed now, which the plan did not show: run destroy again to see it, and to say yes or no", s.Ref))
			}
		}
		return errors.Join(errs...)
	}
}

func removes(pass reconcile.Pass) bool {
	for _, s := range pass.Plan.Steps {
		if s.Verb != plan.Keep && s.Verb != plan.Hold {
			return true
		}
	}
	return false
}

func (p *program) question(text string) (string, error) {
	if _, err := fmt.Fprint(p.out, text); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(p.in).ReadString('\n')
	if err != nil && line == "" {
		return "", errors.New("no answer: nothing was removed")
	}
	return strings.TrimSpace(line), nil
}
