package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

// A foreign edit asks for a look the moment it happens; our own writes and a status that changes nothing do not.
func TestNotify(t *testing.T) {
	w := newWorld(t)
	service := w.object(serviceYAML)
	w.create(service)
	w.observe(true, service)
	edited := w.object(strings.Replace(serviceYAML, "port: 80,", "port: 81,", 1))
	w.update(edited, w.see(edited))
	w.hand(service, "kubelet", `{"status":{"conditions":[{"type":"X","status":"True","reason":"r","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`, "status")
	select {
	case refs := <-w.notified:
		t.Errorf("nothing but our own writes and a status: %v", refs)
	default: // hand has waited until the watch was past it
	}
	w.hand(service, "kubectl-edit", `{"spec":{"ports":[{"port":82}]}}`)
	if refs := <-w.notified; !slices.Equal(refs, []resource.Ref{service.Ref()}) {
		t.Errorf("the edit of %s tells of %v", service, refs)
	}
	if err := w.client(service).Delete(t.Context(), "api", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if refs := <-w.notified; !slices.Equal(refs, []resource.Ref{service.Ref()}) {
		t.Errorf("the removal of %s tells of %v", service, refs)
	}
	if s := w.observe(false, edited); len(s.Found) > 0 {
		t.Errorf("it was removed, and is seen: %v", s.Found)
	}
	mark := w.requests.writes()
	w.create(edited)
	if n := w.requests.writes() - mark; n != 1 {
		t.Errorf("putting it back takes one write, made %d", n)
	}
}

// What happened while the watch was away is seen when it is back.
func TestWatchCut(t *testing.T) {
	w := newWorld(t)
	a, b := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}`), w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {k: v}}`)
	w.create(a)
	w.create(b)
	w.observe(true, a, b)
	w.faults.forbid(w.driver, func() { w.faults.list = true })
	w.kubectl("patch", "configmap", "a", "-p", `{"data":{"k":"edited"}}`)
	w.kubectl("delete", "configmap", "b")
	s := w.observe(true, a, b)
	if len(s.Found) != 1 || len(s.Found[0].Diff) != 1 || s.Unlisted["ConfigMap"] == nil {
		t.Errorf("without a list, what is named is read: %+v", s)
	}
	w.faults.forbid(w.driver, func() { w.faults.list = false })
	s = w.observe(true, a, b)
	if len(s.Found) != 1 || len(s.Found[0].Diff) != 1 || len(s.Unlisted) > 0 {
		t.Errorf("the watch is back and shows the same: %+v", s)
	}
}

// With rights on some things only, the rest is unknown or unlisted, never absent; what may be done is done.
func TestFewRights(t *testing.T) {
	w := newWorld(t)
	configMap := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}`)
	w.create(configMap)
	grant := func(verbs string) {
		for _, m := range []string{
			fmt.Sprintf(`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: few}, rules: [{apiGroups: [""], resources: [configmaps], verbs: [%s]}]}`, verbs),
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: few}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: few}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: limited}]}`} {
			o := placed(t, m, w.ns, w.stack+"-rights")
			if _, err := w.client(o).Apply(t.Context(), o.Name(), wire(o.Manifest), metav1.ApplyOptions{FieldManager: "test", Force: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	grant("get")
	limited, _, _, _ := drive(t, w.stack, kubetest.Limited)
	kind := resource.NewKind("kube", limited)
	look := func() (resource.Sight, resource.Observation) {
		s, err := kind.Observe(t.Context(), []resource.Resource{resource.Of(configMap)}, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range s.Found {
			if o.Ref == configMap.Ref() {
				return s, o
			}
		}
		return s, resource.Observation{}
	}
	w.until("it may be read, not compared", func() bool { // the authorizer sees a new grant after a moment
		s, o := look()
		return o.State == resource.Unknown && strings.Contains(o.Detail, "cannot patch") && s.Unlisted["ConfigMap"] != nil
	})
	s, _ := look()
	if len(s.Notices) != 1 || !strings.Contains(s.Notices[0], "Deployment") {
		t.Errorf("kinds that are not wanted and cannot be listed are a notice: %v", s.Notices)
	}
	if s.Unlisted["Deployment"] != nil {
		t.Error("a kind that is not wanted is not missed")
	}
	grant("get, patch, create")
	w.until("it may be compared", func() bool { _, o := look(); return o.State == resource.Ready && len(o.Diff) == 0 })
	other := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: two}, data: {a: b}}`)
	if err := kind.Create(t.Context(), resource.Of(other)); err != nil {
		t.Errorf("creation needs no listing: %v", err)
	}
	_, o := look()
	if err := kind.Delete(t.Context(), o, false); err == nil || strings.Contains(err.Error(), "rejected") {
		t.Errorf("a right that is missing may be given: retry, got %v", err)
	}
}

// Another cluster, or another way to it, is another link; the old one's watches end.
func TestAccessChanges(t *testing.T) {
	w := newWorld(t)
	configMap := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}`)
	user := kubetest.Recsysd
	d := New(t.Context(), Options{Stack: w.stack, Access: func(context.Context, string) (*rest.Config, error) { return control.Config(user), nil }})
	if err := d.Create(t.Context(), configMap); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Observe(t.Context(), []Object{configMap}, true); err != nil {
		t.Fatal(err)
	}
	first := d.link
	user = kubetest.Recsysd2
	if _, err := d.Observe(t.Context(), []Object{configMap}, true); err != nil {
		t.Fatal(err)
	}
	if d.link == first || first.ctx.Err() == nil {
		t.Error("the first link was to be given up")
	}
	d.Close()
	if _, err := d.Observe(t.Context(), []Object{configMap}, true); err == nil {
		t.Error("a closed driver knows nothing")
	}
}

