package gcptest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"time"

	computev1 "google.golang.org/api/compute/v1"
)

func subnetPath(region, name string) string { return "regions/" + region + "/subnetworks/" + name }

// listSubnets answers for every region, as Google does, those without any too.
func (s *Server) listSubnets(*http.Request, []byte) (any, error) {
	list := &computev1.SubnetworkAggregatedList{Kind: "compute#subnetworkAggregatedList", Items: map[string]computev1.SubnetworksScopedList{
		"regions/africa-south1": {Warning: &computev1.SubnetworksScopedListWarning{Code: "NO_RESULTS_ON_PAGE", Message: "There are no results for scope 'regions/africa-south1' on this page."}},
	}}
	for _, path := range slices.Sorted(maps.Keys(s.vpc.subnets)) {
		n := s.vpc.subnets[path]
		scope := "regions/" + shortName(n.Region)
		if s.vpc.silent[shortName(n.Region)] {
			list.Items[scope] = computev1.SubnetworksScopedList{Warning: &computev1.SubnetworksScopedListWarning{Code: "UNREACHABLE", Message: "The scope did not answer."}}
			continue
		}
		in := list.Items[scope]
		in.Subnetworks = append(in.Subnetworks, n)
		list.Items[scope] = in
	}
	return list, nil
}

// subnet is the one that a request names, ready for a write if one is asked for.
func (s *Server) subnet(r *http.Request, write bool) (*computev1.Subnetwork, string, error) {
	path := subnetPath(r.PathValue("r"), r.PathValue("n"))
	n := s.vpc.subnets[path]
	switch {
	case n == nil || s.vpc.silent[r.PathValue("r")]:
		return nil, path, s.missing404(path)
	case write && s.busy(path):
		return nil, path, s.unready(path)
	}
	return n, path, nil
}

func (s *Server) getSubnet(r *http.Request, _ []byte) (any, error) {
	if s.vpc.silent[r.PathValue("r")] {
		return nil, refusal{http.StatusServiceUnavailable, "backendError", "The region did not answer."}
	}
	n, _, err := s.subnet(r, false)
	return n, err
}

func (s *Server) insertSubnet(r *http.Request, body []byte) (any, error) {
	in := &computev1.Subnetwork{}
	if err := json.Unmarshal(body, in); err != nil {
		return nil, bad("Parse Error: %v", err)
	}
	path := subnetPath(r.PathValue("r"), in.Name)
	if err := checkComputeName("subnetwork", in.Name); err != nil {
		return nil, err
	}
	if s.vpc.subnets[path] != nil {
		return nil, s.exists409(path)
	}
	network := s.vpc.networks[shortName(in.Network)]
	switch {
	case network == nil:
		return nil, bad("Invalid value for field 'resource.network': '%s'. The referenced network resource cannot be found.", in.Network)
	case network.AutoCreateSubnetworks:
		return nil, bad("Cannot create subnetworks in an auto-mode network.")
	case s.busy(networkPath(network.Name)):
		return nil, s.unready(networkPath(network.Name))
	}
	n := &computev1.Subnetwork{
		Kind: "compute#subnetwork", Id: uint64(s.next()), Name: in.Name, Description: in.Description, Network: network.SelfLink,
		Region: s.link("regions/" + r.PathValue("r")), IpCidrRange: in.IpCidrRange, SecondaryIpRanges: in.SecondaryIpRanges,
		PrivateIpGoogleAccess: in.PrivateIpGoogleAccess, LogConfig: in.LogConfig, SelfLink: s.link(path),
		CreationTimestamp: time.Now().UTC().Format(time.RFC3339), Purpose: "PRIVATE", StackType: "IPV4_ONLY",
		PrivateIpv6GoogleAccess: "DISABLE_GOOGLE_ACCESS",
	}
	if err := s.checkRanges(n); err != nil {
		return nil, err
	}
	s.fillSubnet(n)
	s.vpc.subnets[path] = n
	return s.beginCompute("insert", path, n.Id, nil, func() { delete(s.vpc.subnets, path) }), nil
}

