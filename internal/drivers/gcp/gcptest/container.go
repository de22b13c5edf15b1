package gcptest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

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

var (
	clusterNames = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$`)
	regions      = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]$`)
)

func (s *Server) serveContainer(mux *http.ServeMux) {
	c := &container{s: s}
	containerpb.RegisterClusterManagerServer(s.grpc, c)
	c.serveREST(mux)
}

func (c *container) call(ctx context.Context, method, target string, write bool, act func() error) error {
	return c.s.serve(ctx, Call{Service: gcp.Container, Method: method, Target: path.Base(target), Write: write}, act)
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
		made := &cluster{pb: c.s.newCluster(q.GetParent(), q.GetCluster())}
		c.s.clusters[name] = made
		a = c.begin(name, made, containerpb.Operation_CREATE_CLUSTER, containerpb.Cluster_PROVISIONING, func() {
			made.pb.Endpoint = c.s.endpoint
			c.s.pool = true
		})
		return nil
	})
	return a, err
}

// checkCluster refuses what GKE refuses in a new cluster.
func checkCluster(location string, pb *containerpb.Cluster) error {
	bad := func(format string, args ...any) error { return status.Errorf(codes.InvalidArgument, format, args...) }
	ip := pb.GetControlPlaneEndpointsConfig().GetIpEndpointsConfig()
	switch {
	case !clusterNames.MatchString(pb.GetName()):
		return bad("Invalid value for field \"cluster.name\": %q. Must be at most 40 of [a-z0-9-], start with a letter and end with an alphanumeric.", pb.GetName())
	case !regions.MatchString(location) && pb.GetAutopilot().GetEnabled():
		return bad("Autopilot clusters must be regional clusters.")
	case pb.GetAutopilot().GetEnabled() && (len(pb.GetNodePools()) > 0 || pb.GetInitialNodeCount() > 0):
		return bad("Node pools cannot be specified with Autopilot clusters.")
	case pb.GetAutopilot().GetEnabled() && pb.GetReleaseChannel() != nil && pb.GetReleaseChannel().GetChannel() == containerpb.ReleaseChannel_UNSPECIFIED:
		return bad("Autopilot clusters must be enrolled in a release channel.")
	case pb.GetMasterAuthorizedNetworksConfig() != nil && ip.GetAuthorizedNetworksConfig() != nil:
		return bad("Both master_authorized_networks_config and control_plane_endpoints_config.ip_endpoints_config.authorized_networks_config are set.")
	}
	if err := checkLabels(pb.GetResourceLabels()); err != nil {
		return err
	}
	return checkMaintenance(pb.GetMaintenancePolicy())
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

// EditCluster changes a cluster as somebody else would, by its short name. Everything that guards writes changes with it.
func (s *Server) EditCluster(name string, edit func(*containerpb.Cluster)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	for id, c := range s.clusters {
		if path.Base(id) == name {
			edit(c.pb)
			s.touch(c.pb)
		}
	}
}

// Cluster is a copy of a cluster as it is now, by its short name; nil if there is none.
func (s *Server) Cluster(name string) *containerpb.Cluster {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	for id, c := range s.clusters {
		if path.Base(id) == name {
			return proto.CloneOf(c.pb)
		}
	}
	return nil
}

// RemoveCluster takes a cluster away at once, as Google does with one in error.
func (s *Server) RemoveCluster(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.clusters, func(id string, _ *cluster) bool { return path.Base(id) == name })
}

// SetMissingZones has listings of clusters leave out these locations, and say so.
func (s *Server) SetMissingZones(zones ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing = zones
}

// SetClusterEndpoint has every cluster, those that run already too, report this address (host:port) and certificate authority.
func (s *Server) SetClusterEndpoint(endpoint string, caPEM []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoint, s.caPEM = endpoint, caPEM
	for _, c := range s.clusters {
		c.pb.MasterAuth = s.masterAuth()
		if c.pb.Endpoint != "" {
			c.pb.Endpoint = endpoint
		}
		s.touch(c.pb)
	}
}

func checkLabels(labels map[string]string) error {
	for k, v := range labels {
		if !labelKeys.MatchString(k) || !labelValues.MatchString(v) {
			return status.Errorf(codes.InvalidArgument, "Invalid label %q: %q.", k, v)
		}
	}
	if len(labels) > 64 {
		return status.Errorf(codes.InvalidArgument, "Too many labels: %d.", len(labels))
	}
	return nil
}

var (
	labelKeys   = regexp.MustCompile(`^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$`)
	labelValues = regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$`)
)

// checkMaintenance holds a window to Google's 48 hours in 32 days.
func checkMaintenance(p *containerpb.MaintenancePolicy) error {
	r := p.GetWindow().GetRecurringWindow()
	if r == nil {
		return nil
	}
	open := r.GetWindow().GetEndTime().AsTime().Sub(r.GetWindow().GetStartTime().AsTime())
	times := 32
	if _, by, ok := strings.Cut(r.GetRecurrence(), "BYDAY="); ok {
		times = 4 * len(strings.Split(by, ","))
	} else if !strings.Contains(r.GetRecurrence(), "FREQ=DAILY") {
		return status.Errorf(codes.InvalidArgument, "Invalid recurrence %q.", r.GetRecurrence())
	}
	if open < 4*time.Hour || time.Duration(times)*open < 48*time.Hour {
		return status.Errorf(codes.InvalidArgument, "maintenance policy would go longer than 32d without 48h maintenance availability of at least 4h (%s).", fmt.Sprint(open))
	}
	return nil
}
