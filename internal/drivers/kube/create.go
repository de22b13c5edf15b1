package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"recsysd.dev/recsysd/internal/resource"
)

// Create makes want, unless something of its name is there after all. As a rule that is one request.
func (d *Driver) Create(ctx context.Context, want Object) error {
	s, m, err := d.way(ctx, want)
	if err != nil {
		return err
	}
	if want.Awaits != "" {
		return fmt.Errorf("creating %s: %w: %s", want, resource.ErrUnavailable, want.Awaits)
	}
	if want, err = d.writable(want, nil); err != nil {
		return fmt.Errorf("creating %s: %w", want, err)
	}
	manifest, hash := declared(want)
	if want.Floor > 0 && value(manifest, "spec", "replicas") == nil {
		setReplicas(manifest, want.Floor) // a later apply hands it over
	}
	d.writing(s, m, want)
	var made *unstructured.Unstructured
	if len(want.Generate) > 0 {
		// An apply would replace values that an earlier one, whose answer was lost, has made. A create cannot.
		generated(manifest, want, nil, password)
		made, err = s.create(ctx, m, wire(manifest), false)
	} else {
		made, err = s.applyNew(ctx, m, manifest)
	}
	if err = d.written(s, m, want, made, err, "creating"); err == nil {
		s.foresee(m, want, hash, manifest, number(made.GetResourceVersion()))
	}
	return err
}

// nowhere is a version that no stored object has, since a store is at it before anything is written. An apply that bears it creates what is
// absent, and is refused with a conflict where something has the name, whoever made that and however lately.
const nowhere = "1"

var errExists = errors.New("it exists")

// applyNew applies what must not exist. Without force: should whoever serves the kind not heed the version, what another has made in the
// meantime is a conflict still.
func (s *link) applyNew(ctx context.Context, m mapping, manifest map[string]any) (*unstructured.Unstructured, error) {
	meta := object(manifest, "metadata")
	meta["resourceVersion"] = nowhere
	made, err := s.apply(ctx, m, wire(manifest), applyOptions{})
	delete(meta, "resourceVersion")
	status, ok := answer(err)
	if !ok || status.Code != http.StatusConflict && !(isRefused(status) && strings.Contains(status.Message, "resourceVersion")) {
		return made, err
	}
	u := wire(manifest)
	_, err = s.get(ctx, m, u.GetNamespace(), u.GetName())
	if err == nil {
		return nil, errExists
	}
	if status, ok := answer(err); !ok || status.Code != http.StatusNotFound {
		return nil, err
	}
	return s.apply(ctx, m, u, applyOptions{}) // the version is not understood, or it was there for a moment
}

// foresee notes that applying want once more would change nothing, where that is certain: the API server's answer at version is what this very
// apply has made, and has everything as it was declared. It saves a dry-run of every new object. What is left to doubt is asked as ever:
// a Secret, of which no hash is noted; what is sent otherwise the next time; what the server or a webhook has made other than declared.
func (s *link) foresee(m mapping, want Object, hash string, manifest map[string]any, version uint64) {
	if !m.listable || m.gvk.GroupKind() == secretKind || len(want.Generate) > 0 || len(want.Images) > 0 || want.Floor > 0 {
		return
	}
	live := s.watch(m).store.get(want.Namespace(), want.Name())
	if live == nil || live.version != version {
		return
	}
	all, err := owners(live.object.Object)
	if err != nil {
		return
	}
	known := &fieldpath.Set{}
	for _, o := range all {
		known = known.Union(o.fields)
	}
	if len(compare(manifest, live.plain, known, true)) == 0 {
		question, as := want.questions(hash, live)
		s.verdict.put(want.Ref(), question, as, &prediction{}, s.o.Relist)
	}
}
