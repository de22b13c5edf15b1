package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// apply makes the objects of manifest files that do not exist yet: the namespace, then each by one server-side apply, so many at a time,
// with no limit of requests a second. Its arguments: a kubeconfig, the namespace, how many at a time, files.
func apply(ctx context.Context, args []string) error {
	if len(args) < 4 {
		return errors.New("want a kubeconfig, a namespace, how many at a time, and files")
	}
	namespace := args[1]
	width, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var all []*unstructured.Unstructured
	for _, path := range args[3:] {
		some, err := manifests(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, some...)
	}
	client, err := cluster(args[0])
	if err != nil {
		return err
	}
	send := func(ctx context.Context, u *unstructured.Unstructured) error {
		body, err := json.Marshal(u.Object)
		if err != nil {
			return err
		}
		gvk := u.GroupVersionKind()
		var to dynamic.ResourceInterface = client.Resource(gvk.GroupVersion().WithResource(strings.ToLower(gvk.Kind) + "s"))
		if gvk != (schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}) {
			u.SetNamespace(namespace)
			to = client.Resource(gvk.GroupVersion().WithResource(strings.ToLower(gvk.Kind) + "s")).Namespace(namespace)
		}
		_, err = to.Patch(ctx, u.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "floor"})
		return err
	}
	begin(ctx)
	home := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}}
	if err := send(ctx, home); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(width)
	for _, u := range all {
		g.Go(func() error { return send(ctx, u) })
	}
	note(ctx, "objects", float64(len(all)))
	return g.Wait()
}

// manifests reads the objects of a file.
func manifests(path string) (all []*unstructured.Unstructured, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(b), 4096)
	for {
		var m map[string]any
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case m != nil:
			all = append(all, &unstructured.Unstructured{Object: m})
		}
	}
}
