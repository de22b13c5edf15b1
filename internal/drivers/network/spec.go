// Package network is the kind "network": a VPC network with its subnets, and Cloud NAT for nodes without public addresses. Firewall
// rules, peerings and routes are not its business. Nothing of a network is removed but NAT: see Spec.Lifetime.
package network

import (
	"fmt"

	"recsysd.dev/recsysd/internal/resource"
)

// Kind is the Ref.Kind of every network.
const Kind = "network"

// Spec is a network, wanted or live. A nil pointer or map means "not ours": what the stack file leaves out is neither compared nor changed.
type Spec struct {
	Name    string            `yaml:"name" doc:"Name of the network, unique in the project. A change makes another network."`
	Routing *string           `yaml:"routing" enum:"regional,global" doc:"Whether Cloud Routers learn and announce routes of their own region or of all; Google gives regional."`
	MTU     *int              `yaml:"mtu" doc:"Largest packet in bytes, 1300 to 8896; Google gives 1460."`
	Subnets map[string]Subnet `yaml:"subnets" doc:"Subnets, by a key of your choice. One that is left out stays; what deletes it is printed."`
	NAT     *NAT              `yaml:"nat" doc:"Cloud NAT in every region that has a subnet: how nodes without public addresses reach the internet. true, settings, or false for none."`

	// Auto: a live network makes its subnets by itself. Never wanted.
	Auto bool `yaml:"-" json:",omitempty"`

	// Behind are the machines that its gateways serve, by region, as far as the stack knows them. Only prices are made from it.
	Behind map[string]Machines `yaml:"-" json:"-"`

	seen *seen // of a live one
}

// Subnet is a range of addresses in one region.
type Subnet struct {
	Name                string            `yaml:"name" doc:"Name of the subnet, unique in its region; the network's name and the key by default. A change makes another subnet."`
	Region              string            `yaml:"region" doc:"Where it is; the stack's region by default. A change makes another subnet."`
	Range               string            `yaml:"range" required:"true" doc:"Its addresses, such as 10.0.0.0/20. It can only grow, to a range that contains it. Required."`
	SecondaryRanges     map[string]string `yaml:"secondaryRanges" doc:"Ranges for pods and services, by name. When present, all there are but GKE's own (gke-…). They can be added, and removed while unused."`
	PrivateGoogleAccess *bool             `yaml:"privateGoogleAccess" doc:"Whether machines without public addresses reach Google's services; true at creation, then not ours."`
	FlowLogs            *bool             `yaml:"flowLogs" doc:"Whether a sample of the traffic is logged, which costs by volume."`

	// Foreign is another stack whose mark a live subnet carries. Never wanted.
	Foreign string `yaml:"-" json:",omitempty"`
}

// NAT is Cloud NAT for all subnets of the network, with addresses that Google allocates. In the stack file true and false stand for it too.
type NAT struct {
	MinPortsPerVM *int    `yaml:"minPortsPerVm" doc:"Ports that every machine has for itself, 2 to 57344; Google gives 64. A node with many pods needs more."`
	Logs          *string `yaml:"logs" enum:"none,errors,translations,all" doc:"What is logged; Google gives none."`

	// Off: none is wanted.
	Off bool `yaml:"-" json:",omitempty"`
	// Gateways are those of a live network, by region. Never wanted.
	Gateways map[string]Gateway `yaml:"-" json:",omitempty"`
}

// Gateway is NAT in one region: a Cloud Router that does nothing else.
type Gateway struct {
	MinPortsPerVM int
	Logs          string
	Sources       string // whose traffic is translated
	Addresses     string // who chooses the public addresses
	Ours          bool   // it carries this stack's mark
	Foreign       string `json:",omitempty"` // another stack whose mark it carries
	Bare          bool   `json:",omitempty"` // the router is there, without our NAT
	Shared        bool   `json:",omitempty"` // the router does other things too
}

// UnmarshalText reads true and false.
func (n *NAT) UnmarshalText(text []byte) error {
	switch string(text) {
	case "true":
		*n = NAT{}
	case "false":
		*n = NAT{Off: true}
	default:
		return fmt.Errorf("must be true, false or a mapping of settings, not %q", text)
	}
	return nil
}

// Ref is network/NAME.
func (s Spec) Ref() resource.Ref { return resource.Ref{Kind: Kind, Name: s.Name} }

// Needs is empty: a network stands on nothing.
func (s Spec) Needs() []resource.Need { return nil }

// Lifetime is Permanent: what else stands on a network, machines, peerings, addresses in other people's firewalls, is not known here.
func (s Spec) Lifetime() resource.Lifetime { return resource.Permanent }

// Outputs are the names in project by which others use the network and its subnets.
func (s Spec) Outputs(project string) map[string]string {
	out := map[string]string{"path": "projects/" + project + "/global/networks/" + s.Name}
	for key, n := range s.Subnets {
		out["subnets."+key] = "projects/" + project + "/regions/" + n.Region + "/subnetworks/" + n.Name
	}
	return out
}

// router is the name of the Cloud Router, and of the NAT in it, in every region.
func (s Spec) router() string { return s.Name + routerSuffix }

const routerSuffix = "-nat"

// at is a subnet's identity within the project.
func (n Subnet) at() string { return n.Region + "/" + n.Name }

// regions are those of the subnets.
func (s Spec) regions() map[string]bool {
	regions := map[string]bool{}
	for _, n := range s.Subnets {
		regions[n.Region] = true
	}
	return regions
}

// gateways are the NATs of s by region: of a live network those there are, of a wanted one those there should be; nil: not ours.
func (s Spec) gateways() map[string]Gateway {
	switch {
	case s.NAT == nil:
		return nil
	case s.NAT.Off:
		return map[string]Gateway{}
	case s.NAT.Gateways != nil:
		return s.NAT.Gateways
	}
	all := map[string]Gateway{}
	for region := range s.regions() {
		g := Gateway{Sources: sourcesAll, Addresses: addressesAuto, MinPortsPerVM: defaultPorts, Logs: logsNone, Ours: true}
		if s.NAT.MinPortsPerVM != nil {
			g.MinPortsPerVM = *s.NAT.MinPortsPerVM
		}
		if s.NAT.Logs != nil {
			g.Logs = *s.NAT.Logs
		}
		all[region] = g
	}
	return all
}

// What Google gives where nothing is said, and the words for it.
const (
	defaultPorts  = 64
	logsNone      = "none"
	sourcesAll    = "all subnets"
	addressesAuto = "automatic"
)
