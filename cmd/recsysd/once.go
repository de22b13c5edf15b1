package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/gitsource"
	"recsysd.dev/recsysd/internal/history"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/spend"
)

// A once is a stack as plan, apply, destroy and output handle it: one process, no daemon. Close it in the end.
type once struct {
	reconcile.Reconciler
	book    func() (*cost.Book, error) // that the configuration names, read once
	git     *gitsource.Source          // where the revision that was good before is kept; nil: nowhere
	readGit reader                     // reads it
	spent   *spend.Account             // of plan: what the stack has cost so far, as far as it is known; nil: nobody asks
	closers []func() error
}

func (o *once) close() error {
	var errs []error
	for _, c := range o.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// once builds a stack's reconciler for one command. file, if set, takes the place of Git's stack file. With readOnly nothing is
// written to the state directory, so that it may stand beside a running daemon.
func (p *program) once(ctx context.Context, file string, readOnly bool) (*once, error) {
	c, s, err := p.selected()
	if err != nil {
		return nil, err
	}
	o := &once{}
	path := s.Git.Path
	if file != "" {
		local, err := gitsource.NewFile(file)
		if err != nil {
			return nil, err
		}
		o.Source, path = local, local.Name()
	}
	g := gitConfig(c, s)
	g.ReadOnly = readOnly || file != "" // beside a file it is for what was wanted before
	source, err := gitsource.New(g)
	switch {
	case err != nil && file == "":
		return nil, err
	case err == nil:
		o.git = source
		o.closers = append(o.closers, source.Close)
	}
	if file == "" {
		o.Source = source
	} else {
		o.Before = o.keptInGit
	}
	set, err := p.world(ctx, c, s, hooks{})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stack %s: %w", s.Name, err), o.close())
	}
	images := catalogOf(ctx, set, s, 0)
	o.closers = append(o.closers, images.Close, set.Close)
	o.Stack, o.Kinds, o.Settings = s.Name, set.Kinds, settings(s)
	o.book = sync.OnceValues(func() (*cost.Book, error) { return priceBook(c.Prices) })
	o.Afford = (&purse{book: o.book}).afford
	o.readGit = stackReader(s, s.Git.Path, false, outside{set.Secrets, images})
	o.Load = loader(stackReader(s, path, false, outside{set.Secrets, images}), func(n string) { fmt.Fprintf(p.err, "notice: %s\n", n) }, func(*desired.Stack) {})
	if readOnly {
		o.Memory, o.spent = p.remembered(c, s.Name), p.spent(c, s.Name)
		return o, nil
	}
	if err := p.keepBooks(o, c); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

// keepBooks has o go on from what the state directory knows, and write down there what becomes of the stack.
func (p *program) keepBooks(o *once, c *config.Config) error {
	store, memory, err := history.Open(c.StateDir, o.Stack)
	if store == nil {
		return err
	}
	book, priceless := o.book()
	account, lost := store.Account()
	if err := errors.Join(priceless, lost); err != nil { // it is about money alone
		fmt.Fprintf(p.err, "notice: %v\n", err)
	}
	store.PriceBy(func() *cost.Book { return book })
	o.Memory = memory
	o.Record = func(pass reconcile.Pass, m reconcile.Memory) error {
		news, err := keep(store, account, book, pass, m)
		for _, n := range news {
			fmt.Fprintf(p.err, "notice: %s\n", n)
		}
		return err
	}
	return nil
}

// remembered is what the stack's daemon knows, if there was one here and it may be read. Without it a change may be called drift.
func (p *program) remembered(c *config.Config, stack string) reconcile.Memory {
	memory, err := history.Remembered(c.StateDir, stack)
	if err != nil {
		fmt.Fprintf(p.err, "notice: planning without what the daemon remembers: %v\n", err)
	}
	return memory
}
