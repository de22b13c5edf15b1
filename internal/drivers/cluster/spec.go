// Package cluster is the kind "cluster": a GKE cluster, Autopilot or Standard, and the way into its Kubernetes API. The machines of
// a Standard one are the business of the kind "nodepool", what runs in it that of "kube".
package cluster

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/nodepool"
	"recsysd.dev/recsysd/internal/resource"
)

// Kind is the Ref.Kind of every cluster.
const Kind = "cluster"

// networkKind is the Ref.Kind of what a cluster stands on.
const networkKind = "network"

// Modes of a cluster: who runs the nodes.
const (
	Autopilot = "autopilot"
	Standard  = "standard"
)

// Spec is a cluster, wanted or live. A nil pointer or slice means "not ours": what the stack file leaves out is neither compared nor
// changed. Versions are not part of it: in a release channel Google moves them, and that is no drift.
type Spec struct {
	Name               string            `yaml:"name" doc:"Name of the cluster. A change makes another cluster."`
	Location           string            `yaml:"location" doc:"Region, or for a standard cluster a zone; the stack's region by default. It cannot be changed in place."`
	Mode               string            `yaml:"mode" enum:"autopilot,standard" doc:"autopilot: Google runs the nodes and bills the pods; the default. standard: its nodePools say which nodes there are. It cannot be changed in place."`
	ReleaseChannel     *string           `yaml:"releaseChannel" enum:"rapid,regular,stable,extended" doc:"How soon Google upgrades the cluster; regular if never said."`
	MaintenanceWindow  *Window           `yaml:"maintenanceWindow" doc:"When Google may upgrade the cluster."`
	AuthorizedNetworks []Network         `yaml:"authorizedNetworks" doc:"The only networks that may reach the control plane's IP endpoint; [] means none."`
	DNSEndpoint        *bool             `yaml:"dnsEndpoint" doc:"Whether the control plane is reached by its DNS name, guarded by IAM alone. recsysd then uses that name itself."`
	PrivateNodes       *bool             `yaml:"privateNodes" doc:"Whether nodes have no public address. They then reach the internet through Cloud NAT only."`
	Network            string            `yaml:"network" json:",omitempty" doc:"VPC network; the project's network named default if left out. It cannot be changed in place."`
	Subnet             string            `yaml:"subnet" json:",omitempty" doc:"Subnet of the nodes. It cannot be changed in place."`
	PodRange           string            `yaml:"podRange" json:",omitempty" doc:"Secondary range of the subnet for the pods; Google makes one if left out. It cannot be changed in place."`
	ServiceRange       string            `yaml:"serviceRange" json:",omitempty" doc:"Secondary range of the subnet for the services. It cannot be changed in place."`
	Labels             map[string]string `yaml:"labels" doc:"Labels of the cluster; other labels on it are left alone."`

	// Pools are those that a Standard cluster is created with: GKE makes none without. After that each is a resource of its own, so
	// they are neither compared nor part of the hash.
	Pools []nodepool.Spec `yaml:"-" json:"-"`
	// NoWorkloadIdentity: pods have no identities of their own. Only a live cluster has it, so it never equals a wanted one.
	NoWorkloadIdentity bool `yaml:"-" json:",omitempty"`

	seen *seen // of a live one
}

// seen is what a live cluster was when it was looked at. Writes are made from it and guarded by it.
type seen struct {
	id          string // tells a cluster from a later one of the same name
	etag        string
	fingerprint string            // of the labels
	labels      map[string]string // all of them
	maintenance *containerpb.MaintenancePolicy
	status      containerpb.Cluster_Status
}

// Window is a maintenance window, in UTC.
type Window struct {
	Start    string       `yaml:"start" doc:"Time of day in UTC at which it opens, such as 02:00."`
	Duration gcp.Duration `yaml:"duration" doc:"How long it stays open: 4h to 24h, at least 48 hours in any 32 days."`
	Days     []string     `yaml:"days" enum:"mon,tue,wed,thu,fri,sat,sun" json:",omitempty" doc:"Days on which it opens; every day if left out."`

	// Other is a recurrence that the stack file has no word for. Only a live window has it, so it never equals a wanted one.
	Other string `yaml:"-" json:",omitempty"`
}

// Network is a range of addresses.
type Network struct {
	CIDR string `yaml:"cidr" doc:"The range, such as 203.0.113.0/24."`
	Name string `yaml:"name" json:",omitempty" doc:"What people call it."`
}

// NodeAccounts are the Google service accounts that its nodes run as, by e-mail; "" is Compute Engine's default one.
func (s Spec) NodeAccounts(project string) []string {
	if len(s.Pools) == 0 {
		return []string{""}
	}
	var all []string
	for _, p := range s.Pools {
		all = append(all, p.NodeAccounts(project)...)
	}
	return all
}

// ByName reports whether its control plane is to be reached by its DNS name, which takes a right of its own.
func (s Spec) ByName() bool { return s.DNSEndpoint != nil && *s.DNSEndpoint }

