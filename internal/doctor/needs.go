package doctor

import (
	"maps"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// Stack is what of a stack its needs follow from.
type Stack struct {
	Project   string
	Resources []resource.Resource
	Secrets   []string // of Secret Manager: names in the project, or projects/P/secrets/S
}

// Needs is what a stack asks of a project.
type Needs struct {
	Services    []string
	Read, Write []string // permissions: to look, and to change
	Optional    []string // permissions to look at what is only told: without them it is not told
	Nodes       []string // accounts that nodes run as and that must be acted as, by e-mail; "" is Compute Engine's default one
	Secrets     []string // whose values are read, as projects/P/secrets/S; these rights are for the secrets alone
	Objects     bool     // Kubernetes objects go to a cluster of the stack
	RBAC        bool     // some of them give rights in the cluster
}

// demand is what one kind asks for.
type demand struct{ services, read, write, optional []string }

// always is asked for whatever the stack holds: the project's number is part of every principal.
var always = demand{
	services: []string{"cloudresourcemanager.googleapis.com", "iam.googleapis.com", "iamcredentials.googleapis.com", "serviceusage.googleapis.com"},
	read:     []string{"resourcemanager.projects.get", "serviceusage.services.get", "serviceusage.services.list"},
}

// recordRight lets the audit logs be read, which name who has changed what. Whoever lacks it is told the change without the name.
const recordRight = "logging.logEntries.list"

// demands are by Ref.Kind. Whoever adds a kind of Google Cloud adds its permissions here; a test asks for that.
var demands = map[string]demand{
	"cluster": {
		services: []string{"compute.googleapis.com", "container.googleapis.com"},
		read:     []string{"container.clusters.get", "container.clusters.list", "container.operations.get", "container.operations.list"},
		write:    []string{"container.clusters.create", "container.clusters.delete", "container.clusters.update"},
		// What a cluster leaves behind when it is deleted, a network that an earlier revision has left, and the region's quotas.
		optional: []string{
			"compute.disks.list", "compute.firewalls.list", "compute.forwardingRules.list", "compute.networkEndpointGroups.list", "compute.networks.list",
			quotaRight,
		},
	},
	"nodepool": {
		services: []string{"compute.googleapis.com", "container.googleapis.com"},
		read:     []string{"container.clusters.get", "container.clusters.list", "container.operations.get", "container.operations.list"},
		write:    []string{"container.clusters.update"},
	},
	"bucket": {
		services: []string{"storage.googleapis.com"},
		read:     []string{"storage.buckets.get", "storage.buckets.getIamPolicy", "storage.buckets.list"},
		write:    []string{"storage.buckets.create", "storage.buckets.delete", "storage.buckets.setIamPolicy", "storage.buckets.update"},
		optional: []string{sizesRight},
	},
	"registry": {
		services: []string{"artifactregistry.googleapis.com"},
		read: []string{
			"artifactregistry.dockerimages.list", "artifactregistry.locations.list", "artifactregistry.repositories.get",
			"artifactregistry.repositories.getIamPolicy", "artifactregistry.repositories.list",
		},
		write: []string{
			"artifactregistry.repositories.create", "artifactregistry.repositories.delete", "artifactregistry.repositories.setIamPolicy",
			"artifactregistry.repositories.update",
		},
	},
	"identity": {
		services: []string{"iam.googleapis.com"},
		read:     []string{"iam.serviceAccounts.get", "iam.serviceAccounts.getIamPolicy", "iam.serviceAccounts.list"},
		write:    []string{"iam.serviceAccounts.create", "iam.serviceAccounts.delete", "iam.serviceAccounts.setIamPolicy", "iam.serviceAccounts.update"},
	},
	"network": {
		services: []string{"compute.googleapis.com"},
		read: []string{
			"compute.globalOperations.get", "compute.networks.get", "compute.networks.list", "compute.regionOperations.get",
			"compute.routers.get", "compute.routers.list", "compute.subnetworks.get", "compute.subnetworks.list",
		},
		write: []string{
			"compute.networks.create", "compute.networks.update", "compute.networks.updatePolicy", "compute.routers.create",
			"compute.routers.update", "compute.subnetworks.create", "compute.subnetworks.expandIpCidrRange",
			"compute.subnetworks.setPrivateIpGoogleAccess", "compute.subnetworks.update",
		},
	},
}

// rbac are the kinds of objects that roles/container.developer may not write.
var rbac = []string{
	"ClusterRole.rbac.authorization.k8s.io", "ClusterRoleBinding.rbac.authorization.k8s.io", "Role.rbac.authorization.k8s.io",
	"RoleBinding.rbac.authorization.k8s.io", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
}

// secrets is asked for where values come from Secret Manager.
var secrets = demand{services: []string{"secretmanager.googleapis.com"}}

// connect is asked for where a control plane is reached by its DNS name.
var connect = demand{read: []string{"container.clusters.connect"}}

// machines is asked of a spec that runs nodes, reached of one that may be reached by a DNS name.
type (
	machines interface{ NodeAccounts(project string) []string }
	reached  interface{ ByName() bool }
)

// NeedsOf is what a stack needs. What it only looks at needs no right to change.
func NeedsOf(s Stack) Needs {
	services, read, write, optional, nodes := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	take := func(d demand, change bool) {
		add(services, d.services)
		add(read, d.read)
		if change {
			add(write, d.write)
			add(optional, d.optional)
		}
	}
	take(always, false)
	n := Needs{}
	for _, r := range s.Resources {
		d, cloud := demands[r.Ref.Kind]
		if !cloud {
			n.Objects = true
			n.RBAC = n.RBAC || slices.Contains(rbac, r.Ref.Kind) && !r.Observe
			continue
		}
		take(d, !r.Observe)
		add(optional, []string{recordRight})
		if c, ok := r.Spec.(reached); ok && c.ByName() {
			take(connect, false)
		}
		if m, ok := r.Spec.(machines); ok && !r.Observe {
			add(nodes, m.NodeAccounts(s.Project))
		} else if r.Ref.Kind == "cluster" && !r.Observe {
			add(nodes, []string{""})
		}
	}
	for _, name := range s.Secrets {
		take(secrets, false)
		if !strings.Contains(name, "/") {
			name = "projects/" + s.Project + "/secrets/" + name
		}
		n.Secrets = append(n.Secrets, name)
	}
	slices.Sort(n.Secrets)
	n.Secrets = slices.Compact(n.Secrets)
	n.Services, n.Read, n.Write, n.Optional, n.Nodes = sorted(services), sorted(read), sorted(write), sorted(optional), sorted(nodes)
	return n
}

// Usual is what the kinds of every stack need, for when the stack itself cannot be read.
func Usual() Needs {
	return NeedsOf(Stack{Resources: []resource.Resource{
		{Ref: resource.Ref{Kind: "cluster"}}, {Ref: resource.Ref{Kind: "bucket"}}, {Ref: resource.Ref{Kind: "registry"}},
	}})
}

func add(set map[string]bool, keys []string) {
	for _, k := range keys {
		set[k] = true
	}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
