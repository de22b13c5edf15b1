// Package nodepool is the kind "nodepool": machines of one sort in a Standard GKE cluster. A pool's settings stand in its cluster's
// entry of the stack file, and it comes and goes with that. The cluster itself is the business of the kind "cluster", what runs on
// the nodes that of "kube".
package nodepool

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Kind is the Ref.Kind of every node pool.
const Kind = "nodepool"

// Ref.Kinds of what a pool lives in, and of whom its nodes run as. The cluster builds on this room, not the other way round.
const (
	clusterKind  = "cluster"
	identityKind = "identity"
)

// Spec is a node pool, wanted or live. A nil pointer, slice or map means "not ours": what the stack file leaves out is neither
// compared nor changed. Versions are not part of it: Google moves them with the cluster's channel. Numbers of nodes are those of all zones together.
type Spec struct {
	Name           string            `yaml:"name" doc:"Name of the pool in its cluster; its key by default. A change makes another pool."`
	Machine        string            `yaml:"machine" required:"true" doc:"Machine type, such as e2-standard-4. Nodes are replaced one by one. Required."`
	Disk           Disk              `yaml:"disk" doc:"Boot disk of every node."`
	Spot           bool              `yaml:"spot" doc:"Run on spot capacity: cheaper, and stopped at short notice. It cannot be changed in place."`
	Min            *int              `yaml:"min" doc:"Fewest nodes that the autoscaler keeps, in all zones together. The number of nodes is then its own."`
	Max            *int              `yaml:"max" doc:"Most nodes that the autoscaler makes, in all zones together."`
	Size           *int              `yaml:"size" doc:"A fixed number of nodes in all zones together, in place of min and max; needs zones, a multiple of their number."`
	Labels         map[string]string `yaml:"labels" doc:"Kubernetes labels of its nodes; other labels are left alone."`
	Taints         []Taint           `yaml:"taints" doc:"Taints of its nodes, as a set; [] is none. Those that Google adds by itself do not count."`
	Upgrade        *Upgrade          `yaml:"upgrade" doc:"How many nodes are replaced at a time."`
	Zones          []string          `yaml:"zones" doc:"Zones of the cluster's region that have nodes; Google chooses three if left out."`
	ServiceAccount *string           `yaml:"serviceAccount" doc:"Google service account that the nodes run as: its e-mail, or its name in this project. It cannot be changed in place."`
	AutoRepair     *bool             `yaml:"autoRepair" doc:"Whether Google replaces nodes that are unwell. In a release channel it is always on."`
	AutoUpgrade    *bool             `yaml:"autoUpgrade" doc:"Whether Google upgrades the nodes. In a release channel it is always on."`
	ResourceLabels map[string]string `yaml:"resourceLabels" doc:"Labels of its machines in Google Cloud; the stack's by default. Others are left alone."`

	// Where it lives: its cluster's name and location.
	Cluster  string `yaml:"-"`
	Location string `yaml:"-"`

	Private bool `yaml:"-" json:"-"` // its nodes have no public addresses: the cluster says so, and only its price depends on it

	// What only a live pool has, so that it never equals a wanted one.
	PerZone      bool   `yaml:"-" json:",omitempty"` // Min and Max are those of each zone
	NoMetadata   bool   `yaml:"-" json:",omitempty"` // pods are not given identities of their own
	OtherUpgrade string `yaml:"-" json:",omitempty"` // a way of upgrading that the stack file has no word for

	seen  *containerpb.NodePool // of a live one: writes are made from it and guarded by it
	count *int64                // nodes of a live one with an autoscaler; nil: not known
}

// Disk is a boot disk.
type Disk struct {
	Size *GiB    `yaml:"size" doc:"Size in Gi, at least 10Gi. Nodes are replaced one by one."`
	Type *string `yaml:"type" enum:"pd-standard,pd-balanced,pd-ssd,hyperdisk-balanced" doc:"Sort of disk. Nodes are replaced one by one."`
}

