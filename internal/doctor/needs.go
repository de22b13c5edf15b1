package doctor

import (
	"maps"
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// Needs is what the stack's kinds ask of a project.
type Needs struct {
	Services    []string
	Read, Write []string // permissions: to look, and to change
	Nodes       bool     // clusters run nodes, as an account that must be acted as
	Objects     bool     // Kubernetes objects go to a cluster of the stack
	RBAC        bool     // some of them give rights in the cluster
}

// demand is what one kind asks for.
type demand struct{ services, read, write []string }

// always is asked for whatever the stack holds: the project's number is part of every principal.
var always = demand{
	services: []string{"cloudresourcemanager.googleapis.com", "iam.googleapis.com", "iamcredentials.googleapis.com", "serviceusage.googleapis.com"},
	read:     []string{"resourcemanager.projects.get", "serviceusage.services.get", "serviceusage.services.list"},
}

// demands are by Ref.Kind. Whoever adds a kind of Google Cloud adds its permissions here; a test asks for that.
var demands = map[string]demand{
	"cluster": {
		services: []string{"compute.googleapis.com", "container.googleapis.com"},
		read:     []string{"container.clusters.get", "container.clusters.list", "container.operations.get", "container.operations.list"},
		write:    []string{"container.clusters.create", "container.clusters.delete", "container.clusters.update"},
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

// NeedsOf is what a stack needs. What it only looks at needs no right to change.
func NeedsOf(resources []resource.Resource) Needs {
	services, read, write := map[string]bool{}, map[string]bool{}, map[string]bool{}
	take := func(d demand, change bool) {
		add(services, d.services)
		add(read, d.read)
		if change {
			add(write, d.write)
		}
	}
	take(always, false)
	n := Needs{}
	for _, r := range resources {
		d, cloud := demands[r.Ref.Kind]
		if cloud {
			take(d, !r.Observe)
			n.Nodes = n.Nodes || r.Ref.Kind == "cluster" && !r.Observe
			continue
		}
		n.Objects = true
		n.RBAC = n.RBAC || slices.Contains(rbac, r.Ref.Kind) && !r.Observe
	}
	n.Services, n.Read, n.Write = sorted(services), sorted(read), sorted(write)
	return n
}

// Usual is what the kinds of every stack need, for when the stack itself cannot be read.
func Usual() Needs {
	return NeedsOf([]resource.Resource{
		{Ref: resource.Ref{Kind: "cluster"}}, {Ref: resource.Ref{Kind: "bucket"}}, {Ref: resource.Ref{Kind: "registry"}},
	})
}

func add(set map[string]bool, keys []string) {
	for _, k := range keys {
		set[k] = true
	}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
