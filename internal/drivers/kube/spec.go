// Package kube is the one driver for every Kubernetes object, built in or custom: server-side apply to write, a dry-run
// compared with the watched live object to see a difference. It knows no Google service and no stack file; how to reach
// the cluster is given to it, and so are the objects.
package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/resource"
)

// What recsysd writes on objects. Labels carry whose an object is; annotations carry how it is to be treated.
const (
	LabelStack   = "recsysd.dev/stack"            // the stack that the object belongs to: the ownership mark
	LabelEntry   = "recsysd.dev/entry"            // the entry of the stack file that it was made for
	LabelManaged = "app.kubernetes.io/managed-by" // recsysd, where the manifest says nothing

	AnnotationProtect     = "recsysd.dev/protect"     // "true" makes any object stateful: never removed by surprise
	AnnotationUnprotected = "recsysd.dev/unprotected" // the commit that allowed a stateful object to go; never from a manifest
	AnnotationGenerated   = "recsysd.dev/generated"   // keys of a Secret whose values were made here
	AnnotationApplied     = "recsysd.dev/applied"     // the hash of what was last applied; a note, never compared

	// AnnotationSecret, before a Secret's name, is what a pod's template says of a Secret that it uses: which making of its values
	// that is. Another one replaces the pods.
	AnnotationSecret = "secret.recsysd.dev/"
)

// Object is one Kubernetes object. A wanted one is compared in what it declares, and treated as read-only.
type Object struct {
	// Manifest is the object as JSON would decode it: apiVersion, kind, metadata with name, namespace and the labels
	// above, and the rest. No status.
	Manifest map[string]any
	// Cluster is the resource that the object lives in; zero where a configured kubeconfig leads to the cluster.
	Cluster resource.Ref
	// Definition is the name of the CustomResourceDefinition that a custom resource is an instance of, if that is in the stack.
	Definition string
	// Generate names keys of a Secret whose values are made once, at random, and kept only in the cluster.
	Generate []string
	// Source stands for a Secret's values in everything that is remembered or hashed: what they were made from, as it is encrypted or
	// called there. Without it the values stand in Git as they are.
	Source string
	// Awaits says why values of the object are not known now; "": all are. They are null in the manifest, and those of the live object
	// stand in for them. What is absent cannot be made yet.
	Awaits string
	// IfAbsent objects are made where there is none; an existing one that is not ours is used as it is: it shows no
	// difference and is never written or removed. It is how a stack treats the namespace that it does not declare.
	IfAbsent bool
	// Floor is how many pods there are at least while their number is left to an autoscaler; 0 where there is none. It is no part
	// of the manifest: it counts when the number passes from the manifest to the autoscaler, and at creation.
	Floor int64
	// Asleep asks for the sleeping form of a kind that has one: the manifest, without pods. Until is when the schedule ends that, Wakes
	// when it next wakes it; see resource.Rest. They are no part of the hash: to turn is not another spec.
	Asleep       bool
	Until, Wakes time.Time
	// Images are containers whose image is chosen, by their names: see image.Choice. What the live object runs has a say in it, so
	// the driver chooses; the manifest has what would be chosen without a live object, or a reference without a tag.
	Images map[string]image.Choice
	// Billing is what its price depends on beside the manifest.
	Billing Billing

	// The driver's own, on what it observed.
	leave  []string // fields that others say: see Leaving
	seen   *sighting
	dry    *prediction
	byHand bool // Asleep and Until are a person's word
}

// GVK is the manifest's group, version and kind.
func (o Object) GVK() schema.GroupVersionKind {
	apiVersion, kind := text(o.Manifest, "apiVersion"), text(o.Manifest, "kind")
	if group, version, ok := strings.Cut(apiVersion, "/"); !ok {
		return schema.GroupVersionKind{Version: apiVersion, Kind: kind}
	} else if !strings.Contains(version, "/") {
		return schema.GroupVersionKind{Group: group, Version: version, Kind: kind}
	}
	return schema.GroupVersionKind{Kind: kind}
}

// Name is metadata.name.
func (o Object) Name() string { return text(o.Manifest, "metadata", "name") }

// Namespace is metadata.namespace; empty for what is cluster-scoped.
func (o Object) Namespace() string { return text(o.Manifest, "metadata", "namespace") }

// Ref names the object whatever version its manifest is written in.
func (o Object) Ref() resource.Ref {
	if o.seen != nil && o.seen.known {
		return o.seen.ref
	}
	name := o.Name()
	if ns := o.Namespace(); ns != "" {
		name = ns + "/" + name
	}
	return resource.Ref{Kind: KindName(o.GVK().GroupKind()), Name: name}
}

// String is the reference alone: a manifest may hold secrets.
func (o Object) String() string { return o.Ref().String() }

// GoString keeps %#v from printing what String keeps back.
func (o Object) GoString() string { return "kube.Object(" + o.Ref().String() + ")" }

