package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/serviceusage/v1"
	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Google makes the checks of a project. Every one opens its own client, so that the trouble of one is no other's.
type Google struct {
	Config    gcp.Config
	Region    string // of the stack
	Needs     Needs
	Resources []resource.Resource // of the stack, as far as it could be read
	Observe   bool                // nothing is written anyway
	Now       func() time.Time
}

// maxSkew is how far the clock may be off: beyond it tokens are refused.
const maxSkew = time.Minute

// maxAsked is how many permissions or services one request may name.
const maxAsked = 20

// Checks are those of the project, in the order in which they are told.
func (g Google) Checks() []Check {
	checks := []Check{
		{"credentials", g.credentials}, {"project", g.project}, {"clock", g.clock}, {"services", g.services},
		{"rights to look", func(ctx context.Context) Finding { return g.rights(ctx, g.Needs.Read) }},
		{"rights to change", func(ctx context.Context) Finding {
			if g.Observe {
				return Skipped("mode is observe: nothing is changed")
			}
			return g.rights(ctx, g.Needs.Write)
		}},
	}
	if len(g.Needs.Nodes) > 0 && !g.Observe {
		checks = append(checks, Check{"node accounts", g.nodes})
	}
	if len(g.Needs.Secrets) > 0 {
		checks = append(checks, Check{"secrets", g.secrets})
	}
	if !g.Observe && slices.ContainsFunc(g.Needs.Optional, func(p string) bool { return !asideFromLeftovers(p) }) {
		checks = append(checks, Check{"leftovers", g.leftovers})
	}
	if slices.Contains(g.Needs.Optional, recordRight) {
		checks = append(checks, Check{"audit logs", g.record})
	}
	if slices.Contains(g.Needs.Optional, sizesRight) {
		checks = append(checks, Check{"bucket sizes", g.sizes})
	}
	return append(checks, Check{"quota", g.quota})
}

const logIn = "gcloud auth application-default login   # or attach a service account to the machine"

func (g Google) credentials(ctx context.Context) Finding {
	who, err := g.Config.Whose(ctx)
	if err != nil {
		return Wrong(logIn, "%v", err)
	}
	return Well("%s", who)
}

// unasked is a check for which there is nobody to ask as: what mends that stands at the credentials.
var unasked = Skipped("there are no credentials to ask with")

// fault is a question that got no good answer. What mends it depends on whether it got one at all.
func fault(mend string, err error) Finding {
	var asked *url.Error
	var away *net.OpError
	switch {
	case errors.Is(err, gcp.ErrCredentials):
		return unasked
	case errors.As(err, &asked) && errors.As(err, &away):
		if u, bad := url.Parse(asked.URL); bad == nil {
			mend = fmt.Sprintf("curl -sSI %s://%s   # this machine does not reach it: DNS, a proxy, a firewall", u.Scheme, u.Host)
		}
	}
	return Wrong(mend, "%v", err)
}

// projectOf asks for the project, and gives the answer's header also where it is a refusal.
func (g Google) projectOf(ctx context.Context) (*cloudresourcemanager.Project, http.Header, error) {
	opts, err := g.Config.HTTP(ctx, gcp.ResourceManager)
	if err != nil {
		return nil, nil, err
	}
	s, err := cloudresourcemanager.NewService(ctx, opts...)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.Projects.Get("projects/" + g.Config.Project).Context(ctx).Do()
	var refused *googleapi.Error
	switch {
	case err == nil:
		return p, p.Header, nil
	case errors.As(err, &refused):
		return nil, refused.Header, gcp.Explain("cloudresourcemanager.projects.get", err)
	}
	return nil, nil, gcp.Explain("cloudresourcemanager.projects.get", err)
}

func (g Google) project(ctx context.Context) Finding {
	p, _, err := g.projectOf(ctx)
	if err != nil {
		return fault(fmt.Sprintf("gcloud services enable cloudresourcemanager.googleapis.com --project=%s   # and grant resourcemanager.projects.get", g.Config.Project), err)
	}
	return Well("%s, number %s", p.ProjectId, strings.TrimPrefix(p.Name, "projects/"))
}

