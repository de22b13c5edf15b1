package e2e_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// A push changes what it says and nothing else.
func TestAPushWritesWhatItSays(t *testing.T) {
	w := newWorld(t, "e2e-change")
	stack := w.example()
	w.start()
	w.eventually("the example converges", w.converged(w.push("the stack", stack)))

	t.Run("a new image tag rolls one Deployment", func(t *testing.T) {
		w := w.in(t)
		mark := kube.Mark()
		w.google.Forget()
		stack = edit(t, stack, `(?m)^  tag: v1\.0\.1`, "  tag: v1.0.2")
		w.eventually("the new tag converges", w.converged(w.push("a new tag", stack)))
		if image := w.kubectl("get", "deployment", "api", "-o", "jsonpath={..image}"); !strings.HasSuffix(image, ":v1.0.2") {
			t.Errorf("the api runs %s", image)
		}
		w.wrote(mark, "deployments/api")
	})

	t.Run("a workload that is removed takes its objects along, and no others", func(t *testing.T) {
		w := w.in(t)
		mark := kube.Mark()
		w.google.Forget()
		stack = edit(t, stack, `(?ms)^  redis:\n.*?\n\n`, "")
		stack = edit(t, stack, `uses: \[postgres, redis, mlflow\]`, "uses: [postgres, mlflow]")
		w.eventually("the smaller stack converges", w.converged(w.push("without redis", stack)))
		if left := w.kubectl("get", "deployment,service,serviceaccount,networkpolicy", "-l", "recsysd.dev/entry=workloads.redis", "-o", "name"); left != "" {
			t.Errorf("redis left %s", left)
		}
		w.wrote(mark, "deployments/redis", "services/redis", "serviceaccounts/redis", "networkpolicies/redis", "deployments/api", "networkpolicies/redis")
		w.kubectl("get", "deployment", "mlflow")
	})
}

// What holds data is held, with the reason, by whatever way it would be lost.
func TestWhatHoldsDataIsHeld(t *testing.T) {
	w := newWorld(t, "e2e-held")
	w.configure("maxDeletes: 100\n") // so that it is protection that holds
	stack := w.example()
	w.start()
	w.eventually("the example converges", w.converged(w.push("the stack", stack)))

	without := func(text string) string {
		return edit(t, text, `(?m)^    storage: \[\{bucket: data, prefix: mlflow.*\n`, "")
	}
	cases := []struct {
		name, kind, of string
		edit           func(string) string
	}{
		{"the bucket is removed", "bucket", bucketName, func(s string) string {
			s = without(edit(t, s, `(?m)^    storage: \[\{bucket: data, prefix: models.*\n`, ""))
			return edit(t, s, `(?ms)^buckets:\n.*?\n\n`, "")
		}},
		{"the registry is removed", "registry", registryName, func(s string) string {
			s = edit(t, s, `(?ms)^registries:\n.*?\n\n`, "")
			s = edit(t, s, `image: \{registry: images, name: mlflow-custom.*`, "image: nginx:1.27")
			return edit(t, s, `image: \{registry: images, name: recsys-api, tag: "\$\{tag\}"\}`, "image: nginx:1.27")
		}},
		{"the cluster is removed, with all that runs on it", "cluster", clusterName, func(s string) string {
			s = edit(t, s, `(?ms)^clusters:\n.*?\n\n`, "")
			s = edit(t, s, `(?ms)^workloads:\n.*\nsecrets:`, "secrets:")
			return edit(t, s, `(?ms)^secrets:\n.*`, "")
		}},
		{"the bucket moves to another location", "bucket", bucketName, func(s string) string {
			return edit(t, s, `(?m)^    class: standard\n`, "    class: standard\n    location: europe-west1\n")
		}},
		{"protection is lifted and the location changed in one commit", "bucket", bucketName, func(s string) string {
			return edit(t, s, `(?m)^    class: standard\n`, "    class: standard\n    protect: false\n    location: europe-west1\n")
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := w.in(t)
			commit := w.push(c.name, c.edit(stack))
			w.eventually("it is held", func() error {
				v, err := ask[statusView](w, "status")
				if err != nil {
					return err
				}
				if v.Stacks[0].Attempted != commit {
					return fmt.Errorf("attempted is %s", v.Stacks[0].Attempted)
				}
				for _, r := range v.Stacks[0].Resources {
					if r.Kind == c.kind && r.Name == c.of && strings.Contains(r.Held, "protect") {
						return nil
					}
				}
				return fmt.Errorf("no hold that speaks of protection: %+v", v.Stacks[0].Resources)
			})
			if n, err := w.metric("recsysd_resource_held", fmt.Sprintf("kind=%q", c.kind), fmt.Sprintf("name=%q", c.of)); err != nil || n != 1 {
				t.Errorf("recsysd_resource_held is %v, %v", n, err)
			}
			v, err := ask[planView](w, "plan")
			if exitStatus(err) != 1 || v.Summary["hold"] == 0 {
				t.Errorf("plan exits %d with %v, want 1 and a hold", exitStatus(err), v.Summary)
			}
			if w.google.Bucket(bucketName) == nil || w.google.Repository(registryName) == nil || w.google.Cluster(clusterName) == nil {
				t.Error("something that holds data is gone")
			}
			w.eventually("the old stack converges again", w.converged(w.push("back", stack)))
		})
	}
}

