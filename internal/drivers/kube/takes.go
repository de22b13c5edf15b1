package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	namespaceKind = schema.GroupKind{Kind: "Namespace"}
	claimKind     = schema.GroupKind{Kind: "PersistentVolumeClaim"}
)

// errTakesOthers is the refusal to remove what the API server would remove together with what is not the stack's.
var errTakesOthers = errors.New("would take along what is not the stack's")

// takesOthers looks for what the removal of a Namespace or of a CustomResourceDefinition would take along and must not: in a namespace
// the objects of other stacks and every disk that is not ours, of a definition every resource that is not ours. Nobody else asks: the
// API server removes it all, and a stack sees only what is its own. What may not be listed is not taken for absent.
func (s *link) takesOthers(ctx context.Context, o Object) error {
	gk := o.GVK().GroupKind()
	if gk != namespaceKind && gk != definitionKind {
		return nil
	}
	kinds, err := s.kinds.all(ctx)
	if err != nil {
		return err
	}
	defined := schema.GroupKind{Group: text(o.Manifest, "spec", "group"), Kind: text(o.Manifest, "spec", "names", "kind")}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.o.Width)
	for _, m := range kinds {
		namespace, selector := "", LabelStack+"!="+s.o.Stack // that of others, and that of nobody
		switch {
		case gk == definitionKind && m.gvk.GroupKind() != defined, gk == namespaceKind && !m.namespaced:
			continue
		case gk == namespaceKind:
			if namespace = o.Name(); m.gvk.GroupKind() != claimKind {
				selector = LabelStack + "," + selector // that of others alone: what nobody claims is mostly a controller's
			}
		}
		g.Go(func() error { return s.none(ctx, m, namespace, selector) })
	}
	return g.Wait()
}

// none fails if there is an object of kind m, or if that cannot be seen.
func (s *link) none(ctx context.Context, m mapping, namespace, selector string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	found, err := s.meta.Resource(m.gvr).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: 1})
	if status, ok := answer(err); ok && (status.Code == http.StatusNotFound || status.Code == http.StatusMethodNotAllowed) {
		return nil // a kind that is gone, or keeps nothing
	}
	if err != nil {
		return fmt.Errorf("whether it %w is not known: %w", errTakesOthers, err)
	}
	if len(found.Items) > 0 {
		u := found.Items[0]
		name := u.GetName()
		if u.GetNamespace() != "" {
			name = u.GetNamespace() + "/" + name
		}
		return fmt.Errorf("it %w: %s/%s", errTakesOthers, KindName(m.gvk.GroupKind()), name)
	}
	return nil
}
