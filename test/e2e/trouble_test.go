package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

// A commit that is no stack changes nothing, and everybody can see where its mistake is.
func TestBadYAMLIsHarmless(t *testing.T) {
	w := newWorld(t, "e2e-bad")
	stack := w.example()
	w.start()
	good := w.push("the stack", stack)
	w.eventually("the example converges", w.converged(good))
	mark := kube.Mark()
	w.google.Forget()
	for name, bad := range map[string]string{
		"a misspelt key":     edit(t, stack, `(?m)^    memory: 1Gi\n    replicas`, "    memroy: 1Gi\n    replicas"),
		"cut in the middle":  stack[:len(stack)/2],
		"nothing":            "",
		"another project":    edit(t, stack, `(?m)^project: acme`, "project: other"),
		"another stack":      edit(t, stack, `(?m)^name: .*`, "name: other"),
		"a file of binary":   "\x00\x01\x02",
		"a dangling bucket":  edit(t, stack, `bucket: data, prefix: models/`, "bucket: dada, prefix: models/"),
		"a second document":  stack + "\n---\n" + stack,
		"memory in the wild": edit(t, stack, `(?m)^    memory: 1Gi\n    replicas`, "    memory: 1GB\n    replicas"),
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			w.push(name, bad)
			w.eventually("the mistake is shown with its place", func() error {
				v, err := ask[statusView](w, "status")
				if err != nil {
					return err
				}
				if s := v.Stacks[0]; !strings.Contains(s.Error, "stack.yaml:") || s.Applied != good {
					return fmt.Errorf("error %q, applied %s", s.Error, s.Applied)
				}
				valid, err := w.metric("recsysd_stack_valid")
				if err != nil {
					return err
				}
				return same(valid, 0)
			})
			w.eventually("the next commit mends it", func() error {
				good = w.push("mended", stack)
				return nil
			})
			w.eventually("it converges", w.converged(good))
			if valid, err := w.metric("recsysd_stack_valid"); err != nil || valid != 1 {
				t.Errorf("recsysd_stack_valid is %v, %v", valid, err)
			}
		})
	}
	w.wrote(mark)
}

// While one service is away in one way or another, what does not stand on it goes on; afterwards all is well again.
func TestServicesAway(t *testing.T) {
	w := newWorld(t, "e2e-away")
	w.configure("stepTimeout: 2s\n")
	stack := w.example()
	w.start()
	w.eventually("the example converges", w.converged(w.push("the stack", stack)))
	answer := func(code int) func() {
		return func() { w.kube.Refuse(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "away", code) }) }
	}
	present := func() { w.kube.Refuse(nil) }
	troubles := []struct {
		service string
		ways    map[string]func()
		end     func()
	}{
		{gcp.Storage, google(w, gcp.Storage), w.google.Heal},
		{gcp.Container, google(w, gcp.Container), w.google.Heal},
		{gcp.ArtifactRegistry, google(w, gcp.ArtifactRegistry), w.google.Heal},
		{"kubernetes", map[string]func(){"503": answer(503), "403": answer(403), "hangs": func() {
			w.kube.Refuse(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		}}, present},
	}
	n := 0
	for _, trouble := range troubles {
		for way, begin := range trouble.ways {
			t.Run(trouble.service+" "+way, func(t *testing.T) {
				w := w.in(t)
				n++
				value := fmt.Sprintf("v%d", n)
				begin()
				t.Cleanup(trouble.end)
				// One label of all cloud resources and one tag: of these, all but the troubled service's must change.
				commit := w.push(value, edit(t, edit(t, stack, `team: ml`, "team: "+value), `(?m)^  tag: v1\.0\.1`, "  tag: "+value))
				changed := w.changed(value)
				for service, check := range changed {
					if service != trouble.service && !(service == "kubernetes" && trouble.service == gcp.Container) {
						w.eventually(service+" goes on", check)
					}
				}
				trouble.end()
				w.eventually("everything converges afterwards", w.converged(commit))
				for service, check := range changed {
					if err := check(); err != nil {
						t.Errorf("%s: %v", service, err)
					}
				}
			})
		}
	}
}

func google(w *world, service string) map[string]func() {
	return map[string]func(){
		"503":   func() { w.google.Fail(service, codes.Unavailable, "away", gcptest.Forever) },
		"403":   func() { w.google.Forbid(service) },
		"hangs": func() { w.google.Hang(service) },
	}
}

