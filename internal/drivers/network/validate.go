package network

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

var (
	resourceName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
	region       = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+$`)
	zone         = regexp.MustCompile(`^([a-z]+-[a-z]+[0-9]+)-[a-z]$`)
	routings     = []string{"regional", "global"}
	natLogWords  = []string{logsNone, "errors", "translations", "all"}
)

const (
	nameHint = "at most 63 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'"

	minMTU, maxMTU     = 1300, 8896
	minPorts, maxPorts = 2, 57344
	smallest           = 29  // bits of the mask of the smallest range
	largest            = 4   // and of the largest
	maxSecondary       = 170 // of a subnet
)

// reserved are the addresses that Google takes in no subnet, and what they are for.
var reserved = []struct{ cidr, what string }{
	{"0.0.0.0/8", "this network"}, {"127.0.0.0/8", "the machine itself"}, {"169.254.0.0/16", "link-local addresses"},
	{"224.0.0.0/4", "multicast"}, {"255.255.255.255/32", "broadcast"}, {"199.36.153.4/30", "Private Google Access"},
	{"199.36.153.8/30", "Private Google Access"},
}

// Validate reports what Google would refuse in s, joined. It knows the rules, not the world.
func (s Spec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !resourceName.MatchString(s.Name) {
		bad("name: %q: %s", s.Name, nameHint)
	}
	if s.Routing != nil && !slices.Contains(routings, *s.Routing) {
		bad("routing: %q is not one of %s", *s.Routing, strings.Join(routings, ", "))
	}
	if s.MTU != nil && (*s.MTU < minMTU || *s.MTU > maxMTU) {
		bad("mtu: %d is out of range; %d to %d", *s.MTU, minMTU, maxMTU)
	}
	if s.NAT != nil {
		errs = append(errs, s.validateNAT()...)
	}
	return errors.Join(append(errs, s.validateSubnets()...)...)
}

func (s Spec) validateNAT() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !s.NAT.Off && len(s.Subnets) == 0 {
		bad("nat: there are no subnets that it could serve")
	}
	if resourceName.MatchString(s.Name) && !resourceName.MatchString(s.router()) {
		bad("nat: its router would be called %s, which is longer than 63; give the network a shorter name", s.router())
	}
	if p := s.NAT.MinPortsPerVM; p != nil && (*p < minPorts || *p > maxPorts) {
		bad("nat: minPortsPerVm: %d is out of range; %d to %d", *p, minPorts, maxPorts)
	}
	if l := s.NAT.Logs; l != nil && !slices.Contains(natLogWords, *l) {
		bad("nat: logs: %q is not one of %s", *l, strings.Join(natLogWords, ", "))
	}
	return errs
}

// validateSubnets judges each subnet, and all the ranges against each other: within a network none may overlap.
func (s Spec) validateSubnets() []error {
	var errs []error
	at := map[string]string{}
	taken := map[string]netip.Prefix{} // path -> range
	var order []string
	for _, key := range sortedKeys(s.Subnets) {
		n := s.Subnets[key]
		path := "subnets: " + key
		bad := func(field, format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s: %s: %s", path, field, fmt.Sprintf(format, args...)))
		}
		follows := strings.HasPrefix(n.Name, s.Name+"-") && !resourceName.MatchString(s.Name)
		if !follows && !resourceName.MatchString(n.Name) {
			bad("name", "%q: %s", n.Name, nameHint)
		}
		if m := zone.FindStringSubmatch(n.Region); m != nil {
			bad("region", "%q is a zone; its region is %s", n.Region, m[1])
		} else if !region.MatchString(n.Region) {
			bad("region", "%q is not a region such as us-central1", n.Region)
		}
		if first, ok := at[n.at()]; ok {
			bad("name", "%s is the name of %s already, in the same region", n.Name, first)
		}
		at[n.at()] = "subnets." + key
		if len(n.SecondaryRanges) > maxSecondary {
			bad("secondaryRanges", "%d of them; Google takes at most %d", len(n.SecondaryRanges), maxSecondary)
		}
		fields := map[string]string{"range": n.Range}
		for name, cidr := range n.SecondaryRanges {
			fields["secondaryRanges: "+name] = cidr
			switch {
			case !resourceName.MatchString(name):
				bad("secondaryRanges: "+name, "%q: %s", name, nameHint)
			case strings.HasPrefix(name, gkeRanges):
				bad("secondaryRanges: "+name, "names that begin with %s are left to GKE", gkeRanges)
			}
		}
		for _, field := range sortedKeys(fields) {
			p, err := parseRange(fields[field])
			if err != nil {
				bad(field, "%v", err)
				continue
			}
			full := path + ": " + field
			for _, other := range order {
				if taken[other].Overlaps(p) {
					bad(field, "%s overlaps %s of %s", p, taken[other], strings.ReplaceAll(other, ": ", "."))
					break
				}
			}
			taken[full] = p
			order = append(order, full)
		}
	}
	return errs
}

// parseRange reads a range that a subnet may have.
func parseRange(cidr string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(cidr)
	switch {
	case cidr == "":
		return p, errors.New("missing; a range such as 10.0.0.0/20")
	case err != nil:
		return p, fmt.Errorf("%q is not a range such as 10.0.0.0/20", cidr)
	case !p.Addr().Is4():
		return p, fmt.Errorf("%q: only IPv4 ranges", cidr)
	case p != p.Masked():
		return p, fmt.Errorf("%q has address bits behind the mask; the range is %s", cidr, p.Masked())
	case p.Bits() > smallest:
		return p, fmt.Errorf("%q is too small; the smallest is a /%d", cidr, smallest)
	case p.Bits() < largest:
		return p, fmt.Errorf("%q is too large; the largest is a /%d", cidr, largest)
	}
	for _, r := range reserved {
		if netip.MustParsePrefix(r.cidr).Overlaps(p) {
			return p, fmt.Errorf("%q: %s is reserved for %s", cidr, r.cidr, r.what)
		}
	}
	return p, nil
}
