package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

// What cannot change in place says so, and is replaced: Delete, then Create of the same name.
func TestRecreate(t *testing.T) {
	job := `{apiVersion: batch/v1, kind: Job, metadata: {name: x}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "IMAGE"}]}}}}`
	service := `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: TYPE, selector: {app: x}, ports: [{port: 80}], clusterIP: IP}}`
	cases := []struct {
		why, before, after, field string
	}{
		{"a Job's template", strings.Replace(job, "IMAGE", "busybox:1", 1), strings.Replace(job, "IMAGE", "busybox:2", 1),
			"spec.template.spec.containers[c].image"},
		{"a Service that loses its address", strings.NewReplacer("TYPE", "ClusterIP", ", clusterIP: IP", "").Replace(service),
			strings.NewReplacer("TYPE", "ClusterIP", "IP}", "None}").Replace(service), "spec.clusterIP"},
		{"a Deployment's selector", deploymentYAML, strings.ReplaceAll(deploymentYAML, "app: api", "app: other"), "spec.selector.matchLabels.app"},
		{"a fixed ConfigMap's data", `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, immutable: true, data: {a: "1"}}`,
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, immutable: true, data: {a: "2"}}`, "data.a"},
		{"a RoleBinding's role", roleBinding("a"), roleBinding("b"), "roleRef.name"},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t)
			before, after := w.object(c.before), w.object(c.after)
			w.create(before)
			o := w.see(after)
			if !slices.ContainsFunc(o.Diff, func(d resource.Change) bool { return d.Field == c.field && d.Recreate }) {
				t.Fatalf("%s should be a reason to recreate:\n%s", c.field, diffText(o.Diff))
			}
			if err := w.kind.Update(t.Context(), resource.Of(after), o, o.Diff); !errors.Is(err, resource.ErrRejected) {
				t.Errorf("an update of what cannot be updated is rejected, got %v", err)
			}
			if err := w.kind.Delete(t.Context(), o, true); err != nil {
				t.Fatal(err)
			}
			w.until("the name is free", func() bool { return len(w.observe(false, after).Found) == 0 })
			if d := w.create(after).Diff; len(d) > 0 {
				t.Errorf("the new one differs in\n%s", diffText(d))
			}
		})
	}
}

func roleBinding(role string) string {
	return fmt.Sprintf(`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %s}, subjects: [{kind: ServiceAccount, name: x, namespace: default}]}`, role)
}

// A StatefulSet is replaced around its pods: they run on, under their new owner.
func TestRecreateKeepsStatefulPods(t *testing.T) {
	w := newWorld(t)
	db := w.object(statefulSetYAML)
	w.create(db)
	pod := w.object(`{apiVersion: v1, kind: Pod, metadata: {name: db-0}}`)
	uid := text(w.live(pod), "metadata", "uid")
	after := w.object(strings.Replace(statefulSetYAML, "serviceName: db", "serviceName: other", 1))
	o := w.see(after)
	if len(o.Diff) != 1 || !o.Diff[0].Recreate || o.Diff[0].Field != "spec.serviceName" {
		t.Fatalf("want spec.serviceName as a reason to recreate, got\n%s", diffText(o.Diff))
	}
	if err := w.kind.Delete(t.Context(), o, true); err != nil {
		t.Fatal(err)
	}
	w.until("the old set is gone", func() bool { return len(w.observe(false, after).Found) == 0 })
	w.create(after)
	owner := text(w.live(after), "metadata", "uid")
	w.until("the new set owns the pod", func() bool {
		owners := objects(list(w.live(pod), "metadata", "ownerReferences"))
		return len(owners) == 1 && text(owners[0], "uid") == owner
	})
	if now := text(w.live(pod), "metadata", "uid"); uid == "" || now != uid {
		t.Errorf("the pod was %s and is %s: it was to run on", uid, now)
	}
}

// What the server will never take is rejected, at creation and at an update, and nothing is touched.
func TestRejected(t *testing.T) {
	w := newWorld(t)
	remove, err := control.Webhook(t.Context(), "refuse-"+w.ns, "", []string{"configmaps"}, func(a kubetest.Admission) error {
		if text(a.Object, "data", "allowed") == "no" {
			return errors.New("violates autogke-disallow-privilege")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	configMap := func(v string) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {allowed: "%s"}}`, v)
	}
	cases := []struct{ why, good, bad, says string }{
		{"a value out of range", serviceYAML, strings.Replace(serviceYAML, "port: 80,", "port: 80000,", 1), "spec.ports[0].port"},
		{"a field that does not exist", deploymentYAML, strings.Replace(deploymentYAML, "replicas: 2", "replicsa: 2", 1), ".spec.replicsa"},
		{"a type that does not fit", deploymentYAML, strings.Replace(deploymentYAML, "replicas: 2", "replicas: many", 1), "replicas"},
		{"an admission refusal", configMap("yes"), configMap("no"), "autogke-disallow-privilege"},
		{"something immutable that would be refused in a new one too", serviceYAML,
			strings.Replace(serviceYAML, "{selector", "{clusterIP: 192.0.2.1, selector", 1), "clusterIP"},
		{"something immutable with something invalid", deploymentYAML,
			strings.NewReplacer("app: api", "app: other", "image: example.test/api:v1", `image: ""`).Replace(deploymentYAML), "image"},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			w := *w
			w.TB = t
			good, bad := w.object(c.good), w.object(c.bad)
			err := w.kind.Create(t.Context(), resource.Of(bad))
			if !errors.Is(err, resource.ErrRejected) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("creation: want rejected, with %q, got %v", c.says, err)
			}
			w.create(good)
			defer func() {
				if err := w.kind.Delete(context.WithoutCancel(t.Context()), w.see(good), false); err != nil {
					t.Error(err)
				}
				w.until("it is gone", func() bool { return len(w.observe(false, good).Found) == 0 })
			}()
			version := text(w.live(good), "metadata", "resourceVersion")
			o := w.see(bad)
			if len(o.Diff) == 0 || slices.ContainsFunc(o.Diff, func(d resource.Change) bool { return d.Recreate }) {
				t.Errorf("the difference is to be shown, and is no reason to recreate:\n%s", diffText(o.Diff))
			}
			if !strings.Contains(o.Detail+o.Refused, c.says) {
				t.Errorf("the reason should be told, got %q", o.Detail+o.Refused)
			}
			err = w.kind.Update(t.Context(), resource.Of(bad), o, o.Diff)
			if !errors.Is(err, resource.ErrRejected) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("update: want rejected, with %q, got %v", c.says, err)
			}
			if c.why != "a value out of range" && c.why != "an admission refusal" {
				return // a Deployment's status moves its version
			}
			if now := text(w.live(good), "metadata", "resourceVersion"); now != version {
				t.Error("the refused update has changed something")
			}
		})
	}
}
