package kube

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"recsysd.dev/recsysd/internal/resource"
)

// Needs are what the object lives in (cluster, namespace, definition) and what its manifest names in its own namespace,
// which is a matter of order alone. A need may name what the stack does not hold.
func (o Object) Needs() []resource.Need {
	if o.seen != nil && o.seen.known {
		return o.seen.needs
	}
	n := needs{namespace: o.Namespace(), found: map[resource.Ref]bool{}}
	if o.Cluster != (resource.Ref{}) {
		n.found[o.Cluster] = true
	}
	// These come with every cluster.
	if ns := o.Namespace(); ns != "" && ns != "default" && ns != "kube-system" && ns != "kube-public" && ns != "kube-node-lease" {
		n.found[resource.Ref{Kind: "Namespace", Name: ns}] = true
	}
	if o.Definition != "" {
		n.found[resource.Ref{Kind: "CustomResourceDefinition", Name: o.Definition}] = true
	}
	n.add("ServiceAccount", text(podSpec(o), "serviceAccountName"))
	n.pod(podSpec(o))
	n.named(o)
	delete(n.found, o.Ref())

	out := make([]resource.Need, 0, len(n.found))
	for _, r := range slices.SortedFunc(maps.Keys(n.found), resource.Ref.Compare) {
		out = append(out, resource.Need{Ref: r, In: n.found[r]})
	}
	return out
}

type needs struct {
	namespace string
	found     map[resource.Ref]bool // true: lives in it
}

func (n needs) add(kind, name string) { n.addIn(n.namespace, kind, name) }

func (n needs) addIn(namespace, kind, name string) {
	if name == "" || namespace == "" || kind == "ServiceAccount" && name == "default" {
		return
	}
	ref := resource.Ref{Kind: kind, Name: namespace + "/" + name}
	if _, known := n.found[ref]; !known {
		n.found[ref] = false
	}
}

// podSpec is the pod, or the template of one, that the object starts; nil if none.
func podSpec(o Object) map[string]any {
	switch gk := o.GVK().GroupKind(); gk.Group {
	case "":
		if gk.Kind == "Pod" {
			return object(o.Manifest, "spec")
		}
		if gk.Kind == "ReplicationController" {
			return object(o.Manifest, "spec", "template", "spec")
		}
	case "apps":
		return object(o.Manifest, "spec", "template", "spec")
	case "batch":
		if gk.Kind == "CronJob" {
			return object(o.Manifest, "spec", "jobTemplate", "spec", "template", "spec")
		}
		return object(o.Manifest, "spec", "template", "spec")
	}
	return nil
}

// pod finds what a pod would not start without. Optional references are left out.
func (n needs) pod(spec map[string]any) {
	refer := func(kind string, from map[string]any, key string) {
		if from["optional"] != true {
			n.add(kind, text(from, key))
		}
	}
	for _, v := range objects(list(spec, "volumes")) {
		n.add("PersistentVolumeClaim", text(v, "persistentVolumeClaim", "claimName"))
		refer("Secret", object(v, "secret"), "secretName")
		refer("ConfigMap", object(v, "configMap"), "name")
		for _, s := range objects(list(v, "projected", "sources")) {
			refer("Secret", object(s, "secret"), "name")
			refer("ConfigMap", object(s, "configMap"), "name")
		}
	}
	for _, s := range objects(list(spec, "imagePullSecrets")) {
		n.add("Secret", text(s, "name"))
	}
	for _, c := range append(objects(list(spec, "initContainers")), objects(list(spec, "containers"))...) {
		for _, e := range objects(list(c, "env")) {
			refer("Secret", object(e, "valueFrom", "secretKeyRef"), "name")
			refer("ConfigMap", object(e, "valueFrom", "configMapKeyRef"), "name")
		}
		for _, e := range objects(list(c, "envFrom")) {
			refer("Secret", object(e, "secretRef"), "name")
			refer("ConfigMap", object(e, "configMapRef"), "name")
		}
	}
}

// named finds the references of objects that start no pod.
func (n needs) named(o Object) {
	switch o.GVK().GroupKind() {
	case schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}:
		n.add(text(o.Manifest, "spec", "scaleTargetRef", "kind"), text(o.Manifest, "spec", "scaleTargetRef", "name"))
	case schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"},
		schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}:
		if text(o.Manifest, "roleRef", "kind") == "ClusterRole" {
			n.found[resource.Ref{Kind: "ClusterRole", Name: text(o.Manifest, "roleRef", "name")}] = false
		} else {
			n.add("Role", text(o.Manifest, "roleRef", "name"))
		}
		for _, s := range objects(list(o.Manifest, "subjects")) {
			if text(s, "kind") == "ServiceAccount" {
				n.addIn(text(s, "namespace"), "ServiceAccount", text(s, "name"))
			}
		}
	case schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}:
		n.add("Service", text(o.Manifest, "spec", "defaultBackend", "service", "name"))
		for _, t := range objects(list(o.Manifest, "spec", "tls")) {
			n.add("Secret", text(t, "secretName"))
		}
		for _, r := range objects(list(o.Manifest, "spec", "rules")) {
			for _, p := range objects(list(r, "http", "paths")) {
				n.add("Service", text(p, "backend", "service", "name"))
			}
		}
	case schema.GroupKind{Kind: "PersistentVolumeClaim"}:
		if class := text(o.Manifest, "spec", "storageClassName"); class != "" {
			n.found[resource.Ref{Kind: "StorageClass", Name: class}] = false
		}
	}
}

// objects keeps the objects of a list.
func objects(l []any) []map[string]any {
	var out []map[string]any
	for _, v := range l {
		if m, ok := v.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}