// changed says, by service, whether its resource carries value yet.
func (w *world) changed(value string) map[string]func() error {
	return map[string]func() error{
		gcp.Storage:          func() error { return same(w.google.Bucket(bucketName).Labels["team"], value) },
		gcp.Container:        func() error { return same(w.google.Cluster(clusterName).GetResourceLabels()["team"], value) },
		gcp.ArtifactRegistry: func() error { return same(w.google.Repository(registryName).GetLabels()["team"], value) },
		"kubernetes": func() error {
			out, err := kube.Kubectl(w.Context(), kubetest.Admin, "-n", w.stack, "get", "deployment", "api", "-o", "jsonpath={..image}")
			if err != nil || !strings.HasSuffix(out, ":"+value) {
				return fmt.Errorf("the api runs %s, %w", out, err)
			}
			return nil
		},
	}
}

// While Git is away the stack is kept as it was last told, also over a restart; a rewritten branch is refused until it is accepted.
func TestGitAway(t *testing.T) {
	w := newWorld(t, "e2e-git")
	stack := w.example()
	w.start()
	commit := w.push("the stack", stack)
	w.eventually("the example converges", w.converged(commit))
	for name, fault := range map[string]gittest.Fault{"down": gittest.Down(http.StatusServiceUnavailable), "hangs": gittest.Hang} {
		w.git.Misbehave(fault)
		w.eventually("Git "+name+", and the metric says so", w.sourceUp(0))
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.kubectl("delete", "service", "redis")
		w.eventually("the stack is kept without Git", func() error {
			return same(w.kubectl("get", "service", "redis", "-o", "name", "--ignore-not-found"), "service/redis\n")
		})
		w.git.Misbehave(nil)
		w.eventually("Git is back", w.sourceUp(1))
	}

	t.Run("rewritten", func(t *testing.T) {
		w := w.in(t)
		rewritten, err := w.repo.Rewrite("another past", map[string]string{"stack.yaml": edit(t, stack, `team: ml`, "team: rewritten")})
		if err != nil {
			t.Fatal(err)
		}
		w.eventually("it is refused", func() error {
			v, err := ask[statusView](w, "status")
			if err != nil {
				return err
			}
			if !strings.Contains(v.Stacks[0].Error, "rewritten") {
				return fmt.Errorf("error %q", v.Stacks[0].Error)
			}
			return nil
		})
		if team := w.google.Bucket(bucketName).Labels["team"]; team != "ml" {
			t.Errorf("the rewritten commit was applied: team is %s", team)
		}
		if _, err := w.recsysd("sync", w.stack, "--accept-rewrite"); err != nil {
			t.Fatal(err)
		}
		w.eventually("it is accepted", w.converged(strings.TrimSpace(rewritten)))
	})
}

func (w *world) sourceUp(want float64) func() error {
	return func() error {
		up, err := w.metric("recsysd_source_up")
		if err != nil {
			return err
		}
		return same(up, want)
	}
}

// A listing that is forbidden stops removals of its kind, and nothing else.
func TestForbiddenListing(t *testing.T) {
	w := newWorld(t, "e2e-unlisted")
	w.google.Forbid("storage.buckets.list")
	stack := w.example()
	w.start()
	w.eventually("the example converges without a list", w.converged(w.push("the stack", stack)))
	changed := edit(t, stack, `(?m)^    versioning: false`, "    versioning: true")
	w.eventually("a change converges", w.converged(w.push("versioning", changed)))
	if v := w.google.Bucket(bucketName).Versioning; v == nil || !v.Enabled {
		t.Error("versioning is still off")
	}
	out, err := w.recsysd("status")
	if err != nil || !strings.Contains(out, "list") {
		t.Errorf("status says nothing of the listing: %s, %v", out, err)
	}
	smaller := edit(t, edit(t, changed, `(?ms)^  redis:\n.*?\n\n`, ""), `uses: \[postgres, redis, mlflow\]`, "uses: [postgres, mlflow]")
	w.eventually("removals of other kinds go on", w.converged(w.push("without redis", smaller)))
	if left := w.kubectl("get", "deployment", "redis", "-o", "name", "--ignore-not-found"); left != "" {
		t.Errorf("redis is still there: %s", left)
	}
	if _, err := os.Stat(w.path("control.sock")); err != nil {
		t.Error(err)
	}
}
