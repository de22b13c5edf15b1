package kube

import (
	"fmt"
	"strings"

	"recsysd.dev/recsysd/internal/drivers/kube/autopilot"
	"recsysd.dev/recsysd/internal/resource"
)

// Labels of nodes by which a pod asks for a sort of them, and notes on a pod that GKE adds a container for.
const (
	selectSpot  = "cloud.google.com/gke-spot"
	selectClass = "cloud.google.com/compute-class"
	selectArch  = "kubernetes.io/arch"
	fuseVolumes = "gke-gcsfuse/volumes"
	fuseSidecar = "gke-gcsfuse-sidecar"
)

// copies are how many pods there are, and the bounds where an autoscaler says it.
type copies struct{ n, least, most int64 }

// copies is spec.replicas, or of a wanted object what its autoscaler keeps to. Nobody knows how much work there will be: the least is
// what is expected.
func (o Object) copies() copies {
	if o.seen == nil && o.Billing.Most > 0 {
		return copies{o.Billing.Least, o.Billing.Least, o.Billing.Most}
	}
	if n, ok := counted(value(o.Manifest, "spec", "replicas")); ok {
		return copies{n: n}
	}
	return copies{n: 1}
}

// free reports whether pods cost nothing by themselves.
func (o Object) free() bool {
	return o.Billing.Place.podsUnknown() == "" && o.Billing.Place.Mode == Standard
}

// everywhere are the pods of a DaemonSet: one on every node, whose number is known only of a live one.
func (o Object) everywhere(template map[string]any) []resource.Usage {
	if o.free() {
		return nil
	}
	n, ok := counted(o.status()["currentNumberScheduled"])
	if !ok {
		return unknownPods(nodesUnknown)
	}
	return o.pods(template, copies{n: n})
}

// passing are pods that come to an end, and nobody knows when.
func (o Object) passing(spec map[string]any) []resource.Usage {
	suspended, _ := spec["suspend"].(bool)
	switch {
	case o.free(), suspended, finished(o.status()):
		return nil
	}
	return unknownPods(durationUnknown)
}

// finished reports whether a Job has: no pod of it is left running.
func finished(status map[string]any) bool {
	for _, c := range list(status, "conditions") {
		condition, _ := c.(map[string]any)
		if sort := text(condition, "type"); (sort == "Complete" || sort == "Failed") && text(condition, "status") == "True" {
			return true
		}
	}
	return false
}

func unknownPods(why string) []resource.Usage {
	return []resource.Usage{{Component: resource.ComponentCPU, Unknown: why}}
}

// pods are what pods of a template are billed for: on Autopilot what they ask for, elsewhere nothing.
func (o Object) pods(template map[string]any, c copies) []resource.Usage {
	place := o.Billing.Place
	switch why := place.podsUnknown(); {
	case c.n == 0 && c.most == 0:
		return nil
	case why != "":
		return unknownPods(why)
	case o.free():
		return nil
	}
	spec := object(template, "spec")
	prices, why := pricesOf(spec)
	if why != "" {
		return unknownPods(why)
	}
	pod, why := podOf(template, place.Bursting)
	if why != "" {
		return unknownPods(why)
	}
	pod.Class, pod.Daemon = prices.class, text(o.Manifest, "kind") == "DaemonSet"
	r, err := pod.Billed()
	if err != nil {
		return unknownPods(err.Error())
	}
	of := func(component, price string, one resource.Amount) resource.Usage {
		u := resource.Usage{Component: component, Price: price, Region: place.Region, Quantity: one.Times(resource.Count(c.n)), Asleep: o.Billing.Asleep}
		if c.most > 0 {
			u.Least, u.Most = one.Times(resource.Count(c.least)), one.Times(resource.Count(c.most))
		}
		return u
	}
	return []resource.Usage{
		of(resource.ComponentCPU, prices.cpu, resource.Milli(r.CPU)),
		of(resource.ComponentMemory, prices.memory, resource.GiB(r.Memory)),
		of(resource.ComponentEphemeral, prices.ephemeral, resource.GiB(r.Ephemeral)),
	}
}

// podPrices are the keys of one class's pods.
type podPrices struct {
	class                  autopilot.Class
	cpu, memory, ephemeral string
}

