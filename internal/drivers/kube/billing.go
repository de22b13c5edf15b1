package kube

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"recsysd.dev/recsysd/internal/resource"
)

// Billing is what the price of an object depends on and its manifest does not say. It is no part of the hash: nothing in the cluster
// changes with it.
type Billing struct {
	Place *Place // nil: nothing is known of the cluster
	// Asleep is the share of an average week's hours in which its schedule leaves it without pods.
	Asleep resource.Amount
	// Least and Most bound the number of pods where an autoscaler chooses it; Most zero: none does.
	Least, Most int64
	// Pods are how many a StatefulSet is wanted with: a live one that sleeps keeps the disks of so many.
	Pods int64
}

// Place is the cluster as bills know it.
type Place struct {
	Unknown  string // why nothing is known of it; "": it is known
	Region   string
	Mode     Mode
	Bursting bool                // of Autopilot: pods may use more than they ask for
	Classes  map[string]DiskSort // what storage classes of the stack's own make, by name; "" is the default class
}

// Mode is what a cluster is billed by.
type Mode uint8

const (
	ModeUnknown Mode = iota
	Autopilot        // pods, by what they ask for
	Standard         // nodes: pods are free
)

// DiskSort is what a storage class makes.
type DiskSort struct {
	Price   string // key in the price book; "" with Unknown
	Copies  int64  // how often a disk is kept and billed: twice in two zones
	Unknown string
}

// ClassOf is the sort of disk of a StorageClass's manifest, and whether it is the cluster's default.
func ClassOf(class map[string]any) (sort DiskSort, standard bool) {
	standard = text(class, "metadata", "annotations", "storageclass.kubernetes.io/is-default-class") == "true"
	if by := text(class, "provisioner"); by != "pd.csi.storage.gke.io" && by != "kubernetes.io/gce-pd" {
		return DiskSort{Unknown: "volumes of " + by + " have no known price"}, standard
	}
	sort = DiskSort{Price: priceOfDisk(text(class, "parameters", "type")), Copies: 1}
	if text(class, "parameters", "replication-type") == "regional-pd" {
		sort.Copies = 2
	}
	return sort, standard
}

// priceOfDisk is the key of a type of persistent disk; GKE's driver makes pd-standard where none is said.
func priceOfDisk(sort string) string {
	switch sort {
	case "", "pd-standard":
		return "pd.standard"
	case "pd-balanced":
		return "pd.balanced"
	case "pd-ssd":
		return "pd.ssd"
	}
	return sort // as in hyperdisk-balanced: the book may have it, and else it is missing by its name
}

// diskSort is what a storage class makes that the stack or GKE itself brings along.
func (p *Place) diskSort(class string) DiskSort {
	if s, ok := p.Classes[class]; ok {
		return s
	}
	switch class {
	case "", "standard-rwo":
		return DiskSort{Price: "pd.balanced", Copies: 1}
	case "premium-rwo":
		return DiskSort{Price: "pd.ssd", Copies: 1}
	case "standard":
		return DiskSort{Price: "pd.standard", Copies: 1}
	}
	return DiskSort{Unknown: "it is not known what the storage class " + class + " makes"}
}

// unknown is why nothing can be said of the place; "" where something can.
func (p *Place) unknown() string {
	if p == nil {
		return "it is not known in which cluster it is"
	}
	return p.Unknown
}

// podsUnknown is why it is not known how pods are billed; "" where it is.
func (p *Place) podsUnknown() string {
	if why := p.unknown(); why != "" {
		return why
	}
	if p.Mode == ModeUnknown {
		return "it is not known whether the cluster is an Autopilot one"
	}
	return ""
}

// In is the object in a cluster, with the bounds of its autoscaler if it has one.
func (o Object) In(p *Place, least, most int64) Object {
	o.Billing.Place, o.Billing.Least, o.Billing.Most = p, least, most
	o.Billing.Pods = o.copies().n
	return o
}

// Scaling is what a HorizontalPodAutoscaler scales, and between which numbers of pods.
func (o Object) Scaling() (target resource.Ref, least, most int64, ok bool) {
	if (o.GVK().GroupKind() != schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}) {
		return target, 0, 0, false
	}
	of := object(o.Manifest, "spec", "scaleTargetRef")
	kind := schema.FromAPIVersionAndKind(text(of, "apiVersion"), text(of, "kind")).GroupKind()
	if least, ok = counted(value(o.Manifest, "spec", "minReplicas")); !ok {
		least = 1
	}
	most, ok = counted(value(o.Manifest, "spec", "maxReplicas"))
	return resource.Ref{Kind: KindName(kind), Name: o.Namespace() + "/" + text(of, "name")}, least, most, ok && most > 0
}
