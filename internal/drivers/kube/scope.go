package kube

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	secretKind      = schema.GroupKind{Kind: "Secret"}
	statefulSetKind = schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
	definitionKind  = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
)

// ownGroups are the API server's own: their kinds are named without the group.
var ownGroups = []string{
	"", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps", "authentication.k8s.io",
	"authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io",
	"events.k8s.io", "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy",
	"rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
}

// clusterScoped are the kinds without a namespace: all of the API server's own, and those of add-ons that are met often.
var clusterScoped = map[string]string{
	"":                             "Namespace Node PersistentVolume ComponentStatus",
	"admissionregistration.k8s.io": "MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy MutatingAdmissionPolicyBinding",
	"apiextensions.k8s.io":         "CustomResourceDefinition",
	"apiregistration.k8s.io":       "APIService",
	"certificates.k8s.io":          "CertificateSigningRequest ClusterTrustBundle",
	"flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
	"internal.apiserver.k8s.io":    "StorageVersion",
	"networking.k8s.io":            "IngressClass IPAddress ServiceCIDR",
	"node.k8s.io":                  "RuntimeClass",
	"rbac.authorization.k8s.io":    "ClusterRole ClusterRoleBinding",
	"resource.k8s.io":              "DeviceClass DeviceTaintRule ResourceSlice",
	"scheduling.k8s.io":            "PriorityClass",
	"storage.k8s.io":               "CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass",
	"storagemigration.k8s.io":      "StorageVersionMigration",

	"cert-manager.io":           "ClusterIssuer",
	"cloud.google.com":          "ComputeClass",
	"external-secrets.io":       "ClusterSecretStore ClusterExternalSecret",
	"gateway.networking.k8s.io": "GatewayClass",
	"kyverno.io":                "ClusterPolicy",
	"monitoring.googleapis.com": "ClusterPodMonitoring ClusterNodeMonitoring ClusterRules GlobalRules",
	"snapshot.storage.k8s.io":   "VolumeSnapshotClass VolumeSnapshotContent",
}

// OwnGroup reports whether an API group is the API server's own.
func OwnGroup(group string) bool { return slices.Contains(ownGroups, group) }

// KindName is the Ref.Kind of a Kubernetes kind: bare for the API server's own groups, else Kind.group.
func KindName(gk schema.GroupKind) string {
	if OwnGroup(gk.Group) {
		return gk.Kind
	}
	return gk.Kind + "." + gk.Group
}

// Definitions are the custom kinds that a stack itself defines. The zero value knows none.
type Definitions map[schema.GroupKind]Definition

// Definition is what a CustomResourceDefinition says that must be known offline.
type Definition struct {
	Name       string // of the CustomResourceDefinition
	Namespaced bool
}

// Learn takes note of manifest if it is a CustomResourceDefinition, and reports whether it was one that could be read.
func (d Definitions) Learn(manifest map[string]any) bool {
	o := Object{Manifest: manifest}
	if o.GVK().GroupKind() != definitionKind {
		return false
	}
	gk := schema.GroupKind{Group: text(manifest, "spec", "group"), Kind: text(manifest, "spec", "names", "kind")}
	if gk.Group == "" || gk.Kind == "" {
		return false
	}
	d[gk] = Definition{Name: o.Name(), Namespaced: text(manifest, "spec", "scope") != "Cluster"}
	return true
}

// Namespaced reports whether objects of a kind live in a namespace: by the built-in table, then by the definitions; a
// custom kind of which nothing is known is taken as namespaced.
func (d Definitions) Namespaced(gk schema.GroupKind) bool {
	if slices.Contains(strings.Fields(clusterScoped[gk.Group]), gk.Kind) {
		return false
	}
	if def, ok := d[gk]; ok {
		return def.Namespaced
	}
	return true
}

// Place returns manifest as an Object in the namespace that it names, or else in the given one. The manifest is changed
// in place. A namespace on a cluster-scoped kind is an error.
func (d Definitions) Place(manifest map[string]any, namespace string) (Object, error) {
	o := Object{Manifest: manifest}
	gk := o.GVK().GroupKind()
	o.Definition = d[gk].Name
	if !d.Namespaced(gk) {
		if ns := o.Namespace(); ns != "" {
			return o, fmt.Errorf("metadata.namespace: a %s has no namespace", gk.Kind)
		}
		return o, nil
	}
	if o.Namespace() == "" {
		meta, ok := manifest["metadata"].(map[string]any)
		if !ok {
			return o, fmt.Errorf("metadata: missing")
		}
		meta["namespace"] = namespace
	}
	return o, nil
}
