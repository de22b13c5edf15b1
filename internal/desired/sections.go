package desired

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"recsysd.dev/recsysd/internal/desired/schedule"
	"recsysd.dev/recsysd/internal/desired/workload"
	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/identity"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/drivers/network"
	"recsysd.dev/recsysd/internal/drivers/nodepool"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/resource"
)

const apiVersion = "recsysd.dev/v1alpha1"

// What the rest of this room knows of the kinds. No other file of it imports one.
type (
	object      = kube.Object
	definitions = kube.Definitions
	grant       = bucket.Grant
	bucketEntry = entry[bucket.Spec]
	principal   = gcp.Principal

	clusterBilling = kube.Place
	diskSorts      = map[string]kube.DiskSort

	identitySpec  = identity.Spec
	registryGrant = registry.Grant
	running       = registry.Running
)

// Marks of ownership and of handling, in the cloud and on Kubernetes objects.
const (
	cloudManagedBy = gcp.LabelManagedBy
	cloudStack     = gcp.LabelStack
	cloudNamespace = gcp.LabelNamespace
	managedBy      = gcp.ManagedBy

	labelStack   = kube.LabelStack
	labelEntry   = kube.LabelEntry
	labelManaged = kube.LabelManaged

	annotationProtect     = kube.AnnotationProtect
	annotationUnprotected = kube.AnnotationUnprotected
	annotationGenerated   = kube.AnnotationGenerated
	annotationApplied     = kube.AnnotationApplied
	annotationAsleep      = kube.AnnotationAsleep
	annotationAwakeUntil  = kube.AnnotationAwakeUntil
	annotationAsleepUntil = kube.AnnotationAsleepUntil
	annotationSecret      = kube.AnnotationSecret
)

const (
	defaultNodes   = registry.DefaultNodes
	maxDisplayName = identity.MaxDisplayName
)

// What access policies call a service account, and an address that they are open to.
func accountEmail(project, id string) string { return gcp.AccountEmail(project, id) }
func accountMember(email string) string      { return gcp.AccountMember(email) }
func public(member string) bool              { return gcp.Public(member) }

// containersOf are an object's containers, with the references of their images.
func containersOf(manifest map[string]any) map[string]string { return kube.Containers(manifest) }

// diskSort is what a StorageClass's manifest makes.
func diskSort(class map[string]any) (kube.DiskSort, bool) { return kube.ClassOf(class) }

// validateCloudLabels reports labels that no resource of the cloud could have.
func validateCloudLabels(labels map[string]string) error {
	return errors.Join(gcp.ValidateLabels(labels)...)
}

// file is the stack file. Its tags are all there is to know of its keys: the strict decoder, the schema and the test of the
// reference read them.
type file struct {
	APIVersion string            `yaml:"apiVersion" required:"true" enum:"recsysd.dev/v1alpha1" doc:"Version of this format. Required."`
	Kind       string            `yaml:"kind" required:"true" enum:"Stack" doc:"Always Stack. Required."`
	Name       string            `yaml:"name" required:"true" doc:"Identity of the stack: the mark on everything it owns, and its name in metrics. Required. A change disowns everything."`
	Project    string            `yaml:"project" required:"true" doc:"Id of the Google Cloud project. Required."`
	Region     string            `yaml:"region" required:"true" doc:"Where everything is that does not say otherwise. Required."`
	Labels     map[string]string `yaml:"labels" doc:"Labels of every resource; a resource's own win."`
	Vars       map[string]string `yaml:"vars" doc:"Texts for ${key} in values of this file, beside ${project}, ${region}, ${name} and ${environment}. $${ stands for the characters themselves."`
	Mode       string            `yaml:"mode" enum:"apply,observe" doc:"apply, the default, or observe: differences are reported and nothing is written."`
	Protect    *bool             `yaml:"protect" doc:"Whether what holds data may not go; true by default. A resource may say otherwise."`

	Schedule *schedule.Settings `yaml:"schedule" doc:"When the pods of workloads and of manifests are awake; at other times they cost nothing. Without it they always are."`

	Cloud cloud `yaml:",inline"`

	Cluster   string                    `yaml:"cluster" doc:"Key of the cluster that workloads, secrets and manifests go to; the only one by default."`
	Namespace string                    `yaml:"namespace" doc:"Kubernetes namespace; the stack's name by default. It is made if it does not exist."`
	Workloads map[string]*workloadEntry `yaml:"workloads" doc:"Pods in short form, by name. Each becomes a Deployment, or with a disk a StatefulSet, and what belongs to it."`
	Secrets   map[string]*secretEntry   `yaml:"secrets" doc:"Kubernetes Secrets, by name: their values are made at random, or come from encrypted files or from Secret Manager."`
	Manifests []string                  `yaml:"manifests" doc:"Plain Kubernetes objects: files, globs, and folders with a kustomization.yaml, as seen from the stack file's folder."`
	Ignore    []ignoreRule              `yaml:"ignore" doc:"Fields that others say: used at creation, then never compared and never written."`
	Cost      *cost                     `yaml:"cost" doc:"What the price depends on and no resource says."`
	Budget    *budget                   `yaml:"budget" doc:"What the stack may come to in a month, and what becomes of a commit that comes to more."`
}