// Ref is cluster/NAME.
func (s Spec) Ref() resource.Ref { return resource.Ref{Kind: Kind, Name: s.Name} }

// Needs is the network, if it names one, and the accounts of the nodes that it is made with.
func (s Spec) Needs() []resource.Need {
	var needs []resource.Need
	if s.Network != "" {
		needs = append(needs, resource.Need{Ref: resource.Ref{Kind: networkKind, Name: path.Base(s.Network)}})
	}
	for _, p := range s.Pools {
		for _, n := range p.NeedsAccount() {
			if !slices.Contains(needs, n) {
				needs = append(needs, n)
			}
		}
	}
	return needs
}

// ID is Google's own of a live cluster, which no other ever has; "" of one that was not looked at.
func (s Spec) ID() string {
	if s.seen == nil {
		return ""
	}
	return s.seen.id
}

// Lifetime is Stateful: the disks in it go with it.
func (s Spec) Lifetime() resource.Lifetime { return resource.Stateful }

// Names of the fields in a Change. A label's is gcp.FieldLabels and its key.
const (
	fieldLocation     = "location"
	fieldMode         = "mode"
	fieldChannel      = "releaseChannel"
	fieldMaintenance  = "maintenanceWindow"
	fieldNetworks     = "authorizedNetworks"
	fieldDNSEndpoint  = "dnsEndpoint"
	fieldPrivateNodes = "privateNodes"
	fieldNetwork      = "network"
	fieldSubnet       = "subnet"
	fieldPodRange     = "podRange"
	fieldServiceRange = "serviceRange"
	fieldIdentity     = "workloadIdentity"
)

// moving is how to do what cannot be done in place: another mode is another cluster.
const moving = `another mode is another cluster: declare a second one, move the workloads, then let go of this one (docs/operations.md, "Moving from Autopilot to Standard")`

// Diff reports how live differs from s, sorted by field. Networks and days are sets; of labels only the keys of s count.
func (s Spec) Diff(live Spec) []resource.Change {
	d := gcp.DiffLabels(s.Labels, live.Labels)
	add := func(field, want, have string, recreate bool) {
		if want != have {
			d = append(d, resource.Change{Field: field, Want: want, Have: have, Recreate: recreate})
		}
	}
	add(fieldLocation, strings.ToLower(s.Location), strings.ToLower(live.Location), true)
	if mode := cmp.Or(s.Mode, Autopilot); mode != live.Mode {
		d = append(d, resource.Change{Field: fieldMode, Want: mode, Have: live.Mode, Recreate: true, Note: moving})
	}
	for _, part := range []struct{ field, want, have string }{
		{fieldNetwork, s.Network, live.Network}, {fieldSubnet, s.Subnet, live.Subnet},
		{fieldPodRange, s.PodRange, live.PodRange}, {fieldServiceRange, s.ServiceRange, live.ServiceRange},
	} {
		if part.want != "" && !sameName(part.want, part.have) {
			add(part.field, part.want, part.have, true)
		}
	}
	if live.NoWorkloadIdentity && s.Mode == Standard {
		add(fieldIdentity, "on", "off", false)
	}
	if s.ReleaseChannel != nil {
		add(fieldChannel, *s.ReleaseChannel, text(live.ReleaseChannel, func(v string) string { return v }), false)
	}
	if s.MaintenanceWindow != nil {
		add(fieldMaintenance, s.MaintenanceWindow.String(), text(live.MaintenanceWindow, Window.String), false)
	}
	if s.AuthorizedNetworks != nil {
		add(fieldNetworks, networksText(s.AuthorizedNetworks), networksText(live.AuthorizedNetworks), false)
	}
	if s.DNSEndpoint != nil {
		add(fieldDNSEndpoint, strconv.FormatBool(*s.DNSEndpoint), text(live.DNSEndpoint, strconv.FormatBool), false)
	}
	if s.PrivateNodes != nil {
		add(fieldPrivateNodes, strconv.FormatBool(*s.PrivateNodes), text(live.PrivateNodes, strconv.FormatBool), false)
	}
	slices.SortFunc(d, func(a, b resource.Change) int { return strings.Compare(a.Field, b.Field) })
	return d
}

// sameName compares what a network or a part of one is called: in full, or by its last part where one of the two says no more.
func sameName(a, b string) bool {
	if strings.Contains(a, "/") && strings.Contains(b, "/") {
		return a == b
	}
	return path.Base(a) == path.Base(b)
}

// text is a live value that may be missing.
func text[T any](v *T, str func(T) string) string {
	if v == nil {
		return "none"
	}
	return str(*v)
}

// networksText is the same for the same set of networks. Of a live cluster nil means that every network may come in.
func networksText(networks []Network) string {
	if networks == nil {
		return "any"
	}
	if len(networks) == 0 {
		return "none"
	}
	var lines []string
	for _, n := range networks {
		line := n.CIDR
		if n.Name != "" {
			line += " (" + n.Name + ")"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), ", ")
}
