package nodepool

import (
	"testing"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/resource"
)

// The prices of wanted pools are in cmd/recsysd/testdata/cost.yaml; here is what differs of live ones.
func TestUsageOfALivePool(t *testing.T) {
	pool := func(edit func(*containerpb.NodePool)) *containerpb.NodePool {
		pb := &containerpb.NodePool{
			Name: "main", Locations: []string{"us-central1-a", "us-central1-b"}, InitialNodeCount: 2,
			Config: &containerpb.NodeConfig{MachineType: "e2-standard-4", DiskSizeGb: 50, DiskType: "pd-ssd"},
		}
		edit(pb)
		return pb
	}
	fixed := pool(func(*containerpb.NodePool) {})
	scaled := pool(func(pb *containerpb.NodePool) {
		pb.Autoscaling = &containerpb.NodePoolAutoscaling{Enabled: true, TotalMinNodeCount: 1, TotalMaxNodeCount: 9}
	})
	for _, c := range []struct {
		why     string
		of      *containerpb.Cluster
		pb      *containerpb.NodePool
		cpu     resource.Amount
		unknown string
	}{
		{"a fixed number: 2 in each of 2 zones, 4 vCPU each", &containerpb.Cluster{NodePools: []*containerpb.NodePool{fixed}}, fixed, resource.Count(16), ""},
		{"an autoscaler's: those that the cluster has, not the least", &containerpb.Cluster{NodePools: []*containerpb.NodePool{scaled}, CurrentNodeCount: 3}, scaled, resource.Count(12), ""},
		{"of two pools GKE tells but the sum", &containerpb.Cluster{NodePools: []*containerpb.NodePool{scaled, fixed}, CurrentNodeCount: 7}, scaled, resource.Amount{}, nodesUnknown},
		{"no number is not none", &containerpb.Cluster{NodePools: []*containerpb.NodePool{scaled}}, scaled, resource.Amount{}, nodesUnknown},
	} {
		c.of.Location = "us-central1"
		u := spec(c.of, c.pb).Usage()
		if len(u) != 4 || u[0].Quantity != c.cpu || u[0].Unknown != c.unknown || u[2].Price != "pd.ssd" || u[0].Region != "us-central1" {
			t.Errorf("%s: %+v; want %s, %q", c.why, u, c.cpu, c.unknown)
		}
		if !u[0].Most.Zero() {
			t.Errorf("%s: a live pool has the nodes that it has, and no range", c.why)
		}
	}
	private := &containerpb.Cluster{Location: "us-central1-a", NodePools: []*containerpb.NodePool{fixed}, PrivateClusterConfig: &containerpb.PrivateClusterConfig{EnablePrivateNodes: true}}
	if u := spec(private, fixed).Usage(); len(u) != 3 || u[0].Region != "us-central1" {
		t.Errorf("private nodes have no addresses, and a zone is priced as its region: %+v", u)
	}
}

func TestShapes(t *testing.T) {
	for name, want := range map[string][2]resource.Amount{
		"e2-micro":        {resource.Ratio(1, 4), resource.Count(1)},
		"e2-small":        {resource.Ratio(1, 2), resource.Count(2)},
		"e2-standard-32":  {resource.Count(32), resource.Count(128)},
		"e2-highcpu-8":    {resource.Count(8), resource.Count(8)},
		"n2-highmem-128":  {resource.Count(128), resource.Count(864)}, // less than 8 GiB each, which the largest does not have
		"n2-standard-128": {resource.Count(128), resource.Count(512)},
	} {
		if m, ok := shapeOf(name); !ok || m.cpu != want[0] || m.memory != want[1] {
			t.Errorf("%s: %+v, %v", name, m, ok)
		}
	}
	for _, name := range []string{"e2-custom-4-8192", "e2-standard-64", "e2-standard-3", "e2-standard-02", "n2-highcpu-128", "n1-standard-4", "e2", "", "e2-standard-4-x"} {
		if m, ok := shapeOf(name); ok {
			t.Errorf("%s is no machine type of a known price: %+v", name, m)
		}
	}
}
