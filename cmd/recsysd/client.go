package main

import (
	"context"
	"fmt"
	"strings"
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

// oneStack is the arguments of a command for the stack that its only argument or --stack names, or for the only stack.
func (p *program) oneStack() cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := arguments(0, 1)(c, args); err != nil || len(args) == 0 {
			return err
		}
		if p.stack != "" && p.stack != args[0] {
			return fmt.Errorf("%s and --stack %s name two stacks", args[0], p.stack)
		}
		p.stack = args[0]
		return nil
	}
}

func (p *program) statusCommand() *cobra.Command {
	c := &cobra.Command{Use: "status [STACK]", Short: "Show where every stack stands", Args: p.oneStack()}
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
	c := &cobra.Command{Use: "history [STACK]", Short: "Show the last passes and what each step did, and why", Args: p.oneStack()}
	p.stackFlag(c)
	p.formatFlag(c)
	return p.ask(c, func(ctx context.Context, d control.Daemon, _ []string) error {
		h, err := d.History(ctx, p.stack)
		if err != nil {
			return err
		}
		return p.show(h, func(paint view.Paint) error { return h.Text(p.out, paint) })
	})
}

func (p *program) driftCommand() *cobra.Command {
	c := &cobra.Command{Use: "drift [STACK]", Short: "Show what was changed by another hand and is not put back", Args: p.oneStack()}
	p.stackFlag(c)
	p.formatFlag(c)
	suggest := c.Flags().Bool("suggest-ignores", false, "print the rules of the stack file that would end the drift that is seen now")
	return p.ask(c, func(ctx context.Context, d control.Daemon, _ []string) error {
		v, err := d.Drift(ctx, p.stack)
		if err != nil {
			return err
		}
		if *suggest {
			s := v.Suggest()
			return p.show(s, func(view.Paint) error { return s.Text(p.out) })
		}
		return p.show(v, func(paint view.Paint) error { return v.Text(p.out, paint, time.Now()) })
	})
}

func (p *program) syncCommand() *cobra.Command {
	c := &cobra.Command{Use: "sync [STACK]", Short: "Look at Git and make a pass now, and wait for it", Args: p.oneStack()}
	p.stackFlag(c)
	p.formatFlag(c)
	var o control.Sync
	c.Flags().BoolVar(&o.AcceptRewrite, "accept-rewrite", false, "take the branch although its history was rewritten, once")
	c.Flags().IntVar(&o.MaxDeletes, "max-deletes", 0, "allow so many removals, for the commit at hand")
	return p.ask(c, func(ctx context.Context, d control.Daemon, _ []string) error {
		s, err := d.Sync(ctx, p.stack, o)
		if err != nil {
			return err
		}
		if err := p.show(s, func(paint view.Paint) error { return s.Text(p.out, paint, time.Now()) }); err != nil {
			return err
		}
		if s.Failing() {
			return fmt.Errorf("%s: the pass did not succeed", s.Name)
		}
		return nil
	})
}

func (p *program) suspendCommand() *cobra.Command {
	c := &cobra.Command{Use: "suspend STACK [KIND/NAME]", Short: "Leave a stack, or one resource of it, alone", Args: arguments(1, 2)}
	var reason string
	c.Flags().StringVar(&reason, "reason", "", "why, for the next person (required)")
	return p.ask(c, func(ctx context.Context, d control.Daemon, args []string) error {
		if err := d.Suspend(ctx, args[0], second(args), reason); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.out, "%s is suspended: it is looked at and not written, until recsysd resume %s\n",
			args[len(args)-1], strings.Join(args, " "))
		return err
	})
}

func (p *program) resumeCommand() *cobra.Command {
	c := &cobra.Command{Use: "resume STACK [KIND/NAME]", Short: "Take a suspended stack or resource up again", Args: arguments(1, 2)}
	return p.ask(c, func(ctx context.Context, d control.Daemon, args []string) error {
		if err := d.Resume(ctx, args[0], second(args)); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.out, "%s is not suspended by hand any more\n", args[len(args)-1])
		return err
	})
}

func second(args []string) string {
	if len(args) > 1 {
		return args[1]
	}
	return ""
}
