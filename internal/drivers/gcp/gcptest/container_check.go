package gcptest

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	computev1 "google.golang.org/api/compute/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

var (
	clusterNames = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$`)
	regions      = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]$`)
)

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
	case !pb.GetAutopilot().GetEnabled() && !regions.MatchString(location) && !zones.MatchString(location):
		return bad("Location %q does not exist.", location)
	case !pb.GetAutopilot().GetEnabled() && len(pb.GetNodePools()) == 0 && pb.GetInitialNodeCount() == 0:
		return bad("Cluster.initial_node_count must be greater than zero.")
	case len(pb.GetNodePools()) > 0 && pb.GetInitialNodeCount() > 0:
		return bad("Cluster.initial_node_count must be zero when cluster.node_pools is specified.")
	case pb.GetAutopilot().GetEnabled() && pb.GetReleaseChannel() != nil && pb.GetReleaseChannel().GetChannel() == containerpb.ReleaseChannel_UNSPECIFIED:
		return bad("Autopilot clusters must be enrolled in a release channel.")
	case pb.GetMasterAuthorizedNetworksConfig() != nil && ip.GetAuthorizedNetworksConfig() != nil:
		return bad("Both master_authorized_networks_config and control_plane_endpoints_config.ip_endpoints_config.authorized_networks_config are set.")
	}
	if err := checkLabels(pb.GetResourceLabels()); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, p := range pb.GetNodePools() {
		at := &containerpb.Cluster{Location: location, ReleaseChannel: pb.GetReleaseChannel(), WorkloadIdentityConfig: pb.GetWorkloadIdentityConfig()}
		if err := checkPool(at, p); err != nil {
			return err
		}
		if seen[p.GetName()] {
			return bad("Node pool name %q is not unique.", p.GetName())
		}
		seen[p.GetName()] = true
	}
	return checkMaintenance(pb.GetMaintenancePolicy())
}

// checkGround refuses a cluster on a network, subnet or range that is not there, and nodes that run as an account that is not. The network
// "default" is in every project; what another project shares is not known here.
func (s *Server) checkGround(location string, pb *containerpb.Cluster) error {
	bad := func(format string, args ...any) error { return status.Errorf(codes.InvalidArgument, format, args...) }
	for _, p := range pb.GetNodePools() {
		if err := s.checkNodesAccount(p); err != nil {
			return err
		}
	}
	if n := pb.GetNetwork(); n == "" || n == "default" || strings.Contains(n, "/") && !strings.HasPrefix(n, "projects/"+s.project+"/") {
		return nil
	}
	network, region := path.Base(pb.GetNetwork()), location
	if zones.MatchString(location) {
		region = location[:len(location)-2]
	}
	if s.vpc.networks[network] == nil {
		return bad("Project %q has no network named %q.", s.project, network)
	}
	if pb.GetSubnetwork() == "" {
		return nil
	}
	at := subnetPath(region, path.Base(pb.GetSubnetwork()))
	subnet := s.vpc.subnets[at]
	switch {
	case subnet == nil || subnet.Network != s.link(networkPath(network)):
		return bad("Subnetwork %q does not exist in network %q, region %q.", path.Base(pb.GetSubnetwork()), network, region)
	case s.busy(at):
		return bad("The resource '%s' is not ready (resourceNotReady).", at)
	}
	for what, name := range map[string]string{
		"Pod": pb.GetIpAllocationPolicy().GetClusterSecondaryRangeName(), "Services": pb.GetIpAllocationPolicy().GetServicesSecondaryRangeName(),
	} {
		named := func(r *computev1.SubnetworkSecondaryRange) bool { return r.RangeName == name }
		if name != "" && !slices.ContainsFunc(subnet.SecondaryIpRanges, named) {
			return bad("%s secondary range %q does not exist in network %q, subnetwork %q.", what, name, network, subnet.Name)
		}
	}
	return nil
}

// checkNodesAccount refuses nodes that would run as nobody.
func (s *Server) checkNodesAccount(pb *containerpb.NodePool) error {
	if email := pb.GetConfig().GetServiceAccount(); email != "" && s.memberFault(gcp.AccountMember(email)) != "" {
		return status.Errorf(codes.InvalidArgument, "Service account %q does not exist.", email)
	}
	return nil
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
