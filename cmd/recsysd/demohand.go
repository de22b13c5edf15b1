package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// hand is the foreign one in the demo's cloud: at each move it does the next of the things that people do by hand.
type hand struct {
	cloud *sim.Cloud

	mu    sync.Mutex
	moves int
}

// move changes something behind the stack's back and says what.
func (h *hand) move(context.Context) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tricks := []func() (string, error){h.versioning, h.image, h.service}
	for range tricks { // a stack may lack what one of them needs
		trick := tricks[h.moves%len(tricks)]
		h.moves++
		did, err := trick()
		if !errors.Is(err, errNothingLikeIt) {
			return did, err
		}
	}
	return "", errors.New("the cloud holds nothing yet that a hand could change")
}

var errNothingLikeIt = errors.New("nothing like it in the cloud")

// first is the first thing of a kind that is there and at rest.
func (h *hand) first(kind string) (resource.Ref, error) {
	for _, t := range h.cloud.Things() {
		if t.Ref.Kind == kind && t.State == resource.Ready && t.Owner != "" {
			return t.Ref, nil
		}
	}
	return resource.Ref{}, errNothingLikeIt
}

func (h *hand) versioning() (string, error) {
	ref, err := h.first(bucket.Kind)
	if err != nil {
		return "", err
	}
	on := true
	err = h.cloud.Edit(ref, func(spec any) any {
		b := spec.(bucket.Spec)
		b.Versioning = &on
		return b
	})
	return fmt.Sprintf("%s: versioning was switched on in the console", ref), err
}

func (h *hand) image() (string, error) {
	ref, err := h.first("Deployment")
	if err != nil {
		return "", err
	}
	const image = "example.com/hotfix:latest"
	var edit error
	err = h.cloud.Edit(ref, func(spec any) any {
		o := spec.(kube.Object)
		path := []string{"spec", "template", "spec", "containers"}
		containers, found, err := unstructured.NestedSlice(o.Manifest, path...)
		if err != nil || !found || len(containers) == 0 {
			edit = errNothingLikeIt
			return spec
		}
		if c, ok := containers[0].(map[string]any); ok {
			c["image"] = image
		}
		edit = unstructured.SetNestedSlice(o.Manifest, containers, path...)
		return o
	})
	return fmt.Sprintf("%s: its image was set to %s with kubectl", ref, image), errors.Join(err, edit)
}

func (h *hand) service() (string, error) {
	ref, err := h.first("Service")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: it was deleted with kubectl", ref), h.cloud.Remove(ref)
}
