package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/gitsource"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
	"recsysd.dev/recsysd/internal/view"
)

func (p *program) planCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "plan", Short: "Show what a pass would do; never writes", Args: arguments(0, 0),
		Long: "Show what a pass would do; never writes.\n\nExit status: 0 nothing to do, 1 there are differences, 2 an error or something that could not be observed.",
	}
	var file, cloud, environment string
	p.configFlag(c)
	p.stackFlag(c)
	p.formatFlag(c)
	c.Flags().StringVar(&file, "file", "", "a local stack file in place of Git's")
	c.Flags().StringVar(&cloud, "cloud", "", "sim: an empty simulated cloud; needs no configuration")
	c.Flags().StringVar(&environment, "environment", "", "with --cloud sim: lay environments/NAME.yaml over the file")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o, err := p.planned(c.Context(), file, cloud, environment)
		if err != nil {
			return err
		}
		pass := o.Preview(c.Context())
		if err := errors.Join(p.showPlan(c.Context(), o, pass), o.close()); err != nil {
			return err
		}
		return verdict(pass)
	}
	return c
}

// planned is the stack that plan looks at.
func (p *program) planned(ctx context.Context, file, cloud, environment string) (*once, error) {
	switch {
	case cloud == "" && environment != "":
		return nil, errors.New("--environment goes with --cloud sim; otherwise the configuration says it")
	case cloud == "":
		return p.once(ctx, file, true)
	case cloud != "sim":
		return nil, fmt.Errorf("--cloud %s: there is sim only", cloud)
	case file == "":
		return nil, errors.New("--cloud sim needs a stack file: --file FILE")
	}
	stack, err := loadFile(ctx, file, desired.Options{Environment: environment})
	if err != nil {
		return nil, err
	}
	s := config.DefaultStack()
	s.Name, s.Project, s.Environment = stack.Name, stack.Project, environment
	source, err := gitsource.NewFile(file)
	if err != nil {
		return nil, err
	}
	o := &once{}
	o.Stack, o.Source, o.Settings = s.Name, source, settings(s)
	o.Kinds = drivers.Simulated(&sim.Cloud{}, s.Name, s.Project)
	o.book = sync.OnceValues(cost.Embedded)
	o.Afford = (&purse{book: o.book}).afford
	o.Load = loader(stackReader(s, source.Name(), true, outside{}), func(string) {}, func(*desired.Stack) {})
	return o, nil
}

// showPlan prints the plan of a pass and what it comes to, unless the pass has none.
func (p *program) showPlan(ctx context.Context, o *once, pass reconcile.Pass) error {
	if pass.Err != nil || pass.StackErr != nil {
		return errors.Join(pass.StackErr, pass.Err)
	}
	book, err := o.book()
	if err != nil {
		return err
	}
	v := view.PlanOf(pass)
	if o.Destroy {
		pass.Want = nil // it says only what protection was asked for
		v.Price(pass, book, nil)
	} else {
		was, err := o.before(ctx, pass)
		if err != nil {
			fmt.Fprintf(p.err, "notice: what a change of schedule comes to is not in the difference of price: the last good revision cannot be read: %v\n", err)
		}
		v.Price(pass, book, was)
		if n := o.overspent(book, pass); n != "" {
			v.Notices = append(v.Notices, n)
		}
	}
	return p.show(v, func(paint view.Paint) error { return v.Text(p.out, paint) })
}

// before is what the stack wanted when a daemon or apply last found it good; nil where that is not known. Without it a change of
// schedule is no difference of price, and all else is told all the same.
func (o *once) before(ctx context.Context, pass reconcile.Pass) ([]resource.Resource, error) {
	if o.git == nil {
		return nil, nil
	}
	kept, ok, err := o.git.Kept(ctx)
	if err != nil || !ok {
		return nil, err
	}
	if kept.Commit == pass.Attempted {
		return pass.Want, nil
	}
	stack, err := o.readGit(ctx, kept.Tree, pass.Start)
	if err != nil {
		return nil, err
	}
	return stack.Resources, nil
}

// verdict is plan's exit status: an error or blindness before differences, and these before nothing.
func verdict(pass reconcile.Pass) error {
	if err := errors.Join(pass.SourceErr, pass.StackErr, pass.Err); err != nil {
		return err
	}
	if err := blindness(pass); err != nil {
		return err
	}
	for _, s := range pass.Plan.Steps {
		if s.Differs() {
			return errDiffers
		}
	}
	return nil
}

// blindness names the kinds that a pass could not observe.
func blindness(pass reconcile.Pass) error {
	if len(pass.Plan.Blind) == 0 {
		return nil
	}
	return fmt.Errorf("could not be observed: %s", strings.Join(slices.Sorted(maps.Keys(pass.Plan.Blind)), ", "))
}