// fillSubnet gives what follows from the rest, and a new fingerprint.
func (s *Server) fillSubnet(n *computev1.Subnetwork) {
	if p, err := netip.ParsePrefix(n.IpCidrRange); err == nil {
		n.GatewayAddress = p.Addr().Next().String()
	}
	if n.LogConfig != nil && n.LogConfig.Enable {
		n.LogConfig.AggregationInterval, n.LogConfig.FlowSampling, n.LogConfig.Metadata = "INTERVAL_5_SEC", 0.5, "INCLUDE_ALL_METADATA"
	}
	n.EnableFlowLogs = n.LogConfig != nil && n.LogConfig.Enable
	n.Fingerprint = s.fingerprint()
}

// fingerprint is one that nothing else has.
func (s *Server) fingerprint() string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(s.next())))
}

// patchSubnet takes the few fields that Google takes, under the fingerprint that the subnet has.
func (s *Server) patchSubnet(r *http.Request, body []byte) (any, error) {
	n, path, err := s.subnet(r, true)
	if err != nil {
		return nil, err
	}
	in, said := &computev1.Subnetwork{}, map[string]any{}
	if err := errorsOf(json.Unmarshal(body, in), json.Unmarshal(body, &said)); err != nil {
		return nil, err
	}
	switch {
	case in.Fingerprint == "":
		return nil, refusal{http.StatusPreconditionFailed, "conditionNotMet", "Required field 'fingerprint' not specified"}
	case in.Fingerprint != n.Fingerprint:
		return nil, refusal{http.StatusPreconditionFailed, "conditionNotMet", "Invalid fingerprint."}
	}
	next := *n
	for field := range said {
		switch field {
		case "fingerprint":
		case "secondaryIpRanges":
			next.SecondaryIpRanges = in.SecondaryIpRanges
		case "logConfig":
			next.LogConfig = in.LogConfig
		default:
			return nil, bad("Invalid value for field 'resource.%s': cannot be changed by a patch.", field)
		}
	}
	if err := s.checkSecondaryChange(n, &next); err != nil {
		return nil, err
	}
	if err := s.checkRanges(&next); err != nil {
		return nil, err
	}
	return s.beginCompute("patch", path, n.Id, func() { s.fillSubnet(&next); *n = next }, nil), nil
}

func (s *Server) expandSubnet(r *http.Request, body []byte) (any, error) {
	n, path, err := s.subnet(r, true)
	if err != nil {
		return nil, err
	}
	var in computev1.SubnetworksExpandIpCidrRangeRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, bad("Parse Error: %v", err)
	}
	now, wide := netip.MustParsePrefix(n.IpCidrRange), netip.Prefix{}
	if wide, err = netip.ParsePrefix(in.IpCidrRange); err != nil || wide.Bits() >= now.Bits() || !wide.Contains(now.Addr()) {
		return nil, bad("Invalid value for field 'ipCidrRange': '%s'. New range must be larger than and contain the current range %s.", in.IpCidrRange, now)
	}
	next := *n
	next.IpCidrRange = in.IpCidrRange
	if err := s.checkRanges(&next); err != nil {
		return nil, err
	}
	return s.beginCompute("expandIpCidrRange", path, n.Id, func() { s.fillSubnet(&next); *n = next }, nil), nil
}

func (s *Server) setPrivateAccess(r *http.Request, body []byte) (any, error) {
	n, path, err := s.subnet(r, true)
	if err != nil {
		return nil, err
	}
	said := map[string]bool{}
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, bad("Parse Error: %v", err)
	}
	on, ok := said["privateIpGoogleAccess"]
	if !ok {
		return nil, bad("Required field 'privateIpGoogleAccess' not specified")
	}
	return s.beginCompute("setPrivateIpGoogleAccess", path, n.Id, func() {
		n.PrivateIpGoogleAccess = on
		n.Fingerprint = s.fingerprint()
	}, nil), nil
}
