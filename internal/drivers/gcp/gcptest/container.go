package gcptest

import (
	"context"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// container is GKE's API: one operation at a time on a cluster, one field per update, changes that are seen when the operation ends.
type container struct {
	containerpb.UnimplementedClusterManagerServer
	s *Server
}

type cluster struct {
	pb *containerpb.Cluster
	op *clusterOp // under way; nil: none
}

func (s *Server) serveContainer(mux *http.ServeMux) {
	c := &container{s: s}
	containerpb.RegisterClusterManagerServer(s.grpc, c)
	c.serveREST(mux)
	c.servePoolsREST(mux)
}

func (c *container) call(ctx context.Context, method, target string, write bool, act func() error) error {
	return c.s.serve(ctx, Call{Service: gcp.Container, Method: method, Target: path.Base(target), Write: write, full: target}, act)
}

// inProject refuses names of other projects as Google does: it does not say whether they exist.
func (s *Server) inProject(name string) error {
	if !strings.HasPrefix(name+"/", "projects/"+s.project+"/") {
		return status.Errorf(codes.PermissionDenied, "Permission denied on resource %s (or it may not exist).", name)
	}
	return nil
}

func (c *container) ListClusters(ctx context.Context, q *containerpb.ListClustersRequest) (*containerpb.ListClustersResponse, error) {
	a := &containerpb.ListClustersResponse{}
	err := c.call(ctx, "ListClusters", "", false, func() error {
		if err := c.s.inProject(q.GetParent()); err != nil {
			return err
		}
		a.MissingZones = c.s.missing
		for _, name := range slices.Sorted(maps.Keys(c.s.clusters)) {
			pb := c.s.clusters[name].pb
			if l := path.Base(q.GetParent()); (l == "-" || l == pb.Location) && !slices.Contains(c.s.missing, pb.Location) {
				a.Clusters = append(a.Clusters, proto.CloneOf(pb))
			}
		}
		return nil
	})
	return a, err
}

func (c *container) GetCluster(ctx context.Context, q *containerpb.GetClusterRequest) (*containerpb.Cluster, error) {
	var a *containerpb.Cluster
	err := c.call(ctx, "GetCluster", q.GetName(), false, func() error {
		found, err := c.find(q.GetName())
		if err == nil {
			a = proto.CloneOf(found.pb)
		}
		return err
	})
	return a, err
}

func (c *container) find(name string) (*cluster, error) {
	if err := c.s.inProject(name); err != nil {
		return nil, err
	}
	found, ok := c.s.clusters[name]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "Not found: %s.", name)
	}
	return found, nil
}

func (c *container) CreateCluster(ctx context.Context, q *containerpb.CreateClusterRequest) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	name := q.GetParent() + "/clusters/" + q.GetCluster().GetName()
	err := c.call(ctx, "CreateCluster", name, true, func() error {
		if err := c.s.inProject(name); err != nil {
			return err
		}
		if err := checkCluster(path.Base(q.GetParent()), q.GetCluster()); err != nil {
			return err
		}
		if _, ok := c.s.clusters[name]; ok {
			return status.Errorf(codes.AlreadyExists, "Already exists: %s.", name)
		}
		if err := c.s.checkGround(path.Base(q.GetParent()), q.GetCluster()); err != nil {
			return err
		}
		made := &cluster{pb: c.s.newCluster(q.GetParent(), q.GetCluster())}
		for _, pb := range made.pb.NodePools {
			pb.Status = containerpb.NodePool_PROVISIONING
		}
		c.s.clusters[name] = made
		a = c.begin(name, made, containerpb.Operation_CREATE_CLUSTER, containerpb.Cluster_PROVISIONING, func() {
			made.pb.Endpoint = c.s.endpoint
			c.s.pool = c.s.pool || made.pb.GetWorkloadIdentityConfig().GetWorkloadPool() != ""
			for _, pb := range made.pb.NodePools {
				pb.Status = containerpb.NodePool_RUNNING
			}
		})
		return nil
	})
	return a, err
}

func (c *container) UpdateCluster(ctx context.Context, q *containerpb.UpdateClusterRequest) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	err := c.call(ctx, "UpdateCluster", q.GetName(), true, func() error {
		found, err := c.writable(q.GetName())
		if err != nil {
			return err
		}
		if e := q.GetUpdate().GetEtag(); e != "" && e != found.pb.Etag {
			return status.Error(codes.FailedPrecondition, "The etag of the cluster does not match: it has changed.")
		}
		set := desired(q.GetUpdate())
		if len(set) != 1 {
			return status.Errorf(codes.InvalidArgument, "Exactly one update can be applied to a cluster with each request; got %d: %v.", len(set), set)
		}
		change, err := clusterChange(found.pb, q.GetUpdate())
		if err != nil {
			return err
		}
		a = c.begin(q.GetName(), found, containerpb.Operation_UPDATE_CLUSTER, containerpb.Cluster_RECONCILING, change)
		return nil
	})
	return a, err
}

