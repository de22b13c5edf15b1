package nodepool_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/nodepool"
	"recsysd.dev/recsysd/internal/resource"
)

// What Google fills in, moves or adds by itself is no difference.
func TestGooglesOwnIsNoDrift(t *testing.T) {
	want := minimal("ours")
	want.Taints, want.Labels = []nodepool.Taint{}, map[string]string{"purpose": "serving"}
	srv, d := converged(t, want)
	srv.EditNodePool(want.Cluster, want.Name, func(pb *containerpb.NodePool) {
		pb.Version, pb.InitialNodeCount = "1.99", 3 // an upgrade, and the autoscaler at work
		pb.Config.Labels["cloud.google.com/gke-boot-disk"] = "pd-balanced"
		pb.Config.Taints = []*containerpb.NodeTaint{{Key: "kubernetes.io/arch", Value: "arm64", Effect: containerpb.NodeTaint_NO_SCHEDULE},
			{Key: "nvidia.com/gpu", Value: "present", Effect: containerpb.NodeTaint_NO_SCHEDULE}}
	})
	l := see(t, d, want)
	if c := diff(want, l); len(c) > 0 || l.State != resource.Ready {
		t.Errorf("none of that is ours: %v %v", c, l.State)
	}
	// What the stack does declare is written beside it.
	want.Taints = []nodepool.Taint{{Key: "dedicated", Effect: "NoSchedule"}}
	l = see(t, d, want)
	if err := d.Update(t.Context(), want, l.Spec, diff(want, l)); err != nil {
		t.Fatal(err)
	}
	srv.Settle()
	if taints := srv.NodePool(want.Cluster, want.Name).GetConfig().GetTaints(); len(taints) != 3 {
		t.Errorf("Google's own taints should stay beside ours: %v", taints)
	}
	want.Taints = append(want.Taints, nodepool.Taint{Key: "nvidia.com/gpu", Value: "present", Effect: "NoSchedule"})
	if c := diff(want, see(t, d, want)); len(c) > 0 {
		t.Errorf("one that the stack names is compared like any other: %v", c)
	}
}

// The settings that say how gently nodes are replaced are written before what replaces them; machine and disk in one go.
func TestOneChangeAtATimeInOrder(t *testing.T) {
	want := sample("ours")
	srv, d := converged(t, want)
	edited := sample("ours")
	edited.Machine, edited.Disk.Size, edited.Disk.Type = "n2-standard-8", new(nodepool.GiB(100)), new("pd-ssd")
	edited.Upgrade = &nodepool.Upgrade{MaxUnavailable: new(3)}
	edited.Min, edited.Max, edited.Size = nil, nil, new(8)
	edited.Zones = []string{"us-central1-a", "us-central1-b", "us-central1-c", "us-central1-f"}
	edited.Labels = map[string]string{"purpose": "training"}
	edited.Taints = []nodepool.Taint{}
	edited.AutoRepair = new(false)
	edited.ResourceLabels = maps.Clone(edited.ResourceLabels)
	edited.ResourceLabels["team"] = "shop"
	var methods []string
	for range 12 {
		l := see(t, d, edited)
		c := diff(edited, l)
		if len(c) == 0 {
			break
		}
		srv.Forget()
		if err := d.Update(t.Context(), edited, l.Spec, c); err != nil {
			t.Fatal(err)
		}
		if n := srv.Received(); n != 1 {
			t.Fatalf("an update should be one call: %v", srv.Calls())
		}
		methods = append(methods, srv.Writes()[0].Method)
		srv.Settle()
	}
	if got := strings.Join(methods, " "); got != "UpdateNodePool UpdateNodePool UpdateNodePool SetNodePoolAutoscaling UpdateNodePool UpdateNodePool SetNodePoolSize SetNodePoolManagement UpdateNodePool" {
		t.Errorf("labels, node labels, taints, autoscaling, upgrade, zones, size, management, machine: %s", got)
	}
	pb := srv.NodePool(want.Cluster, want.Name)
	if up := pb.GetUpgradeSettings(); up.GetMaxSurge() != 2 || up.GetMaxUnavailable() != 3 {
		t.Errorf("what the stack leaves out of the upgrade settings stays: %v", up)
	}
	if pb.GetInitialNodeCount() != 2 || pb.GetConfig().GetResourceLabels()["goog-gke-node-pool-provisioning-model"] != "on-demand" {
		t.Errorf("8 nodes in 4 zones are two in each, and Google's labels stay: %v", pb)
	}
}