// protect: false in one commit and the destructive change in a later one: now it goes.
func TestTwoCommitsLetItGo(t *testing.T) {
	w := newWorld(t, "e2e-release")
	stack := w.example()
	w.start()
	w.eventually("the example converges", w.converged(w.push("the stack", stack)))
	released := edit(t, stack, `(?m)^    class: standard\n`, "    class: standard\n    protect: false\n")
	w.eventually("the release converges", w.converged(w.push("release", released)))
	if w.google.Bucket(bucketName).Labels["recsysd-unprotected"] == "" {
		t.Fatal("the bucket does not carry the mark of its release")
	}
	w.google.PutObject(bucketName, "models/current.pkl", nil)
	gone := edit(t, released, `(?ms)^buckets:\n.*?\n\n`, "")
	gone = regexp.MustCompile(`(?m)^    storage: .*\n`).ReplaceAllString(gone, "")
	w.eventually("the removal converges", w.converged(w.push("remove", gone)))
	w.eventually("the bucket is gone, with what was in it", func() error { return same(w.google.Bucket(bucketName) == nil, true) })
}

// A logical key is only a name within the file: another one must not cost anybody their data.
func TestRenamedKeys(t *testing.T) {
	w := newWorld(t, "e2e-rename")
	stack := w.example()
	w.start()
	w.eventually("the example converges", w.converged(w.push("the stack", stack)))
	id := w.google.Cluster(clusterName).GetId()

	t.Run("with an explicit name nothing changes but the variables that say where a bucket is", func(t *testing.T) {
		w := w.in(t)
		mark := kube.Mark()
		w.google.Forget()
		renamed := edit(t, stack, `(?m)^  primary:`, "  main:")
		renamed = edit(t, renamed, `(?m)^  data:( .*)$`, "  files:$1")
		renamed = strings.ReplaceAll(renamed, "bucket: data,", "bucket: files,")
		renamed = strings.ReplaceAll(renamed, "$(DATA_", "$(FILES_")
		renamed = edit(t, renamed, `(?m)^  images:`, "  docker:")
		renamed = strings.ReplaceAll(renamed, "registry: images", "registry: docker")
		w.eventually("the renamed stack converges", w.converged(w.push("renamed", renamed)))
		w.wrote(mark, "deployments/api", "deployments/mlflow")
		if len(w.google.Writes()) > 0 || w.google.Cluster(clusterName).GetId() != id {
			t.Errorf("renaming wrote %v", w.google.Writes())
		}
	})

	t.Run("a workload with a disk is held as a whole", func(t *testing.T) {
		w := w.in(t)
		uid := w.kubectl("get", "statefulset,pvc", "-o", "jsonpath={..uid}")
		renamed := edit(t, stack, `(?m)^  postgres:\n    image`, "  database:\n    image")
		renamed = edit(t, renamed, `uses: \[postgres, redis, mlflow\]`, "uses: [database, redis, mlflow]")
		renamed = edit(t, renamed, `uses: \[postgres\]`, "uses: [database]")
		renamed = strings.ReplaceAll(renamed, "$(POSTGRES_", "$(DATABASE_")
		commit := w.push("renamed", renamed)
		w.eventually("it is held", func() error {
			v, err := ask[statusView](w, "status")
			if err != nil {
				return err
			}
			for _, r := range v.Stacks[0].Resources {
				if v.Stacks[0].Attempted == commit && r.Kind == "StatefulSet" && strings.HasSuffix(r.Name, "/database") && strings.Contains(r.Held, "unused") {
					return nil
				}
			}
			return fmt.Errorf("%+v", v.Stacks[0])
		})
		if now := w.kubectl("get", "statefulset,pvc", "-o", "jsonpath={..uid}"); now != uid {
			t.Errorf("stateful set and claim were %s and are %s", uid, now)
		}
		w.eventually("the old stack converges again", w.converged(w.push("back", stack)))
	})

	t.Run("a workload without one moves", func(t *testing.T) {
		w := w.in(t)
		renamed := edit(t, stack, `(?m)^  redis:`, "  cache:")
		renamed = edit(t, renamed, `uses: \[postgres, redis, mlflow\]`, "uses: [postgres, cache, mlflow]")
		w.eventually("the renamed stack converges", w.converged(w.push("renamed", renamed)))
		if names := w.kubectl("get", "deployment", "-o", "jsonpath={.items[*].metadata.name}"); names != "api cache mlflow" {
			t.Errorf("the deployments are %s", names)
		}
	})
}

// in is the same world for a part of a test.
func (w *world) in(t *testing.T) *world {
	part := *w
	part.TB = t
	return &part
}

// wrote demands that recsysd wrote to these objects in the cluster, given as resource/name, and to no others.
func (w *world) wrote(mark int64, allowed ...string) {
	w.Helper()
	writes, err := kube.Writes(kubetest.Recsysd, mark)
	if err != nil {
		w.Fatal(err)
	}
	missing := map[string]bool{}
	for _, a := range allowed {
		missing[a] = true
	}
	for _, r := range writes {
		name := r.Resource + "/" + r.Name
		if _, ok := missing[name]; !ok {
			w.Errorf("unasked: %v", r)
			continue
		}
		missing[name] = false
	}
	for name, is := range missing {
		if is {
			w.Errorf("nothing was written to %s", name)
		}
	}
	if writes := w.google.Writes(); len(writes) > 0 {
		w.Errorf("Google was written to: %v", writes)
	}
}
