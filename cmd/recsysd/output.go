package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/view"
)

func (p *program) outputCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "output [KEY]", Short: "Print endpoints, URLs, paths and addresses of what the stack has", Args: arguments(0, 1),
		Long: "Print endpoints, URLs, paths and addresses of what the stack has.\n\nA running daemon is asked for what its last pass saw; without one this command looks itself.",
	}
	p.configFlag(c)
	p.stackFlag(c)
	p.formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if outputs, known := p.known(c.Context()); known {
			return p.showOutputs(outputs, args)
		}
		o, err := p.once(c.Context(), "", true)
		if err != nil {
			return err
		}
		pass := o.Preview(c.Context())
		if err := errors.Join(pass.StackErr, pass.Err, o.close()); err != nil {
			return err
		}
		if err := p.showOutputs(view.Outputs(pass), args); err != nil {
			return errors.Join(err, blindness(pass))
		}
		if len(args) == 1 {
			return nil // what was asked for is known
		}
		return blindness(pass)
	}
	return c
}

// known is what a running daemon's last pass saw of the stack. Where there is no daemon, or none that may be asked, it is not known:
// then the command looks itself, and says what is wrong.
func (p *program) known(ctx context.Context) (outputs map[string]string, ok bool) {
	c, s, err := p.selected()
	if err != nil {
		return nil, false
	}
	status, err := control.Client{Socket: c.ControlSocket}.Status(ctx)
	if err != nil {
		return nil, false
	}
	for _, of := range status.Stacks {
		if of.Name == s.Name && of.LastPass != nil && len(of.Blind) == 0 {
			return of.Outputs, true
		}
	}
	return nil, false
}

func (p *program) showOutputs(outputs map[string]string, args []string) error {
	if len(args) == 1 {
		value, ok := outputs[args[0]]
		if !ok {
			return fmt.Errorf("no output %q; there is: %s", args[0], cmp.Or(strings.Join(slices.Sorted(maps.Keys(outputs)), " "), "none"))
		}
		_, err := fmt.Fprintln(p.out, value)
		return err
	}
	return p.show(outputs, func(view.Paint) error {
		for _, key := range slices.Sorted(maps.Keys(outputs)) {
			if _, err := fmt.Fprintf(p.out, "%s = %s\n", key, outputs[key]); err != nil {
				return err
			}
		}
		return nil
	})
}
