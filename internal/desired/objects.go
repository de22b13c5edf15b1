package desired

import (
	"maps"

	"recsysd.dev/recsysd/internal/desired/schedule"
	"recsysd.dev/recsysd/internal/resource"
)

// origin is where an object comes from.
type origin struct {
	entry    string
	path     string
	at       place
	handling handling
	schedule schedule.Schedule // when what can sleep is awake
}

// object makes a resource of a Kubernetes object: marked as the stack's, and handled as its origin says.
func (b *builder) object(o object, from origin) resource.Resource {
	meta, _ := o.Manifest["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	marked := map[string]any{}
	for k, v := range b.file.Labels {
		marked[k] = v
	}
	marked[labelManaged] = managedBy
	maps.Copy(marked, labels)
	marked[labelStack] = b.file.Name
	marked[labelEntry] = from.entry
	meta["labels"] = marked

	if p := from.handling.Protect; p != nil && *p && o.Lifetime() == resource.Disposable {
		annotations, _ := meta["annotations"].(map[string]any)
		annotations = maps.Clone(annotations)
		if annotations == nil {
			annotations = map[string]any{}
		}
		annotations[annotationProtect] = "true"
		meta["annotations"] = annotations
	}
	if o.Rest() != nil {
		o = o.WithRest(b.rest(from.schedule))
		asleep, all := from.schedule.Week()
		o.Billing.Asleep = resource.Ratio(asleep, all)
	}
	r := resource.Of(o)
	r.Shared = o.IfAbsent
	b.handle(&r, from.handling, from.path)
	r.Entry = from.entry
	return r
}

// addNamespace takes in the stack's namespace, if anything is in it and no manifest declares it. One that exists already is used
// as it is, whoever made it.
func (b *builder) addNamespace() {
	ref := resource.Ref{Kind: "Namespace", Name: b.namespace()}
	if _, ok := b.declared[ref]; ok || !b.namespaceUsed() || b.namespace() == "default" {
		return
	}
	o := object{
		Manifest: map[string]any{
			"apiVersion": "v1", "kind": "Namespace",
			"metadata": map[string]any{"name": ref.Name},
		},
		Cluster:  b.cluster,
		IfAbsent: true,
	}
	at := b.at("namespace")
	b.add(b.object(o, origin{entry: "namespace", path: "namespace", at: at}), at, "namespace")
}

func (b *builder) namespaceUsed() bool {
	for _, r := range b.resources {
		if o, ok := r.Spec.(object); ok && o.Namespace() == b.namespace() {
			return true
		}
	}
	return false
}
