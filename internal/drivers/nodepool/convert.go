package nodepool

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/protobuf/proto"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// fullAccess leaves what nodes may do to the IAM roles of their account alone. The older scopes are only kept where the account is
// Compute Engine's default one, whose roles may be wide.
const fullAccess = "https://www.googleapis.com/auth/cloud-platform"

// Request is a new pool. It names only what the stack says; Google fills in the rest.
func Request(s Spec, project string) *containerpb.NodePool {
	pb := &containerpb.NodePool{
		Name: s.Name,
		Config: &containerpb.NodeConfig{
			MachineType: s.Machine, Spot: s.Spot,
			Labels: s.Labels, ResourceLabels: s.ResourceLabels, Taints: toTaints(s.Taints),
			WorkloadMetadataConfig: metadataServer(),
		},
		Locations: s.Zones,
	}
	if s.Disk.Size != nil {
		pb.Config.DiskSizeGb = int32(*s.Disk.Size)
	}
	if s.Disk.Type != nil {
		pb.Config.DiskType = *s.Disk.Type
	}
	if s.ServiceAccount != nil {
		pb.Config.ServiceAccount = cmp.Or(s.Account(project), noAccount)
		pb.Config.OauthScopes = []string{fullAccess}
	}
	if s.Max != nil {
		pb.Autoscaling = toAutoscaling(s, nil)
	}
	pb.InitialNodeCount = int32(s.perZone())
	if s.Upgrade != nil {
		pb.UpgradeSettings = toUpgrade(*s.Upgrade, nil)
	}
	if s.AutoRepair != nil || s.AutoUpgrade != nil {
		pb.Management = toManagement(s, nil)
	}
	return pb
}

// usualZones is how many zones Google gives a pool that names none.
const usualZones = 3

// perZone is with how many nodes in each zone a pool begins: enough for the least that is wanted, not more than the most.
func (s Spec) perZone() int {
	zones := usualZones
	if len(s.Zones) > 0 {
		zones = len(s.Zones)
	} else if zone.MatchString(s.Location) {
		zones = 1
	}
	switch {
	case s.Size != nil:
		return *s.Size / zones
	case s.Max == nil || s.Min == nil:
		return 0
	}
	return min((*s.Min+zones-1)/zones, *s.Max/zones)
}

// metadataServer gives pods the identity of their own service account rather than the node's.
func metadataServer() *containerpb.WorkloadMetadataConfig {
	return &containerpb.WorkloadMetadataConfig{Mode: containerpb.WorkloadMetadataConfig_GKE_METADATA}
}

// noAccount is how GKE is told of Compute Engine's default account.
const noAccount = "default"

// Account is the e-mail of the Google service account that the nodes run as: the name of one is of this project. "": Compute Engine's
// default one.
func (s Spec) Account(project string) string {
	switch {
	case s.ServiceAccount == nil || *s.ServiceAccount == noAccount:
		return ""
	case strings.Contains(*s.ServiceAccount, "@"):
		return *s.ServiceAccount
	}
	return gcp.AccountEmail(project, *s.ServiceAccount)
}

// NodeAccounts is Account, as the cluster has it for all of its pools.
func (s Spec) NodeAccounts(project string) []string { return []string{s.Account(project)} }

// toAutoscaling keeps the policy of locations that live has.
func toAutoscaling(s Spec, live *containerpb.NodePoolAutoscaling) *containerpb.NodePoolAutoscaling {
	if s.Max == nil {
		return &containerpb.NodePoolAutoscaling{}
	}
	a := &containerpb.NodePoolAutoscaling{Enabled: true, TotalMaxNodeCount: int32(*s.Max), LocationPolicy: live.GetLocationPolicy()}
	if s.Min != nil {
		a.TotalMinNodeCount = int32(*s.Min)
	}
	return a
}

func toUpgrade(u Upgrade, live *containerpb.NodePool_UpgradeSettings) *containerpb.NodePool_UpgradeSettings {
	settings := &containerpb.NodePool_UpgradeSettings{MaxSurge: 1, Strategy: containerpb.NodePoolUpdateStrategy_SURGE.Enum()}
	if live != nil && live.GetStrategy() != containerpb.NodePoolUpdateStrategy_BLUE_GREEN {
		settings.MaxSurge, settings.MaxUnavailable = live.GetMaxSurge(), live.GetMaxUnavailable()
	}
	if u.MaxSurge != nil {
		settings.MaxSurge = int32(*u.MaxSurge)
	}
	if u.MaxUnavailable != nil {
		settings.MaxUnavailable = int32(*u.MaxUnavailable)
	}
	return settings
}

// toManagement is both switches, since they are written together: what the stack leaves out stays, or is on as in every new pool.
func toManagement(s Spec, live *containerpb.NodeManagement) *containerpb.NodeManagement {
	m := &containerpb.NodeManagement{AutoRepair: true, AutoUpgrade: true}
	if live != nil {
		m = proto.CloneOf(live)
	}
	if s.AutoRepair != nil {
		m.AutoRepair = *s.AutoRepair
	}
	if s.AutoUpgrade != nil {
		m.AutoUpgrade = *s.AutoUpgrade
	}
	return m
}

