package cluster_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/gcp/gke"
	"recsysd.dev/recsysd/internal/drivers/nodepool"
	"recsysd.dev/recsysd/internal/resource"
)

// A Standard cluster is made with its pools, which GKE demands, and gives pods identities of their own.
func TestStandard(t *testing.T) {
	want := standard("ours")
	srv, d := converged(t, want)
	pb := srv.Cluster(want.Name)
	if pb.GetAutopilot().GetEnabled() || pb.GetWorkloadIdentityConfig().GetWorkloadPool() != "acme.svc.id.goog" {
		t.Errorf("neither Autopilot nor without Workload Identity: %v %v", pb.GetAutopilot(), pb.GetWorkloadIdentityConfig())
	}
	pool := srv.NodePool(want.Name, "default")
	if pool.GetConfig().GetResourceLabels()[gcp.LabelStack] != "ours" || pool.GetAutoscaling().GetTotalMaxNodeCount() != 3 {
		t.Errorf("the pool is made with the cluster, as the stack's: %v", pool)
	}
	if pool.GetConfig().GetWorkloadMetadataConfig().GetMode() != containerpb.WorkloadMetadataConfig_GKE_METADATA {
		t.Errorf("its pods get identities of their own: %v", pool.GetConfig().GetWorkloadMetadataConfig())
	}
	if other := standard("ours"); resource.Of(other).Hash != resource.Of(want).Hash {
		t.Error("equal specs should have equal hashes")
	}
	other := standard("ours")
	other.Pools = append(other.Pools, nodepool.Spec{Name: "more"})
	if resource.Of(other).Hash != resource.Of(want).Hash || len(other.Diff(see(t, d, want).Spec)) > 0 {
		t.Error("once it is made, the pools are none of the cluster's own settings")
	}
}

// Workload Identity that a hand has switched off comes back, in place.
func TestWorkloadIdentityComesBack(t *testing.T) {
	want := standard("ours")
	srv, d := converged(t, want)
	srv.EditCluster(want.Name, func(pb *containerpb.Cluster) { pb.WorkloadIdentityConfig = nil })
	live := see(t, d, want).Spec
	diff := want.Diff(live)
	if len(diff) != 1 || diff[0].Field != "workloadIdentity" || diff[0].Recreate {
		t.Fatalf("no grant works without it: %v", diff)
	}
	if err := d.Update(t.Context(), want, live, diff); err != nil {
		t.Fatal(err)
	}
	srv.Settle()
	if diff := want.Diff(see(t, d, want).Spec); len(diff) > 0 {
		t.Errorf("it should be back: %v", diff)
	}
}

// What cannot change in place says so, and a change of the mode says how to go about it.
func TestStandardIsFixed(t *testing.T) {
	want := standard("ours")
	want.Network, want.Subnet, want.PodRange, want.ServiceRange = "main", "nodes", "pods", "services"
	live := want
	live.Network, live.Subnet = "projects/acme/global/networks/main", "projects/acme/regions/us-central1/subnetworks/nodes"
	if diff := want.Diff(live); len(diff) > 0 {
		t.Errorf("a name in full and a short one are the same: %v", diff)
	}
	if diff := standard("ours").Diff(live); len(diff) > 0 {
		t.Errorf("a network that is not declared is not compared: %v", diff)
	}
	tests := []struct {
		field string
		edit  func(*cluster.Spec)
		note  string
	}{
		{"mode", func(s *cluster.Spec) { s.Mode = cluster.Autopilot }, "docs/operations.md"},
		{"network", func(s *cluster.Spec) { s.Network = "other" }, ""},
		{"network", func(s *cluster.Spec) { s.Network = "projects/host/global/networks/main" }, ""},
		{"subnet", func(s *cluster.Spec) { s.Subnet = "other" }, ""},
		{"podRange", func(s *cluster.Spec) { s.PodRange = "other" }, ""},
		{"serviceRange", func(s *cluster.Spec) { s.ServiceRange = "other" }, ""},
	}
	for _, tt := range tests {
		edited := want
		tt.edit(&edited)
		diff := edited.Diff(live)
		if len(diff) != 1 || diff[0].Field != tt.field || !diff[0].Recreate || !strings.Contains(diff[0].Note, tt.note) {
			t.Errorf("%s: %v", tt.field, diff)
		}
	}
	if n := want.Needs(); len(n) != 1 || n[0].Ref != (resource.Ref{Kind: "network", Name: "main"}) || n[0].In {
		t.Errorf("a cluster stands on its network, and does not go with it: %v", n)
	}
	want.Pools = slices.Clone(want.Pools)
	for i := range want.Pools {
		want.Pools[i].ServiceAccount = new("recsys-nodes")
	}
	if n := want.Needs(); len(n) != 2 || n[1] != (resource.Need{Ref: resource.Ref{Kind: "identity", Name: "recsys-nodes"}}) {
		t.Errorf("its pools are made with it, so their account comes before it: %v", n)
	}
}

// Clusters and pools that are looked at in the same pass cost one listing between them, and a second pass another.
func TestOneListingForBothKinds(t *testing.T) {
	srv := gcptest.Start(t)
	service, err := gke.Open(t.Context(), srv.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	clusters, err := cluster.New(t.Context(), service, "ours")
	if err != nil {
		t.Fatal(err)
	}
	pools, want := nodepool.New(service, "ours"), standard("ours")
	create(t, clusters, want)
	srv.Settle()
	look := func() (resource.Seen[cluster.Spec], resource.Seen[nodepool.Spec]) {
		t.Helper()
		c, err := clusters.Observe(t.Context(), []cluster.Spec{want}, true)
		p, perr := pools.Observe(t.Context(), want.Pools, true)
		if err := errors.Join(err, perr); err != nil || len(c.Live) != 1 || len(p.Live) != 1 {
			t.Fatal(err, c, p)
		}
		return c, p
	}
	for range 3 {
		srv.Forget()
		look()
		if calls := srv.Calls(); len(calls) != 1 || calls[0].Method != "ListClusters" {
			t.Errorf("a pass should cost one listing for both kinds: %v", calls)
		}
	}
	// What one of them has listed before a write is nothing for the other to go by after it.
	c, err := clusters.Observe(t.Context(), []cluster.Spec{want}, true)
	if err != nil {
		t.Fatal(err)
	}
	want.Labels["team"] = "shop"
	if err := clusters.Update(t.Context(), want, c.Live[0].Spec, want.Diff(c.Live[0].Spec)); err != nil {
		t.Fatal(err)
	}
	srv.Settle()
	srv.Forget()
	if _, err := pools.Observe(t.Context(), want.Pools, true); err != nil || srv.Count("ListClusters") != 1 {
		t.Errorf("after a write it should be listed anew: %v %v", err, srv.Calls())
	}
}

// A cluster in which another stack has a pool is not removed under it.
func TestAnotherStacksPoolKeepsTheCluster(t *testing.T) {
	want := standard("ours")
	srv, d := converged(t, want)
	live := see(t, d, want).Spec
	srv.EditCluster(want.Name, func(pb *containerpb.Cluster) {
		pb.NodePools = append(pb.NodePools, &containerpb.NodePool{Name: "theirs", Config: &containerpb.NodeConfig{
			ResourceLabels: map[string]string{gcp.LabelStack: "other"}}})
	})
	if err := d.Delete(t.Context(), live, false); err == nil || !strings.Contains(err.Error(), "stack other") || srv.Received() > 0 {
		t.Errorf("it should be left alone: %v %v", err, srv.Calls())
	}
}
