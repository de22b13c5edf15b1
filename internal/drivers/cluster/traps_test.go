package cluster_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/resource"
)

// One cluster that is converged, with everything that GKE fills in.
func converged(t *testing.T, want cluster.Spec) (*gcptest.Server, *cluster.Driver) {
	t.Helper()
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	create(t, d, want)
	srv.Settle()
	if l := see(t, d, want); l.State != resource.Ready || len(want.Diff(l.Spec)) > 0 {
		t.Fatalf("a new cluster should be ready and in sync: %+v %v", l, want.Diff(l.Spec))
	}
	srv.Forget()
	return srv, d
}

func TestDefaultsAreNoDrift(t *testing.T) {
	want := minimal("ours")
	srv, d := converged(t, want)
	seen, err := d.Observe(t.Context(), []cluster.Spec{want}, true)
	if err != nil || len(seen.Live) != 1 {
		t.Fatal(err, seen)
	}
	if diff := want.Diff(seen.Live[0].Spec); len(diff) > 0 {
		t.Errorf("what GKE fills in by itself is reported as drift: %v", diff)
	}
	if calls := srv.Calls(); len(calls) != 1 || calls[0].Method != "ListClusters" {
		t.Errorf("a look at a cluster that is at rest should cost one listing and nothing else: %v", calls)
	}
	before := srv.Cluster(want.Name).CurrentMasterVersion
	srv.StartUpgrade(want.Name)
	srv.Settle()
	if after := srv.Cluster(want.Name).CurrentMasterVersion; after == before {
		t.Fatal("the upgrade changed no version")
	}
	if diff := want.Diff(see(t, d, want).Spec); len(diff) > 0 {
		t.Errorf("Google's own upgrade is reported as drift: %v", diff)
	}
}

func TestCreationIsObserved(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample("ours")
	srv.SetDelay(gcptest.Never)
	create(t, d, want)

	detail := regexp.MustCompile(`^creating: operation-\S+ since \d\d:\d\d$`)
	for range 2 {
		l := see(t, d, want)
		if l.State != resource.Pending || !l.Locked || !l.Owned || l.Outputs != nil || !detail.MatchString(l.Detail) {
			t.Errorf("a cluster in creation should be pending, locked, ours, without outputs and say what it does: %+v", l)
		}
	}
	if n := srv.Count("ListOperations"); n != 2 {
		t.Errorf("operations should be listed once per look while something moves: %d times in 2 looks", n)
	}
	restarted := open(t, srv.Config(), "ours")
	if l := see(t, restarted, want); !detail.MatchString(l.Detail) {
		t.Errorf("after a restart the operation should still be known: %q", l.Detail)
	}
	if err := restarted.Create(t.Context(), want); err == nil || errors.Is(err, resource.ErrRejected) {
		t.Errorf("creating what is being created should be an error to be retried: %v", err)
	}
	// Right after the call a read may not show the cluster yet.
	srv.Fail("GetCluster", codes.NotFound, "Not found", 1)
	if l := see(t, d, want); l.State != resource.Pending || !l.Locked || !detail.MatchString(l.Detail) {
		t.Errorf("a creation that Google has accepted is not absent: %+v", l)
	}
	srv.Settle()
	if l := see(t, d, want); l.State != resource.Ready || l.Outputs["endpoint"] == "" || l.Detail != "" {
		t.Errorf("a cluster that runs should be ready and have its endpoint: %+v", l)
	}
}

func TestStates(t *testing.T) {
	tests := []struct {
		status containerpb.Cluster_Status
		state  resource.State
		locked bool
		detail string
		why    string
	}{
		{containerpb.Cluster_PROVISIONING, resource.Pending, true, "creating: no capacity; 2 of 3 zones", "it takes no writes before it is there"},
		{containerpb.Cluster_RUNNING, resource.Ready, false, "", "it is as it should be"},
		{containerpb.Cluster_RECONCILING, resource.Busy, false, "updating: no capacity; 2 of 3 zones", "Google's own work does not take it away"},
		{containerpb.Cluster_STOPPING, resource.Pending, true, "deleting: no capacity; 2 of 3 zones", "it is on its way out"},
		{containerpb.Cluster_ERROR, resource.Broken, false, "in error: no capacity; 2 of 3 zones", "it does not work and may be deleted"},
		{containerpb.Cluster_DEGRADED, resource.Busy, false, "degraded: no capacity; 2 of 3 zones", "it serves, and a person has to look at it"},
		{containerpb.Cluster_STATUS_UNSPECIFIED, resource.Unknown, false, "status STATUS_UNSPECIFIED", "a status that is not known is not taken for anything"},
	}
	want := minimal("ours")
	srv, d := converged(t, want)
	for _, tt := range tests {
		srv.EditCluster(want.Name, func(pb *containerpb.Cluster) {
			pb.Status, pb.StatusMessage = tt.status, "no capacity"
			pb.Conditions = []*containerpb.StatusCondition{{Message: "no capacity"}, {Message: "2 of 3\nzones"}}
		})
		if l := see(t, d, want); l.State != tt.state || l.Locked != tt.locked || l.Detail != tt.detail {
			t.Errorf("%s: %s: want %v locked=%v %q, have %v locked=%v %q", tt.status, tt.why, tt.state, tt.locked, tt.detail, l.State, l.Locked, l.Detail)
		}
	}
}