// What was found to be ours is watched from then on; the search of all kinds is not made again until it is due.
func TestSearch(t *testing.T) {
	w := newWorld(t)
	made := []Object{w.object(serviceYAML), w.object(deploymentYAML)}
	for _, o := range made {
		w.create(o)
	}
	// A copy that another makes carries our label, and is not ours.
	for _, kind := range []string{"configmap", "deployment"} { // of a kind that we have none of, and of one that we have
		create := []string{"create", kind, "copy"}
		if kind == "deployment" {
			create = append(create, "--image=busybox:1")
		}
		w.kubectl(create...)
		w.kubectl("label", kind, "copy", LabelStack+"="+w.stack)
	}
	w.driver, w.faults, w.requests, w.notified = drive(t, w.stack, kubetest.Recsysd)
	w.kind = resource.NewKind("kube", w.driver)
	found := func() (refs []string) {
		for _, o := range w.observe(true).Found {
			refs = append(refs, o.Ref.Kind)
			if o.Diff != nil || !o.Owned || o.Entry != "manifests.test" {
				t.Errorf("found, not wanted: %+v", o)
			}
		}
		slices.Sort(refs)
		return refs
	}
	if got := found(); !slices.Equal(got, []string{"Deployment", "Service"}) {
		t.Errorf("what carries our label and was made by us, nothing that controllers or others derive from it; got %v", got)
	}
	searched := len(w.requests.take())
	w.kubectl("delete", "service", "api")
	w.until("the watch tells of the removal", func() bool { return slices.Equal(found(), []string{"Deployment"}) })
	if again := w.requests.take(); len(again) > 0 || searched < 20 {
		t.Errorf("the first search took %d requests, what followed %v", searched, again)
	}
	w.driver.link.sweep.due = time.Time{}
	found()
	if again := len(w.requests.take()); again < 20 {
		t.Errorf("once due, all kinds are searched again; made %d requests", again)
	}
}

// The metric tells reads, writes and dry-runs apart.
func TestRequestsAreCounted(t *testing.T) {
	w := newWorld(t)
	configMap := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}`)
	w.requests.take()
	w.observe(false, configMap)
	w.create(configMap)
	w.hand(configMap, "kubectl-edit", `{"data":{"a":"c"}}`)
	w.see(configMap)
	got := w.requests.take()
	for _, want := range []string{"get 404", "apply 201", "dry-run 200"} {
		if !slices.Contains(got, want) {
			t.Errorf("want %q among %v", want, got)
		}
	}
}

// BenchmarkUnchanged is a look at a stack's worth of objects of which none has changed. It sends nothing.
func BenchmarkUnchanged(b *testing.B) {
	w := newWorld(b)
	all := ordinary(w)
	var want []resource.Resource
	for _, o := range all {
		w.create(o)
		want = append(want, resource.Of(o))
	}
	w.until("a look costs no request", func() bool {
		w.requests.take()
		w.observe(true, all...)
		return len(w.requests.take()) == 0
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.kind.Observe(b.Context(), want, true); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(w.requests.take())), "requests")
}