// Taint keeps pods off nodes that do not tolerate it.
type Taint struct {
	Key    string `yaml:"key" required:"true" doc:"Its key. Required."`
	Value  string `yaml:"value" json:",omitempty" doc:"Its value."`
	Effect string `yaml:"effect" required:"true" enum:"NoSchedule,PreferNoSchedule,NoExecute" doc:"What becomes of pods that do not tolerate it. Required."`
}

func (t Taint) String() string {
	if t.Value == "" {
		return t.Key + ":" + t.Effect
	}
	return t.Key + "=" + t.Value + ":" + t.Effect
}

// Upgrade is how nodes are replaced.
type Upgrade struct {
	MaxSurge       *int `yaml:"maxSurge" doc:"How many nodes are made beyond the size while others are replaced; Google gives 1."`
	MaxUnavailable *int `yaml:"maxUnavailable" doc:"How many nodes may be away at a time; Google gives 0."`
}

// In is s as a pool of a cluster.
func (s Spec) In(cluster, location string) Spec {
	s.Cluster, s.Location = cluster, location
	return s
}

// Ref is nodepool/CLUSTER/POOL.
func (s Spec) Ref() resource.Ref { return resource.Ref{Kind: Kind, Name: s.Cluster + "/" + s.Name} }

// Needs is its cluster, which makes and removes it along with itself, and the account that the nodes run as.
func (s Spec) Needs() []resource.Need {
	return append([]resource.Need{{Ref: resource.Ref{Kind: clusterKind, Name: s.Cluster}, In: true, Part: true}}, s.NeedsAccount()...)
}

// NeedsAccount is the Google service account that its nodes run as, which may be one of the stack's own; whose project it is of does not show
// here. Without it Google makes no node.
func (s Spec) NeedsAccount() []resource.Need {
	if s.ServiceAccount == nil || *s.ServiceAccount == noAccount {
		return nil
	}
	name, _, _ := strings.Cut(*s.ServiceAccount, "@")
	return []resource.Need{{Ref: resource.Ref{Kind: identityKind, Name: name}}}
}

// Lifetime is Stateful: local data of the pods goes with the nodes, and so does the place where they run.
func (s Spec) Lifetime() resource.Lifetime { return resource.Stateful }

// Names of the fields in a Change. A node label's is gcp.FieldLabels and its key, a cloud label's fieldResourceLabels and its key.
const (
	fieldLocation       = "location"
	fieldMachine        = "machine"
	fieldDiskSize       = "disk.size"
	fieldDiskType       = "disk.type"
	fieldSpot           = "spot"
	fieldAutoscaling    = "autoscaling"
	fieldSize           = "size"
	fieldTaints         = "taints"
	fieldUpgrade        = "upgrade"
	fieldZones          = "zones"
	fieldAccount        = "serviceAccount"
	fieldRepair         = "autoRepair"
	fieldAutoUpgrade    = "autoUpgrade"
	fieldMetadata       = "metadataServer"
	fieldResourceLabels = "resourceLabels."
)

// replaces is the note on a change that costs every node.
const replaces = "nodes are replaced one by one"

