package e2e_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// One file pushed over the other: the solo developer's stack becomes the growing one, with everything that holds data where it was and the
// API served all the while; and back again.
func TestSoloGrows(t *testing.T) {
	w := newWorld(t, "e2e-growing")
	w.start()
	w.eventually("the solo stack converges", w.converged(w.push("solo", w.example())))
	claim := w.kubectl("get", "pvc", "postgres-data", "-o", "jsonpath={.metadata.uid}")
	cluster, created := w.google.Cluster(clusterName).GetId(), w.google.Bucket(bucketName).TimeCreated

	now := time.Now()
	w.google.PushImage(registryName, "recsys-api", now.Add(-time.Hour), "v1.0.1")
	w.google.PushImage(registryName, "recsys-api", now, "v1.1.0")
	w.google.PushImage(registryName, "recsys-api", now, "v2.0.0-rc.1")
	growing, err := os.ReadFile("../../examples/growing.yaml")
	if err != nil {
		t.Fatal(err)
	}
	mark := kube.Mark()
	grown := w.push("growing", edit(t, string(growing), `(?m)^name: recsys$`, "name: "+w.stack))
	w.balance("api")
	w.eventually("the growing stack converges", w.converged(grown))
	w.quiet()

	if image := w.kubectl("get", "deployment", "api", "-o", "jsonpath={..image}"); !strings.Contains(image, "recsys-api:v1.1.0@sha256:") {
		t.Errorf("the API runs %s; want the newest 1.x, pinned", image)
	}
	if got := w.kubectl("get", "hpa", "api", "-o", "jsonpath={.spec.minReplicas} {.spec.maxReplicas}"); got != "1 3" {
		t.Errorf("the autoscaler of the API goes from and to %q", got)
	}
	if got := w.kubectl("get", "pvc", "postgres-data", "-o", "jsonpath={.metadata.uid} {.spec.resources.requests.storage}"); got != claim+" 20Gi" {
		t.Errorf("the disk is %q; want the one there was, larger", got)
	}
	if w.google.Cluster(clusterName).GetId() != cluster || w.google.Bucket(bucketName).TimeCreated != created {
		t.Error("the cluster or the bucket is another one")
	}
	requests, err := kube.Requests(kubetest.Recsysd, mark)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if r.Verb == "delete" {
			t.Errorf("to grow nothing is removed: %v", r)
		}
	}

	w.eventually("and back", w.converged(w.push("solo again", edit(t, w.example(), `size: 10Gi`, "size: 20Gi"))))
	if got := w.kubectl("get", "hpa", "-o", "name"); got != "" {
		t.Errorf("what was added is gone again: %s", got)
	}
	w.quiet()
}
