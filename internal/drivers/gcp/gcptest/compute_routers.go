package gcptest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	computev1 "google.golang.org/api/compute/v1"
)

func routerPath(region, name string) string { return "regions/" + region + "/routers/" + name }

func (s *Server) listRouters(*http.Request, []byte) (any, error) {
	list := &computev1.RouterAggregatedList{Kind: "compute#routerAggregatedList", Items: map[string]computev1.RoutersScopedList{}}
	for _, path := range slices.Sorted(maps.Keys(s.vpc.routers)) {
		r := s.vpc.routers[path]
		scope := "regions/" + shortName(r.Region)
		if s.vpc.silent[shortName(r.Region)] {
			list.Unreachables = append(list.Unreachables, scope)
			continue
		}
		in := list.Items[scope]
		in.Routers = append(in.Routers, r)
		list.Items[scope] = in
	}
	return list, nil
}

func (s *Server) router(r *http.Request, write bool) (*computev1.Router, string, error) {
	path := routerPath(r.PathValue("r"), r.PathValue("n"))
	switch raw := s.vpc.routers[path]; {
	case s.vpc.silent[r.PathValue("r")]:
		return nil, path, refusal{http.StatusServiceUnavailable, "backendError", "The region did not answer."}
	case raw == nil:
		return nil, path, s.missing404(path)
	case write && s.busy(path):
		return nil, path, s.unready(path)
	default:
		return raw, path, nil
	}
}

func (s *Server) getRouter(r *http.Request, _ []byte) (any, error) {
	raw, _, err := s.router(r, false)
	return raw, err
}

func (s *Server) insertRouter(r *http.Request, body []byte) (any, error) {
	in := &computev1.Router{}
	if err := json.Unmarshal(body, in); err != nil {
		return nil, bad("Parse Error: %v", err)
	}
	path := routerPath(r.PathValue("r"), in.Name)
	if err := checkComputeName("router", in.Name); err != nil {
		return nil, err
	}
	if s.vpc.routers[path] != nil {
		return nil, s.exists409(path)
	}
	network := s.vpc.networks[shortName(in.Network)]
	switch {
	case network == nil:
		return nil, bad("Invalid value for field 'resource.network': '%s'. The referenced network resource cannot be found.", in.Network)
	case s.busy(networkPath(network.Name)):
		return nil, s.unready(networkPath(network.Name))
	}
	raw := &computev1.Router{
		Kind: "compute#router", Id: uint64(s.next()), Name: in.Name, Description: in.Description, Network: network.SelfLink, Nats: in.Nats,
		Region: s.link("regions/" + r.PathValue("r")), SelfLink: s.link(path), CreationTimestamp: time.Now().UTC().Format(time.RFC3339),
	}
	if err := s.checkNATs(raw); err != nil {
		return nil, err
	}
	s.vpc.routers[path] = raw
	return s.beginCompute("insert", path, raw.Id, nil, func() { delete(s.vpc.routers, path) }), nil
}

// checkNATs refuses what Google refuses in a router's NATs, and fills in what it fills in.
func (s *Server) checkNATs(r *computev1.Router) error {
	all := 0
	for _, other := range s.vpc.routers {
		for _, n := range other.Nats {
			if other.SelfLink != r.SelfLink && other.Network == r.Network && other.Region == r.Region && n.SourceSubnetworkIpRangesToNat == "ALL_SUBNETWORKS_ALL_IP_RANGES" {
				all++
			}
		}
	}
	names := map[string]bool{}
	for _, n := range r.Nats {
		if err := checkComputeName("nat", n.Name); err != nil {
			return err
		}
		switch {
		case names[n.Name]:
			return bad("Invalid value for field 'resource.nats': duplicate name '%s'.", n.Name)
		case n.SourceSubnetworkIpRangesToNat == "":
			return bad("Invalid value for field 'resource.nats[0].sourceSubnetworkIpRangesToNat': ''. Must be specified.")
		case n.NatIpAllocateOption == "":
			return bad("Invalid value for field 'resource.nats[0].natIpAllocateOption': ''. Must be specified.")
		case n.NatIpAllocateOption == "AUTO_ONLY" && len(n.NatIps) > 0, n.NatIpAllocateOption == "MANUAL_ONLY" && len(n.NatIps) == 0:
			return bad("Invalid value for field 'resource.nats[0].natIps': does not go with %s.", n.NatIpAllocateOption)
		case n.SourceSubnetworkIpRangesToNat != "LIST_OF_SUBNETWORKS" && len(n.Subnetworks) > 0:
			return bad("Invalid value for field 'resource.nats[0].subnetworks': does not go with %s.", n.SourceSubnetworkIpRangesToNat)
		case n.MinPortsPerVm != 0 && (n.MinPortsPerVm < 2 || n.MinPortsPerVm > 57344):
			return bad("Invalid value for field 'resource.nats[0].minPortsPerVm': '%d'.", n.MinPortsPerVm)
		}
		names[n.Name] = true
		if n.SourceSubnetworkIpRangesToNat == "ALL_SUBNETWORKS_ALL_IP_RANGES" {
			all++
		}
		if n.LogConfig == nil {
			n.LogConfig = &computev1.RouterNatLogConfig{Filter: "ALL", ForceSendFields: []string{"Enable"}}
		}
		n.Type, n.AutoNetworkTier, n.EndpointTypes = "PUBLIC", "PREMIUM", []string{"ENDPOINT_TYPE_VM"}
	}
	if all > 1 {
		return bad("Only one NAT in a network and region may translate all subnetworks.")
	}
	return nil
}

// patchRouter replaces the list of NATs as a whole; nothing guards it.
func (s *Server) patchRouter(r *http.Request, body []byte) (any, error) {
	raw, path, err := s.router(r, true)
	if err != nil {
		return nil, err
	}
	in, said := &computev1.Router{}, map[string]any{}
	if err := errorsOf(json.Unmarshal(body, in), json.Unmarshal(body, &said)); err != nil {
		return nil, err
	}
	next := *raw
	for field := range said {
		if field != "nats" {
			return nil, bad("gcptest: a patch of the field %s of a router is not built", field)
		}
		next.Nats = in.Nats
	}
	if err := s.checkNATs(&next); err != nil {
		return nil, err
	}
	return s.beginCompute("patch", path, raw.Id, func() { *raw = next }, nil), nil
}

func (s *Server) deleteRouter(r *http.Request, _ []byte) (any, error) {
	raw, path, err := s.router(r, true)
	if err != nil {
		return nil, err
	}
	return s.beginCompute("delete", path, raw.Id, func() { delete(s.vpc.routers, path) }, nil), nil
}
