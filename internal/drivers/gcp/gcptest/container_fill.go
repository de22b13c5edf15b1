package gcptest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"maps"
	"path"
	"slices"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// newCluster is what GKE makes of a request: a copy without what only GKE may say, and with everything that it fills in by itself.
func (s *Server) newCluster(parent string, in *containerpb.Cluster) *containerpb.Cluster {
	pb := proto.CloneOf(in)
	id := fmt.Sprintf("%032x", s.next())
	location := parent[len("projects/"+s.project+"/locations/"):]
	now := time.Now().UTC().Format(time.RFC3339)

	pb.Id, pb.Location, pb.CreateTime = id, location, now
	pb.SelfLink = fmt.Sprintf("https://container.googleapis.com/v1/%s/clusters/%s", parent, pb.Name)
	pb.Endpoint, pb.StatusMessage, pb.Conditions = "", "", nil
	pb.CurrentMasterVersion, pb.CurrentNodeVersion, pb.InitialClusterVersion = "1.35.1-gke.1000000", "1.35.1-gke.1000000", "1.35.1-gke.1000000"
	pb.MasterAuth = s.masterAuth()

	if len(pb.Locations) == 0 {
		pb.Locations = zonesOf(location)
	}
	s.fillNetwork(pb, id, location)
	s.fillFeatures(pb)
	s.fillNodePools(pb)
	return pb
}

// fillNetwork fills in everything about addresses.
func (s *Server) fillNetwork(pb *containerpb.Cluster, id, location string) {
	pb.Network, pb.Subnetwork = path.Base(cmp.Or(pb.Network, "default")), path.Base(cmp.Or(pb.Subnetwork, "default"))
	pb.ClusterIpv4Cidr, pb.ServicesIpv4Cidr = "10.64.0.0/17", "34.118.224.0/20"
	ranges := pb.IpAllocationPolicy
	pb.IpAllocationPolicy = &containerpb.IPAllocationPolicy{
		UseIpAliases: true, ClusterIpv4CidrBlock: "10.64.0.0/17", ServicesIpv4CidrBlock: "34.118.224.0/20",
		ClusterSecondaryRangeName: ranges.GetClusterSecondaryRangeName(), ServicesSecondaryRangeName: ranges.GetServicesSecondaryRangeName(),
	}
	if pb.IpAllocationPolicy.ClusterSecondaryRangeName == "" { // GKE makes ranges of its own
		pb.IpAllocationPolicy.ClusterSecondaryRangeName = "gke-" + pb.Name + "-pods-" + id[24:]
	}
	if pb.NetworkConfig == nil {
		pb.NetworkConfig = &containerpb.NetworkConfig{}
	}
	region := location
	if zones.MatchString(location) {
		region = location[:len(location)-2]
	}
	pb.NetworkConfig.Network = "projects/" + s.project + "/global/networks/" + pb.Network
	pb.NetworkConfig.Subnetwork = "projects/" + s.project + "/regions/" + region + "/subnetworks/" + pb.Subnetwork
	if pb.GetAutopilot().GetEnabled() {
		pb.NetworkConfig.DatapathProvider = containerpb.DatapathProvider_ADVANCED_DATAPATH
	}
	if pb.NetworkConfig.DefaultEnablePrivateNodes == nil {
		pb.NetworkConfig.DefaultEnablePrivateNodes = proto.Bool(false)
	}
	pb.PrivateClusterConfig = &containerpb.PrivateClusterConfig{
		EnablePrivateNodes: pb.NetworkConfig.GetDefaultEnablePrivateNodes(), PublicEndpoint: s.endpoint, PrivateEndpoint: "10.128.0.2",
	}

	asked := pb.ControlPlaneEndpointsConfig
	pb.ControlPlaneEndpointsConfig = &containerpb.ControlPlaneEndpointsConfig{
		DnsEndpointConfig: &containerpb.ControlPlaneEndpointsConfig_DNSEndpointConfig{
			Endpoint:             fmt.Sprintf("gke-%s-%d.%s.gke.goog", id, s.number, location),
			AllowExternalTraffic: proto.Bool(false), EnableK8STokensViaDns: proto.Bool(false), EnableK8SCertsViaDns: proto.Bool(false),
		},
		IpEndpointsConfig: &containerpb.ControlPlaneEndpointsConfig_IPEndpointsConfig{
			Enabled: proto.Bool(true), EnablePublicEndpoint: proto.Bool(true), GlobalAccess: proto.Bool(false),
			AuthorizedNetworksConfig: &containerpb.MasterAuthorizedNetworksConfig{GcpPublicCidrsAccessEnabled: proto.Bool(true)},
			PublicEndpoint:           s.endpoint, PrivateEndpoint: "10.128.0.2",
		},
	}
	mergeEndpoints(pb, asked)
}

