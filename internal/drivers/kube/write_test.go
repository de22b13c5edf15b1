package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/resource"
)

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: PLURAL.test.recsysd.dev}
spec:
  group: test.recsysd.dev
  scope: Namespaced
  names: {plural: PLURAL, singular: PLURALx, kind: KIND}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer, default: 1}, colour: {type: string}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

// A definition and a resource of it in one stack: the second waits for the first, and both are as any other.
func TestCustomResource(t *testing.T) {
	w := newWorld(t)
	plural := "w" + strings.TrimPrefix(w.ns, "t-")
	kind := strings.ToUpper(plural[:1]) + plural[1:]
	definition := w.object(strings.NewReplacer("PLURAL", plural, "KIND", kind).Replace(widgets))
	custom := w.object(fmt.Sprintf(`{apiVersion: test.recsysd.dev/v1, kind: %s, metadata: {name: x}, spec: {colour: red}}`, kind))
	if s := w.observe(true, definition, custom); len(s.Found) > 0 {
		t.Fatalf("neither exists, and this is seen: %v", s.Found)
	}
	if err := w.kind.Create(t.Context(), resource.Of(custom)); !errors.Is(err, resource.ErrUnavailable) {
		t.Fatalf("without its definition a resource cannot be made yet, which is to be waited for: %v", err)
	}
	w.create(definition)
	w.until("the kind is there", func() bool { return w.kind.Create(t.Context(), resource.Of(custom)) == nil })
	for _, o := range w.observe(true, definition, custom).Found {
		if len(o.Diff) > 0 || !o.Owned {
			t.Errorf("%s: owned %v, differs in\n%s", o.Ref, o.Owned, diffText(o.Diff))
		}
	}
	if o := w.see(custom); o.Ref.Kind != kind+".test.recsysd.dev" || !slices.Contains(o.Needs, resource.Need{Ref: definition.Ref(), In: true}) {
		t.Errorf("a live custom resource is named by its group and lives in its definition: %v %v", o.Ref, o.Needs)
	}
	w.hand(custom, "kubectl-edit", `{"spec":{"colour":"blue","size":5}}`)
	o := w.see(custom)
	if got := diffText(o.Diff); len(o.Diff) != 2 || o.Diff[0].Manager != "kubectl-edit" {
		t.Errorf("want spec.colour and spec.size by kubectl-edit, got\n%s", got)
	}
	w.update(custom, o)
	if d := w.see(custom).Diff; len(d) > 0 {
		t.Errorf("after the repair it differs in\n%s", diffText(d))
	}
	w.hand(custom, "operator", `{"status":{"conditions":[{"type":"Ready","status":"False","message":"no paint"}]}}`, "status")
	if o := w.see(custom); o.State != resource.Pending || o.Detail != "no paint" || len(o.Diff) > 0 {
		t.Errorf("its own controller says that it is not ready: %v %q\n%s", o.State, o.Detail, diffText(o.Diff))
	}
	if err := w.kind.Delete(t.Context(), w.see(definition), false); err != nil {
		t.Fatal(err)
	}
	w.until("both are gone, and that is no failure", func() bool { return len(w.observe(true, definition, custom).Found) == 0 })
	if s := w.observe(true); len(s.Unlisted) > 0 {
		t.Errorf("a kind that is gone needs no listing: %v", s.Unlisted)
	}
}

// An object that a person made with kubectl is taken over without showing the server's defaults as differences.
func TestAdopt(t *testing.T) {
	w := newWorld(t)
	w.kubectl("create", "deployment", "api", "--image=example.test/api:v0", "--replicas=2")
	api := w.object(deploymentYAML)
	o := w.see(api)
	if o.Owned {
		t.Fatal("it is not ours yet")
	}
	var fields []string
	for _, c := range o.Diff {
		fields = append(fields, c.Field)
	}
	for _, f := range fields {
		if strings.Contains(f, "progressDeadline") || strings.Contains(f, "dnsPolicy") {
			t.Errorf("a default that stays as it is is no difference: %s", f)
		}
	}
	if !slices.Contains(fields, "metadata.labels[recsysd.dev/stack]") {
		t.Errorf("taking it over is a difference: %v", fields)
	}
	if slices.ContainsFunc(o.Diff, func(c resource.Change) bool { return c.Recreate }) {
		// kubectl's pods are selected by app=api, as the manifest's are
		t.Errorf("it can be taken over in place:\n%s", diffText(o.Diff))
	}
	if s := w.observe(true); len(s.Found) > 0 {
		t.Fatalf("what is not ours is not listed: %v", s.Found)
	}
	w.update(api, o)
	w.settled(api)
	if o := w.see(api); !o.Owned || len(o.Diff) > 0 {
		t.Errorf("taken over: owned %v, differs in\n%s", o.Owned, diffText(o.Diff))
	}
}

