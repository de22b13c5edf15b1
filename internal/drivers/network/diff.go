package network

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// Names of the fields in a Change. A subnet's are fieldSubnets, its key and one of those below; NAT's are fieldNAT, the region, and one of those below.
const (
	fieldMode    = "mode"
	fieldRouting = "routing"
	fieldMTU     = "mtu"
	fieldSubnets = "subnets."
	fieldNAT     = "nat."

	subnetRange     = ".range"
	subnetSecondary = ".secondaryRanges."
	subnetAccess    = ".privateGoogleAccess"
	subnetFlowLogs  = ".flowLogs"

	natPorts     = ".minPortsPerVm"
	natLogs      = ".logs"
	natSources   = ".sources"
	natAddresses = ".addresses"

	owner = ".owner"
)

const (
	absent  = "absent"
	present = "present"

	thisStack = "this stack"
)

// gkeRanges is how the secondary ranges begin that GKE makes by itself, in a subnet whose cluster names none.
const gkeRanges = "gke-"

// changes collects what differs.
type changes []resource.Change

func (d *changes) add(field, want, have string, recreate bool) {
	if want != have {
		*d = append(*d, resource.Change{Field: field, Want: want, Have: have, Recreate: recreate})
	}
}

// Diff reports how live differs from s, sorted by field. Subnets are told apart by name and region, whatever their key; those that s
// does not have are no difference.
func (s Spec) Diff(live Spec) []resource.Change {
	var d changes
	if live.Auto {
		d.add(fieldMode, "subnets as declared", "subnets in every region, by Google", true)
	}
	if s.Routing != nil {
		d.add(fieldRouting, *s.Routing, text(live.Routing, func(v string) string { return v }), false)
	}
	if s.MTU != nil {
		d.add(fieldMTU, strconv.Itoa(*s.MTU), text(live.MTU, strconv.Itoa), false)
	}
	there := map[string]Subnet{}
	for _, n := range live.Subnets {
		there[n.at()] = n
	}
	for key, want := range s.Subnets {
		if have, ok := there[want.at()]; ok {
			d.subnet(fieldSubnets+key, want, have)
		} else {
			d.add(fieldSubnets+key, want.Range+" in "+want.Region, absent, false)
		}
	}
	s.diffNAT(live, &d)
	slices.SortFunc(d, func(a, b resource.Change) int { return strings.Compare(a.Field, b.Field) })
	return d
}

func (d *changes) subnet(path string, want, have Subnet) {
	if have.Foreign != "" {
		d.add(path+owner, thisStack, "stack "+have.Foreign, true)
	}
	d.add(path+subnetRange, want.Range, have.Range, !contains(want.Range, have.Range))
	if want.PrivateGoogleAccess != nil {
		d.add(path+subnetAccess, strconv.FormatBool(*want.PrivateGoogleAccess), text(have.PrivateGoogleAccess, strconv.FormatBool), false)
	}
	if want.FlowLogs != nil {
		d.add(path+subnetFlowLogs, strconv.FormatBool(*want.FlowLogs), text(have.FlowLogs, strconv.FormatBool), false)
	}
	if want.SecondaryRanges == nil {
		return
	}
	for name, cidr := range want.SecondaryRanges {
		now, ok := have.SecondaryRanges[name]
		if !ok {
			now = absent
		}
		d.add(path+subnetSecondary+name, cidr, now, ok) // one that is there keeps its addresses
	}
	for name, cidr := range have.SecondaryRanges {
		if _, ok := want.SecondaryRanges[name]; !ok && !strings.HasPrefix(name, gkeRanges) {
			d.add(path+subnetSecondary+name, absent, cidr, false)
		}
	}
}

// diffNAT compares NAT region by region. It goes where it is not wanted and no subnet is left that could need it.
func (s Spec) diffNAT(live Spec, d *changes) {
	want, have := s.gateways(), live.gateways()
	if want == nil {
		return
	}
	for region, w := range want {
		path := fieldNAT + region
		h, ok := have[region]
		if !ok || h.Bare {
			d.add(path, present, absent, false)
			continue
		}
		if h.Foreign != "" {
			d.add(path+owner, thisStack, "stack "+h.Foreign, true)
		}
		d.add(path+natSources, w.Sources, h.Sources, false)
		d.add(path+natAddresses, w.Addresses, h.Addresses, false)
		if s.NAT.MinPortsPerVM != nil {
			d.add(path+natPorts, strconv.Itoa(w.MinPortsPerVM), strconv.Itoa(h.MinPortsPerVM), false)
		}
		if s.NAT.Logs != nil {
			d.add(path+natLogs, w.Logs, h.Logs, false)
		}
	}
	for region, h := range have {
		if _, ok := want[region]; !ok && s.lets(live, region, h) {
			d.add(fieldNAT+region, absent, present, false)
		}
	}
}

// lets reports whether NAT may go from a region: it is asked for, or follows from there being nothing left to serve; and the router is the
// stack's own and does nothing else.
func (s Spec) lets(live Spec, region string, g Gateway) bool {
	return (s.NAT.Off || !live.regions()[region]) && g.Ours && !g.Shared
}

// contains reports whether the first range has all of the second. What cannot be read contains nothing.
func contains(outer, inner string) bool {
	o, err := netip.ParsePrefix(outer)
	i, err2 := netip.ParsePrefix(inner)
	return err == nil && err2 == nil && o.Bits() <= i.Bits() && o.Contains(i.Addr())
}

// text is a live value that may be missing.
func text[T any](v *T, str func(T) string) string {
	if v == nil {
		return "none"
	}
	return str(*v)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
