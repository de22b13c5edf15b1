package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// handoverManager is the field manager that holds spec.replicas from when the manifest no longer says it until something else sets
// it: an apply that leaves out a field which it alone owns removes the value, and the server would start anew with one pod.
const handoverManager = "recsysd-handover"

// ownManagers are the names under which this driver writes.
var ownManagers = map[string]bool{manager: true, markManager: true, handoverManager: true}

var replicasPath = fieldpath.MakePathOrDie("spec", "replicas")

// scaled are the kinds whose pods are counted by spec.replicas.
var scaled = map[schema.GroupKind]bool{
	{Group: "apps", Kind: "Deployment"}: true, statefulSetKind: true, {Group: "apps", Kind: "ReplicaSet"}: true, {Kind: "ReplicationController"}: true,
}

// left is how many pods are to be left running by an apply of manifest, which leaves their number to others; ok is false if that apply
// changes nothing about it. It does where recsysd alone holds the number, and where there are none at all although an
// autoscaler is to say how many: at zero it is switched off, and would not start them again.
func (o Object) left(manifest, live map[string]any, all []owner) (n int64, ok bool) {
	if !scaled[o.GVK().GroupKind()] || value(manifest, "spec", "replicas") != nil {
		return 0, false
	}
	now := count(live, 1, "spec", "replicas")
	ours, others := false, false
	for _, w := range all {
		if w.fields.Has(replicasPath) {
			ours, others = ours || w.ours(), others || !w.ours()
		}
	}
	if (!ours || others) && (now > 0 || o.Floor == 0) {
		return 0, false
	}
	return max(now, o.Floor, 1), true
}

// carry writes into an apply how many pods it is to leave running, where it would change that without a word.
func (o Object) carry(manifest, live map[string]any) error {
	all, err := owners(live)
	if err != nil {
		return err
	}
	if n, ok := o.left(manifest, live, all); ok {
		setReplicas(manifest, n)
	}
	return nil
}

func setReplicas(manifest map[string]any, n int64) {
	if spec := object(manifest, "spec"); spec != nil {
		spec["replicas"] = n
	}
}

// handOver gives spec.replicas away, if the apply of manifest that follows would take it away, and returns the object as it is then.
func (s *link) handOver(ctx context.Context, m mapping, want Object, manifest map[string]any, now *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	all, err := owners(now.Object)
	if err != nil {
		return nil, err
	}
	n, ok := want.left(manifest, now.Object, all)
	if !ok {
		return now, nil
	}
	body := map[string]any{
		"apiVersion": text(manifest, "apiVersion"), "kind": text(manifest, "kind"),
		"metadata": map[string]any{"name": now.GetName(), "namespace": now.GetNamespace(), "uid": string(now.GetUID()), "resourceVersion": now.GetResourceVersion()},
		"spec":     map[string]any{"replicas": n},
	}
	after, err := s.patch(ctx, m, now.GetNamespace(), now.GetName(), types.ApplyPatchType, body, handoverManager)
	if err != nil {
		return nil, fmt.Errorf("handing over spec.replicas: %w", err)
	}
	return after, nil
}