// Diff reports how live differs from s, sorted by field. Taints and zones are sets; of labels only the keys of s count.
func (s Spec) Diff(live Spec) []resource.Change {
	d := gcp.DiffLabels(s.Labels, live.Labels)
	for _, c := range gcp.DiffLabels(s.ResourceLabels, live.ResourceLabels) {
		c.Field = fieldResourceLabels + strings.TrimPrefix(c.Field, gcp.FieldLabels)
		d = append(d, c)
	}
	add := func(field, want, have, note string, recreate bool) {
		if want != have {
			d = append(d, resource.Change{Field: field, Want: want, Have: have, Recreate: recreate, Note: note})
		}
	}
	add(fieldLocation, strings.ToLower(s.Location), strings.ToLower(live.Location), "", true)
	add(fieldSpot, strconv.FormatBool(s.Spot), strconv.FormatBool(live.Spot), "", true)
	if s.ServiceAccount != nil {
		add(fieldAccount, *s.ServiceAccount, text(live.ServiceAccount, same), "", true)
	}
	add(fieldMachine, s.Machine, live.Machine, replaces, false)
	if s.Disk.Size != nil {
		add(fieldDiskSize, s.Disk.Size.String(), text(live.Disk.Size, GiB.String), replaces, false)
	}
	if s.Disk.Type != nil {
		add(fieldDiskType, *s.Disk.Type, text(live.Disk.Type, same), replaces, false)
	}
	if s.Taints != nil {
		add(fieldTaints, taintsText(s.Taints), taintsText(s.ours(live.Taints)), "", false)
	}
	if s.Upgrade != nil {
		add(fieldUpgrade, s.Upgrade.over(live.Upgrade).String(), cmp.Or(live.OtherUpgrade, live.Upgrade.String()), "", false)
	}
	if s.Zones != nil {
		add(fieldZones, setText(s.Zones), setText(live.Zones), "nodes are added and removed", false)
	}
	if s.AutoRepair != nil {
		add(fieldRepair, strconv.FormatBool(*s.AutoRepair), text(live.AutoRepair, strconv.FormatBool), "", false)
	}
	if s.AutoUpgrade != nil {
		add(fieldAutoUpgrade, strconv.FormatBool(*s.AutoUpgrade), text(live.AutoUpgrade, strconv.FormatBool), "", false)
	}
	if live.NoMetadata {
		add(fieldMetadata, "on", "off", replaces, false)
	}
	s.diffNumber(live, add)
	slices.SortFunc(d, func(a, b resource.Change) int { return strings.Compare(a.Field, b.Field) })
	return d
}

// diffNumber compares how many nodes there are, and who says so: with an autoscaler the number is its own.
func (s Spec) diffNumber(live Spec, add func(field, want, have, note string, recreate bool)) {
	if s.Size == nil && s.Max == nil {
		return
	}
	add(fieldAutoscaling, s.autoscalingText(), live.autoscalingText(), "", false)
	if s.Size != nil && live.Max == nil {
		add(fieldSize, strconv.Itoa(*s.Size), text(live.Size, strconv.Itoa), "", false)
	}
}

func (s Spec) autoscalingText() string {
	if s.Max == nil {
		return "off"
	}
	least := 0
	if s.Min != nil {
		least = *s.Min
	}
	t := fmt.Sprintf("%d to %d nodes", least, *s.Max)
	if s.PerZone {
		t += " in each zone"
	}
	return t
}

// over is u with what it leaves open taken from live.
func (u *Upgrade) over(live *Upgrade) *Upgrade {
	merged := *u
	if live != nil {
		merged.MaxSurge, merged.MaxUnavailable = cmp.Or(u.MaxSurge, live.MaxSurge), cmp.Or(u.MaxUnavailable, live.MaxUnavailable)
	}
	return &merged
}

func (u *Upgrade) String() string {
	if u == nil {
		return "none"
	}
	return fmt.Sprintf("maxSurge %s, maxUnavailable %s", text(u.MaxSurge, strconv.Itoa), text(u.MaxUnavailable, strconv.Itoa))
}

func same(v string) string { return v }

// text is a live value that may be missing.
func text[T any](v *T, str func(T) string) string {
	if v == nil {
		return "none"
	}
	return str(*v)
}

// ours leaves out the taints that Google puts on nodes by itself, unless s names them.
func (s Spec) ours(live []Taint) []Taint {
	var kept []Taint
	for _, t := range live {
		if !system(t.Key) || s.names(t.Key) {
			kept = append(kept, t)
		}
	}
	return kept
}

func (s Spec) names(taint string) bool {
	return slices.ContainsFunc(s.Taints, func(t Taint) bool { return t.Key == taint })
}

// taintsText is the same for the same set of taints.
func taintsText(taints []Taint) string {
	var all []string
	for _, t := range taints {
		all = append(all, t.String())
	}
	return setText(all)
}

func setText(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(all))), ", ")
}