// cloud is the sections of Google Cloud's kinds. A new kind is one line here, and its name among the sections below.
type cloud struct {
	Networks   map[string]*entry[network.Spec]  `yaml:"networks" doc:"VPC networks with their subnets and Cloud NAT, by a key of your choice."`
	Clusters   map[string]*clusterEntry         `yaml:"clusters" doc:"GKE clusters, by a key of your choice."`
	Buckets    map[string]*entry[bucket.Spec]   `yaml:"buckets" doc:"Cloud Storage buckets, by a key of your choice."`
	Registries map[string]*entry[registry.Spec] `yaml:"registries" doc:"Artifact Registry repositories, by a key of your choice."`
}

// sections are the same with the kinds forgotten, in the order in which they are taken in.
func (c cloud) sections() []section {
	return []section{
		sectionOf("networks", c.Networks), sectionOf("clusters", c.Clusters), sectionOf("buckets", c.Buckets),
		sectionOf("registries", c.Registries),
	}
}

// handling is what every resource takes beside its own keys.
type handling struct {
	Protect *bool  `yaml:"protect" doc:"Whether it may not go. True by default for what holds data; said of anything else, it is protected too."`
	Adopt   bool   `yaml:"adopt" doc:"Take over an existing one that is not this stack's, after showing the difference."`
	Suspend string `yaml:"suspend" doc:"Leave it alone, for the reason given here."`
	Mode    string `yaml:"mode" enum:"apply,observe" doc:"apply, or observe: it is looked at and used, never written. The stack's own mode by default."`
}

// entry is one resource of a section: its own keys and those that every resource takes.
type entry[S resource.Spec[S]] struct {
	Handling handling `yaml:",inline"`
	Spec     S        `yaml:",inline"`
}

func (e *entry[S]) handling() handling          { return e.Handling }
func (e *entry[S]) resource() resource.Resource { return resource.Of(e.Spec) }
func (e *entry[S]) validate() error             { return e.Spec.Validate() }

func (e *entry[S]) parts() []section { return nil }

// within is h with what it leaves open as the entry around it says.
func (h handling) within(around handling) handling {
	if h.Protect == nil {
		h.Protect = around.Protect
	}
	h.Adopt = h.Adopt || around.Adopt
	h.Suspend, h.Mode = cmp.Or(h.Suspend, around.Suspend), cmp.Or(h.Mode, around.Mode)
	return h
}

// clusterEntry is a cluster with the sections of what is part of it.
type clusterEntry struct {
	entry[cluster.Spec] `yaml:",inline"`
	NodePools           map[string]*entry[nodepool.Spec] `yaml:"nodePools" doc:"Node pools of a standard cluster, by a key of your choice. It needs at least one."`
}

// parts tells the cluster and its pools of each other.
func (e *clusterEntry) parts() []section {
	e.Spec.Pools = nil
	for _, key := range sortedKeys(e.NodePools) {
		p := e.NodePools[key]
		p.Spec = p.Spec.In(e.Spec.Name, e.Spec.Location)
		p.Spec.Private = e.Spec.PrivateNodes != nil && *e.Spec.PrivateNodes
		e.Spec.Pools = append(e.Spec.Pools, p.Spec)
	}
	if e.Handling.Mode != "" && len(e.NodePools) > 0 {
		e.Spec.Mode = cluster.Standard // the one key mode says how it is handled, so the pools say what it is
	}
	return []section{sectionOf("nodePools", e.NodePools)}
}

// billing is what the bills of what runs in it depend on.
func (e *clusterEntry) billing() clusterBilling {
	p := clusterBilling{Region: regionOf(e.Spec.Location), Mode: kube.Autopilot}
	switch {
	case e.Spec.Mode == cluster.Standard:
		p.Mode = kube.Standard
	case e.Spec.Mode == "" && e.Handling.Mode != "": // the one key mode says how it is handled
		p.Mode = kube.ModeUnknown
	}
	return p
}

