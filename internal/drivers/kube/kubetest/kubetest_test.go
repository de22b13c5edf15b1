package kubetest_test

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// The audit log is what other tests count writes by: it must show a write, and not show a dry-run as one.
func TestAuditCountsWrites(t *testing.T) {
	c := kubetest.Start(t, kubetest.Options{})
	client, err := dynamic.NewForConfig(c.Config(kubetest.Recsysd))
	if err != nil {
		t.Fatal(err)
	}
	remove, err := c.Webhook(t.Context(), "guard", "", []string{"configmaps"}, func(a kubetest.Admission) error {
		if a.Object["data"] == nil {
			return errors.New("a config map without data")
		}
		a.Object["data"].(map[string]any)["added"] = "by the webhook"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	mark := c.Mark()
	maps := client.Resource(configMaps).Namespace("default")
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"a": "b"},
	}}
	if _, err := maps.Create(t.Context(), object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Fatal(err)
	}
	made, err := maps.Create(t.Context(), object, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if added, _, _ := unstructured.NestedString(made.Object, "data", "added"); added != "by the webhook" {
		t.Errorf("the webhook was not asked: data is %v", made.Object["data"])
	}
	object.SetName("y")
	delete(object.Object, "data")
	if _, err := maps.Create(t.Context(), object, metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), "without data") {
		t.Errorf("the webhook's refusal did not reach the caller: %v", err)
	}
	requests, err := c.Requests(kubetest.Recsysd, mark)
	if err != nil {
		t.Fatal(err)
	}
	writes, err := c.Writes(kubetest.Recsysd, mark)
	if err != nil {
		t.Fatal(err)
	}
	if len(requests) != 3 || len(writes) != 2 {
		t.Errorf("got requests %v and writes %v, want 3 and 2: one of the creates was a dry-run", requests, writes)
	}
}

// Pods run and become ready only if all five components work together.
func TestFullRunsPods(t *testing.T) {
	c := kubetest.Start(t, kubetest.Options{Full: true})
	client, err := dynamic.NewForConfig(c.Config(kubetest.Admin))
	if err != nil {
		t.Fatal(err)
	}
	pods := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace("default")
	w, err := pods.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	_, err = pods.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p"},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "c", "image": "redis:7"}}},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for event := range w.ResultChan() {
		u := event.Object.(*unstructured.Unstructured)
		if phase, _, _ := unstructured.NestedString(u.Object, "status", "phase"); phase != "Running" {
			continue
		}
		out, err := c.Kubectl(t.Context(), kubetest.Admin, "get", "pod", "p", "-o", "jsonpath={.status.phase}")
		if err != nil || out != "Running" {
			t.Errorf("kubectl sees %q, %v, want the running pod", out, err)
		}
		return
	}
	t.Fatal("the watch ended before the pod ran")
}
