package gcptest

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"

	computev1 "google.golang.org/api/compute/v1"
)

var computeNames = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

func checkComputeName(what, name string) error {
	if !computeNames.MatchString(name) {
		return bad("Invalid value for field 'resource.name': '%s'. Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)' (%s)", name, what)
	}
	return nil
}

// prohibited are the addresses that no subnet may have.
var prohibited = []string{"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "199.36.153.4/30", "199.36.153.8/30"}

// checkRanges refuses what Google refuses in the ranges of a subnet, among themselves and against all others of its network.
func (s *Server) checkRanges(n *computev1.Subnetwork) error {
	type taken struct {
		p   netip.Prefix
		who string
	}
	var others []taken
	for _, o := range s.vpc.subnets {
		if o.Network != n.Network || o.SelfLink == n.SelfLink {
			continue
		}
		for _, cidr := range append(secondaryOf(o), o.IpCidrRange) {
			others = append(others, taken{netip.MustParsePrefix(cidr), o.Name})
		}
	}
	names := map[string]bool{}
	for _, r := range n.SecondaryIpRanges {
		if err := checkComputeName("secondary range", r.RangeName); err != nil {
			return err
		}
		if names[r.RangeName] {
			return bad("Duplicate secondary range name '%s'.", r.RangeName)
		}
		names[r.RangeName] = true
	}
	for _, cidr := range append([]string{n.IpCidrRange}, secondaryOf(n)...) {
		p, err := netip.ParsePrefix(cidr)
		if err != nil || !p.Addr().Is4() || p != p.Masked() {
			return bad("Invalid value for field 'resource.ipCidrRange': '%s'. Must be a CIDR address range that begins with its first address.", cidr)
		}
		if p.Bits() > 29 || p.Bits() < 4 {
			return bad("Invalid IPCidrRange: %s is not between /4 and /29.", cidr)
		}
		for _, no := range prohibited {
			if netip.MustParsePrefix(no).Overlaps(p) {
				return bad("Invalid IPCidrRange: %s conflicts with reserved IP range %s.", cidr, no)
			}
		}
		for _, o := range others {
			if o.p.Overlaps(p) {
				return bad("Invalid IPCidrRange: %s conflicts with existing subnetwork '%s' in region '%s'.", cidr, o.who, shortName(n.Region))
			}
		}
		others = append(others, taken{p, n.Name})
	}
	return nil
}

func secondaryOf(n *computev1.Subnetwork) []string {
	var all []string
	for _, r := range n.SecondaryIpRanges {
		all = append(all, r.IpCidrRange)
	}
	return all
}

// checkSecondaryChange refuses to add and remove at once, to change the addresses of a range, to take away what GKE has written
// into one, and to remove one that a cluster uses.
func (s *Server) checkSecondaryChange(now, next *computev1.Subnetwork) error {
	find := func(n *computev1.Subnetwork, name string) *computev1.SubnetworkSecondaryRange {
		for _, r := range n.SecondaryIpRanges {
			if r.RangeName == name {
				return r
			}
		}
		return nil
	}
	added := slices.ContainsFunc(next.SecondaryIpRanges, func(r *computev1.SubnetworkSecondaryRange) bool { return find(now, r.RangeName) == nil })
	for _, r := range now.SecondaryIpRanges {
		kept := find(next, r.RangeName)
		switch {
		case kept == nil && added:
			return bad("Invalid value for field 'resource.secondaryIpRanges': ranges cannot be added and removed in one request.")
		case kept == nil && s.usedRange(now, r.RangeName) != "":
			return refusal{http.StatusBadRequest, "resourceInUseByAnotherResource", "The secondary range '" + r.RangeName + "' of '" + now.SelfLink + "' is already being used by '" + s.usedRange(now, r.RangeName) + "'"}
		case kept != nil && kept.IpCidrRange != r.IpCidrRange:
			return bad("Invalid value for field 'resource.secondaryIpRanges': the range '%s' cannot be changed.", r.RangeName)
		case kept != nil && kept.ReservedInternalRange != r.ReservedInternalRange:
			return bad("Invalid value for field 'resource.secondaryIpRanges': the reserved range of '%s' cannot be removed.", r.RangeName)
		}
	}
	return nil
}

// usedRange is the cluster whose pods or services have their addresses from a secondary range; "" if none has.
func (s *Server) usedRange(n *computev1.Subnetwork, name string) string {
	for id, c := range s.clusters {
		ip := c.pb.GetIpAllocationPolicy()
		used := ip.GetClusterSecondaryRangeName() == name || ip.GetServicesSecondaryRangeName() == name
		if used && shortName(c.pb.GetSubnetwork()) == n.Name {
			return id
		}
	}
	return ""
}