// fillNodePools makes the pools that are asked for, or the one that a cluster gets that names none.
func (s *Server) fillNodePools(pb *containerpb.Cluster) {
	asked := pb.NodePools
	if len(asked) == 0 {
		asked = []*containerpb.NodePool{{Name: "default-pool", InitialNodeCount: pb.InitialNodeCount}}
	}
	pb.NodePools = nil
	for _, p := range asked {
		pb.NodePools = append(pb.NodePools, s.newPool(pb, p))
	}
}

// fillFeatures fills in what a cluster has whether it was asked for or not.
func (s *Server) fillFeatures(pb *containerpb.Cluster) {
	if pb.ReleaseChannel == nil {
		pb.ReleaseChannel = &containerpb.ReleaseChannel{Channel: containerpb.ReleaseChannel_REGULAR}
	}
	pb.LoggingService, pb.MonitoringService = "logging.googleapis.com/kubernetes", "monitoring.googleapis.com/kubernetes"
	pb.LoggingConfig = &containerpb.LoggingConfig{ComponentConfig: &containerpb.LoggingComponentConfig{
		EnableComponents: []containerpb.LoggingComponentConfig_Component{
			containerpb.LoggingComponentConfig_SYSTEM_COMPONENTS, containerpb.LoggingComponentConfig_WORKLOADS,
		},
	}}
	pb.MonitoringConfig = &containerpb.MonitoringConfig{ManagedPrometheusConfig: &containerpb.ManagedPrometheusConfig{Enabled: true}}
	pb.AddonsConfig = &containerpb.AddonsConfig{
		HttpLoadBalancing: &containerpb.HttpLoadBalancing{}, HorizontalPodAutoscaling: &containerpb.HorizontalPodAutoscaling{},
	}
	pb.ShieldedNodes = &containerpb.ShieldedNodes{Enabled: true}
	pb.Autoscaling = &containerpb.ClusterAutoscaling{}
	if pb.GetAutopilot().GetEnabled() {
		pb.VerticalPodAutoscaling = &containerpb.VerticalPodAutoscaling{Enabled: true}
		pb.WorkloadIdentityConfig = &containerpb.WorkloadIdentityConfig{WorkloadPool: s.project + ".svc.id.goog"}
		pb.Autoscaling.EnableNodeAutoprovisioning = true
	}
	pb.NotificationConfig = &containerpb.NotificationConfig{Pubsub: &containerpb.NotificationConfig_PubSub{}}
	pb.DatabaseEncryption = &containerpb.DatabaseEncryption{State: containerpb.DatabaseEncryption_DECRYPTED}
	pb.SecurityPostureConfig = &containerpb.SecurityPostureConfig{}
	if pb.ResourceLabels == nil {
		pb.ResourceLabels = map[string]string{}
	}
}

// mergeEndpoints lays what is asked for over what is there. What is not said stays.
func mergeEndpoints(pb *containerpb.Cluster, asked *containerpb.ControlPlaneEndpointsConfig) {
	have := pb.ControlPlaneEndpointsConfig
	if d := asked.GetDnsEndpointConfig(); d != nil && d.AllowExternalTraffic != nil {
		have.DnsEndpointConfig.AllowExternalTraffic = d.AllowExternalTraffic
	}
	ip := asked.GetIpEndpointsConfig()
	if n := ip.GetAuthorizedNetworksConfig(); n != nil {
		have.IpEndpointsConfig.AuthorizedNetworksConfig = proto.CloneOf(n)
	}
	// The old field goes on showing the same.
	pb.MasterAuthorizedNetworksConfig = proto.CloneOf(have.IpEndpointsConfig.AuthorizedNetworksConfig)
}

func (s *Server) masterAuth() *containerpb.MasterAuth {
	return &containerpb.MasterAuth{ClusterCaCertificate: base64.StdEncoding.EncodeToString(s.caPEM)}
}

func hashOf(v any) uint32 {
	h := fnv.New32a()
	fmt.Fprint(h, v) // maps are printed in the order of their keys
	return h.Sum32()
}

// maintenanceText is what a policy says, without its own version. A message's own String is not the same from run to run.
func maintenanceText(p *containerpb.MaintenancePolicy) string {
	stamp := func(t *timestamppb.Timestamp) string { return t.AsTime().Format(time.RFC3339) }
	w := p.GetWindow()
	r := w.GetRecurringWindow()
	text := fmt.Sprint(r.GetRecurrence(), stamp(r.GetWindow().GetStartTime()), stamp(r.GetWindow().GetEndTime()), w.GetDailyMaintenanceWindow().GetStartTime())
	return fmt.Sprint(text, slices.Sorted(maps.Keys(w.GetMaintenanceExclusions())))
}