// Numbers of nodes are those of all zones together, whatever the form in which somebody else has set them.
func TestNumbers(t *testing.T) {
	scale := func(edit func(*containerpb.NodePoolAutoscaling)) func(*containerpb.NodePool) {
		return func(pb *containerpb.NodePool) {
			pb.Autoscaling = &containerpb.NodePoolAutoscaling{Enabled: true}
			edit(pb.Autoscaling)
		}
	}
	perZone := scale(func(a *containerpb.NodePoolAutoscaling) { a.MinNodeCount, a.MaxNodeCount = 1, 3 })
	tests := []struct {
		why  string
		want func(*nodepool.Spec)
		hand func(*containerpb.NodePool)
		diff string
	}{
		{"a limit for each of two zones is another limit", nil, perZone, "autoscaling: 1 to 3 nodes in each zone"},
		{"in one zone it is the same", func(s *nodepool.Spec) { s.Zones = []string{"us-central1-a"} }, perZone, ""},
		{"somebody has switched the autoscaler off", nil, func(pb *containerpb.NodePool) { pb.Autoscaling = nil }, "autoscaling: off"},
		{"a fixed number is ours", func(s *nodepool.Spec) { s.Min, s.Max, s.Size = nil, nil, new(2) },
			func(pb *containerpb.NodePool) { pb.InitialNodeCount = 5 }, "size: 10"},
		{"a fixed number with an autoscaler switched on: that goes first", func(s *nodepool.Spec) { s.Min, s.Max, s.Size = nil, nil, new(2) },
			scale(func(a *containerpb.NodePoolAutoscaling) { a.TotalMaxNodeCount = 9 }), "autoscaling: 0 to 9 nodes"},
		{"blue-green is another way than the one declared", nil, func(pb *containerpb.NodePool) {
			pb.UpgradeSettings.Strategy = containerpb.NodePoolUpdateStrategy_BLUE_GREEN.Enum()
		}, "upgrade: blue-green"},
		{"without the metadata server pods have the node's identity", nil, func(pb *containerpb.NodePool) { pb.Config.WorkloadMetadataConfig = nil }, "metadataServer: off"},
	}
	for _, tt := range tests {
		want := sample("ours")
		if tt.want != nil {
			tt.want(&want)
		}
		srv, d := converged(t, want)
		srv.EditNodePool(want.Cluster, want.Name, tt.hand)
		l := see(t, d, want)
		var got []string
		for _, c := range diff(want, l) {
			got = append(got, c.Field+": "+c.Have)
		}
		if s := strings.Join(got, "; "); s != tt.diff {
			t.Errorf("%s: want %q, have %q", tt.why, tt.diff, s)
			continue
		}
		if len(got) == 0 {
			continue
		}
		if err := d.Update(t.Context(), want, l.Spec, diff(want, l)); err != nil {
			t.Errorf("%s: %v", tt.why, err)
		}
		srv.Settle()
		if c := diff(want, see(t, d, want)); len(c) > 0 && tt.diff != "autoscaling: 0 to 9 nodes" {
			t.Errorf("%s: one update should mend it: %v", tt.why, c)
		}
	}
}

