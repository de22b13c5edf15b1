package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/container/apiv1/containerpb"
	storagev1 "google.golang.org/api/storage/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// hand is one foreign edit: what it does, where its difference must appear, and how it looks when it has been put back.
type hand struct {
	what, kind, name, field string
	manager                 string // who history must name; "" where nobody can be
	edit                    func(w *world)
	back                    func(w *world) error
}

const bucketName, clusterName, registryName = "acme-recsys-data", "acme-gke", "acme-recsys"

var hands = []hand{
	{
		what: "a lifecycle rule is removed", kind: "bucket", name: bucketName, field: "lifecycle",
		edit: func(w *world) { w.google.EditBucket(bucketName, func(b *storagev1.Bucket) { b.Lifecycle = nil }) },
		back: func(w *world) error { return same(len(w.google.Bucket(bucketName).Lifecycle.Rule), 1) },
	},
	{
		what: "a bucket label is changed", kind: "bucket", name: bucketName, field: "labels.team",
		edit: func(w *world) {
			w.google.EditBucket(bucketName, func(b *storagev1.Bucket) { b.Labels["team"] = "sales" })
		},
		back: func(w *world) error { return same(w.google.Bucket(bucketName).Labels["team"], "ml") },
	},
	{
		what: "versioning is switched on", kind: "bucket", name: bucketName, field: "versioning",
		edit: func(w *world) {
			w.google.EditBucket(bucketName, func(b *storagev1.Bucket) { b.Versioning = &storagev1.BucketVersioning{Enabled: true} })
		},
		back: func(w *world) error {
			v := w.google.Bucket(bucketName).Versioning
			return same(v != nil && v.Enabled, false)
		},
	},
	{
		what: "one of our grants is removed", kind: "bucket", name: bucketName, field: "grants",
		edit: func(w *world) {
			w.google.EditPolicy(bucketName, func(p *storagev1.Policy) {
				var kept []*storagev1.PolicyBindings
				for _, b := range p.Bindings {
					if b.Role != "roles/storage.objectViewer" {
						kept = append(kept, b)
					}
				}
				p.Bindings = kept
			})
		},
		back: func(w *world) error { return same(len(w.grants()), 2) },
	},
	{
		what: "a cleanup policy is edited", kind: "registry", name: registryName, field: "cleanup",
		edit: func(w *world) {
			w.google.EditRepository(registryName, func(r *artifactregistrypb.Repository) {
				for _, p := range r.CleanupPolicies {
					if c := p.GetCondition(); c != nil {
						c.OlderThan = durationpb.New(3600e9)
					}
				}
			})
		},
		back: func(w *world) error {
			for id, p := range w.google.Repository(registryName).CleanupPolicies {
				if c := p.GetCondition(); c != nil && c.GetOlderThan().GetSeconds() == 3600 {
					return fmt.Errorf("policy %s is still the edited one", id)
				}
			}
			return nil
		},
	},
	{
		what: "the release channel is changed", kind: "cluster", name: clusterName, field: "releaseChannel",
		edit: func(w *world) {
			w.google.EditCluster(clusterName, func(c *containerpb.Cluster) { c.ReleaseChannel.Channel = containerpb.ReleaseChannel_RAPID })
		},
		back: func(w *world) error {
			return same(w.google.Cluster(clusterName).GetReleaseChannel().GetChannel().String(), "REGULAR")
		},
	},
	{
		what: "an image is edited with kubectl", kind: "Deployment", name: "api", field: "image", manager: "kubectl",
		edit: func(w *world) { w.kubectl("set", "image", "deployment/api", "*=nginx:1.27") },
		back: func(w *world) error {
			return differs(w.kubectl("get", "deployment", "api", "-o", "jsonpath={..image}"), "nginx:1.27")
		},
	},
	{
		what: "replicas are scaled with kubectl", kind: "Deployment", name: "api", field: "replicas", manager: "kubectl",
		edit: func(w *world) {
			w.kubectl("scale", "deployment/api", "--replicas=4")
		},
		back: func(w *world) error {
			return same(w.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"), "1")
		},
	},
	{
		what: "an environment variable is added with kubectl", kind: "Deployment", name: "api", field: "env", manager: "kubectl",
		edit: func(w *world) { w.kubectl("set", "env", "deployment/api", "DEBUG=1") },
		back: func(w *world) error {
			return same(strings.Contains(w.kubectl("get", "deployment", "api", "-o", "jsonpath={..env[*].name}"), "DEBUG"), false)
		},
	},
	{
		what: "the mark of ownership is removed with kubectl", kind: "Deployment", name: "api", field: "recsysd.dev/stack",
		edit: func(w *world) { w.kubectl("label", "deployment", "api", "recsysd.dev/stack-") },
		back: func(w *world) error {
			return same(w.kubectl("get", "deployment", "api", "-o", `jsonpath={.metadata.labels.recsysd\.dev/stack}`), w.stack)
		},
	},
	{
		what: "a Service is deleted", kind: "Service", name: "api",
		edit: func(w *world) { w.kubectl("delete", "service", "api") },
		back: func(w *world) error {
			return same(w.kubectl("get", "service", "-o", "name", "--ignore-not-found", "api"), "service/api\n")
		},
	},
}

// Every edit of a hand is counted as drift, stands in history with its field, and is put back.
func TestDriftIsPutBack(t *testing.T) {
	w := newWorld(t, "e2e-drift")
	stack := edit(t, w.example(), `(?m)^    description: Docker images.*\n`, "$0    cleanup: {keepLast: 10, deleteUntaggedAfter: 30d}\n")
	commit := w.push("the stack", stack)
	w.start()
	w.eventually("the example converges", w.converged(commit))
	for _, h := range hands {
		t.Run(h.what, func(t *testing.T) {
			w := *w
			w.TB = t
			label := fmt.Sprintf("kind=%q", h.kind)
			before, err := w.metric("recsysd_drift_detected_total", label)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			h.edit(&w)
			w.eventually("it is counted, put back, and explained in history and status", func() error {
				after, err := w.metric("recsysd_drift_detected_total", label)
				if err != nil {
					return err
				}
				if after <= before {
					return fmt.Errorf("recsysd_drift_detected_total{%s} is still %v", label, after)
				}
				if err := h.back(&w); err != nil {
					return err
				}
				if err := w.explained(h, began); err != nil || h.manager == "" {
					return err
				}
				return w.told(h, began)
			})
		})
	}
	w.eventually("it converges again", w.converged(commit))
	w.quiet()
}

// told looks for the hand in the status, with the time of its edit.
func (w *world) told(h hand, began time.Time) error {
	v, err := ask[statusView](w, "status")
	if err != nil {
		return err
	}
	for _, r := range v.Stacks[0].Resources {
		if r.Kind != h.kind || !strings.HasSuffix("/"+r.Name, "/"+h.name) || r.Repaired == nil || r.Repaired.At.Before(began) {
			continue
		}
		for _, c := range r.Repaired.Drift {
			when := c.At // of a kubectl scale the API server keeps none
			if when.IsZero() {
				when = r.Repaired.Since
			}
			if strings.Contains(c.Field, h.field) && strings.HasPrefix(c.Manager, h.manager) && !when.Before(began.Truncate(time.Second)) {
				return nil
			}
		}
	}
	return fmt.Errorf("status does not say that %q of %s/%s was set by %q and put back: %+v", h.field, h.kind, h.name, h.manager, v.Stacks[0].Resources)
}

// explained looks for the edit's field in the history since the edit.
func (w *world) explained(h hand, began time.Time) error {
	v, err := ask[historyView](w, "history", w.stack)
	if err != nil {
		return err
	}
	for _, p := range v.Passes {
		if p.End.Before(began) {
			continue
		}
		for _, s := range p.Steps {
			if s.Kind != h.kind || !strings.HasSuffix("/"+s.Name, "/"+h.name) || s.Outcome != "ok" {
				continue
			}
			if h.field == "" && s.Verb == "create" {
				return nil
			}
			for _, c := range s.Drift {
				if strings.Contains(c.Field, h.field) && c.Want != c.Have && strings.HasPrefix(c.Manager, h.manager) {
					return nil
				}
			}
		}
	}
	return fmt.Errorf("history has no repair of %s/%s that names %q by %q: %+v", h.kind, h.name, h.field, h.manager, v.Passes)
}

// What others legitimately do to the same objects is left alone and is not called drift.
func TestWhatIsNotDrift(t *testing.T) {
	w := newWorld(t, "e2e-nodrift")
	stack := edit(t, w.example(), `(?m)^    replicas: 1\n`, "")
	commit := w.push("the stack", stack)
	w.start()
	w.eventually("the example converges", w.converged(commit))
	detected, err := w.metric("recsysd_drift_detected_total")
	if err != nil {
		t.Fatal(err)
	}
	mark := kube.Mark()
	w.google.Forget()

	w.kubectl("annotate", "deployment", "api", "--field-manager=backup-tool", "backup.example.com/done=yes")
	w.kubectl("patch", "service", "api", "--subresource=status", "--type=merge", "-p", `{"status":{"conditions":[{"type":"Seen","status":"True","reason":"Test","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`)
	w.kubectl("scale", "deployment", "api", "--replicas=3") // the scale subresource, as an autoscaler uses it
	w.kubectl("rollout", "restart", "deployment/redis")
	w.google.EditPolicy(bucketName, func(p *storagev1.Policy) {
		p.Bindings = append(p.Bindings, &storagev1.PolicyBindings{Role: "roles/storage.objectViewer", Members: []string{"user:auditor@example.com"}})
	})
	w.kubectl("rollout", "status", "deployment/redis", "--timeout=30s")

	w.eventually("it stays converged", w.converged(commit))
	w.quiet()
	after, err := w.metric("recsysd_drift_detected_total")
	if err != nil || after != detected {
		t.Errorf("drift was detected %v times, %v", after-detected, err)
	}
	writes, err := kube.Writes(kubetest.Recsysd, mark)
	if err != nil || len(writes)+len(w.google.Writes()) > 0 {
		t.Errorf("the daemon wrote %v and %v, %v", writes, w.google.Writes(), err)
	}
	if n := w.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"); n != "3" {
		t.Errorf("the autoscaler's 3 replicas have become %s", n)
	}
}

func same[V comparable](got, want V) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

func differs[V comparable](got, not V) error {
	if got == not {
		return fmt.Errorf("still %v", got)
	}
	return nil
}
