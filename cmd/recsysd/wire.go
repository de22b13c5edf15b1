package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/gitsource"
	"recsysd.dev/recsysd/internal/history"
	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/image/catalog"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/secretmanager"
	"recsysd.dev/recsysd/internal/spend"
)

// A world makes the kinds of one stack: those of the real clouds, or simulated ones.
type world func(ctx context.Context, c *config.Config, s config.Stack, h hooks) (drivers.Set, error)

// hooks are what kinds tell: each may be called from any goroutine.
type hooks struct {
	request func(service, method, code string) // a request was sent
	changed func(refs []resource.Ref)          // a watch saw these change
}

// real is the world of Google Cloud and Kubernetes.
func real(ctx context.Context, c *config.Config, s config.Stack, h hooks) (drivers.Set, error) {
	return drivers.Kinds(ctx, driversConfig(c, s, h))
}

// driversConfig is what the kinds of a stack are made from.
func driversConfig(c *config.Config, s config.Stack, h hooks) drivers.Config {
	return drivers.Config{
		GCP: gcp.Config{
			Project: s.Project, Endpoints: c.GCP.Endpoints.Map(), Insecure: c.GCP.Insecure,
			AccessTokenFile: c.GCP.AccessTokenFile, Impersonate: s.Impersonate, Observe: h.request,
			UserAgent: "recsysd/" + version,
		},
		Stack: s.Name, Kubeconfig: s.Kubernetes.Kubeconfig, Context: s.Kubernetes.Context,
		UndoManagers: c.UndoManagers, Width: s.Width, Changed: h.changed, SecretRefresh: time.Duration(s.Secrets.Refresh),
	}
}

// settings are the numbers that the engine runs by.
func settings(s config.Stack) reconcile.Settings {
	return reconcile.Settings{
		Observe: s.Mode == config.Observe, Prune: s.Prune, MaxDeletes: s.MaxDeletes, Width: s.Width,
		Interval: time.Duration(s.Interval), MinGap: time.Duration(s.MinGap), StepTimeout: time.Duration(s.StepTimeout),
	}
}

// outside is what a stack is read with beside its files. Either may be nil: then nothing is known of it.
type outside struct {
	secrets *secretmanager.Store
	images  *catalog.Catalog
}

// reader reads a stack from the files of a revision.
type reader func(ctx context.Context, tree fs.FS, now time.Time) (*desired.Stack, error)

// stackReader reads the stack file at path of a tree and demands that it is this stack.
func stackReader(s config.Stack, path string, offline bool, out outside) reader {
	return func(ctx context.Context, tree fs.FS, now time.Time) (*desired.Stack, error) {
		return desired.Load(tree, path, desired.Options{
			Environment: s.Environment, Project: s.Project, Name: s.Name, External: s.Kubernetes.Kubeconfig != "",
			Offline: offline, Now: now, Keys: keyFile(s.Secrets.AgeKeyFile), Managed: managed(ctx, out.secrets),
			Images: tagsIn(ctx, out.images), WriteBack: s.ImageUpdates.Push != "" && !offline,
		})
	}
}

// loader hands the engine what a reader reads. notice is told what is worth telling, once as long as it stays so, and heard what was read.
func loader(read reader, notice func(string), heard func(*desired.Stack)) reconcile.Load {
	var told []string
	return func(ctx context.Context, r reconcile.Revision, now time.Time) (reconcile.Stack, error) {
		stack, err := read(ctx, r.Tree, now)
		if err != nil {
			return reconcile.Stack{}, err
		}
		for _, n := range stack.Notices {
			if !slices.Contains(told, n) {
				notice(n)
			}
		}
		told = stack.Notices
		heard(stack)
		return wanted(stack), nil
	}
}

// listingPatience is how long a pass waits for tags that are being listed; the next one finds them.
const listingPatience = 2 * time.Second

// catalogOf is what is known of the tags in a set's registries; nil where there is nothing to ask. Close it before the set. With a patience
// of zero every listing is waited for.
func catalogOf(ctx context.Context, set drivers.Set, s config.Stack, patience time.Duration) *catalog.Catalog {
	if set.Tags == nil {
		return nil
	}
	return catalog.New(ctx, set.Tags, time.Duration(s.ImageUpdates.Interval), patience)
}

// tagsIn asks a catalog within ctx.
func tagsIn(ctx context.Context, c *catalog.Catalog) func(image.Repository) image.Listing {
	if c == nil {
		return nil
	}
	return func(r image.Repository) image.Listing { return c.Look(ctx, r) }
}

// gitDir is a stack's own place for Git in the state directory.
func gitDir(c *config.Config, stack string) string { return filepath.Join(c.StateDir, stack, "git") }

// gitConfig says how a stack's repository is followed.
func gitConfig(c *config.Config, s config.Stack) gitsource.Config {
	return gitsource.Config{
		URL: s.Git.URL, Branch: s.Git.Branch, PollInterval: time.Duration(s.Git.PollInterval),
		AllowRewrite: s.Git.AllowRewrite, MaxBytes: int64(s.Git.MaxBytes), Dir: gitDir(c, s.Name),
		Auth: gitsource.Auth{
			Username: s.Git.Auth.Username, TokenFile: s.Git.Auth.TokenFile, SSHKeyFile: s.Git.Auth.SSHKeyFile,
			KnownHostsFile: s.Git.Auth.KnownHostsFile,
		},
	}
}

// A once is a stack as plan, apply, destroy and output handle it: one process, no daemon. Close it in the end.
type once struct {
	reconcile.Reconciler
	prices  string            // the price book that the configuration names
	git     *gitsource.Source // where the revision that was good before is kept; nil: nowhere
	readGit reader            // reads it
	spent   *spend.Account    // of plan: what the stack has cost so far, as far as it is known; nil: nobody asks
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
	o.Afford = (&purse{book: sync.OnceValues(func() (*cost.Book, error) { return priceBook(c.Prices) })}).afford
	o.readGit, o.prices = stackReader(s, s.Git.Path, false, outside{set.Secrets, images}), c.Prices
	o.Load = loader(stackReader(s, path, false, outside{set.Secrets, images}), func(n string) { fmt.Fprintf(p.err, "notice: %s\n", n) }, func(*desired.Stack) {})
	if readOnly {
		o.Memory, o.spent = p.remembered(c, s.Name), p.spent(c, s.Name)
		return o, nil
	}
	store, memory, err := history.Open(c.StateDir, s.Name)
	if store == nil {
		return nil, errors.Join(err, o.close())
	}
	book, priceless := priceBook(c.Prices)
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
	return o, nil
}

// remembered is what the stack's daemon knows, if there was one here and it may be read. Without it a change may be called drift.
func (p *program) remembered(c *config.Config, stack string) reconcile.Memory {
	memory, err := history.Remembered(c.StateDir, stack)
	if err != nil {
		fmt.Fprintf(p.err, "notice: planning without what the daemon remembers: %v\n", err)
	}
	return memory
}
