package kube

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

type applyOptions struct{ dryRun, force bool }

func dryRun(on bool) []string {
	if on {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// apply sends u, whole, as recsysd's own.
func (s *link) apply(ctx context.Context, m mapping, u *unstructured.Unstructured, o applyOptions) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(u.Object)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.resource(m, u.GetNamespace()).Patch(ctx, u.GetName(), types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: manager, Force: &o.force, DryRun: dryRun(o.dryRun)})
}

// create makes u, which must not exist.
func (s *link) create(ctx context.Context, m mapping, u *unstructured.Unstructured, dry bool) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.resource(m, u.GetNamespace()).Create(ctx, u, metav1.CreateOptions{FieldManager: manager, DryRun: dryRun(dry)})
}

// patch changes parts of an object under the given manager; an apply takes them from whoever has them.
func (s *link) patch(ctx context.Context, m mapping, namespace, name string, kind types.PatchType, body any, as string) (*unstructured.Unstructured, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	o := metav1.PatchOptions{FieldManager: as}
	if kind == types.ApplyPatchType {
		force := true
		o.Force = &force
	}
	return s.resource(m, namespace).Patch(ctx, name, kind, b, o)
}

func (s *link) get(ctx context.Context, m mapping, namespace, name string) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.resource(m, namespace).Get(ctx, name, metav1.GetOptions{})
}

// remove deletes the object of that name if it still is the one with uid.
func (s *link) remove(ctx context.Context, m mapping, namespace, name string, uid types.UID, p metav1.DeletionPropagation) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.resource(m, namespace).Delete(ctx, name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &p})
}
