package main

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/gitsource"
	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/image/catalog"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/secretmanager"
)

// A world makes the kinds of one stack: those of the real clouds, or simulated ones.
type world func(ctx context.Context, c *config.Config, s config.Stack, h hooks) (drivers.Set, error)

// hooks are what kinds tell: each may be called from any goroutine.
type hooks struct {
	request func(service, method, code string) // a request was sent
	changed func(refs []resource.Ref)          // a watch saw these change
}

// real is the world of Google Cloud and Kubernetes. All stacks in it keep within Google's quotas together.
func real() world {
	limits := gcp.NewLimits()
	return func(ctx context.Context, c *config.Config, s config.Stack, h hooks) (drivers.Set, error) {
		made := driversConfig(c, s, h)
		made.GCP.Limits = limits
		return drivers.Kinds(ctx, made)
	}
}

// driversConfig is what the kinds of a stack are made from.
func driversConfig(c *config.Config, s config.Stack, h hooks) drivers.Config {
	return drivers.Config{
		GCP: gcp.Config{
			Project: s.Project, Endpoints: c.GCP.Endpoints.Map(), Insecure: c.GCP.Insecure,
			AccessTokenFile: c.GCP.AccessTokenFile, Impersonate: s.Impersonate, Observe: h.request,
			UserAgent: "recsysd/" + version, Limits: gcp.NewLimits(), Caller: s.Name,
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

// stackReader reads the stack file at path of a tree and demands that it is this stack. It remembers what it read last.
func stackReader(s config.Stack, path string, offline bool, out outside) reader {
	memory := new(desired.Memory)
	return func(ctx context.Context, tree fs.FS, now time.Time) (*desired.Stack, error) {
		return desired.Load(tree, path, desired.Options{
			Environment: s.Environment, Project: s.Project, Name: s.Name, External: s.Kubernetes.Kubeconfig != "",
			Offline: offline, Now: now, Keys: keyFile(s.Secrets.AgeKeyFile), Managed: managed(ctx, out.secrets),
			Images: tagsIn(ctx, out.images), WriteBack: s.ImageUpdates.Push != "" && !offline,
			Memory: memory,
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
