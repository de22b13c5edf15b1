package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// The promise of the README: push the example, and everything in it exists, with every field that it names, and runs.
func TestPushConverges(t *testing.T) {
	w := newWorld(t, "e2e-push")
	commit := w.push("the stack", w.example())
	w.start()
	w.eventually("the example converges", w.converged(commit))
	w.seedCloud()
	w.seedWorkloads()
	w.quiet()
	if err := w.stop(); err != nil {
		t.Error("the daemon did not stop well:", err)
	}
}

// Autopilot rewrites what it is given, in one of three ways; none of them may look like drift.
func TestAdmissionIsNotDrift(t *testing.T) {
	for i, form := range []string{kubetest.Pure, kubetest.OnCreate, kubetest.FromStored} {
		t.Run(form, func(t *testing.T) {
			w := newWorld(t, fmt.Sprintf("e2e-admission-%d", i))
			remove, err := kube.Webhook(t.Context(), w.stack, "apps", []string{"deployments", "statefulsets"}, kubetest.Autopilot(form))
			if err != nil {
				t.Fatal(err)
			}
			defer remove()
			commit := w.push("the stack", w.example())
			w.start()
			w.eventually("the example converges", w.converged(commit))
			if cpu := w.kubectl("get", "deployment", "redis", "-o", "jsonpath={.spec.template.spec.containers[0].resources.requests.cpu}"); cpu != "400m" {
				t.Fatalf("redis asks for %s of CPU: the webhook was not in the way", cpu)
			}
			w.quiet()
		})
	}
}

// seedCloud checks cluster, bucket and registry against the seed's description, field by field.
func (w *world) seedCloud() {
	w.Helper()
	cluster := w.google.Cluster("acme-gke")
	if cluster == nil {
		w.Fatal("there is no cluster acme-gke")
	}
	is := func(what string, got, want any) {
		w.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			w.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	is("autopilot", cluster.GetAutopilot().GetEnabled(), true)
	is("location", cluster.GetLocation(), "us-central1")
	is("release channel", cluster.GetReleaseChannel().GetChannel(), "REGULAR")
	is("cluster's owner", cluster.GetResourceLabels()["recsysd-stack"], w.stack)

	bucket := w.google.Bucket("acme-recsys-data")
	if bucket == nil {
		w.Fatal("there is no bucket acme-recsys-data")
	}
	is("bucket's location", strings.ToLower(bucket.Location), "us-central1")
	is("class", bucket.StorageClass, "STANDARD")
	is("uniform access", bucket.IamConfiguration.UniformBucketLevelAccess.Enabled, true)
	is("public access", bucket.IamConfiguration.PublicAccessPrevention, "enforced")
	is("number of lifecycle rules", len(bucket.Lifecycle.Rule), 1)
	is("lifecycle action", bucket.Lifecycle.Rule[0].Action.Type, "Delete")
	is("lifecycle age", *bucket.Lifecycle.Rule[0].Condition.Age, 90)
	is("bucket's team", bucket.Labels["team"], "ml")
	is("force destroy", bucket.Labels["recsysd-force-destroy"], "true")
	is("grants", strings.Join(w.grants(), "\n"), strings.Join([]string{
		"roles/storage.objectUser mlflow mlflow/",
		"roles/storage.objectViewer api models/",
	}, "\n"))

	registry := w.google.Repository("acme-recsys")
	if registry == nil {
		w.Fatal("there is no registry acme-recsys")
	}
	is("format", registry.GetFormat(), "DOCKER")
	is("description", registry.GetDescription(), "Docker images for recommendation system")
	is("registry's owner", registry.GetLabels()["recsysd-stack"], w.stack)
}

// grants are the bucket's bindings of this stack's service accounts, as ROLE ACCOUNT PREFIX, sorted.
func (w *world) grants() []string {
	var grants []string
	subject := fmt.Sprintf("principal://iam.googleapis.com/projects/%d/locations/global/workloadIdentityPools/acme.svc.id.goog/subject/ns/%s/sa/", w.google.Number(), w.stack)
	for _, b := range w.google.Policy("acme-recsys-data").Bindings {
		for _, member := range b.Members {
			account, ours := strings.CutPrefix(member, subject)
			if !ours {
				continue
			}
			prefix := ""
			if b.Condition != nil {
				_, after, _ := strings.Cut(b.Condition.Expression, "objects/")
				prefix, _, _ = strings.Cut(after, `"`)
				if !strings.Contains(b.Condition.Expression, "objectListPrefix") {
					prefix += " (cannot list)"
				}
			}
			grants = append(grants, b.Role+" "+account+" "+prefix)
		}
	}
	slices.Sort(grants)
	return grants
}

// seedWorkloads checks with kubectl that the four workloads run and are wired.
func (w *world) seedWorkloads() {
	w.Helper()
	for _, name := range []string{"api", "mlflow", "redis"} {
		w.kubectl("wait", "--for=condition=Available", "--timeout=30s", "deployment/"+name)
	}
	if ready := w.kubectl("get", "statefulset", "postgres", "-o", "jsonpath={.status.readyReplicas}"); ready != "1" {
		w.Errorf("postgres has %q ready replicas, want 1", ready)
	}
	if phase := w.kubectl("get", "pvc", "-o", "jsonpath={.items[*].status.phase}"); phase != "Bound" {
		w.Errorf("the claims are %q, want one, Bound", phase)
	}
	if password := w.kubectl("get", "secret", "postgres", "-o", "jsonpath={.data.password}"); len(password) < 20 {
		w.Errorf("the generated password has %d base64 characters", len(password))
	}
}

// kubectl runs it as a person would, in the stack's namespace.
func (w *world) kubectl(args ...string) string {
	w.Helper()
	out, err := kube.Kubectl(w.Context(), kubetest.Admin, append([]string{"-n", w.stack}, args...)...)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// quiet demands that two more passes write nothing anywhere and see no difference.
func (w *world) quiet() {
	w.Helper()
	w.google.Forget()
	mark := kube.Mark()
	for range 2 {
		if _, err := w.recsysd("sync", w.stack); err != nil {
			w.Fatal(err)
		}
	}
	if writes := w.google.Writes(); len(writes) > 0 {
		w.Errorf("converged, and Google was still written to: %v", writes)
	}
	writes, err := kube.Writes(kubetest.Recsysd, mark)
	if err != nil {
		w.Fatal(err)
	}
	if len(writes) > 0 {
		w.Errorf("converged, and the API server was still written to: %v", writes)
	}
	v, err := ask[planView](w, "plan")
	if err != nil {
		w.Errorf("plan of a converged stack: %v", err)
	}
	for _, s := range v.Steps {
		if s.Verb != "keep" || len(s.Drift) > 0 {
			w.Errorf("plan wants to %s %s/%s: %s %v", s.Verb, s.Kind, s.Name, s.Why, s.Drift)
		}
	}
	for _, name := range []string{"recsysd_resource_drift", "recsysd_unexplained_writes_total", "recsysd_kind_blind"} {
		if n, err := w.metric(name); err != nil || n != 0 {
			w.Errorf("%s is %v, %v, want 0", name, n, err)
		}
	}
}
