package kube

import (
	"fmt"
	"strings"

	quantity "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"recsysd.dev/recsysd/internal/resource"
)

// Why a quantity is not known.
const (
	durationUnknown = "duration unknown"
	nodesUnknown    = "number of nodes unknown"
	sizeUnknown     = "size unknown"
)

// Usage is what the object is billed for: its pods where the cluster bills pods, the disks that are made for it, the rules of its load
// balancer. What a controller makes in turn, such as the pods of a custom resource, is not known here. A live object counts as it is
// now, with the pods that it is told to run; what it is billed for is worked out once for each version of it.
func (o Object) Usage() []resource.Usage {
	if o.seen == nil || o.seen.item == nil {
		return o.billed()
	}
	known := o.seen.item.usage.Load()
	if known == nil || known.by != o.Billing {
		known = &billedBy{o.Billing, o.billed()}
		o.seen.item.usage.Store(known)
	}
	return known.usage
}

// billedBy is what a live object is billed for, by what beside it that depends on.
type billedBy struct {
	by    Billing
	usage []resource.Usage
}

func (o Object) billed() []resource.Usage {
	spec := object(o.Manifest, "spec")
	switch o.GVK().GroupKind() {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Group: "apps", Kind: "ReplicaSet"},
		schema.GroupKind{Kind: "ReplicationController"}:
		return o.pods(object(spec, "template"), o.copies())
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		return append(o.pods(object(spec, "template"), o.copies()), o.claimsOf(spec)...)
	case schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		return o.everywhere(object(spec, "template"))
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		return o.passing(spec)
	case schema.GroupKind{Group: "batch", Kind: "CronJob"}:
		return o.passing(spec)
	case schema.GroupKind{Kind: "Pod"}:
		return o.pods(o.Manifest, copies{n: 1})
	case schema.GroupKind{Kind: "PersistentVolumeClaim"}:
		return []resource.Usage{o.disk(spec, o.status(), 1)}
	case schema.GroupKind{Group: "snapshot.storage.k8s.io", Kind: "VolumeSnapshot"}:
		return []resource.Usage{{Component: resource.ComponentStorage, Unknown: sizeUnknown}}
	case schema.GroupKind{Kind: "Service"}:
		return o.rules(serviceRules(o.Manifest))
	case schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}:
		return o.rules(ingressRules(o.Manifest))
	case schema.GroupKind{Group: "gateway.networking.k8s.io", Kind: "Gateway"}:
		return o.rules(gatewayRules(o.Manifest))
	}
	return nil
}

// status is that of a live object; nil of a wanted one.
func (o Object) status() map[string]any {
	if o.seen == nil || o.seen.item == nil {
		return nil
	}
	return object(o.seen.item.object.Object, "status")
}

// claimsOf are the disks that a StatefulSet's templates make: one for each pod, which stay while it sleeps and unless it says otherwise
// when it shrinks.
func (o Object) claimsOf(spec map[string]any) []resource.Usage {
	templates := list(spec, "volumeClaimTemplates")
	if len(templates) == 0 {
		return nil
	}
	n := o.copies().n
	if o.seen != nil && text(spec, "persistentVolumeClaimRetentionPolicy", "whenScaled") != "Delete" {
		n = max(n, o.Billing.Pods)
	}
	all := make([]resource.Usage, 0, len(templates))
	for _, t := range templates {
		claim, _ := t.(map[string]any)
		all = append(all, o.disk(object(claim, "spec"), nil, n))
	}
	return all
}

