package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/view"
)

// ask makes a command that talks to the running daemon.
func (p *program) ask(c *cobra.Command, do func(ctx context.Context, d control.Daemon, args []string) error) *cobra.Command {
	p.configFlag(c)
	c.Flags().StringVar(&p.socket, "socket", "", "the daemon's control socket (default: the configuration's)")
	c.RunE = func(c *cobra.Command, args []string) error {
		socket, err := p.socketPath()
		if err != nil {
			return err
		}
		return do(c.Context(), control.Client{Socket: socket}, args)
	}
	return c
}

// socketPath needs no configuration where --socket says it all.
func (p *program) socketPath() (string, error) {
	if p.socket != "" {
		return p.socket, nil
	}
	c, err := config.Load(p.configFile)
	if err != nil {
		return "", fmt.Errorf("%w (or name the daemon's socket with --socket)", err)
	}
	return c.ControlSocket, nil
}

// named is the stack that the only argument or --stack means.
func (p *program) named(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return p.stack
}

func (p *program) statusCommand() *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Show where every stack stands", Args: cobra.NoArgs}
	p.stackFlag(c)
	p.formatFlag(c)
	return p.ask(c, func(ctx context.Context, d control.Daemon, _ []string) error {
		s, err := d.Status(ctx)
		if err != nil {
			return err
		}
		if p.stack != "" {
			all := s.Stacks
			s.Stacks = nil
			for _, one := range all {
				if one.Name == p.stack {
					s.Stacks = append(s.Stacks, one)
				}
			}
			if s.Stacks == nil {
				return fmt.Errorf("the daemon has no stack %q", p.stack)
			}
		}
		return p.show(s, func(paint view.Paint) error { return s.Text(p.out, paint, time.Now()) })
	})
}

func (p *program) historyCommand() *cobra.Command {
	c := &cobra.Command{Use: "history [STACK]", Short: "Show the last passes and what each step did, and why", Args: cobra.MaximumNArgs(1)}
	p.stackFlag(c)
	p.formatFlag(c)
	return p.ask(c, func(ctx context.Context, d control.Daemon, args []string) error {
		h, err := d.History(ctx, p.named(args))
		if err != nil {
			return err
		}
		return p.show(h, func(paint view.Paint) error { return h.Text(p.out, paint) })
	})
}

func (p *program) driftCommand() *cobra.Command {
	c := &cobra.Command{Use: "drift [STACK]", Short: "Show what was changed by another hand and is not put back", Args: cobra.MaximumNArgs(1)}
	p.stackFlag(c)
	p.formatFlag(c)
	return p.ask(c, func(ctx context.Context, d control.Daemon, args []string) error {
		v, err := d.Drift(ctx, p.named(args))
		if err != nil {
			return err
		}
		return p.show(v, func(paint view.Paint) error { return v.Text(p.out, paint, time.Now()) })
	})
}

func (p *program) syncCommand() *cobra.Command {
	c := &cobra.Command{Use: "sync [STACK]", Short: "Look at Git and make a pass now, and wait for it", Args: cobra.MaximumNArgs(1)}
	p.stackFlag(c)
	p.formatFlag(c)
	var o control.Sync
	c.Flags().BoolVar(&o.AcceptRewrite, "accept-rewrite", false, "take the branch although its history was rewritten, once")
	c.Flags().IntVar(&o.MaxDeletes, "max-deletes", 0, "allow so many removals, once")
	return p.ask(c, func(ctx context.Context, d control.Daemon, args []string) error {
		s, err := d.Sync(ctx, p.named(args), o)
		if err != nil {
			return err
		}
		if err := p.show(s, func(paint view.Paint) error { return s.Text(p.out, paint, time.Now()) }); err != nil {
			return err
		}
		if s.Error != "" {
			return fmt.Errorf("%s: the pass did not succeed", s.Name)
		}
		return nil
	})
}

func (p *program) suspendCommand() *cobra.Command {
	c := &cobra.Command{Use: "suspend STACK [KIND/NAME]", Short: "Leave a stack, or one resource of it, alone", Args: cobra.RangeArgs(1, 2)}
	var reason string
	c.Flags().StringVar(&reason, "reason", "", "why, for the next person (required)")
	return p.ask(c, func(ctx context.Context, d control.Daemon, args []string) error {
		return d.Suspend(ctx, args[0], second(args), reason)
	})
}

func (p *program) resumeCommand() *cobra.Command {
	c := &cobra.Command{Use: "resume STACK [KIND/NAME]", Short: "Take a suspended stack or resource up again", Args: cobra.RangeArgs(1, 2)}
	return p.ask(c, func(ctx context.Context, d control.Daemon, args []string) error {
		return d.Resume(ctx, args[0], second(args))
	})
}

func second(args []string) string {
	if len(args) > 1 {
		return args[1]
	}
	return ""
}