// pricesOf are those that a pod's node selector asks for. What a pod keeps on its node has but one known price: that of Spot pods is
// missing in every list, and the regular one is its upper bound.
func pricesOf(spec map[string]any) (p podPrices, unknown string) {
	const ephemeral = "gke.autopilot.general-purpose.regular.ephemeral"
	selector := object(spec, "nodeSelector")
	class, spot := text(selector, selectClass), text(selector, selectSpot) == "true"
	if arch := text(selector, selectArch); arch != "" && arch != "amd64" {
		return p, fmt.Sprintf("pods on %s have no known price", arch)
	}
	switch {
	case (class == "" || class == "autopilot" || class == "general-purpose") && !spot:
		return podPrices{autopilot.GeneralPurpose, "gke.autopilot.general-purpose.regular.vcpu", "gke.autopilot.general-purpose.regular.memory", ephemeral}, ""
	case class == "" || class == "autopilot" || class == "general-purpose" || class == "autopilot-spot":
		return podPrices{autopilot.GeneralPurpose, "gke.autopilot.general-purpose.spot.vcpu", "gke.autopilot.general-purpose.spot.memory", ephemeral}, ""
	case class == "Balanced" && !spot:
		return podPrices{autopilot.Balanced, "gke.autopilot.balanced.regular.vcpu", "gke.autopilot.balanced.regular.memory", ephemeral}, ""
	case class == "Balanced":
		return podPrices{autopilot.Balanced, "gke.autopilot.balanced.spot.vcpu", "gke.autopilot.balanced.spot.memory", ephemeral}, ""
	case class == "Scale-Out" && !spot:
		return podPrices{autopilot.ScaleOut, "gke.autopilot.scale-out-x86.regular.vcpu", "gke.autopilot.scale-out-x86.regular.memory", ephemeral}, ""
	case class == "Scale-Out":
		return podPrices{autopilot.ScaleOut, "gke.autopilot.scale-out-x86.spot.vcpu", "gke.autopilot.scale-out-x86.spot.memory", ephemeral}, ""
	}
	return p, fmt.Sprintf("the compute class %s has no known price", class)
}

// podOf reads what of a template counts.
func podOf(template map[string]any, bursting bool) (pod autopilot.Pod, unknown string) {
	spec := object(template, "spec")
	if object(spec, "resources") != nil {
		return pod, "it is not known what requests of a pod as a whole are billed as"
	}
	pod = autopilot.Pod{Bursting: bursting, Separate: separate(spec)}
	fused := text(template, "metadata", "annotations", fuseVolumes) == "true"
	for _, v := range list(spec, "initContainers") {
		c, _ := v.(map[string]any)
		r, why := requests(c)
		if why != "" {
			return pod, why
		}
		fused = fused && text(c, "name") != fuseSidecar
		pod.Init = append(pod.Init, autopilot.Container{Requests: r, Sidecar: text(c, "restartPolicy") == "Always"})
	}
	for _, v := range list(spec, "containers") {
		c, _ := v.(map[string]any)
		r, why := requests(c)
		if why != "" {
			return pod, why
		}
		fused = fused && text(c, "name") != fuseSidecar
		pod.Containers = append(pod.Containers, autopilot.Container{Requests: r})
	}
	if fused {
		pod.Init = append([]autopilot.Container{{Requests: fuse(object(template, "metadata", "annotations")), Sidecar: true}}, pod.Init...)
	}
	return pod, ""
}

// requests are a container's; limits stand for those that it does not say.
func requests(container map[string]any) (r autopilot.Resources, unknown string) {
	limits, asked := object(container, "resources", "limits"), object(container, "resources", "requests")
	for _, part := range []map[string]any{limits, asked} {
		for key := range part {
			if strings.Contains(key, "/") {
				return r, fmt.Sprintf("what %s is billed as is not known", key)
			}
		}
		if q, ok := amount(part["cpu"]); ok {
			r.CPU = q.MilliValue()
		}
		if q, ok := amount(part["memory"]); ok {
			r.Memory = q.Value()
		}
		if q, ok := amount(part["ephemeral-storage"]); ok {
			r.Ephemeral = q.Value()
		}
	}
	return r, ""
}

// fuse is what the container asks for that GKE adds to pods that mount buckets.
func fuse(notes map[string]any) autopilot.Resources {
	r := autopilot.Resources{CPU: 250, Memory: 256 << 20, Ephemeral: 5 << 30}
	if q, ok := amount(or(text(notes, "gke-gcsfuse/cpu-request"), text(notes, "gke-gcsfuse/cpu-limit"))); ok {
		r.CPU = q.MilliValue()
	}
	if q, ok := amount(or(text(notes, "gke-gcsfuse/memory-request"), text(notes, "gke-gcsfuse/memory-limit"))); ok {
		r.Memory = q.Value()
	}
	if q, ok := amount(or(text(notes, "gke-gcsfuse/ephemeral-storage-request"), text(notes, "gke-gcsfuse/ephemeral-storage-limit"))); ok {
		r.Ephemeral = q.Value()
	}
	return r
}

// separate reports whether a pod both selects and tolerates nodes by a label of the stack's own.
func separate(spec map[string]any) bool {
	selector := object(spec, "nodeSelector")
	for _, v := range list(spec, "tolerations") {
		toleration, _ := v.(map[string]any)
		key := text(toleration, "key")
		if _, selected := selector[key]; selected && !strings.Contains(key, "cloud.google.com/") && !strings.Contains(key, "kubernetes.io/") {
			return true
		}
	}
	return false
}

// counted is a count as it stands in a manifest.
func counted(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), true
	}
	return 0, false
}