var effectNames = map[string]containerpb.NodeTaint_Effect{
	"NoSchedule":       containerpb.NodeTaint_NO_SCHEDULE,
	"PreferNoSchedule": containerpb.NodeTaint_PREFER_NO_SCHEDULE,
	"NoExecute":        containerpb.NodeTaint_NO_EXECUTE,
}

func toTaints(taints []Taint) []*containerpb.NodeTaint {
	var pbs []*containerpb.NodeTaint
	for _, t := range taints {
		pbs = append(pbs, &containerpb.NodeTaint{Key: t.Key, Value: t.Value, Effect: effectNames[t.Effect]})
	}
	return pbs
}

func taintOf(pb *containerpb.NodeTaint) Taint {
	t := Taint{Key: pb.GetKey(), Value: pb.GetValue(), Effect: pb.GetEffect().String()}
	for name, effect := range effectNames {
		if effect == pb.GetEffect() {
			t.Effect = name
		}
	}
	return t
}

// systems are whose taints GKE puts on nodes by itself, such as on those with another architecture or with accelerators.
var systems = []string{"kubernetes.io", "k8s.io", "cloud.google.com", "gke.io", "nvidia.com"}

// system reports whether a taint's key is of Google's making.
func system(key string) bool {
	domain, _, ok := strings.Cut(key, "/")
	return ok && slices.ContainsFunc(systems, func(s string) bool { return domain == s || strings.HasSuffix(domain, "."+s) })
}

// spec is a live pool in the words of the stack file. What Google fills in by itself is told too: whether it counts is for the
// wanted spec to say, which leaves out what is not ours. Numbers of nodes are told by who decides on them.
func spec(cluster *containerpb.Cluster, pb *containerpb.NodePool) Spec {
	c := pb.GetConfig()
	size := GiB(c.GetDiskSizeGb())
	s := Spec{
		Name: pb.GetName(), Cluster: cluster.GetName(), Location: cluster.GetLocation(),
		Machine: c.GetMachineType(), Disk: Disk{Size: &size, Type: proto.String(c.GetDiskType())},
		Spot: c.GetSpot(), ServiceAccount: proto.String(c.GetServiceAccount()),
		Labels: maps.Clone(c.GetLabels()), Taints: []Taint{}, ResourceLabels: maps.Clone(c.GetResourceLabels()),
		Zones:      slices.Clone(pb.GetLocations()),
		AutoRepair: proto.Bool(pb.GetManagement().GetAutoRepair()), AutoUpgrade: proto.Bool(pb.GetManagement().GetAutoUpgrade()),
		NoMetadata: c.GetWorkloadMetadataConfig().GetMode() != containerpb.WorkloadMetadataConfig_GKE_METADATA,
		seen:       pb,
		Private:    private(cluster, pb),
	}
	// GKE counts the nodes of all pools together, and may one day leave the number out: none at all is no answer.
	if n := int64(cluster.GetCurrentNodeCount()); len(cluster.GetNodePools()) == 1 && n > 0 {
		s.count = &n
	}
	for _, t := range c.GetTaints() {
		s.Taints = append(s.Taints, taintOf(t))
	}
	upgrade := pb.GetUpgradeSettings()
	s.Upgrade = &Upgrade{MaxSurge: number(upgrade.GetMaxSurge()), MaxUnavailable: number(upgrade.GetMaxUnavailable())}
	if upgrade.GetStrategy() == containerpb.NodePoolUpdateStrategy_BLUE_GREEN {
		s.OtherUpgrade = "blue-green"
	}
	a, zones := pb.GetAutoscaling(), int32(len(pb.GetLocations()))
	switch {
	case !a.GetEnabled():
		s.Size = number(pb.GetInitialNodeCount() * zones)
	case a.GetTotalMaxNodeCount() > 0:
		s.Min, s.Max = number(a.GetTotalMinNodeCount()), number(a.GetTotalMaxNodeCount())
	default:
		s.Min, s.Max, s.PerZone = number(a.GetMinNodeCount()), number(a.GetMaxNodeCount()), zones != 1
	}
	return s
}

// private reports whether the nodes have no public addresses: a pool may say otherwise than its cluster.
func private(cluster *containerpb.Cluster, pb *containerpb.NodePool) bool {
	if n := pb.GetNetworkConfig(); n != nil && n.EnablePrivateNodes != nil {
		return n.GetEnablePrivateNodes()
	}
	if n := cluster.GetNetworkConfig(); n != nil && n.DefaultEnablePrivateNodes != nil {
		return n.GetDefaultEnablePrivateNodes()
	}
	return cluster.GetPrivateClusterConfig().GetEnablePrivateNodes()
}

func number(n int32) *int {
	i := int(n)
	return &i
}

// mergeTaints is the whole list to write: the wanted taints, and those of live that are Google's own.
func (s Spec) mergeTaints(live []*containerpb.NodeTaint) *containerpb.NodeTaints {
	merged := &containerpb.NodeTaints{Taints: toTaints(s.Taints)}
	for _, t := range live {
		if system(t.GetKey()) && !s.names(t.GetKey()) {
			merged.Taints = append(merged.Taints, t)
		}
	}
	return merged
}

// owner is the labels by which a pool is told to be a stack's.
func owner(pb *containerpb.NodePool, stack string) bool {
	return gcp.OwnedBy(pb.GetConfig().GetResourceLabels(), stack)
}
