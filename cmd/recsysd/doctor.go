package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/doctor"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/gitsource"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/view"
)

// checkLimit is how long one check may take; they run side by side.
const checkLimit = 20 * time.Second

func (p *program) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Say what a stack lacks: repository, rights, services, a way into its cluster", Args: arguments(0, 0),
		Long: `Say what a stack lacks: repository, rights, services, a way into its cluster. It looks and never writes; below each line that failed
stands what mends it. Every check is made on its own, so that the trouble of one hides no other.

Exit status: 0 all is well, 1 a check failed, 2 the configuration could not be read.`,
	}
	var file string
	p.configFlag(c)
	p.stackFlag(c)
	p.formatFlag(c)
	c.Flags().StringVar(&file, "file", "", "a local stack file in place of Git's")
	c.RunE = func(c *cobra.Command, _ []string) error {
		whole, s, err := p.selected()
		if err != nil {
			return err
		}
		findings := diagnose(c.Context(), whole, s, file)
		for i := range findings {
			findings[i].Mend = strings.ReplaceAll(findings[i].Mend, "--config FILE", "--config "+shell(p.configFile))
		}
		v := struct {
			Stack  string           `json:"stack"`
			Checks []doctor.Finding `json:"checks"`
		}{s.Name, findings}
		if err := p.show(v, func(view.Paint) error { return doctor.Text(p.out, findings) }); err != nil {
			return err
		}
		if !doctor.Healthy(findings) {
			return errDiffers
		}
		return nil
	}
	return c
}

// diagnose makes all the checks: first what the others are made from, then the others side by side.
func diagnose(ctx context.Context, c *config.Config, s config.Stack, file string) []doctor.Finding {
	read := &reading{config: c, stack: s, file: file}
	findings := doctor.Run(ctx, checkLimit, []doctor.Check{{Name: "repository", Look: read.repository}})
	findings = append(findings, doctor.Run(ctx, checkLimit, []doctor.Check{{Name: "stack", Look: read.load}})...)
	stack, needs := read.result()
	observe := s.Mode == config.Observe
	settings := driversConfig(c, s, hooks{})
	google := doctor.Google{Config: settings.GCP, Region: read.region(), Needs: needs, Resources: stack, Observe: observe, Now: time.Now}
	cluster := doctor.Kubernetes{Resources: stack, Observe: observe, Reach: func(ctx context.Context) (*rest.Config, error) {
		return drivers.Reach(ctx, settings, clusterOf(stack))
	}}
	checks := []doctor.Check{doctor.Folder("state", c.StateDir), doctor.Socket(c.ControlSocket)}
	return append(findings, doctor.Run(ctx, checkLimit, slices.Concat(checks, google.Checks(), cluster.Checks()))...)
}

// clusterOf is the cluster that the stack's objects stand on; the zero value if they stand on none.
func clusterOf(stack []resource.Resource) resource.Resource {
	for _, r := range stack {
		for _, n := range r.Needs {
			i := slices.IndexFunc(stack, func(on resource.Resource) bool { return on.Ref == n.Ref && on.Ref.Kind == "cluster" })
			if n.In && i >= 0 {
				return stack[i]
			}
		}
	}
	return resource.Resource{}
}

// reading is the stack as the repository has it, as far as it could be read.
type reading struct {
	config *config.Config
	stack  config.Stack
	file   string

	revision *reconcile.Revision
	path     string
	read     *desired.Stack // nil: it could not be read
}

// repository finds the newest commit, or the local file.
func (r *reading) repository(ctx context.Context) doctor.Finding {
	if r.file != "" {
		source, err := gitsource.NewFile(r.file)
		if err != nil {
			return doctor.Wrong("", "%v", err)
		}
		return r.fetch(ctx, source, source.Name(), r.file)
	}
	g := gitConfig(r.config, r.stack)
	g.ReadOnly = true
	source, err := gitsource.New(g)
	if err != nil {
		return doctor.Wrong("", "%v", err)
	}
	defer source.Close()
	err = source.Poll(ctx)
	if err != nil {
		return doctor.Wrong("git ls-remote "+shell(source.String())+" "+shell(r.stack.Git.Branch), "%v", err)
	}
	return r.fetch(ctx, source, r.stack.Git.Path, fmt.Sprintf("%s, branch %s", source, r.stack.Git.Branch))
}

