package nodepool_test

import (
	"fmt"
	"maps"
	"testing"

	"cloud.google.com/go/container/apiv1/containerpb"

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
			resourcetest.Run(t, func(t *testing.T) resourcetest.Harness[nodepool.Spec] {
				srv := gcptest.Start(t)
				srv.AddAccount(nodesAccount)
				return harness(t, srv, config(srv))
			})
		})
	}
}

// harness has a cluster for each sample, since GKE takes one operation on a cluster at a time.
func harness(t *testing.T, srv *gcptest.Server, config gcp.Config) resourcetest.Harness[nodepool.Spec] {
	for n := range 8 {
		addCluster(srv, clusterName(n))
	}
	forbid := func(method string) func(bool) {
		return func(on bool) {
			if on {
				srv.Forbid(method)
			} else {
				srv.Allow(method)
			}
		}
	}
	type edit = resourcetest.Edit[nodepool.Spec]
	return resourcetest.Harness[nodepool.Spec]{
		Ours:  resourcetest.Stack[nodepool.Spec]{Driver: open(t, config, "ours"), Spec: sampler("ours")},
		Other: resourcetest.Stack[nodepool.Spec]{Driver: open(t, config, "other"), Spec: sampler("other")},
		Edits: []edit{
			{Field: "machine", Do: func(s nodepool.Spec) nodepool.Spec { s.Machine = "e2-standard-8"; return s }},
			{Field: "disk.size", Do: func(s nodepool.Spec) nodepool.Spec { s.Disk.Size = new(nodepool.GiB(80)); return s }},
			{Field: "disk.type", Do: func(s nodepool.Spec) nodepool.Spec { s.Disk.Type = new("pd-ssd"); return s }},
			{Field: "autoscaling", Do: func(s nodepool.Spec) nodepool.Spec { s.Min, s.Max = new(0), new(5); return s }},
			{Field: "labels.purpose", Do: func(s nodepool.Spec) nodepool.Spec {
				s.Labels = map[string]string{"purpose": "training"}
				return s
			}},
			{Field: "taints", Do: func(s nodepool.Spec) nodepool.Spec { s.Taints = []nodepool.Taint{}; return s }},
			{Field: "upgrade", Do: func(s nodepool.Spec) nodepool.Spec {
				s.Upgrade = &nodepool.Upgrade{MaxSurge: new(0), MaxUnavailable: new(2)}
				return s
			}},
			{Field: "zones", Do: func(s nodepool.Spec) nodepool.Spec { s.Zones = []string{"us-central1-f"}; return s }},
			{Field: "autoRepair", Do: func(s nodepool.Spec) nodepool.Spec { s.AutoRepair = new(false); return s }},
			{Field: "autoUpgrade", Do: func(s nodepool.Spec) nodepool.Spec { s.AutoUpgrade = new(false); return s }},
			{Field: "resourceLabels.team", Do: func(s nodepool.Spec) nodepool.Spec {
				s.ResourceLabels = maps.Clone(s.ResourceLabels)
				s.ResourceLabels["team"] = "shop"
				return s
			}},
		},
		Recreates: []edit{
			{Field: "spot", Do: func(s nodepool.Spec) nodepool.Spec { s.Spot = true; return s }},
			{Field: "serviceAccount", Do: func(s nodepool.Spec) nodepool.Spec { s.ServiceAccount = new("others"); return s }},
		},
		Foreign: resourcetest.Foreign[nodepool.Spec]{Field: "taints", Do: func(t *testing.T, s nodepool.Spec) {
			srv.EditNodePool(s.Cluster, s.Name, func(pb *containerpb.NodePool) { pb.Config.Taints = nil })
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

// addCluster makes a cluster that is in no channel, so that Google lets go of its pools' management.
func addCluster(srv *gcptest.Server, name string) {
	srv.AddCluster("us-central1", name)
	srv.EditCluster(name, func(pb *containerpb.Cluster) { pb.ReleaseChannel = nil })
}

func open(t *testing.T, config gcp.Config, stack string) *nodepool.Driver {
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
	return nodepool.New(service, stack)
}

func clusterName(n int) string { return fmt.Sprintf("sample-%d", n) }

// sampler makes specs that declare every field, with the marks of a stack.
func sampler(stack string) func(n int) nodepool.Spec {
	return func(n int) nodepool.Spec { return sample(stack).In(clusterName(n), "us-central1") }
}

func sample(stack string) nodepool.Spec {
	return nodepool.Spec{
		Name: "workers", Cluster: "one", Location: "us-central1",
		Machine: "e2-standard-4", Disk: nodepool.Disk{Size: new(nodepool.GiB(50)), Type: new("pd-balanced")},
		Min: new(1), Max: new(3), Zones: []string{"us-central1-a", "us-central1-b"},
		Labels: map[string]string{"purpose": "serving"}, Taints: []nodepool.Taint{{Key: "dedicated", Value: "recsys", Effect: "NoSchedule"}},
		Upgrade:        &nodepool.Upgrade{MaxSurge: new(2), MaxUnavailable: new(0)},
		ServiceAccount: new("recsys-nodes"), AutoRepair: new(true), AutoUpgrade: new(true),
		ResourceLabels: marks(stack),
	}
}

// minimal is as little as a stack file can say.
func minimal(stack string) nodepool.Spec {
	s := nodepool.Spec{Name: "workers", Machine: "e2-standard-4", Min: new(1), Max: new(3), ResourceLabels: marks(stack)}
	return s.In("one", "us-central1")
}

func marks(stack string) map[string]string {
	return map[string]string{"team": "ml", gcp.LabelManagedBy: gcp.ManagedBy, gcp.LabelStack: stack}
}

// see looks at one pool by name; it must be there.
func see(t *testing.T, d *nodepool.Driver, want nodepool.Spec) resource.Live[nodepool.Spec] {
	t.Helper()
	seen, err := d.Observe(t.Context(), []nodepool.Spec{want}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Live) != 1 {
		t.Fatalf("%v should be seen once: %+v", want.Ref(), seen)
	}
	return seen.Live[0]
}

// diff is how a pool that was seen differs, as the engine compares it.
func diff(want nodepool.Spec, l resource.Live[nodepool.Spec]) []resource.Change {
	if l.Want != nil {
		want = *l.Want
	}
	return want.Diff(l.Spec)
}

// converged is a pool in a cluster of its own that is as it should be, with everything that GKE fills in.
func converged(t *testing.T, want nodepool.Spec) (*gcptest.Server, *nodepool.Driver) {
	t.Helper()
	srv := gcptest.Start(t)
	srv.AddAccount(nodesAccount)
	addCluster(srv, want.Cluster)
	d := open(t, srv.Config(), "ours")
	if err := d.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	srv.Settle()
	if l := see(t, d, want); l.State != resource.Ready || len(diff(want, l)) > 0 {
		t.Fatalf("a new pool should be ready and in sync: %+v %v", l, diff(want, l))
	}
	srv.Forget()
	return srv, d
}