// No call that carries no etag is made on an older look; busy is waited for, and is never a "no".
func TestWritesAreGuarded(t *testing.T) {
	edits := map[string]func(*nodepool.Spec){
		"UpdateNodePool":         func(s *nodepool.Spec) { s.Machine = "e2-standard-8" },
		"SetNodePoolAutoscaling": func(s *nodepool.Spec) { s.Max = new(9) },
		"SetNodePoolManagement":  func(s *nodepool.Spec) { s.AutoUpgrade = new(false) },
	}
	for method, edit := range edits {
		want := sample("ours")
		srv, d := converged(t, want)
		edit(&want)
		old := see(t, d, want)
		srv.EditNodePool(want.Cluster, want.Name, func(pb *containerpb.NodePool) { pb.Config.Tags = []string{"somebody's"} })
		for range 5 {
			if err := d.Update(t.Context(), want, old.Spec, diff(want, old)); err == nil || errors.Is(err, resource.ErrRejected) {
				t.Errorf("%s: decided on an older look, it should be refused and be worth a retry: %v", method, err)
			}
		}
		if len(srv.Writes()) > 0 {
			t.Errorf("%s: %v", method, srv.Writes())
		}
		now := see(t, d, want)
		srv.SetDelay(gcptest.Never)
		srv.StartUpgrade(want.Cluster)
		for range 5 {
			err := d.Update(t.Context(), want, now.Spec, diff(want, now))
			if !errors.Is(err, resource.ErrUnavailable) || errors.Is(err, resource.ErrRejected) || !strings.Contains(err.Error(), "operation-") {
				t.Errorf("%s: another operation is waited for: %v", method, err)
			}
		}
		srv.Settle()
		if err := d.Update(t.Context(), want, now.Spec, diff(want, now)); err != nil || srv.Writes()[0].Method != method {
			t.Errorf("after that it should go through, as %s: %v %v", method, err, srv.Writes())
		}
	}
}

func TestStates(t *testing.T) {
	running := containerpb.NodePool_RUNNING
	tests := []struct {
		cluster containerpb.Cluster_Status
		pool    containerpb.NodePool_Status
		state   resource.State
		locked  bool
		why     string
	}{
		{containerpb.Cluster_RUNNING, running, resource.Ready, false, "it is as it should be"},
		{containerpb.Cluster_RUNNING, containerpb.NodePool_PROVISIONING, resource.Pending, true, "it is not there yet"},
		{containerpb.Cluster_RUNNING, containerpb.NodePool_RECONCILING, resource.Busy, false, "Google works on it"},
		{containerpb.Cluster_RUNNING, containerpb.NodePool_STOPPING, resource.Pending, true, "it is on its way out"},
		{containerpb.Cluster_RUNNING, containerpb.NodePool_ERROR, resource.Broken, false, "it does not work and may go"},
		{containerpb.Cluster_RUNNING, containerpb.NodePool_RUNNING_WITH_ERROR, resource.Ready, false, "a write may be what mends it"},
		{containerpb.Cluster_RUNNING, containerpb.NodePool_STATUS_UNSPECIFIED, resource.Unknown, false, "a status that is not known is not taken for anything"},
		{containerpb.Cluster_RECONCILING, running, resource.Busy, false, "GKE takes one operation on a cluster at a time"},
		{containerpb.Cluster_PROVISIONING, running, resource.Pending, true, "its cluster is not there yet"},
		{containerpb.Cluster_STOPPING, running, resource.Pending, true, "it goes with its cluster"},
	}
	want := minimal("ours")
	srv, d := converged(t, want)
	for _, tt := range tests {
		srv.EditCluster(want.Cluster, func(pb *containerpb.Cluster) {
			pb.Status = tt.cluster
			for _, p := range pb.NodePools {
				if p.Name == want.Name {
					p.Status = tt.pool
				}
			}
		})
		l := see(t, d, want)
		quiet := tt.state == resource.Ready && tt.pool == running
		if l.State != tt.state || l.Locked != tt.locked || (l.Detail == "") != quiet {
			t.Errorf("%v in %v: %s: want %v locked=%v, have %v locked=%v %q", tt.pool, tt.cluster, tt.why, tt.state, tt.locked, l.State, l.Locked, l.Detail)
		}
	}
}