func (r *reading) fetch(ctx context.Context, source reconcile.Source, path, what string) doctor.Finding {
	revision, err := source.Fetch(ctx)
	if err != nil {
		return doctor.Wrong("", "%v", err)
	}
	r.revision, r.path = &revision, path
	return doctor.Well("%s at %s", what, view.Short(revision.Commit))
}

// load reads the stack file of the commit as the daemon does, but asks nobody for what is looked up outside Git.
func (r *reading) load(ctx context.Context) doctor.Finding {
	if r.revision == nil {
		return doctor.Skipped("the repository could not be read; below stands what clusters, buckets and registries need")
	}
	stack, err := stackReader(r.stack, r.path, false, outside{})(ctx, r.revision.Tree, time.Now())
	if err != nil {
		return doctor.Wrong("recsysd check "+shell(r.path), "%v", err)
	}
	r.read = stack
	return doctor.Well("%s, %d resources", r.path, len(stack.Resources))
}

// result is the stack, and what it needs; of one that could not be read what most stacks need.
func (r *reading) result() ([]resource.Resource, doctor.Needs) {
	if r.read == nil {
		return nil, doctor.Usual()
	}
	return r.read.Resources, needsOf(r.read)
}

// region is the stack's; "" if it could not be read.
func (r *reading) region() string {
	if r.read == nil {
		return ""
	}
	return r.read.Region
}

func needsOf(s *desired.Stack) doctor.Needs {
	needs := doctor.Stack{Project: s.Project, Resources: s.Resources}
	for _, m := range s.Managed {
		needs.Secrets = append(needs.Secrets, m.Secret)
	}
	return doctor.NeedsOf(needs)
}

// shell makes one word of the shell out of a text.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (p *program) bootstrapCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "bootstrap [FILE]", Short: "Print the gcloud commands that give a project what a stack needs", Args: arguments(0, 1),
		Long: `Print the gcloud commands that give a project what a stack needs: services, the daemon's account, and a role with exactly the permissions
for the kinds of resources in the stack. FILE is a stack file; without it the stack is the configuration's. Nothing is run.`,
	}
	account, environment := "recsysd", ""
	p.configFlag(c)
	p.stackFlag(c)
	c.Flags().StringVar(&account, "account", account, "id of the daemon's service account")
	c.Flags().StringVar(&environment, "environment", "", "with FILE: lay environments/NAME.yaml over it")
	c.RunE = func(c *cobra.Command, args []string) error {
		var b doctor.Bootstrap
		var err error
		if len(args) == 1 {
			var stack *desired.Stack
			if stack, err = loadFile(c.Context(), args[0], desired.Options{Environment: environment}); err != nil {
				return err
			}
			b = bootstrapOf(stack, account)
		} else if b, err = p.bootstrapOfConfig(c.Context(), account); err != nil {
			return err
		}
		script, err := b.Script()
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(p.out, script)
		return err
	}
	return c
}

// bootstrapOf is about a stack that was read.
func bootstrapOf(s *desired.Stack, account string) doctor.Bootstrap {
	b := doctor.Bootstrap{Stack: s.Name, Project: s.Project, Account: account, Needs: needsOf(s)}
	for _, r := range s.ProjectRoles {
		b.Others = append(b.Others, doctor.ProjectRole(r))
	}
	return b
}

// bootstrapOfConfig is about the stack of the configuration.
func (p *program) bootstrapOfConfig(ctx context.Context, account string) (doctor.Bootstrap, error) {
	c, s, err := p.selected()
	if err != nil {
		return doctor.Bootstrap{}, err
	}
	read := &reading{config: c, stack: s}
	for _, look := range []func(context.Context) doctor.Finding{read.repository, read.load} {
		if f := look(ctx); f.Outcome != doctor.OK {
			return doctor.Bootstrap{}, errors.New(f.Detail)
		}
	}
	return bootstrapOf(read.read, account), nil
}
