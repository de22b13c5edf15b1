package registry_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/resource/resourcetest"
)

// TestContract holds the driver to the contract of every kind, over both of the client library's protocols.
func TestContract(t *testing.T) {
	for name, config := range map[string]func(*gcptest.Server) gcp.Config{
		"grpc": (*gcptest.Server).Config,
		"rest": (*gcptest.Server).RESTConfig,
	} {
		t.Run(name, func(t *testing.T) {
			resourcetest.Run(t, func(t *testing.T) resourcetest.Harness[registry.Spec] {
				srv := gcptest.Start(t)
				return harness(t, srv, config(srv))
			})
		})
	}
}

func harness(t *testing.T, srv *gcptest.Server, config gcp.Config) resourcetest.Harness[registry.Spec] {
	forbid := func(method string) func(bool) {
		return func(on bool) {
			if on {
				srv.Forbid(method)
			} else {
				srv.Allow(method)
			}
		}
	}
	cleanup := func(edit func(*registry.Cleanup)) func(registry.Spec) registry.Spec {
		return func(s registry.Spec) registry.Spec {
			c := *s.Cleanup
			edit(&c)
			s.Cleanup = &c
			return s
		}
	}
	return resourcetest.Harness[registry.Spec]{
		Ours:  resourcetest.Stack[registry.Spec]{Driver: open(t, config, "ours"), Spec: sampler("ours")},
		Other: resourcetest.Stack[registry.Spec]{Driver: open(t, config, "other"), Spec: sampler("other")},
		Edits: []resourcetest.Edit[registry.Spec]{
			{Field: "description", Do: func(s registry.Spec) registry.Spec { s.Description = new("other images"); return s }},
			{Field: "labels.team", Do: func(s registry.Spec) registry.Spec {
				s.Labels = maps.Clone(s.Labels)
				s.Labels["team"] = "shop"
				return s
			}},
			{Field: "cleanup.keepLast", Do: cleanup(func(c *registry.Cleanup) { c.KeepLast = new(3) })},
			{Field: "cleanup.deleteUntaggedAfter", Do: cleanup(func(c *registry.Cleanup) { c.DeleteUntaggedAfter = nil })},
			{Field: "cleanup.deleteAfter", Do: cleanup(func(c *registry.Cleanup) { c.DeleteAfter = days(365) })},
			{Field: "cleanup.dryRun", Do: cleanup(func(c *registry.Cleanup) { c.DryRun = true })},
			{Field: "immutableTags", Do: func(s registry.Spec) registry.Spec { s.ImmutableTags = new(true); return s }},
			{Field: "readers.serviceAccount:123456789012-compute@developer.gserviceaccount.com", Do: func(s registry.Spec) registry.Spec {
				s.Nodes = []string{registry.DefaultNodes}
				return s
			}},
			{Field: "readers.user:ada@example.com", Do: func(s registry.Spec) registry.Spec {
				s.Readers = []string{"user:Ada@example.com", "serviceAccount:123456789012-compute@developer.gserviceaccount.com"}
				return s
			}},
			{Field: "scanning", Do: func(s registry.Spec) registry.Spec { s.Scanning = new("disabled"); return s }},
		},
		Recreates: []resourcetest.Edit[registry.Spec]{
			{Field: "location", Do: func(s registry.Spec) registry.Spec { s.Location = "europe"; return s }},
			{Field: "format", Do: func(s registry.Spec) registry.Spec {
				s.Format, s.ImmutableTags = "python", nil
				return s
			}},
		},
		Foreign: resourcetest.Foreign[registry.Spec]{Field: "cleanup.keepLast", Do: func(_ *testing.T, s registry.Spec) {
			srv.EditRepository(s.Name, func(pb *artifactregistrypb.Repository) {
				pb.CleanupPolicies["keep-last"].GetMostRecentVersions().KeepCount = new(int32(99))
			})
		}},
		Writes:     func() int { return srv.Received() },
		Settle:     srv.Settle,
		ForbidList: forbid("ListRepositories"),
		ForbidGet:  forbid("GetRepository"),
		Hang: func(on bool) {
			if on {
				srv.Hang(gcp.ArtifactRegistry)
			} else {
				srv.Allow(gcp.ArtifactRegistry)
			}
		},
	}
}

func open(t *testing.T, config gcp.Config, stack string) *registry.Driver {
	t.Helper()
	who, err := gcp.NewPrincipals(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return openAs(t, config, stack, who)
}

func openAs(t *testing.T, config gcp.Config, stack string, who *gcp.Principals) *registry.Driver {
	t.Helper()
	d, err := registry.New(t.Context(), config, stack, who)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func days(n int) *gcp.Duration { return new(gcp.Duration(time.Duration(n) * 24 * time.Hour)) }

func sampler(stack string) func(n int) registry.Spec {
	return func(n int) registry.Spec {
		s := sample(stack)
		s.Name = fmt.Sprintf("sample-%d", n)
		return s
	}
}

// sample declares every field, with the marks of a stack.
func sample(stack string) registry.Spec {
	return registry.Spec{
		Name: "acme-recsys", Location: "us-central1", Format: "docker",
		Description:   new("Docker images for recommendation system"),
		Cleanup:       &registry.Cleanup{KeepLast: new(10), DeleteUntaggedAfter: days(30), DeleteAfter: days(180)},
		ImmutableTags: new(false),
		Scanning:      new("inherited"),
		Labels:        map[string]string{"team": "ml", gcp.LabelManagedBy: gcp.ManagedBy, gcp.LabelStack: stack},
	}
}

// see looks at one repository by name; it must be there.
func see(t *testing.T, d *registry.Driver, want registry.Spec) resource.Live[registry.Spec] {
	t.Helper()
	seen, err := d.Observe(t.Context(), []registry.Spec{want}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Live) != 1 {
		t.Fatalf("%s should be seen once: %+v", want.Name, seen)
	}
	return seen.Live[0]
}

func create(t *testing.T, d *registry.Driver, want registry.Spec) {
	t.Helper()
	if err := d.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
}