// The last pool that runs stays: pods would have nowhere to go.
func TestTheLastPoolStays(t *testing.T) {
	want := minimal("ours")
	srv, d := converged(t, want)
	live := see(t, d, want).Spec
	srv.EditNodePool(want.Cluster, "default-pool", func(pb *containerpb.NodePool) { pb.Status = containerpb.NodePool_PROVISIONING })
	if err := d.Delete(t.Context(), live, false); !errors.Is(err, resource.ErrUnavailable) || srv.Received() > 0 {
		t.Errorf("it waits for another that runs: %v", err)
	}
	srv.EditNodePool(want.Cluster, "default-pool", func(pb *containerpb.NodePool) { pb.Status = containerpb.NodePool_RUNNING })
	if err := d.Delete(t.Context(), live, false); err != nil {
		t.Error(err)
	}
}

const nodesAccount = "recsys-nodes@acme.iam.gserviceaccount.com"

// The account that nodes run as may be one of the stack's workloads' too: it is there before them, and not taken from under them. One that was
// made a moment ago, and is not yet known everywhere, is waited for.
func TestTheNodesAccount(t *testing.T) {
	want := sample("ours")
	srv, d := converged(t, want)
	live := see(t, d, want).Spec
	for _, s := range []nodepool.Spec{want, live} {
		if n := s.Needs(); len(n) != 2 || n[1] != (resource.Need{Ref: resource.Ref{Kind: "identity", Name: "recsys-nodes"}}) {
			t.Errorf("it stands on its account: %+v", n)
		}
	}
	if n := minimal("ours").Needs(); len(n) != 1 || !n[0].In {
		t.Errorf("the default account is nobody's: %+v", n)
	}
	more := sample("ours")
	more.Name, more.ServiceAccount = "more", new("made-just-now")
	if err := d.Create(t.Context(), more); !errors.Is(err, resource.ErrUnavailable) || !strings.Contains(err.Error(), "made-just-now@acme") {
		t.Errorf("an account that nobody knows yet: %v", err)
	}
	srv.AddAccount("made-just-now@acme.iam.gserviceaccount.com")
	if err := d.Create(t.Context(), more); err != nil {
		t.Error(err)
	}
}

// Creation: with an account of its own a node may do what that account may; a cluster that is away is waited for; an error at the end is told.
func TestCreation(t *testing.T) {
	want := sample("ours")
	srv, d := converged(t, want)
	pb := srv.NodePool(want.Cluster, want.Name)
	if pb.GetConfig().GetServiceAccount() != nodesAccount || len(pb.GetConfig().GetOauthScopes()) != 1 {
		t.Errorf("a short name is an account of the project: %v", pb.GetConfig())
	}
	away := sample("ours").In("away", "us-central1")
	if err := d.Create(t.Context(), away); !errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("a cluster that is not there is waited for: %v", err)
	}
	more := sample("ours")
	more.Name = "more"
	srv.OperationError("Insufficient quota: CPUS")
	if err := d.Create(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	srv.Settle()
	if l := see(t, d, more); l.State != resource.Broken || !strings.Contains(l.Detail, "Insufficient quota") {
		t.Errorf("a pool in error is broken and says why: %+v", l)
	}
	srv.Fail("CreateNodePool", codes.InvalidArgument, "Machine type not available.", 1)
	more.Name = "third"
	if err := d.Create(t.Context(), more); !errors.Is(err, resource.ErrRejected) {
		t.Errorf("an argument that is invalid stays so: %v", err)
	}
}

// Pools beside those of the stack are told of and left alone; those of Autopilot, too, are none of ours.
func TestStrangers(t *testing.T) {
	want := minimal("ours")
	srv, d := converged(t, want)
	seen, err := d.Observe(t.Context(), []nodepool.Spec{want}, true)
	if err != nil || len(seen.Live) != 1 || len(seen.Notices) != 1 || !strings.Contains(seen.Notices[0], "default-pool") {
		t.Errorf("one of ours, and a notice of the other: %+v %v", seen, err)
	}
	moved := want
	moved.Location = "us-east1"
	seen, err = open(t, srv.Config(), "ours").Observe(t.Context(), []nodepool.Spec{moved}, true)
	if err != nil || len(seen.Live) != 1 || !diff(moved, seen.Live[0])[0].Recreate {
		t.Errorf("ours in a cluster of that name elsewhere is the one that has to be replaced: %+v %v", seen, err)
	}
}