// behind adds the machines without public addresses that it has in a network to those of other clusters.
func (e *clusterEntry) behind(n *network.Spec) {
	if e.Spec.PrivateNodes == nil || !*e.Spec.PrivateNodes || e.Spec.Network != n.Name {
		return
	}
	at := regionOf(e.Spec.Location)
	sum := n.Behind[at]
	if e.Spec.Mode != cluster.Standard {
		sum.Unknown = "number of nodes unknown"
	}
	for _, p := range e.NodePools {
		m := p.Spec.Nodes()
		sum.Unknown = cmp.Or(sum.Unknown, m.Unknown)
		sum.Least, sum.Expected, sum.Most = sum.Least+cmp.Or(m.Least, m.Expected), sum.Expected+m.Expected, sum.Most+max(m.Most, m.Expected)
	}
	if n.Behind == nil {
		n.Behind = map[string]network.Machines{}
	}
	n.Behind[at] = sum
}

// nodeAccounts are the accounts that its nodes run as. Autopilot's, and those of pools that are not in the stack, are the default one.
func (e *clusterEntry) nodeAccounts(project string) []string {
	var all []string
	for _, p := range e.NodePools {
		all = append(all, cmp.Or(p.Spec.Account(project), defaultNodes))
	}
	if len(all) == 0 {
		return []string{defaultNodes}
	}
	return all
}

// cloudEntry is an entry of any kind.
type cloudEntry interface {
	handling() handling
	resource() resource.Resource
	validate() error
	parts() []section // of what is part of it; to be called before the others
}

// section is one section's entries, with the kind forgotten.
type section struct {
	name    string
	entries map[string]cloudEntry
}

func sectionOf[E cloudEntry](name string, entries map[string]E) section {
	s := section{name, map[string]cloudEntry{}}
	for key, e := range entries {
		s.entries[key] = e
	}
	return s
}

func (s section) keys() []string { return slices.Sorted(maps.Keys(s.entries)) }

// workloadEntry is one workload. The keys of later versions (expose, schedule) are unknown until they do something.
type workloadEntry struct {
	Handling handling           `yaml:",inline"`
	Workload workload.Workload  `yaml:",inline"`
	Schedule *schedule.Settings `yaml:"schedule" doc:"When its pods are awake; what it leaves out is the stack's. {awake: always} never sleeps."`
}

// secretEntry is one Secret, from one of three sources.
type secretEntry struct {
	Handling          handling          `yaml:",inline"`
	Generate          []string          `yaml:"generate" doc:"Keys, each with a random value that is made once and kept only in the cluster. A key that is added gets one; what exists is never changed."`
	FromFile          string            `yaml:"fromFile" doc:"A file that age or SOPS encrypted, as seen from the stack file's folder: a mapping of keys to texts, or with key one value."`
	FromSecretManager managedSecrets    `yaml:"fromSecretManager" doc:"The name of a secret of Google Secret Manager, whose newest enabled version is taken; or a mapping of keys to names, or to {secret, version}."`
	Key               string            `yaml:"key" doc:"The key under which the whole of fromFile, or the one secret of fromSecretManager, stands in the Secret; for the latter it is value by default."`
	Labels            map[string]string `yaml:"labels" doc:"Labels of the Secret."`
}

// managedSecrets are secrets of Secret Manager by key. Written as a single text it is one, under the key "".
type managedSecrets map[string]managedSecret

// managedSecret is one of them. Written as a single text it is its name.
type managedSecret struct {
	Secret  string `yaml:"secret" required:"true" doc:"Name of the secret in the stack's project, or projects/P/secrets/S."`
	Version string `yaml:"version" doc:"Number of the version; the newest that is enabled if left out."`
}

// UnmarshalText reads a plain name.
func (m *managedSecrets) UnmarshalText(text []byte) error {
	*m = managedSecrets{"": {Secret: string(text)}}
	return nil
}

// UnmarshalText reads a plain name.
func (m *managedSecret) UnmarshalText(text []byte) error {
	m.Secret = string(text)
	return nil
}

// ignoreRule leaves fields of some resources to others.
type ignoreRule struct {
	Fields []string `yaml:"fields" required:"true" doc:"Fields as recsysd drift names them, each with all that stands below it; * stands for any characters of a step. Required."`
	On     string   `yaml:"on" required:"true" doc:"The resources: KIND/NAME, of a Kubernetes object KIND/NAMESPACE/NAME, or KIND/NAME for one in the stack's namespace; * stands for any characters but a slash. Required."`
}

// cost is what prices need to know.
type cost struct {
	Bursting       *bool `yaml:"bursting" doc:"Whether pods of the Autopilot cluster may use more than they reserve, and so reserve little; true by default, false for a cluster that was made before version 1.26."`
	FreeTierCredit *bool `yaml:"freeTierCredit" doc:"Whether the billing account's one free credit for clusters is spent on this stack; false by default."`
}

// said is what holds. A credit that nobody speaks of may be spent elsewhere.
func (c *cost) said() Cost {
	return Cost{FreeTierCredit: c != nil && c.FreeTierCredit != nil && *c.FreeTierCredit}
}
