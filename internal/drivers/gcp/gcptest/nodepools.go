package gcptest

import (
	"context"
	"path"
	"slices"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// clusterOf is the name of the cluster that a pool's name begins with.
func clusterOf(pool string) string { return path.Dir(path.Dir(pool)) }

// findPool is a pool and the cluster that it is in.
func (c *container) findPool(name string) (*cluster, *containerpb.NodePool, error) {
	found, err := c.find(clusterOf(name))
	if err != nil {
		return nil, nil, err
	}
	for _, pb := range found.pb.NodePools {
		if pb.Name == path.Base(name) {
			return found, pb, nil
		}
	}
	return nil, nil, status.Errorf(codes.NotFound, "Not found: %s.", name)
}

// writablePool is findPool, unless an operation is under way anywhere in the cluster.
func (c *container) writablePool(name string) (*cluster, *containerpb.NodePool, error) {
	if _, err := c.writable(clusterOf(name)); err != nil {
		return nil, nil, err
	}
	found, pb, err := c.findPool(name)
	if err == nil && found.pb.GetAutopilot().GetEnabled() {
		err = status.Error(codes.InvalidArgument, "Autopilot node pools cannot be accessed or modified.")
	}
	return found, pb, err
}

func (c *container) CreateNodePool(ctx context.Context, q *containerpb.CreateNodePoolRequest) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	name := q.GetParent() + "/nodePools/" + q.GetNodePool().GetName()
	err := c.call(ctx, "CreateNodePool", name, true, func() error {
		in, err := c.writable(q.GetParent())
		if err != nil {
			return err
		}
		if in.pb.GetAutopilot().GetEnabled() {
			return status.Error(codes.InvalidArgument, "Autopilot clusters do not support node pool creation.")
		}
		if err := checkPool(in.pb, q.GetNodePool()); err != nil {
			return err
		}
		if err := c.s.checkNodesAccount(q.GetNodePool()); err != nil {
			return err
		}
		if _, _, err := c.findPool(name); err == nil {
			return status.Errorf(codes.AlreadyExists, "Already exists: %s.", name)
		}
		made := c.s.newPool(in.pb, q.GetNodePool())
		in.pb.NodePools = append(in.pb.NodePools, made)
		a = c.beginPool(name, in, made, containerpb.Operation_CREATE_NODE_POOL, containerpb.NodePool_PROVISIONING, func() {})
		return nil
	})
	return a, err
}

func (c *container) DeleteNodePool(ctx context.Context, q *containerpb.DeleteNodePoolRequest) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	err := c.call(ctx, "DeleteNodePool", q.GetName(), true, func() error {
		in, pb, err := c.writablePool(q.GetName())
		if err != nil {
			return err
		}
		a = c.beginPool(q.GetName(), in, pb, containerpb.Operation_DELETE_NODE_POOL, containerpb.NodePool_STOPPING, func() {
			in.pb.NodePools = slices.DeleteFunc(in.pb.NodePools, func(other *containerpb.NodePool) bool { return other == pb })
		})
		return nil
	})
	return a, err
}

// together are the fields of an update that GKE takes in one request.
var together = []string{"disk_size_gb", "disk_type", "machine_type"}

func (c *container) UpdateNodePool(ctx context.Context, q *containerpb.UpdateNodePoolRequest) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	err := c.call(ctx, "UpdateNodePool", q.GetName(), true, func() error {
		in, pb, err := c.writablePool(q.GetName())
		if err != nil {
			return err
		}
		if e := q.GetEtag(); e != "" && e != pb.Etag {
			return status.Error(codes.Aborted, "The etag of the node pool does not match: it has changed.")
		}
		set := updated(q)
		alone := slices.DeleteFunc(slices.Clone(set), func(f string) bool { return slices.Contains(together, f) })
		if len(set) == 0 || len(alone) > 1 || len(alone) == 1 && len(set) > 1 {
			return status.Errorf(codes.InvalidArgument, "At most one update can be applied to a node pool with each request; got %d: %v.", len(set), set)
		}
		after := proto.CloneOf(pb)
		kind, err := poolChange(after, q, set[0])
		if err != nil {
			return err
		}
		if err := checkPool(in.pb, after); err != nil {
			return err
		}
		a = c.beginPool(q.GetName(), in, pb, kind, containerpb.NodePool_RECONCILING, func() {
			for _, field := range set {
				_, _ = poolChange(pb, q, field) // was good a moment ago
			}
		})
		return nil
	})
	return a, err
}

