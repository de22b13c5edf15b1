package gcptest_test

import (
	"strings"
	"testing"
	"time"

	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	computev1 "google.golang.org/api/compute/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

const place, theCluster = "projects/acme/locations/us-central1", "projects/acme/locations/us-central1/clusters/one"

func clusters(t *testing.T, srv *gcptest.Server) *container.ClusterManagerClient {
	t.Helper()
	opts, err := srv.Config().GRPC(t.Context(), gcp.Container)
	if err != nil {
		t.Fatal(err)
	}
	c, err := container.NewClusterManagerClient(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func newCluster(edit func(*containerpb.Cluster)) *containerpb.CreateClusterRequest {
	pb := &containerpb.Cluster{Name: "one", Autopilot: &containerpb.Autopilot{Enabled: true}}
	edit(pb)
	return &containerpb.CreateClusterRequest{Parent: place, Cluster: pb}
}

// What GKE refuses in a new cluster is refused here.
func TestClusterRefused(t *testing.T) {
	none := func(*containerpb.Cluster) {}
	tests := []struct {
		why  string
		req  *containerpb.CreateClusterRequest
		code codes.Code
	}{
		{"a name with a capital", newCluster(func(pb *containerpb.Cluster) { pb.Name = "One" }), codes.InvalidArgument},
		{"a name that is too long", newCluster(func(pb *containerpb.Cluster) { pb.Name = strings.Repeat("a", 41) }), codes.InvalidArgument},
		{"Autopilot in a zone", &containerpb.CreateClusterRequest{Parent: place + "-a", Cluster: newCluster(none).Cluster}, codes.InvalidArgument},
		{"another project", &containerpb.CreateClusterRequest{Parent: "projects/other/locations/us-central1", Cluster: newCluster(none).Cluster}, codes.PermissionDenied},
		{"node pools in Autopilot", newCluster(func(pb *containerpb.Cluster) { pb.NodePools = []*containerpb.NodePool{{Name: "x"}} }), codes.InvalidArgument},
		{"Autopilot without a channel", newCluster(func(pb *containerpb.Cluster) { pb.ReleaseChannel = &containerpb.ReleaseChannel{} }), codes.InvalidArgument},
		{"a label with a capital", newCluster(func(pb *containerpb.Cluster) { pb.ResourceLabels = map[string]string{"Team": "x"} }), codes.InvalidArgument},
		{"the old and the new authorized networks", newCluster(func(pb *containerpb.Cluster) {
			pb.MasterAuthorizedNetworksConfig = &containerpb.MasterAuthorizedNetworksConfig{}
			pb.ControlPlaneEndpointsConfig = &containerpb.ControlPlaneEndpointsConfig{IpEndpointsConfig: &containerpb.ControlPlaneEndpointsConfig_IPEndpointsConfig{
				AuthorizedNetworksConfig: &containerpb.MasterAuthorizedNetworksConfig{}}}
		}), codes.InvalidArgument},
		{"a window that is open too seldom", newCluster(func(pb *containerpb.Cluster) {
			pb.MaintenancePolicy = &containerpb.MaintenancePolicy{Window: &containerpb.MaintenanceWindow{Policy: &containerpb.MaintenanceWindow_RecurringWindow{
				RecurringWindow: &containerpb.RecurringTimeWindow{Recurrence: "FREQ=WEEKLY;BYDAY=SA", Window: &containerpb.TimeWindow{
					StartTime: timestamppb.New(time.Unix(0, 0)), EndTime: timestamppb.New(time.Unix(4*3600, 0))}}}}}
		}), codes.InvalidArgument},
		{"a network that is not there", newCluster(func(pb *containerpb.Cluster) { pb.Network = "gone" }), codes.InvalidArgument},
		{"a subnet that is in another region", newCluster(func(pb *containerpb.Cluster) { pb.Network, pb.Subnetwork = "main", "far" }), codes.InvalidArgument},
		{"a subnet that is in another network", newCluster(func(pb *containerpb.Cluster) { pb.Network, pb.Subnetwork = "other", "near" }), codes.InvalidArgument},
		{"a range that the subnet has not", newCluster(func(pb *containerpb.Cluster) {
			pb.Network, pb.Subnetwork = "projects/acme/global/networks/main", "near"
			pb.IpAllocationPolicy = &containerpb.IPAllocationPolicy{UseIpAliases: true, ClusterSecondaryRangeName: "pods"}
		}), codes.InvalidArgument},
		{"nodes that would run as an account that is not there", newCluster(func(pb *containerpb.Cluster) {
			pb.Autopilot = nil
			pb.NodePools = []*containerpb.NodePool{{Name: "x", InitialNodeCount: 1, Config: &containerpb.NodeConfig{MachineType: "e2-medium", ServiceAccount: "gone@acme.iam.gserviceaccount.com"}}}
		}), codes.InvalidArgument},
	}
	srv := gcptest.Start(t)
	for _, name := range []string{"main", "other"} {
		srv.AddNetwork(&computev1.Network{Name: name})
	}
	srv.AddSubnet("main", "us-central1", &computev1.Subnetwork{Name: "near", IpCidrRange: "10.0.0.0/20"})
	srv.AddSubnet("main", "europe-west1", &computev1.Subnetwork{Name: "far", IpCidrRange: "10.1.0.0/20"})
	c := clusters(t, srv)
	for _, tt := range tests {
		if _, err := c.CreateCluster(t.Context(), tt.req, gcp.Write()...); gcp.Code(err) != tt.code {
			t.Errorf("%s: want %v, have %v", tt.why, tt.code, err)
		}
	}
	if n := len(srv.Writes()); n != 0 {
		t.Errorf("what was refused is no write: %d", n)
	}
	if _, err := c.CreateCluster(t.Context(), newCluster(func(pb *containerpb.Cluster) { pb.Network, pb.Subnetwork = "main", "near" }), gcp.Write()...); err != nil {
		t.Errorf("on a network and subnet that are there: %v", err)
	}
}

// One operation at a time, one field per update, and tokens that guard each.
func TestClusterUpdatesAreRefused(t *testing.T) {
	srv := gcptest.Start(t)
	c := clusters(t, srv)
	if _, err := c.CreateCluster(t.Context(), newCluster(func(*containerpb.Cluster) {}), gcp.Write()...); err != nil {
		t.Fatal(err)
	}
	channel := &containerpb.ReleaseChannel{Channel: containerpb.ReleaseChannel_STABLE}
	update := func(u *containerpb.ClusterUpdate) error {
		_, err := c.UpdateCluster(t.Context(), &containerpb.UpdateClusterRequest{Name: theCluster, Update: u}, gcp.Write()...)
		return err
	}
	tests := []struct {
		why  string
		call func() error
		code codes.Code
		text string
	}{
		{"no field", func() error { return update(&containerpb.ClusterUpdate{}) }, codes.InvalidArgument, "Exactly one"},
		{"two fields", func() error {
			return update(&containerpb.ClusterUpdate{DesiredReleaseChannel: channel, DesiredDefaultEnablePrivateNodes: proto.Bool(true)})
		}, codes.InvalidArgument, "Exactly one"},
		{"an old etag", func() error { return update(&containerpb.ClusterUpdate{DesiredReleaseChannel: channel, Etag: "old"}) }, codes.FailedPrecondition, "etag"},
		{"an old fingerprint", func() error {
			_, err := c.SetLabels(t.Context(), &containerpb.SetLabelsRequest{Name: theCluster, LabelFingerprint: "old"}, gcp.Write()...)
			return err
		}, codes.FailedPrecondition, "fingerprint"},
		{"no fingerprint", func() error {
			_, err := c.SetLabels(t.Context(), &containerpb.SetLabelsRequest{Name: theCluster}, gcp.Write()...)
			return err
		}, codes.FailedPrecondition, "fingerprint"},
		{"an old version of the window", func() error {
			_, err := c.SetMaintenancePolicy(t.Context(), &containerpb.SetMaintenancePolicyRequest{Name: theCluster,
				MaintenancePolicy: &containerpb.MaintenancePolicy{ResourceVersion: "old"}}, gcp.Write()...)
			return err
		}, codes.FailedPrecondition, "resource version"},
		{"a cluster that is not there", func() error {
			_, err := c.DeleteCluster(t.Context(), &containerpb.DeleteClusterRequest{Name: theCluster + "x"}, gcp.Write()...)
			return err
		}, codes.NotFound, "Not found"},
	}
	for _, tt := range tests {
		if err := tt.call(); gcp.Code(err) != tt.code || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: want %v %q, have %v", tt.why, tt.code, tt.text, err)
		}
	}
	srv.SetDelay(gcptest.Never)
	if err := update(&containerpb.ClusterUpdate{DesiredReleaseChannel: channel}); err != nil {
		t.Fatal(err)
	}
	if pb := srv.Cluster("one"); pb.Status != containerpb.Cluster_RECONCILING || pb.ReleaseChannel.Channel == containerpb.ReleaseChannel_STABLE {
		t.Errorf("a change shows when its operation ends: %v %v", pb.Status, pb.ReleaseChannel)
	}
	for _, tt := range tests[2:6] {
		if err := tt.call(); gcp.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "running incompatible operation operation-") {
			t.Errorf("%s while another operation runs: %v", tt.why, err)
		}
	}
	srv.Settle()
	if pb := srv.Cluster("one"); pb.Status != containerpb.Cluster_RUNNING || pb.ReleaseChannel.Channel != containerpb.ReleaseChannel_STABLE {
		t.Errorf("the operation has ended: %v %v", pb.Status, pb.ReleaseChannel)
	}
}

// A hook sees a call before it has done anything and once more when its effect is there and its answer is not.
func TestHook(t *testing.T) {
	srv := gcptest.Start(t)
	c := clusters(t, srv)
	var seen []string
	srv.OnCall(func(call gcptest.Call, p gcptest.Phase) {
		there := "absent"
		if srv.Cluster("one") != nil {
			there = "there"
		}
		seen = append(seen, call.Method+" "+there)
	})
	if _, err := c.CreateCluster(t.Context(), newCluster(func(*containerpb.Cluster) {}), gcp.Write()...); err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(seen, ", "); s != "CreateCluster absent, CreateCluster there" {
		t.Error(s)
	}
	srv.OnCall(nil)
	srv.Forget()
	srv.Lose("DeleteCluster", 1)
	_, err := c.DeleteCluster(t.Context(), &containerpb.DeleteClusterRequest{Name: theCluster}, gcp.Write()...)
	srv.Settle()
	if gcp.Code(err) != codes.Unavailable || srv.Cluster("one") != nil {
		t.Errorf("the effect should be there and the answer lost: %v %v", err, srv.Cluster("one"))
	}
	if w := srv.Writes(); len(w) != 1 || w[0].String() != "container DeleteCluster one: OK" {
		t.Errorf("what had an effect is a write, whatever became of its answer: %v", w)
	}
}