// An object that was made anew by another since the look is not the one that was decided on.
func TestSuccessorIsNotTouched(t *testing.T) {
	w := newWorld(t)
	before := `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}`
	configMap := w.object(before)
	w.create(configMap)
	edited := w.object(strings.Replace(before, "a: b", "a: c", 1))
	w.hand(configMap, "kubectl-edit", `{"data":{"extra":"1"}}`)
	o := w.see(edited)
	w.kubectl("delete", "configmap", "x")
	w.kubectl("create", "configmap", "x", "--from-literal=a=theirs")
	uid := text(w.live(configMap), "metadata", "uid")
	retry := func(what string, err error) {
		t.Helper()
		if err == nil || errors.Is(err, resource.ErrRejected) || errors.Is(err, resource.ErrUnavailable) {
			t.Errorf("%s: another look is due, got %v", what, err)
		}
	}
	retry("update", w.kind.Update(t.Context(), resource.Of(edited), o, o.Diff))
	retry("delete", w.kind.Delete(t.Context(), o, false))
	mark := []resource.Change{{Field: resource.FieldUnprotected, Want: "0123456789ab", Mark: true}}
	retry("mark", w.kind.Update(t.Context(), resource.Of(edited), o, mark))
	if now := w.live(configMap); text(now, "metadata", "uid") != uid || text(now, "data", "a") != "theirs" || len(object(now, "metadata", "annotations")) > 0 {
		t.Errorf("the successor was touched: %v", now)
	}
}

// After a removal what nobody wants is looked at again by what was observed of it.
func TestLookAtTheUnwanted(t *testing.T) {
	w := newWorld(t)
	secret := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: x}, stringData: {a: b}}`)
	w.create(secret)
	o := w.observe(true).Found[0]
	w.requests.take()
	s, err := w.kind.Observe(t.Context(), []resource.Resource{o.Resource()}, false)
	if err != nil || len(s.Found) != 1 || len(s.Found[0].Diff) > 0 || len(w.requests.take()) > 0 {
		t.Errorf("it stands, and nothing is asked of it: %+v %v", s, err)
	}
	if err := w.kind.Delete(t.Context(), o, false); err != nil {
		t.Fatal(err)
	}
	if s, err := w.kind.Observe(t.Context(), []resource.Resource{o.Resource()}, false); err != nil || len(s.Found) > 0 {
		t.Errorf("it is gone: %+v %v", s, err)
	}
}

// What is on its way out is not written; what has gone is absent.
func TestLeaving(t *testing.T) {
	w := newWorld(t)
	configMap := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: x, finalizers: [example.test/wait]}, data: {a: b}}`)
	o := w.create(configMap)
	if err := w.kind.Delete(t.Context(), o, false); err != nil {
		t.Fatal(err)
	}
	o = w.see(configMap)
	if !o.Locked || o.State != resource.Pending || len(o.Diff) > 0 {
		t.Errorf("it waits for its finalizer: %+v", o)
	}
	if err := w.kind.Create(t.Context(), resource.Of(configMap)); err == nil || errors.Is(err, resource.ErrRejected) {
		t.Errorf("its name is not free yet, which is to be retried: %v", err)
	}
	if s := w.observe(true); len(s.Found) != 1 || !s.Found[0].Locked {
		t.Errorf("it is still listed: %+v", s.Found)
	}
	if _, err := w.client(configMap).Patch(t.Context(), "x", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w.until("it is gone", func() bool { return len(w.observe(true, configMap).Found) == 0 })
}

// Without a cluster, or without the namespace, nothing exists and creation waits. A cluster that does not answer is not known.
func TestNoCluster(t *testing.T) {
	w := newWorld(t)
	configMap := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}`)
	none := resource.NewKind("kube", New(t.Context(), Options{Stack: "x", Access: func(context.Context, string) (*rest.Config, error) {
		return nil, fmt.Errorf("cluster acme-gke: %w", resource.ErrUnavailable)
	}}))
	s, err := none.Observe(t.Context(), []resource.Resource{resource.Of(configMap)}, true)
	if err != nil || len(s.Found)+len(s.Unlisted) > 0 {
		t.Errorf("no cluster, nothing in it: %+v %v", s, err)
	}
	if err := none.Create(t.Context(), resource.Of(configMap)); !errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("creation waits for the cluster: %v", err)
	}
	away := placed(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}`, w.ns+"-none", w.stack)
	if s := w.observe(true, away); len(s.Found) > 0 {
		t.Errorf("its namespace does not exist, and it is seen: %v", s.Found)
	}
	if err := w.kind.Create(t.Context(), resource.Of(away)); !errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("creation waits for the namespace: %v", err)
	}
	w.create(configMap)
	w.faults.silence(true)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	absent := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: absent}}`)
	if s, err := w.kind.Observe(ctx, []resource.Resource{resource.Of(absent)}, true); err == nil {
		t.Errorf("no answer came, and this was made of it: %+v", s)
	}
	w.faults.silence(false)
}

// A namespace that another made is used as it is.
func TestNamespaceOfOthers(t *testing.T) {
	w := newWorld(t)
	ns := w.object(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + w.ns + `}}`)
	ns.IfAbsent = true
	if o := w.see(ns); o.Owned || len(o.Diff) > 0 || !o.State.Usable() {
		t.Errorf("it is neither ours nor different: owned %v, %v\n%s", o.Owned, o.State, diffText(o.Diff))
	}
	own := w.object(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + w.ns + `-own}}`)
	own.IfAbsent = true
	if o := w.create(own); !o.Owned || len(o.Diff) > 0 || o.Lifetime != resource.Stateful {
		t.Errorf("one that was absent is made and ours: %+v", o)
	}
}
