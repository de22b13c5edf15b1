package gcptest

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