// updated are the names of the fields that q sets, without those that say where and over what.
func updated(q *containerpb.UpdateNodePoolRequest) []string {
	var set []string
	q.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if f.Name() != "etag" && f.Name() != "name" {
			set = append(set, string(f.Name()))
		}
		return true
	})
	slices.Sort(set)
	return set
}

// poolChange makes one field of pb what q asks for, and says what kind of operation that takes. Lists and maps are replaced as a whole.
func poolChange(pb *containerpb.NodePool, q *containerpb.UpdateNodePoolRequest, field string) (containerpb.Operation_Type, error) {
	switch field {
	case "labels":
		pb.Config.Labels = q.GetLabels().GetLabels()
	case "taints":
		pb.Config.Taints = q.GetTaints().GetTaints()
	case "resource_labels":
		pb.Config.ResourceLabels = q.GetResourceLabels().GetLabels()
	case "upgrade_settings":
		pb.UpgradeSettings = proto.CloneOf(q.GetUpgradeSettings())
	case "locations":
		pb.Locations = q.GetLocations()
	case "workload_metadata_config":
		pb.Config.WorkloadMetadataConfig = proto.CloneOf(q.GetWorkloadMetadataConfig())
		return containerpb.Operation_UPGRADE_NODES, nil
	case "machine_type", "disk_type", "disk_size_gb":
		if q.GetMachineType() != "" {
			pb.Config.MachineType = q.GetMachineType()
		}
		if q.GetDiskType() != "" {
			pb.Config.DiskType = q.GetDiskType()
		}
		if q.GetDiskSizeGb() != 0 {
			pb.Config.DiskSizeGb = int32(q.GetDiskSizeGb())
		}
		return containerpb.Operation_UPGRADE_NODES, nil
	default:
		return 0, status.Errorf(codes.Unimplemented, "gcptest does not know the update %s", field)
	}
	return containerpb.Operation_UPDATE_CLUSTER, nil
}

func (c *container) SetNodePoolAutoscaling(ctx context.Context, q *containerpb.SetNodePoolAutoscalingRequest) (*containerpb.Operation, error) {
	return c.setPool(ctx, "SetNodePoolAutoscaling", q.GetName(), func(pb *containerpb.NodePool) error {
		pb.Autoscaling = proto.CloneOf(q.GetAutoscaling())
		fillAutoscaling(pb)
		return nil
	})
}

func (c *container) SetNodePoolSize(ctx context.Context, q *containerpb.SetNodePoolSizeRequest) (*containerpb.Operation, error) {
	return c.setPool(ctx, "SetNodePoolSize", q.GetName(), func(pb *containerpb.NodePool) error {
		if pb.GetAutoscaling().GetEnabled() {
			return status.Error(codes.FailedPrecondition, "Node pool size cannot be set while autoscaling is enabled on it.")
		}
		pb.InitialNodeCount = q.GetNodeCount()
		return nil
	})
}

func (c *container) SetNodePoolManagement(ctx context.Context, q *containerpb.SetNodePoolManagementRequest) (*containerpb.Operation, error) {
	return c.setPool(ctx, "SetNodePoolManagement", q.GetName(), func(pb *containerpb.NodePool) error {
		pb.Management = proto.CloneOf(q.GetManagement())
		return nil
	})
}

// setPool is the calls that set one thing and carry no etag.
func (c *container) setPool(ctx context.Context, method, name string, set func(*containerpb.NodePool) error) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	err := c.call(ctx, method, name, true, func() error {
		in, pb, err := c.writablePool(name)
		if err != nil {
			return err
		}
		after := proto.CloneOf(pb)
		if err := set(after); err != nil {
			return err
		}
		if err := checkPool(in.pb, after); err != nil {
			return err
		}
		a = c.beginPool(name, in, pb, containerpb.Operation_SET_NODE_POOL_SIZE, containerpb.NodePool_RECONCILING, func() {
			_ = set(pb) // was good a moment ago
		})
		return nil
	})
	return a, err
}

// beginPool starts an operation on a pool; its cluster is at work for as long as it takes.
func (c *container) beginPool(name string, in *cluster, pb *containerpb.NodePool, kind containerpb.Operation_Type, during containerpb.NodePool_Status, finish func()) *containerpb.Operation {
	before := pb.Status
	pb.Status = during
	c.s.touchPool(pb)
	return c.beginOn(name, clusterOf(name), in, kind, containerpb.Cluster_RECONCILING, func(failure string) {
		defer c.s.touchPool(pb)
		switch {
		case failure == "":
			pb.Status = containerpb.NodePool_RUNNING
			finish()
		case during == containerpb.NodePool_PROVISIONING:
			pb.Status, pb.StatusMessage = containerpb.NodePool_ERROR, failure
		default:
			pb.Status = before
		}
	})
}
