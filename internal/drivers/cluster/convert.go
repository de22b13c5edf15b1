package cluster

import (
	"cmp"
	"strings"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/nodepool"
)

// spec is a live cluster in the words of the stack file. What the server fills in by itself is told too: whether it counts
// is for the wanted spec to say, which leaves out what is not ours.
func spec(pb *containerpb.Cluster) Spec {
	s := Spec{
		Name:               pb.GetName(),
		Location:           pb.GetLocation(),
		Mode:               Standard,
		ReleaseChannel:     channelOf(pb.GetReleaseChannel()),
		MaintenanceWindow:  windowOf(pb.GetMaintenancePolicy().GetWindow()),
		AuthorizedNetworks: networksOf(pb),
		PrivateNodes:       proto.Bool(privateNodes(pb)),
		DNSEndpoint:        proto.Bool(pb.GetControlPlaneEndpointsConfig().GetDnsEndpointConfig().GetAllowExternalTraffic()),
		Network:            pb.GetNetworkConfig().GetNetwork(),
		Subnet:             pb.GetNetworkConfig().GetSubnetwork(),
		PodRange:           pb.GetIpAllocationPolicy().GetClusterSecondaryRangeName(),
		ServiceRange:       pb.GetIpAllocationPolicy().GetServicesSecondaryRangeName(),
		Labels:             pb.GetResourceLabels(),
		NoWorkloadIdentity: pb.GetWorkloadIdentityConfig().GetWorkloadPool() == "",
		seen: &seen{
			id: pb.GetId(), etag: pb.GetEtag(), fingerprint: pb.GetLabelFingerprint(), labels: pb.GetResourceLabels(),
			maintenance: pb.GetMaintenancePolicy(), status: pb.GetStatus(),
		},
	}
	if pb.GetAutopilot().GetEnabled() {
		s.Mode = Autopilot
	}
	return s
}

func channelOf(c *containerpb.ReleaseChannel) *string {
	name := "none"
	if c.GetChannel() != containerpb.ReleaseChannel_UNSPECIFIED {
		name = strings.ToLower(c.GetChannel().String())
	}
	return &name
}

func toChannel(name string) *containerpb.ReleaseChannel {
	return &containerpb.ReleaseChannel{
		Channel: containerpb.ReleaseChannel_Channel(containerpb.ReleaseChannel_Channel_value[strings.ToUpper(name)]),
	}
}

// privateNodes reads the newer field, and the older one where the server gives only that.
func privateNodes(pb *containerpb.Cluster) bool {
	if n := pb.GetNetworkConfig(); n != nil && n.DefaultEnablePrivateNodes != nil {
		return n.GetDefaultEnablePrivateNodes()
	}
	return pb.GetPrivateClusterConfig().GetEnablePrivateNodes()
}

// networksOf is nil where every network may come in. It reads the newer field, and the older one where the server gives only that.
func networksOf(pb *containerpb.Cluster) []Network {
	config := pb.GetControlPlaneEndpointsConfig().GetIpEndpointsConfig().GetAuthorizedNetworksConfig()
	if config == nil {
		config = pb.GetMasterAuthorizedNetworksConfig()
	}
	if !config.GetEnabled() {
		return nil
	}
	networks := []Network{}
	for _, b := range config.GetCidrBlocks() {
		networks = append(networks, Network{CIDR: b.GetCidrBlock(), Name: b.GetDisplayName()})
	}
	return networks
}

// toNetworks says nothing of the rest of the endpoints, which Google then leaves as it is.
func toNetworks(networks []Network) *containerpb.ControlPlaneEndpointsConfig_IPEndpointsConfig {
	config := &containerpb.MasterAuthorizedNetworksConfig{Enabled: true}
	for _, n := range networks {
		config.CidrBlocks = append(config.CidrBlocks, &containerpb.MasterAuthorizedNetworksConfig_CidrBlock{
			CidrBlock: n.CIDR, DisplayName: n.Name,
		})
	}
	return &containerpb.ControlPlaneEndpointsConfig_IPEndpointsConfig{AuthorizedNetworksConfig: config}
}

func toDNSEndpoint(on bool) *containerpb.ControlPlaneEndpointsConfig_DNSEndpointConfig {
	return &containerpb.ControlPlaneEndpointsConfig_DNSEndpointConfig{AllowExternalTraffic: proto.Bool(on)}
}

