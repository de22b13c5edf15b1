package e2e_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/api/compute/v1"
	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/drivers/leftover"
)

// Two stacks live in one project and one cluster: neither lists, changes or prunes what is the other's.
func TestTwoStacksInOneProject(t *testing.T) {
	one := newWorld(t, "e2e-one")
	stack := one.example()
	one.start()
	first := one.push("the first stack", stack)
	one.eventually("the first stack converges", one.converged(first))

	// The second has the same Google, the same cluster (only looked at) and even the same namespace.
	two := &world{TB: t, stack: "e2e-two", dir: t.TempDir(), google: one.google, kube: one.kube}
	two.serveGit()
	two.configure("")
	second := two.push("the second stack", strings.NewReplacer("NAME", two.stack, "NAMESPACE", one.stack).Replace(`apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: NAME
project: acme
region: us-central1
clusters:
  shared: {name: acme-gke, mode: observe}
buckets:
  logs: {name: acme-two-logs, forceDestroy: true, protect: false}
namespace: `+one.stack+`
workloads:
  web: {image: "nginx:1.27", port: 80, cpu: 100m, memory: 128Mi}
  cache: {image: "redis:7", port: 6379, cpu: 100m, memory: 128Mi}
`))
	two.start()
	two.eventually("the second stack converges", two.converged(second))
	one.quiet()
	two.quiet()

	smaller := two.push("without the cache and the bucket", fmt.Sprintf(`apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: %s
project: acme
region: us-central1
clusters:
  shared: {name: acme-gke, mode: observe}
namespace: %s
workloads:
  web: {image: "nginx:1.27", port: 80, cpu: 100m, memory: 128Mi}
`, two.stack, one.stack))
	two.eventually("the second stack prunes its own", two.converged(smaller))
	two.eventually("its bucket goes", func() error { return same(one.google.Bucket("acme-two-logs") == nil, true) })
	if names := one.kubectl("get", "deployment", "-o", "jsonpath={.items[*].metadata.name}"); names != "api mlflow redis web" {
		t.Errorf("the deployments are %s", names)
	}
	one.eventually("the first stack has not noticed", one.converged(first))
	one.seedCloud()
	one.quiet()
}

// What exists already and is not ours is left untouched, until the stack says adopt: true.
func TestForeignResourcesAreAdoptedOnlyWhenAsked(t *testing.T) {
	w := newWorld(t, "e2e-adopt")
	foreign := w.push("somebody else's stack", strings.Replace(w.example(), "name: "+w.stack, "name: "+w.stack, 1))
	w.start()
	w.eventually("the example converges", w.converged(foreign))
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	// Somebody made all this by hand: no mark of ours is on it.
	unmark := func(labels map[string]string) {
		for key := range labels {
			if strings.HasPrefix(key, "recsysd") || key == "managed-by" {
				delete(labels, key)
			}
		}
	}
	w.google.EditBucket(bucketName, func(b *storagev1.Bucket) { unmark(b.Labels); b.StorageClass = "NEARLINE" })
	w.google.EditRepository(registryName, func(r *artifactregistrypb.Repository) { unmark(r.Labels); r.Description = "by hand" })
	w.google.EditCluster(clusterName, func(c *containerpb.Cluster) { unmark(c.ResourceLabels) })
	w.kubectl("delete", "deployment", "redis")
	w.kubectl("create", "deployment", "redis", "--image=redis:6")
	mark := kube.Mark()
	w.google.Forget()
	w.start()
	held := func(kind, name string) func() error {
		return func() error {
			v, err := ask[statusView](w, "status")
			if err != nil {
				return err
			}
			for _, r := range v.Stacks[0].Resources {
				if r.Kind == kind && strings.HasSuffix("/"+r.Name, "/"+name) {
					return same(strings.Contains(r.Held, "not ours"), true)
				}
			}
			return fmt.Errorf("no %s/%s in %+v", kind, name, v.Stacks[0])
		}
	}
	for kind, name := range map[string]string{"bucket": bucketName, "registry": registryName, "cluster": clusterName, "Deployment": "redis"} {
		w.eventually(kind+" is held", held(kind, name))
	}
	w.wrote(mark)

	adopting := regexp.MustCompile(`(?m)^(    name: \$\{project\}.*\n)`).ReplaceAllString(w.example(), "$1    adopt: true\n")
	adopting = edit(t, adopting, `(?m)^    image: redis:7\n`, "    image: redis:7\n    adopt: true\n")
	w.eventually("all is taken over", w.converged(w.push("adopt", adopting)))
	w.seedCloud()
	if image := w.kubectl("get", "deployment", "redis", "-o", "jsonpath={..image}"); image != "redis:7" {
		t.Errorf("redis runs %s", image)
	}
	w.quiet()
}

