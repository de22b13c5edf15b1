package cluster_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/gcp/gke"
	"recsysd.dev/recsysd/internal/drivers/nodepool"
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
			resourcetest.Run(t, func(t *testing.T) resourcetest.Harness[cluster.Spec] {
				srv := gcptest.Start(t)
				return harness(t, srv, config(srv))
			})
		})
	}
}

func harness(t *testing.T, srv *gcptest.Server, config gcp.Config) resourcetest.Harness[cluster.Spec] {
	forbid := func(method string) func(bool) {
		return func(on bool) {
			if on {
				srv.Forbid(method)
			} else {
				srv.Allow(method)
			}
		}
	}
	return resourcetest.Harness[cluster.Spec]{
		Ours:  resourcetest.Stack[cluster.Spec]{Driver: open(t, config, "ours"), Spec: sampler("ours")},
		Other: resourcetest.Stack[cluster.Spec]{Driver: open(t, config, "other"), Spec: sampler("other")},
		Edits: []resourcetest.Edit[cluster.Spec]{
			{Field: "releaseChannel", Do: func(s cluster.Spec) cluster.Spec { s.ReleaseChannel = new("stable"); return s }},
			{Field: "labels.team", Do: func(s cluster.Spec) cluster.Spec {
				s.Labels = maps.Clone(s.Labels)
				s.Labels["team"] = "shop"
				return s
			}},
			{Field: "maintenanceWindow", Do: func(s cluster.Spec) cluster.Spec {
				s.MaintenanceWindow = &cluster.Window{Start: "22:30", Duration: gcp.Duration(6 * time.Hour), Days: []string{"sun", "wed"}}
				return s
			}},
			{Field: "authorizedNetworks", Do: func(s cluster.Spec) cluster.Spec { s.AuthorizedNetworks = []cluster.Network{}; return s }},
			{Field: "dnsEndpoint", Do: func(s cluster.Spec) cluster.Spec { s.DNSEndpoint = new(true); return s }},
			{Field: "privateNodes", Do: func(s cluster.Spec) cluster.Spec { s.PrivateNodes = new(true); return s }},
		},
		Recreates: []resourcetest.Edit[cluster.Spec]{
			{Field: "location", Do: func(s cluster.Spec) cluster.Spec { s.Location = "us-east1"; return s }},
		},
		Foreign: resourcetest.Foreign[cluster.Spec]{Field: "releaseChannel", Do: func(t *testing.T, s cluster.Spec) {
			srv.EditCluster(s.Name, func(pb *containerpb.Cluster) {
				pb.ReleaseChannel = &containerpb.ReleaseChannel{Channel: containerpb.ReleaseChannel_RAPID}
			})
		}},
		Writes:     func() int { return srv.Received() },
		Settle:     srv.Settle,
		ForbidList: forbid("ListClusters"),
		ForbidGet:  forbid("GetCluster"),
		Hang: func(on bool) {
			if on {
				srv.Hang(gcp.Container)
			} else {
				srv.Allow(gcp.Container)
			}
		},
		Guarded: true,
	}
}

func open(t *testing.T, config gcp.Config, stack string) *cluster.Driver {
	t.Helper()
	service, err := gke.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	d, err := cluster.New(t.Context(), service, stack)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sampler makes specs that declare every field, with the marks of a stack.
func sampler(stack string) func(n int) cluster.Spec {
	return func(n int) cluster.Spec {
		s := sample(stack)
		s.Name = fmt.Sprintf("sample-%d", n)
		return s
	}
}

func sample(stack string) cluster.Spec {
	return cluster.Spec{
		Name: "acme-gke", Location: "us-central1", Mode: cluster.Autopilot,
		ReleaseChannel:     new("regular"),
		MaintenanceWindow:  &cluster.Window{Start: "02:00", Duration: gcp.Duration(4 * time.Hour)},
		AuthorizedNetworks: []cluster.Network{{CIDR: "203.0.113.0/24", Name: "office"}, {CIDR: "198.51.100.7/32"}},
		DNSEndpoint:        new(false),
		PrivateNodes:       new(false),
		Labels:             map[string]string{"team": "ml", gcp.LabelManagedBy: gcp.ManagedBy, gcp.LabelStack: stack},
	}
}

// minimal is what the stack file of the seed says, and no more.
func minimal(stack string) cluster.Spec {
	return cluster.Spec{
		Name: "acme-gke", Location: "us-central1", Mode: cluster.Autopilot,
		Labels: map[string]string{gcp.LabelManagedBy: gcp.ManagedBy, gcp.LabelStack: stack},
	}
}

// standard is a Standard cluster with one pool, and no more.
func standard(stack string) cluster.Spec {
	s := minimal(stack)
	s.Mode, s.Pools = cluster.Standard, pools(stack)
	return s
}

func pools(stack string) []nodepool.Spec {
	s := nodepool.Spec{Name: "default", Machine: "e2-standard-4", Min: new(1), Max: new(3), ResourceLabels: minimal(stack).Labels}
	return []nodepool.Spec{s.In("acme-gke", "us-central1")}
}

// see looks at one cluster by name; it must be there.
func see(t *testing.T, d *cluster.Driver, want cluster.Spec) resource.Live[cluster.Spec] {
	t.Helper()
	seen, err := d.Observe(t.Context(), []cluster.Spec{want}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Live) != 1 {
		t.Fatalf("%s should be seen once: %+v", want.Name, seen)
	}
	return seen.Live[0]
}

func create(t *testing.T, d *cluster.Driver, want cluster.Spec) {
	t.Helper()
	if err := d.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
}