// windowOf is nil where there is no window. Google has two forms of it; a daily one is always 4 hours long.
func windowOf(w *containerpb.MaintenanceWindow) *Window {
	if daily := w.GetDailyMaintenanceWindow(); daily != nil {
		return &Window{Start: daily.GetStartTime(), Duration: gcp.Duration(4 * time.Hour)}
	}
	r := w.GetRecurringWindow()
	if r == nil {
		return nil
	}
	start := r.GetWindow().GetStartTime().AsTime().UTC()
	window := &Window{
		Start:    start.Format("15:04"),
		Duration: gcp.Duration(r.GetWindow().GetEndTime().AsTime().Sub(start)),
	}
	days, ok := daysOf(r.GetRecurrence())
	if !ok {
		window.Other = cmp.Or(r.GetRecurrence(), "a time of its own")
	}
	window.Days = days
	return window
}

// anchor is the date at which the recurrence of a window begins to be counted. Only the time of day in it matters.
var anchor = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)

// toPolicy lays the window over a policy, of which everything else stays: exclusions, the version that guards the write.
func toPolicy(w Window, over *containerpb.MaintenancePolicy) *containerpb.MaintenancePolicy {
	policy := &containerpb.MaintenancePolicy{}
	if over != nil {
		policy = proto.CloneOf(over)
	}
	if policy.Window == nil {
		policy.Window = &containerpb.MaintenanceWindow{}
	}
	at, err := time.Parse("15:04", w.Start)
	if err != nil {
		at = anchor // Validate has seen to it that this does not happen
	}
	start := anchor.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute)
	policy.Window.Policy = &containerpb.MaintenanceWindow_RecurringWindow{RecurringWindow: &containerpb.RecurringTimeWindow{
		Window: &containerpb.TimeWindow{
			StartTime: timestamppb.New(start), EndTime: timestamppb.New(start.Add(time.Duration(w.Duration))),
		},
		Recurrence: w.recurrence(),
	}}
	return policy
}

// identityPool gives pods identities of their own, without which no grant to a workload would work. Autopilot has it always.
func identityPool(project string) *containerpb.WorkloadIdentityConfig {
	return &containerpb.WorkloadIdentityConfig{WorkloadPool: project + ".svc.id.goog"}
}

// request is a new cluster. It names only what the stack says; Google fills in the rest.
func request(s Spec, project string) *containerpb.Cluster {
	pb := &containerpb.Cluster{Name: s.Name, ResourceLabels: s.Labels, Network: s.Network, Subnetwork: s.Subnet}
	if s.Mode == Standard {
		pb.WorkloadIdentityConfig = identityPool(project)
		for _, p := range s.Pools {
			pb.NodePools = append(pb.NodePools, nodepool.Request(p, project))
		}
	} else {
		pb.Autopilot = &containerpb.Autopilot{Enabled: true}
	}
	if s.Mode == Standard || s.PodRange != "" || s.ServiceRange != "" {
		pb.IpAllocationPolicy = &containerpb.IPAllocationPolicy{
			UseIpAliases: true, ClusterSecondaryRangeName: s.PodRange, ServicesSecondaryRangeName: s.ServiceRange,
		}
	}
	if s.ReleaseChannel != nil {
		pb.ReleaseChannel = toChannel(*s.ReleaseChannel)
	}
	if s.MaintenanceWindow != nil {
		pb.MaintenancePolicy = toPolicy(*s.MaintenanceWindow, nil)
	}
	if s.PrivateNodes != nil {
		pb.NetworkConfig = &containerpb.NetworkConfig{DefaultEnablePrivateNodes: s.PrivateNodes}
	}
	if s.AuthorizedNetworks != nil || s.DNSEndpoint != nil {
		pb.ControlPlaneEndpointsConfig = &containerpb.ControlPlaneEndpointsConfig{}
	}
	if s.AuthorizedNetworks != nil {
		pb.ControlPlaneEndpointsConfig.IpEndpointsConfig = toNetworks(s.AuthorizedNetworks)
	}
	if s.DNSEndpoint != nil {
		pb.ControlPlaneEndpointsConfig.DnsEndpointConfig = toDNSEndpoint(*s.DNSEndpoint)
	}
	return pb
}
