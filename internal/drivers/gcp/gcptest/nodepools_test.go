package gcptest_test

import (
	"strings"
	"testing"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

// What GKE refuses of node pools is refused here, with its code and in its words.
func TestPoolsRefused(t *testing.T) {
	srv := gcptest.Start(t)
	c := clusters(t, srv)
	srv.AddCluster("us-central1", "one")
	const name = theCluster + "/nodePools/default-pool"
	create := func(pb *containerpb.NodePool) func() error {
		return func() error {
			_, err := c.CreateNodePool(t.Context(), &containerpb.CreateNodePoolRequest{Parent: theCluster, NodePool: pb}, gcp.Write()...)
			return err
		}
	}
	update := func(q *containerpb.UpdateNodePoolRequest) func() error {
		return func() error {
			q.Name = name
			_, err := c.UpdateNodePool(t.Context(), q, gcp.Write()...)
			return err
		}
	}
	scaled := func(least, most, total int32) *containerpb.NodePool {
		return &containerpb.NodePool{Name: "x", Autoscaling: &containerpb.NodePoolAutoscaling{
			Enabled: true, MinNodeCount: least, MaxNodeCount: most, TotalMaxNodeCount: total}}
	}
	tests := []struct {
		why  string
		call func() error
		code codes.Code
		text string
	}{
		{"a cluster without nodes", func() error {
			_, err := c.CreateCluster(t.Context(), &containerpb.CreateClusterRequest{Parent: place, Cluster: &containerpb.Cluster{Name: "two"}}, gcp.Write()...)
			return err
		}, codes.InvalidArgument, "initial_node_count"},
		{"a name that is taken", create(&containerpb.NodePool{Name: "default-pool"}), codes.AlreadyExists, "Already exists"},
		{"a name with a capital", create(&containerpb.NodePool{Name: "X"}), codes.InvalidArgument, "name"},
		{"a zone elsewhere", create(&containerpb.NodePool{Name: "x", Locations: []string{"us-east1-b"}}), codes.InvalidArgument, "us-east1-b"},
		{"limits of both forms", create(scaled(0, 3, 3)), codes.InvalidArgument, "mutually exclusive"},
		{"a least above the most", create(scaled(4, 3, 0)), codes.InvalidArgument, "must not be above"},
		{"no upgrades in a channel", create(&containerpb.NodePool{Name: "x", Management: &containerpb.NodeManagement{AutoRepair: true}}), codes.InvalidArgument, "release_channel"},
		{"a pool that is not there", func() error {
			_, err := c.DeleteNodePool(t.Context(), &containerpb.DeleteNodePoolRequest{Name: name + "x"}, gcp.Write()...)
			return err
		}, codes.NotFound, "Not found"},
		{"an old etag", update(&containerpb.UpdateNodePoolRequest{MachineType: "e2-standard-4", Etag: "old"}), codes.Aborted, "etag"},
		{"nothing to change", update(&containerpb.UpdateNodePoolRequest{}), codes.InvalidArgument, "At most one"},
		{"two changes that do not go together", update(&containerpb.UpdateNodePoolRequest{MachineType: "e2-standard-4", Labels: &containerpb.NodeLabels{}}), codes.InvalidArgument, "At most one"},
		{"a size beside an autoscaler", func() error {
			srv.EditNodePool("one", "default-pool", func(pb *containerpb.NodePool) {
				pb.Autoscaling = &containerpb.NodePoolAutoscaling{Enabled: true, TotalMaxNodeCount: 3}
			})
			_, err := c.SetNodePoolSize(t.Context(), &containerpb.SetNodePoolSizeRequest{Name: name, NodeCount: 2}, gcp.Write()...)
			return err
		}, codes.FailedPrecondition, "autoscaling is enabled"},
		{"while another operation runs", func() error {
			srv.SetDelay(gcptest.Never)
			srv.StartNodeUpgrade("one", "default-pool")
			return create(&containerpb.NodePool{Name: "x"})()
		}, codes.FailedPrecondition, "running incompatible operation operation-"},
	}
	for _, tt := range tests {
		if err := tt.call(); gcp.Code(err) != tt.code || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: want %v %q, have %v", tt.why, tt.code, tt.text, err)
		}
	}
	if n := len(srv.Writes()); n != 0 {
		t.Errorf("what was refused is no write: %v", srv.Writes())
	}
	if pb := srv.Cluster("one"); pb.Status != containerpb.Cluster_RECONCILING || pb.NodePools[0].Status != containerpb.NodePool_RECONCILING {
		t.Errorf("an upgrade of nodes shows on the pool and on its cluster: %v %v", pb.Status, pb.NodePools[0].Status)
	}
	srv.Settle()
	if pb := srv.Cluster("one"); pb.Status != containerpb.Cluster_RUNNING || pb.NodePools[0].Status != containerpb.NodePool_RUNNING {
		t.Errorf("and ends on both: %v %v", pb.Status, pb.NodePools[0].Status)
	}
}
