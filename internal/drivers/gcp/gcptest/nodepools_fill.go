package gcptest

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

var (
	machineTypes = regexp.MustCompile(`^([a-z]+[0-9]+[a-z]*|custom)(-[a-z0-9]+)+$`)
	zones        = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+-[a-z]$`)
	nodeLabels   = regexp.MustCompile(`^([a-z0-9.-]+/)?[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
)

// zonesOf are those that a cluster gets in a location that names none.
func zonesOf(location string) []string {
	if zones.MatchString(location) {
		return []string{location}
	}
	return []string{location + "-a", location + "-b", location + "-c"}
}

// newPool is what GKE makes of a request for a pool: a copy with everything that it fills in by itself.
func (s *Server) newPool(in *containerpb.Cluster, asked *containerpb.NodePool) *containerpb.NodePool {
	pb := proto.CloneOf(asked)
	if pb.Config == nil {
		pb.Config = &containerpb.NodeConfig{}
	}
	pb.SelfLink = in.SelfLink + "/nodePools/" + pb.Name
	pb.Version, pb.PodIpv4CidrSize = in.CurrentMasterVersion, 24
	pb.MaxPodsConstraint = &containerpb.MaxPodsConstraint{MaxPodsPerNode: 110}
	if len(pb.Locations) == 0 {
		pb.Locations = slices.Clone(in.Locations)
	}
	for _, z := range pb.Locations {
		pb.InstanceGroupUrls = append(pb.InstanceGroupUrls, fmt.Sprintf(
			"https://www.googleapis.com/compute/v1/projects/%s/zones/%s/instanceGroupManagers/gke-%s-%s-%08x-grp", s.project, z, in.Name, pb.Name, s.next()))
	}
	if pb.Management == nil {
		pb.Management = &containerpb.NodeManagement{AutoUpgrade: true, AutoRepair: true}
	}
	if pb.UpgradeSettings == nil {
		pb.UpgradeSettings = &containerpb.NodePool_UpgradeSettings{MaxSurge: 1}
	}
	if pb.UpgradeSettings.Strategy == nil {
		pb.UpgradeSettings.Strategy = containerpb.NodePoolUpdateStrategy_SURGE.Enum()
	}
	fillAutoscaling(pb)
	fillNodes(in, pb.Config)
	pb.Status = containerpb.NodePool_RUNNING
	s.touchPool(pb)
	return pb
}

// fillNodes fills in what a node has whether it was asked for or not.
func fillNodes(in *containerpb.Cluster, c *containerpb.NodeConfig) {
	fill := func(field *string, with string) {
		if *field == "" {
			*field = with
		}
	}
	fill(&c.MachineType, "e2-medium")
	fill(&c.DiskType, "pd-balanced")
	fill(&c.ImageType, "COS_CONTAINERD")
	fill(&c.ServiceAccount, "default")
	if c.DiskSizeGb == 0 {
		c.DiskSizeGb = 100
	}
	if len(c.OauthScopes) == 0 {
		for _, scope := range []string{"devstorage.read_only", "logging.write", "monitoring", "service.management.readonly", "servicecontrol", "trace.append"} {
			c.OauthScopes = append(c.OauthScopes, "https://www.googleapis.com/auth/"+scope)
		}
	}
	c.Metadata = map[string]string{"disable-legacy-endpoints": "true"}
	c.ShieldedInstanceConfig = &containerpb.ShieldedInstanceConfig{EnableIntegrityMonitoring: true}
	if c.WorkloadMetadataConfig == nil && in.GetWorkloadIdentityConfig().GetWorkloadPool() != "" {
		c.WorkloadMetadataConfig = &containerpb.WorkloadMetadataConfig{Mode: containerpb.WorkloadMetadataConfig_GKE_METADATA}
	}
	labels := map[string]string{"goog-gke-node-pool-provisioning-model": "on-demand"}
	if c.Spot {
		labels["goog-gke-node-pool-provisioning-model"] = "spot"
	}
	maps.Copy(labels, c.ResourceLabels)
	c.ResourceLabels = labels
	if strings.HasPrefix(c.MachineType, "t2a-") || strings.HasPrefix(c.MachineType, "c4a-") {
		c.Taints = append(c.Taints, &containerpb.NodeTaint{Key: "kubernetes.io/arch", Value: "arm64", Effect: containerpb.NodeTaint_NO_SCHEDULE})
	}
}

func fillAutoscaling(pb *containerpb.NodePool) {
	a := pb.GetAutoscaling()
	if a.GetEnabled() && a.GetLocationPolicy() == containerpb.NodePoolAutoscaling_LOCATION_POLICY_UNSPECIFIED {
		a.LocationPolicy = containerpb.NodePoolAutoscaling_BALANCED
		if pb.GetConfig().GetSpot() {
			a.LocationPolicy = containerpb.NodePoolAutoscaling_ANY
		}
	}
}

// touchPool gives a pool a new token, as any change does.
func (s *Server) touchPool(pb *containerpb.NodePool) { pb.Etag = fmt.Sprintf("pool-etag-%d", s.next()) }

// checkPool refuses what GKE refuses in a pool of a cluster, new or changed.
func checkPool(in *containerpb.Cluster, pb *containerpb.NodePool) error {
	bad := func(format string, args ...any) error { return status.Errorf(codes.InvalidArgument, format, args...) }
	c, up := pb.GetConfig(), pb.GetUpgradeSettings()
	switch {
	case !clusterNames.MatchString(pb.GetName()):
		return bad("Invalid value for field \"node_pool.name\": %q.", pb.GetName())
	case c.GetMachineType() != "" && !machineTypes.MatchString(c.GetMachineType()):
		return bad("Invalid machine type %q.", c.GetMachineType())
	case c.GetDiskSizeGb() != 0 && c.GetDiskSizeGb() < 10:
		return bad("Disk size must be at least 10 GB.")
	case c.GetWorkloadMetadataConfig().GetMode() == containerpb.WorkloadMetadataConfig_GKE_METADATA && in.GetWorkloadIdentityConfig().GetWorkloadPool() == "":
		return bad("Workload metadata GKE_METADATA needs workload identity on the cluster.")
	case up != nil && up.GetMaxSurge()+up.GetMaxUnavailable() == 0 && up.GetStrategy() != containerpb.NodePoolUpdateStrategy_BLUE_GREEN:
		return bad("max_surge and max_unavailable cannot both be 0.")
	case up.GetMaxSurge()+up.GetMaxUnavailable() > 20:
		return bad("max_surge plus max_unavailable cannot be above 20.")
	case pb.GetManagement() != nil && in.GetReleaseChannel().GetChannel() != containerpb.ReleaseChannel_UNSPECIFIED &&
		!(pb.GetManagement().GetAutoUpgrade() && pb.GetManagement().GetAutoRepair()):
		return bad("Auto_upgrade and auto_repair cannot be false when release_channel %s is set.", in.GetReleaseChannel().GetChannel())
	}
	for _, z := range pb.GetLocations() {
		if !strings.HasPrefix(z, path.Base(in.GetLocation())) || !zones.MatchString(z) {
			return bad("Location %q is not a zone of %q.", z, in.GetLocation())
		}
	}
	for k := range c.GetLabels() {
		if !nodeLabels.MatchString(k) || strings.HasPrefix(k, "kubernetes.io/") {
			return bad("Invalid node label key %q.", k)
		}
	}
	for _, t := range c.GetTaints() {
		if t.GetKey() == "" || t.GetEffect() == containerpb.NodeTaint_EFFECT_UNSPECIFIED {
			return bad("Invalid taint %q.", t.GetKey())
		}
	}
	if err := checkLabels(c.GetResourceLabels()); err != nil {
		return err
	}
	return checkAutoscaling(pb.GetAutoscaling())
}

func checkAutoscaling(a *containerpb.NodePoolAutoscaling) error {
	bad := func(text string) error { return status.Error(codes.InvalidArgument, text) }
	zone, total := a.GetMinNodeCount()+a.GetMaxNodeCount(), a.GetTotalMinNodeCount()+a.GetTotalMaxNodeCount()
	switch {
	case !a.GetEnabled() && zone+total > 0:
		return bad("Autoscaling limits are set and autoscaling is not enabled.")
	case !a.GetEnabled():
	case zone > 0 && total > 0:
		return bad("The total_*_node_count fields are mutually exclusive with the *_node_count fields.")
	case zone+total == 0:
		return bad("Autoscaling is enabled and max_node_count is not set.")
	case a.GetMinNodeCount() > a.GetMaxNodeCount(), a.GetTotalMinNodeCount() > a.GetTotalMaxNodeCount():
		return bad("min_node_count must not be above max_node_count.")
	}
	return nil
}

// EditNodePool changes a pool as somebody else would, by the short names. Everything that guards writes changes with it.
func (s *Server) EditNodePool(cluster, pool string, edit func(*containerpb.NodePool)) {
	s.editCluster(cluster, "UpdateNodePool", "/nodePools/"+pool, func(pb *containerpb.Cluster) {
		for _, p := range pb.NodePools {
			if p.Name == pool {
				edit(p)
				s.touchPool(p)
			}
		}
	})
}

// NodePool is a copy of a pool as it is now, by the short names; nil if there is none.
func (s *Server) NodePool(cluster, pool string) *containerpb.NodePool {
	for _, p := range s.Cluster(cluster).GetNodePools() {
		if p.Name == pool {
			return p
		}
	}
	return nil
}

// StartNodeUpgrade begins an upgrade of a pool's nodes as Google does by itself; it ends as other operations do.
func (s *Server) StartNodeUpgrade(cluster, pool string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	c := &container{s: s}
	for id, in := range s.clusters {
		name := id + "/nodePools/" + pool
		if _, pb, err := c.findPool(name); path.Base(id) == cluster && err == nil {
			c.beginPool(name, in, pb, containerpb.Operation_UPGRADE_NODES, containerpb.NodePool_RECONCILING, func() {
				pb.Version = "1.35.2-gke.2000000"
			})
		}
	}
}

// AddCluster makes a Standard cluster with one pool, default-pool, as somebody else would, in a location of the project.
func (s *Server) AddCluster(location, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent := "projects/" + s.project + "/locations/" + location
	pb := s.newCluster(parent, &containerpb.Cluster{
		Name: name, WorkloadIdentityConfig: &containerpb.WorkloadIdentityConfig{WorkloadPool: s.project + ".svc.id.goog"},
		NodePools: []*containerpb.NodePool{{Name: "default-pool", InitialNodeCount: 1}},
	})
	pb.Status, pb.Endpoint, s.pool = containerpb.Cluster_RUNNING, s.endpoint, true
	s.clusters[parent+"/clusters/"+name] = &cluster{pb: pb}
	s.touch(pb)
}