// Lifetime is Stateful for what holds data or takes data with it, and for anything that asks for it by annotation.
func (o Object) Lifetime() resource.Lifetime {
	if o.seen != nil && o.seen.known {
		return o.seen.lifetime
	}
	if len(o.Generate) > 0 || o.annotation(AnnotationGenerated) != "" || o.annotation(AnnotationProtect) == "true" {
		return resource.Stateful
	}
	switch o.GVK().GroupKind() {
	case schema.GroupKind{Kind: "PersistentVolumeClaim"}, schema.GroupKind{Kind: "PersistentVolume"},
		schema.GroupKind{Kind: "Namespace"}, schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:
		return resource.Stateful
	}
	return resource.Disposable
}

// Validate reports what the API server would refuse and can be known offline.
func (o Object) Validate() error {
	var errs []error
	gvk := o.GVK()
	if gvk.Version == "" {
		errs = append(errs, errors.New("apiVersion: missing"))
	} else if _, err := schema.ParseGroupVersion(text(o.Manifest, "apiVersion")); err != nil {
		errs = append(errs, fmt.Errorf("apiVersion: %w", err))
	}
	if gvk.Kind == "" {
		errs = append(errs, errors.New("kind: missing"))
	}
	if strings.HasSuffix(gvk.Kind, "List") && o.Manifest["items"] != nil {
		errs = append(errs, errors.New("kind: a List is not an object; give its items one by one"))
	}
	switch name := o.Name(); {
	case name == "":
		errs = append(errs, errors.New("metadata.name: missing"))
	case strings.ContainsAny(name, "/%") || name == "." || name == "..":
		errs = append(errs, fmt.Errorf("metadata.name: %q may not hold / or %%", name))
	}
	if ns := o.Namespace(); ns != "" {
		for _, m := range validation.IsDNS1123Label(ns) {
			errs = append(errs, fmt.Errorf("metadata.namespace: %s", m))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(object(o.Manifest, "metadata", "labels"))) {
		v, ok := object(o.Manifest, "metadata", "labels")[key].(string)
		if !ok {
			errs = append(errs, fmt.Errorf("metadata.labels.%s: must be text; put it in quotes", key))
			continue
		}
		for _, m := range append(validation.IsQualifiedName(key), validation.IsValidLabelValue(v)...) {
			errs = append(errs, fmt.Errorf("metadata.labels.%s: %s", key, m))
		}
	}
	if len(o.Generate) > 0 && gvk.GroupKind() != secretKind {
		errs = append(errs, errors.New("only a Secret can have generated keys"))
	}
	for _, k := range o.Generate {
		for _, m := range validation.IsConfigMapKey(k) {
			errs = append(errs, fmt.Errorf("generate: %q: %s", k, m))
		}
	}
	return errors.Join(errs...)
}

// MarshalJSON is what hashes are made from. For a Secret's values stands what they were made from; a digest of a short one could be
// found by trying. Only values that stand in Git as they are, and those of live objects, which are remembered nowhere, stand in it as
// digests.
func (o Object) MarshalJSON() ([]byte, error) {
	m := o.Manifest
	if o.GVK().GroupKind() == secretKind {
		m = veiled(o)
	}
	return json.Marshal(struct {
		Manifest   map[string]any `json:"manifest"`
		Cluster    *resource.Ref  `json:"cluster,omitempty"`
		Definition string         `json:"definition,omitempty"`
		Generate   []string       `json:"generate,omitempty"`
		Source     string         `json:"source,omitempty"`
		IfAbsent   bool           `json:"ifAbsent,omitempty"`
		Floor      int64          `json:"floor,omitempty"`
	}{m, nonZero(o.Cluster), o.Definition, o.Generate, o.Source, o.IfAbsent, o.Floor})
}

// veiled is a Secret's manifest with digests for values, also in the copy of them that kubectl keeps.
func veiled(o Object) map[string]any {
	m := maps.Clone(o.Manifest)
	const copied = "kubectl.kubernetes.io/last-applied-configuration"
	if v := o.annotation(copied); v != "" {
		meta := maps.Clone(object(m, "metadata"))
		notes := maps.Clone(object(meta, "annotations"))
		notes[copied] = digest(o.Ref().String(), copied, v)
		meta["annotations"], m["metadata"] = notes, meta
	}
	for _, part := range []string{"data", "stringData"} {
		values := object(m, part)
		if values == nil {
			continue
		}
		digests := make(map[string]any, len(values))
		for k, v := range values {
			switch {
			case v == nil:
				digests[k] = nil
			case o.Source != "":
				digests[k] = "" // Source tells one making of it from another
			default:
				digests[k] = digest(o.Ref().String(), k, fmt.Sprint(v))
			}
		}
		m[part] = digests
	}
	return m
}

func nonZero(r resource.Ref) *resource.Ref {
	if r == (resource.Ref{}) {
		return nil
	}
	return &r
}

// digest is for equality only.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (o Object) annotation(key string) string {
	return text(o.Manifest, "metadata", "annotations", key)
}
func (o Object) label(key string) string { return text(o.Manifest, "metadata", "labels", key) }

// value walks maps; nil if a step is missing.
func value(m map[string]any, path ...string) any {
	var v any = m
	for _, p := range path {
		next, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = next[p]
	}
	return v
}

func text(m map[string]any, path ...string) string { s, _ := value(m, path...).(string); return s }

func object(m map[string]any, path ...string) map[string]any {
	o, _ := value(m, path...).(map[string]any)
	return o
}

func list(m map[string]any, path ...string) []any { l, _ := value(m, path...).([]any); return l }