// clock compares with the time that Google's answer was sent at, whatever it said.
func (g Google) clock(ctx context.Context) Finding {
	before := g.Now()
	_, header, err := g.projectOf(ctx)
	after := g.Now()
	date, bad := http.ParseTime(header.Get("Date"))
	if bad != nil {
		if err == nil {
			err = errors.New("the answer has no date")
		}
		if errors.Is(err, gcp.ErrCredentials) {
			return unasked
		}
		return Skipped("nothing to compare with: %v", err)
	}
	// The header has whole seconds, and the answer was sent somewhere between the two.
	skew := before.Add(after.Sub(before) / 2).Sub(date.Add(500 * time.Millisecond)).Round(time.Second)
	if skew.Abs() > maxSkew {
		return Wrong("timedatectl set-ntp true", "the clock is %s off against Google's", skew)
	}
	return Well("within %s of Google's", maxSkew)
}

func (g Google) services(ctx context.Context) Finding {
	opts, err := g.Config.HTTP(ctx, gcp.ServiceUsage)
	if err != nil {
		return Wrong("", "%v", err)
	}
	s, err := serviceusage.NewService(ctx, opts...)
	if err != nil {
		return Wrong("", "%v", err)
	}
	var off []string
	parent := "projects/" + g.Config.Project
	for some := range slices.Chunk(g.Needs.Services, maxAsked) {
		var names []string
		for _, name := range some {
			names = append(names, parent+"/services/"+name)
		}
		got, err := s.Services.BatchGet(parent).Names(names...).Context(ctx).Do()
		if err != nil {
			return fault("gcloud services enable serviceusage.googleapis.com --project="+g.Config.Project+"   # and grant serviceusage.services.list",
				gcp.Explain("serviceusage.services.batchGet", err))
		}
		for _, service := range got.Services {
			if service.State != "ENABLED" {
				off = append(off, service.Name[strings.LastIndex(service.Name, "/")+1:])
			}
		}
	}
	if len(off) > 0 {
		return Wrong("gcloud services enable "+strings.Join(off, " ")+" --project="+g.Config.Project, "not enabled: %s", strings.Join(off, ", "))
	}
	return Well("%d enabled", len(g.Needs.Services))
}

const grantRights = "recsysd bootstrap --config FILE   # prints the commands that grant them"

// rights asks which of the permissions the caller has: on the project, and what is missing there on the stack's buckets, which may have
// been granted one by one.
func (g Google) rights(ctx context.Context, want []string) Finding {
	if len(want) == 0 {
		return Skipped("nothing is needed")
	}
	opts, err := g.Config.HTTP(ctx, gcp.ResourceManager)
	if err != nil {
		return Wrong("", "%v", err)
	}
	s, err := cloudresourcemanager.NewService(ctx, opts...)
	if err != nil {
		return Wrong("", "%v", err)
	}
	missing := slices.Clone(want)
	for some := range slices.Chunk(want, maxAsked) {
		got, err := s.Projects.TestIamPermissions("projects/"+g.Config.Project, &cloudresourcemanager.TestIamPermissionsRequest{Permissions: some}).Context(ctx).Do()
		if err != nil {
			return fault(grantRights, gcp.Explain("cloudresourcemanager.projects.testIamPermissions", err))
		}
		missing = slices.DeleteFunc(missing, func(p string) bool { return slices.Contains(got.Permissions, p) })
	}
	if len(missing) > 0 {
		missing = slices.DeleteFunc(missing, func(p string) bool { return g.onEveryBucket(ctx, p) })
	}
	if len(missing) > 0 {
		return Wrong(grantRights, "missing: %s", strings.Join(missing, ", "))
	}
	return Well("%d permissions", len(want))
}

// onEveryBucket reports whether the caller has a permission on each of the stack's buckets. One that is not there yet says no.
func (g Google) onEveryBucket(ctx context.Context, permission string) bool {
	if !strings.HasPrefix(permission, "storage.buckets.") || permission == "storage.buckets.create" || permission == "storage.buckets.list" {
		return false
	}
	opts, err := g.Config.HTTP(ctx, gcp.Storage)
	if err != nil {
		return false
	}
	s, err := storagev1.NewService(ctx, opts...)
	if err != nil {
		return false
	}
	asked := false
	for _, r := range g.Resources {
		if r.Ref.Kind != "bucket" {
			continue
		}
		got, err := s.Buckets.TestIamPermissions(r.Ref.Name, []string{permission}).Context(ctx).Do()
		if err != nil || !slices.Contains(got.Permissions, permission) {
			return false
		}
		asked = true
	}
	return asked
}