func TestCreationThatEndsInError(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample("ours")
	srv.SetDelay(gcptest.Never)
	srv.OperationError("Insufficient regional quota: CPUS")
	create(t, d, want)
	srv.Settle()

	l := see(t, d, want)
	if l.State != resource.Broken || !strings.Contains(l.Detail, "Insufficient regional quota") || strings.Count(l.Detail, "Insufficient") != 1 {
		t.Errorf("a cluster in error is broken and says why, once: %+v", l)
	}
	srv.RemoveCluster(want.Name) // as Google does some day
	seen, err := d.Observe(t.Context(), []cluster.Spec{want}, true)
	if err != nil || len(seen.Live) != 0 {
		t.Fatalf("it is gone: %+v %v", seen, err)
	}
	if len(seen.Notices) != 1 || !strings.Contains(seen.Notices[0], "cluster/acme-gke: its creation ended in error: Insufficient regional quota") {
		t.Errorf("why it is gone should be told: %v", seen.Notices)
	}
	srv.Forget()
	if err := d.Create(t.Context(), want); err == nil || errors.Is(err, resource.ErrRejected) || !strings.Contains(err.Error(), "Insufficient") {
		t.Errorf("the same creation should not begin again at once, and be retried later: %v", err)
	}
	if srv.Received() != 0 {
		t.Errorf("nothing should have been asked of Google: %v", srv.Calls())
	}
	want.Location = "us-east1"
	create(t, d, want) // another spec is another matter
}

func TestListing(t *testing.T) {
	want := minimal("ours")
	srv, d := converged(t, want)
	srv.SetMissingZones("us-central1")
	seen, err := d.Observe(t.Context(), []cluster.Spec{want}, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := seen.Unlisted[cluster.Kind]; err == nil || !strings.Contains(err.Error(), "us-central1") {
		t.Errorf("a listing without some places is none to decide removals on: %v", seen.Unlisted)
	}
	if len(seen.Live) != 1 || seen.Live[0].State != resource.Ready {
		t.Errorf("what is named is read by name: %+v", seen.Live)
	}
}

func TestAnotherPlace(t *testing.T) {
	want := minimal("ours")
	srv, _ := converged(t, want)
	moved := minimal("ours")
	moved.Location = "us-east1"

	d := open(t, srv.Config(), "ours") // restarted: knows of nothing
	seen, err := d.Observe(t.Context(), []cluster.Spec{moved}, true)
	if err != nil || len(seen.Live) != 1 {
		t.Fatalf("ours in another place is the one that has to be replaced: %+v %v", seen, err)
	}
	if diff := moved.Diff(seen.Live[0].Spec); len(diff) != 1 || diff[0].Field != "location" || !diff[0].Recreate {
		t.Errorf("the place is the difference: %v", diff)
	}
	foreign := open(t, srv.Config(), "other")
	theirs := minimal("other")
	theirs.Location = "us-east1"
	if seen, err := foreign.Observe(t.Context(), []cluster.Spec{theirs}, true); err != nil || len(seen.Live) != 0 {
		t.Errorf("somebody else's of that name in another place is no concern of ours: %+v %v", seen, err)
	}
}

// Clusters that were made before the newer fields existed report the older ones.
func TestOlderFields(t *testing.T) {
	want := sample("ours")
	srv, d := converged(t, want)
	srv.EditCluster(want.Name, func(pb *containerpb.Cluster) {
		pb.ControlPlaneEndpointsConfig = nil
		pb.NetworkConfig.DefaultEnablePrivateNodes = nil
		pb.PrivateClusterConfig.EnablePrivateNodes = true
		pb.MasterAuthorizedNetworksConfig = &containerpb.MasterAuthorizedNetworksConfig{Enabled: true,
			CidrBlocks: []*containerpb.MasterAuthorizedNetworksConfig_CidrBlock{{CidrBlock: "192.0.2.0/24"}}}
		pb.MaintenancePolicy.Window = &containerpb.MaintenanceWindow{Policy: &containerpb.MaintenanceWindow_DailyMaintenanceWindow{
			DailyMaintenanceWindow: &containerpb.DailyMaintenanceWindow{StartTime: "02:00", Duration: "PT4H0M0S"}}}
	})
	var got []string
	for _, c := range want.Diff(see(t, d, want).Spec) {
		got = append(got, c.Field+"="+c.Have)
	}
	if s := strings.Join(got, " "); s != "authorizedNetworks=192.0.2.0/24 privateNodes=true" {
		t.Errorf("the older fields should be read, and a daily window be the same as a recurring one every day: %s", s)
	}
}

// The version of a resource changes with what is compared, and with nothing else.
func TestVersion(t *testing.T) {
	want := sample("ours")
	srv, d := converged(t, want)
	kind := resource.NewKind(cluster.Kind, d)
	version := func() string {
		sight, err := kind.Observe(t.Context(), []resource.Resource{resource.Of(want)}, true)
		if err != nil || len(sight.Found) != 1 {
			t.Fatal(err, sight)
		}
		return sight.Found[0].Version
	}
	first := version()
	srv.EditCluster(want.Name, func(pb *containerpb.Cluster) {
		pb.ResourceLabels["owner"] = "somebody"
		pb.CurrentMasterVersion = "1.99"
	})
	if version() != first {
		t.Error("somebody's label and Google's upgrade are nothing that is compared")
	}
	srv.EditCluster(want.Name, func(pb *containerpb.Cluster) { pb.ResourceLabels["team"] = "shop" })
	if version() == first {
		t.Error("a label of ours is")
	}
}