// desired are the names of the fields that u sets, without the etag.
func desired(u *containerpb.ClusterUpdate) []string {
	var set []string
	u.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if f.Name() != "etag" {
			set = append(set, string(f.Name()))
		}
		return true
	})
	slices.Sort(set)
	return set
}

// clusterChange is what u does to pb when its operation ends.
func clusterChange(pb *containerpb.Cluster, u *containerpb.ClusterUpdate) (func(), error) {
	switch {
	case u.GetDesiredReleaseChannel() != nil:
		if u.GetDesiredReleaseChannel().GetChannel() == containerpb.ReleaseChannel_UNSPECIFIED && pb.GetAutopilot().GetEnabled() {
			return nil, status.Error(codes.InvalidArgument, "Autopilot clusters must be enrolled in a release channel.")
		}
		return func() {
			pb.ReleaseChannel = &containerpb.ReleaseChannel{Channel: u.GetDesiredReleaseChannel().GetChannel()}
		}, nil
	case u.DesiredDefaultEnablePrivateNodes != nil:
		return func() {
			pb.NetworkConfig.DefaultEnablePrivateNodes = u.DesiredDefaultEnablePrivateNodes
			pb.PrivateClusterConfig.EnablePrivateNodes = u.GetDesiredDefaultEnablePrivateNodes()
		}, nil
	case u.GetDesiredWorkloadIdentityConfig() != nil:
		want := u.GetDesiredWorkloadIdentityConfig()
		return func() { pb.WorkloadIdentityConfig = proto.CloneOf(want) }, nil
	case u.GetDesiredControlPlaneEndpointsConfig() != nil:
		want := u.GetDesiredControlPlaneEndpointsConfig()
		return func() { mergeEndpoints(pb, want) }, nil
	}
	return nil, status.Errorf(codes.Unimplemented, "gcptest does not know the update %v", desired(u))
}

func (c *container) SetLabels(ctx context.Context, q *containerpb.SetLabelsRequest) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	err := c.call(ctx, "SetLabels", q.GetName(), true, func() error {
		found, err := c.writable(q.GetName())
		if err != nil {
			return err
		}
		if q.GetLabelFingerprint() != found.pb.LabelFingerprint {
			return status.Error(codes.FailedPrecondition, "Labels fingerprint either invalid or resource labels have changed.")
		}
		if err := checkLabels(q.GetResourceLabels()); err != nil {
			return err
		}
		a = c.begin(q.GetName(), found, containerpb.Operation_UPDATE_CLUSTER, containerpb.Cluster_RECONCILING, func() {
			found.pb.ResourceLabels = q.GetResourceLabels()
		})
		return nil
	})
	return a, err
}

func (c *container) SetMaintenancePolicy(ctx context.Context, q *containerpb.SetMaintenancePolicyRequest) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	name := q.GetName()
	err := c.call(ctx, "SetMaintenancePolicy", name, true, func() error {
		found, err := c.writable(name)
		if err != nil {
			return err
		}
		if v := q.GetMaintenancePolicy().GetResourceVersion(); v != found.pb.GetMaintenancePolicy().GetResourceVersion() {
			return status.Error(codes.FailedPrecondition, "The resource version of the maintenance policy does not match: it has changed.")
		}
		if err := checkMaintenance(q.GetMaintenancePolicy()); err != nil {
			return err
		}
		a = c.begin(name, found, containerpb.Operation_UPDATE_CLUSTER, containerpb.Cluster_RECONCILING, func() {
			found.pb.MaintenancePolicy = proto.CloneOf(q.GetMaintenancePolicy())
		})
		return nil
	})
	return a, err
}

func (c *container) DeleteCluster(ctx context.Context, q *containerpb.DeleteClusterRequest) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	err := c.call(ctx, "DeleteCluster", q.GetName(), true, func() error {
		found, err := c.writable(q.GetName())
		if err != nil {
			return err
		}
		for _, pb := range found.pb.NodePools {
			pb.Status = containerpb.NodePool_STOPPING
		}
		a = c.begin(q.GetName(), found, containerpb.Operation_DELETE_CLUSTER, containerpb.Cluster_STOPPING, func() {
			delete(c.s.clusters, q.GetName())
		})
		return nil
	})
	return a, err
}

// writable is the cluster, unless an operation is under way.
func (c *container) writable(name string) (*cluster, error) {
	found, err := c.find(name)
	if err != nil {
		return nil, err
	}
	if found.op != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "Cluster is running incompatible operation %s.", found.op.pb.Name)
	}
	return found, nil
}
