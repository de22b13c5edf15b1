package network

import (
	"fmt"
	"path"
	"strings"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// seen is what a live network was when it was looked at. Writes are made from it and guarded by it.
type seen struct {
	network   *compute.Network
	subnets   map[string]*compute.Subnetwork // those in it, by region/name
	routers   map[string]*compute.Router     // those in it with the name of ours, by region
	elsewhere map[string]string              // subnets and routers of wanted names that are in another network, by kind/region/name
	others    []*compute.Router              // the other routers in it
}

// spec is a live network in the words of the stack file; want, which may be nil, gives its subnets their keys.
func (d *Driver) spec(v *view, n *compute.Network, want *Spec) Spec {
	s := Spec{
		Name: n.Name, Auto: n.AutoCreateSubnetworks, Subnets: map[string]Subnet{}, NAT: &NAT{Gateways: map[string]Gateway{}},
		seen: &seen{network: n, subnets: map[string]*compute.Subnetwork{}, routers: map[string]*compute.Router{}, elsewhere: map[string]string{}},
	}
	if n.RoutingConfig != nil {
		s.Routing = new(strings.ToLower(n.RoutingConfig.RoutingMode))
	}
	if n.Mtu != 0 {
		s.MTU = new(int(n.Mtu))
	}
	keys := map[string]string{}
	if want != nil {
		s.Behind = want.Behind
		for key, w := range want.Subnets {
			keys[w.at()] = key
		}
	}
	for _, raw := range v.subnets {
		live := d.subnet(raw)
		key, named := keys[live.at()]
		switch {
		case in(raw.Network, n) && named:
			s.Subnets[key] = live
		case in(raw.Network, n):
			s.Subnets[live.at()] = live
		default:
			s.seen.elsewhere["subnet/"+live.at()] = path.Base(raw.Network)
			continue
		}
		s.seen.subnets[live.at()] = raw
	}
	for _, raw := range v.routers {
		region := path.Base(raw.Region)
		switch {
		case !in(raw.Network, n):
			s.seen.elsewhere["router/"+region+"/"+raw.Name] = path.Base(raw.Network)
		case raw.Name != s.router():
			s.seen.others = append(s.seen.others, raw)
		default:
			s.seen.routers[region] = raw
			s.NAT.Gateways[region] = d.gateway(raw)
		}
	}
	return s
}

func (d *Driver) subnet(raw *compute.Subnetwork) Subnet {
	s := Subnet{
		Name: raw.Name, Region: path.Base(raw.Region), Range: raw.IpCidrRange, SecondaryRanges: map[string]string{},
		PrivateGoogleAccess: new(raw.PrivateIpGoogleAccess), FlowLogs: new(raw.EnableFlowLogs || raw.LogConfig != nil && raw.LogConfig.Enable),
		Foreign: d.foreign(raw.Description),
	}
	for _, r := range raw.SecondaryIpRanges {
		s.SecondaryRanges[r.RangeName] = r.IpCidrRange
	}
	return s
}

// foreign is the other stack that a description names; "" if it names none or this one.
func (d *Driver) foreign(description string) string {
	if owner := gcp.DescribedOwner(description); owner != d.stack {
		return owner
	}
	return ""
}

// Google's words for what NAT translates, whose addresses it uses and what it logs, and ours.
const (
	allRanges = "ALL_SUBNETWORKS_ALL_IP_RANGES"
	autoOnly  = "AUTO_ONLY"
)

var natLogFilters = map[string]string{"errors": "ERRORS_ONLY", "translations": "TRANSLATIONS_ONLY", "all": "ALL"}

func (d *Driver) gateway(raw *compute.Router) Gateway {
	g := Gateway{Ours: gcp.DescribedOwner(raw.Description) == d.stack, Foreign: d.foreign(raw.Description)}
	g.Shared = len(raw.Interfaces)+len(raw.BgpPeers) > 0
	nat := natOf(raw)
	if nat == nil {
		g.Bare, g.Shared = true, g.Shared || len(raw.Nats) > 0
		return g
	}
	g.Shared = g.Shared || len(raw.Nats) > 1
	g.Sources, g.Addresses, g.Logs, g.MinPortsPerVM = words(nat.SourceSubnetworkIpRangesToNat), words(nat.NatIpAllocateOption), logsNone, int(nat.MinPortsPerVm)
	if nat.SourceSubnetworkIpRangesToNat == allRanges {
		g.Sources = sourcesAll
	}
	if nat.NatIpAllocateOption == autoOnly {
		g.Addresses = addressesAuto
	}
	if g.MinPortsPerVM == 0 {
		g.MinPortsPerVM = defaultPorts
	}
	if nat.LogConfig != nil && nat.LogConfig.Enable {
		g.Logs = words(nat.LogConfig.Filter)
		for word, filter := range natLogFilters {
			if filter == nat.LogConfig.Filter {
				g.Logs = word
			}
		}
	}
	return g
}

// natOf is our NAT in a router: the one of the router's own name.
func natOf(r *compute.Router) *compute.RouterNat {
	for _, nat := range r.Nats {
		if nat.Name == r.Name {
			return nat
		}
	}
	return nil
}

func words(enum string) string { return strings.ToLower(strings.ReplaceAll(enum, "_", " ")) }

// leftover says what stays although the stack file has it no longer, and how it is removed by hand.
func (d *Driver) leftover(want, live Spec) []string {
	var notices []string
	wanted := map[string]bool{}
	for _, n := range want.Subnets {
		wanted[n.at()] = true
	}
	for _, at := range sortedKeys(live.seen.subnets) {
		if raw := live.seen.subnets[at]; !wanted[at] && gcp.DescribedOwner(raw.Description) == d.stack {
			notices = append(notices, fmt.Sprintf("subnet %s (%s in %s) is no longer in the stack file and stays; what removes it: %s",
				raw.Name, raw.IpCidrRange, path.Base(raw.Region), d.deleteSubnet(raw)))
		}
	}
	gateways := want.gateways()
	for _, region := range sortedKeys(live.seen.routers) {
		g := live.NAT.Gateways[region]
		switch _, kept := gateways[region]; {
		case kept || g.Foreign != "":
		case want.NAT == nil && g.Ours:
			notices = append(notices, fmt.Sprintf("Cloud NAT in %s is not in the stack file and stays; nat: false removes it", region))
		case want.NAT != nil && !want.lets(live, region, g) && !want.NAT.Off:
			notices = append(notices, fmt.Sprintf("Cloud NAT stays in %s as long as a subnet is left there", region))
		case want.NAT != nil && !want.lets(live, region, g):
			notices = append(notices, fmt.Sprintf("router %s in %s does other things too, or is not the stack's own: Cloud NAT stays in it", live.router(), region))
		}
	}
	return notices
}

// byHand is the command that removes a network with everything in it that is known here.
func (d *Driver) byHand(s Spec) string {
	var commands []string
	for _, region := range sortedKeys(s.seen.routers) {
		commands = append(commands, d.deleteRouter(s.seen.routers[region]))
	}
	for _, r := range s.seen.others {
		commands = append(commands, d.deleteRouter(r))
	}
	for _, at := range sortedKeys(s.seen.subnets) {
		if !s.Auto { // of an automatic network they go with it
			commands = append(commands, d.deleteSubnet(s.seen.subnets[at]))
		}
	}
	return strings.Join(append(commands, fmt.Sprintf("gcloud compute networks delete %s --project %s", s.Name, d.project)), " && ")
}

func (d *Driver) deleteSubnet(n *compute.Subnetwork) string {
	return fmt.Sprintf("gcloud compute networks subnets delete %s --region %s --project %s", n.Name, path.Base(n.Region), d.project)
}

func (d *Driver) deleteRouter(r *compute.Router) string {
	return fmt.Sprintf("gcloud compute routers delete %s --region %s --project %s", r.Name, path.Base(r.Region), d.project)
}