// disk is n disks as a claim asks for, or of the size that a live one has. Disks come in whole GiB.
func (o Object) disk(spec, status map[string]any, n int64) resource.Usage {
	u := resource.Usage{Component: resource.ComponentDisk}
	if u.Unknown = o.Billing.Place.unknown(); u.Unknown != "" {
		return u
	}
	class := value(spec, "storageClassName")
	name, _ := class.(string)
	if class != nil && name == "" {
		u.Unknown = "it is bound to a volume that was not made for it"
		return u
	}
	sort := o.Billing.Place.diskSort(name)
	u.Price, u.Region, u.Unknown = sort.Price, o.Billing.Place.Region, sort.Unknown
	size, ok := amount(value(status, "capacity", "storage"))
	if !ok {
		size, ok = amount(value(spec, "resources", "requests", "storage"))
	}
	if !ok && u.Unknown == "" {
		u.Unknown = sizeUnknown
	}
	if u.Unknown == "" {
		gib := (size.Value()-1)>>30 + 1
		u.Quantity = resource.Count(gib).Times(resource.Count(sort.Copies)).Times(resource.Count(n))
	}
	return u
}

// rules are n forwarding rules.
func (o Object) rules(n int64, unknown string) []resource.Usage {
	if n == 0 && unknown == "" {
		return nil
	}
	u := resource.Usage{Component: resource.ComponentBalancer, Price: "lb.forwarding_rule.minimum", Quantity: resource.Count(n), Unknown: unknown}
	if why := o.Billing.Place.unknown(); why != "" {
		u.Price, u.Unknown = "", why
	} else {
		u.Region = o.Billing.Place.Region
	}
	return []resource.Usage{u}
}

// serviceRules are those of a Service: one for every protocol and family of addresses.
func serviceRules(m map[string]any) (n int64, unknown string) {
	if text(m, "spec", "type") != "LoadBalancer" {
		return 0, ""
	}
	if class := text(m, "spec", "loadBalancerClass"); class != "" && !strings.HasPrefix(class, "networking.gke.io/") {
		return 0, fmt.Sprintf("a load balancer of the class %s has no known price", class)
	}
	protocols := map[string]bool{}
	for _, p := range list(m, "spec", "ports") {
		port, _ := p.(map[string]any)
		protocols[strings.ToUpper(or(text(port, "protocol"), "TCP"))] = true
	}
	families := max(1, len(list(m, "spec", "ipFamilies")))
	return int64(max(1, len(protocols)) * families), ""
}

// ingressRules are those of an Ingress that GKE serves: one for HTTP, unless that is off, and one for HTTPS, if it has a certificate.
func ingressRules(m map[string]any) (n int64, unknown string) {
	note := func(key string) string { return text(m, "metadata", "annotations", key) }
	switch or(text(m, "spec", "ingressClassName"), note("kubernetes.io/ingress.class")) {
	case "", "gce", "gce-internal", "gce-regional-external":
	default:
		return 0, "" // of a controller that runs in the cluster, whose own Service is what costs
	}
	if note("kubernetes.io/ingress.allow-http") != "false" {
		n++
	}
	if len(list(m, "spec", "tls")) > 0 || note("networking.gke.io/managed-certificates") != "" || note("ingress.gcp.kubernetes.io/pre-shared-cert") != "" {
		n++
	}
	return n, ""
}

// gatewayRules are those of a Gateway that GKE serves: one for every port that it listens on.
func gatewayRules(m map[string]any) (n int64, unknown string) {
	if class := text(m, "spec", "gatewayClassName"); !strings.HasPrefix(class, "gke-") {
		return 0, fmt.Sprintf("a gateway of the class %s has no known price", class)
	}
	ports := map[string]bool{}
	for _, l := range list(m, "spec", "listeners") {
		listener, _ := l.(map[string]any)
		ports[fmt.Sprint(listener["port"])] = true
	}
	return int64(len(ports)), ""
}

// amount is a quantity as it stands in a manifest.
func amount(v any) (quantity.Quantity, bool) {
	switch v := v.(type) {
	case string:
		q, err := quantity.ParseQuantity(v)
		return q, err == nil && q.Sign() >= 0
	case int64:
		return *quantity.NewQuantity(v, quantity.DecimalSI), v >= 0
	case float64:
		q, err := quantity.ParseQuantity(fmt.Sprint(v))
		return q, err == nil && q.Sign() >= 0
	}
	return quantity.Quantity{}, false
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