// plan says what the next pass then does, writes nothing, and exits as the contract says; destroy takes down what is released,
// in the right order, and nothing else.
func TestPlanAndDestroy(t *testing.T) {
	w := newWorld(t, "e2e-plan")
	stack := edit(t, w.example(), `(?m)^labels: .*`, "labels: {team: ml}\nprotect: false")
	w.push("the stack", stack)
	mark := kube.Mark()
	v, err := ask[planView](w, "plan")
	if exitStatus(err) != 1 || v.Summary["create"] == 0 || v.Summary["delete"]+v.Summary["update"] != 0 {
		t.Fatalf("plan of an empty cloud exits %d with %v: %v", exitStatus(err), v.Summary, err)
	}
	w.wrote(mark)
	w.google.AddForeignBucket("somebody-elses", uint64(w.google.Number()), true)

	if out, err := w.recsysd("apply", "--timeout", "60s"); err != nil || !strings.Contains(out, "converged") {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	if _, err := w.recsysd("plan"); exitStatus(err) != 0 {
		t.Errorf("plan of a converged stack exits %d: %v", exitStatus(err), err)
	}
	w.google.Forbid("storage")
	if _, err := w.recsysd("plan"); exitStatus(err) != 2 {
		t.Errorf("plan of a cloud that may not be seen exits %d, want 2: %v", exitStatus(err), err)
	}
	w.google.Heal()

	if out, err := w.recsysd("destroy", "--yes", "another-stack"); exitStatus(err) != 2 {
		t.Errorf("destroy under another name exits %d: %s", exitStatus(err), out)
	}
	w.google.Leave(&compute.Disk{
		Name: "pvc-left", Zone: "us-central1-a", Type: "pd-balanced", SizeGb: 10,
		Labels: map[string]string{"goog-gke-cluster-id-base32": leftover.Cluster{ID: w.google.Cluster(clusterName).GetId()}.Label()},
	})
	w.google.Forget()
	out, err := w.recsysd("destroy", "--yes", w.stack, "--timeout", "60s")
	if err != nil {
		t.Fatalf("destroy: %v\n%s", err, out)
	}
	if w.google.Cluster(clusterName) != nil || w.google.Bucket(bucketName) != nil || w.google.Repository(registryName) != nil {
		again, _ := w.recsysd("destroy", "--yes", "no")
		t.Errorf("destroy left something:\n%s\nand would now:\n%s", out, again)
	}
	if want := "disk pvc-left (10 GiB pd-balanced in us-central1-a, $1.00 a month); what removes it: gcloud compute disks delete"; !strings.Contains(out, want) {
		t.Errorf("destroy does not tell what the cluster has left behind:\n%s", out)
	}
	if w.google.Bucket("somebody-elses") == nil {
		t.Error("destroy removed a bucket that is not the stack's")
	}
	objects, err := kube.Kubectl(t.Context(), kubetest.Admin, "-n", w.stack, "get", "deployment,statefulset,service,pvc", "-l", "recsysd.dev/stack="+w.stack, "-o", "name")
	if err != nil || objects != "" {
		t.Errorf("destroy left %s, %v", objects, err)
	}
}
