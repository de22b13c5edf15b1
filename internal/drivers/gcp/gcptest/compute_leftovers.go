package gcptest

import (
	"net/http"
	"slices"
	"strings"

	computev1 "google.golang.org/api/compute/v1"
)

// Leave puts there what a cluster leaves behind, as it is given: *Disk, *ForwardingRule, *NetworkEndpointGroup, *Firewall. Zones and regions
// are short names.
func (s *Server) Leave(things ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, thing := range things {
		switch t := thing.(type) {
		case *computev1.Disk:
			t.Zone, t.Type = s.link("zones/"+t.Zone), s.link("zones/"+t.Zone+"/diskTypes/"+t.Type)
			s.vpc.disks = append(s.vpc.disks, t)
		case *computev1.ForwardingRule:
			t.Region = s.link("regions/" + t.Region)
			s.vpc.rules = append(s.vpc.rules, t)
		case *computev1.NetworkEndpointGroup:
			t.Zone = s.link("zones/" + t.Zone)
			s.vpc.groups = append(s.vpc.groups, t)
		case *computev1.Firewall:
			s.vpc.firewalls = append(s.vpc.firewalls, t)
		}
	}
}

// Clear takes away by name what Leave has put there.
func (s *Server) Clear(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vpc.disks = slices.DeleteFunc(s.vpc.disks, func(d *computev1.Disk) bool { return d.Name == name })
	s.vpc.rules = slices.DeleteFunc(s.vpc.rules, func(r *computev1.ForwardingRule) bool { return r.Name == name })
	s.vpc.groups = slices.DeleteFunc(s.vpc.groups, func(g *computev1.NetworkEndpointGroup) bool { return g.Name == name })
	s.vpc.firewalls = slices.DeleteFunc(s.vpc.firewalls, func(f *computev1.Firewall) bool { return f.Name == name })
}

// scopeOf is a link's zone or region as aggregated lists name it.
func scopeOf(link string) string {
	parts := strings.Split(link, "/")
	return strings.Join(parts[len(parts)-2:], "/")
}

func (s *Server) listDisks(*http.Request, []byte) (any, error) {
	items := map[string]computev1.DisksScopedList{}
	for _, d := range s.vpc.disks {
		if s.vpc.silent[shortName(d.Zone)] {
			items[scopeOf(d.Zone)] = computev1.DisksScopedList{Warning: &computev1.DisksScopedListWarning{Code: "UNREACHABLE"}}
			continue
		}
		in := items[scopeOf(d.Zone)]
		in.Disks = append(in.Disks, d)
		items[scopeOf(d.Zone)] = in
	}
	return &computev1.DiskAggregatedList{Kind: "compute#diskAggregatedList", Items: items}, nil
}

func (s *Server) listForwardingRules(*http.Request, []byte) (any, error) {
	items := map[string]computev1.ForwardingRulesScopedList{}
	for _, r := range s.vpc.rules {
		if s.vpc.silent[shortName(r.Region)] {
			items[scopeOf(r.Region)] = computev1.ForwardingRulesScopedList{Warning: &computev1.ForwardingRulesScopedListWarning{Code: "UNREACHABLE"}}
			continue
		}
		in := items[scopeOf(r.Region)]
		in.ForwardingRules = append(in.ForwardingRules, r)
		items[scopeOf(r.Region)] = in
	}
	return &computev1.ForwardingRuleAggregatedList{Kind: "compute#forwardingRuleAggregatedList", Items: items}, nil
}

func (s *Server) listEndpointGroups(*http.Request, []byte) (any, error) {
	items := map[string]computev1.NetworkEndpointGroupsScopedList{}
	for _, g := range s.vpc.groups {
		if s.vpc.silent[shortName(g.Zone)] {
			items[scopeOf(g.Zone)] = computev1.NetworkEndpointGroupsScopedList{Warning: &computev1.NetworkEndpointGroupsScopedListWarning{Code: "UNREACHABLE"}}
			continue
		}
		in := items[scopeOf(g.Zone)]
		in.NetworkEndpointGroups = append(in.NetworkEndpointGroups, g)
		items[scopeOf(g.Zone)] = in
	}
	return &computev1.NetworkEndpointGroupAggregatedList{Kind: "compute#networkEndpointGroupAggregatedList", Items: items}, nil
}

func (s *Server) listFirewalls(*http.Request, []byte) (any, error) {
	return &computev1.FirewallList{Kind: "compute#firewallList", Items: s.vpc.firewalls}, nil
}
