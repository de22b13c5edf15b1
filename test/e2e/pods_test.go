package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// bare is a stack of a cluster, a bucket and these workloads.
func (w *world) bare(workloads string) string {
	return fmt.Sprintf(`apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: %s
project: acme
region: us-central1
clusters: {primary: {name: acme-gke}}
buckets: {data: {name: acme-recsys-data}}
secrets: {postgres: {generate: [password]}}
workloads:
%s`, w.stack, workloads)
}

// at answers a jsonpath of one object.
func (w *world) at(object, path string) string {
	w.Helper()
	return w.kubectl("get", object, "-o", "jsonpath={"+path+"}")
}

// resource is what status tells of one resource, by the end of its name.
func (w *world) resource(kind, name string) (state, detail string, err error) {
	v, err := ask[statusView](w, "status")
	if err != nil {
		return "", "", err
	}
	for _, r := range v.Stacks[0].Resources {
		if r.Kind == kind && strings.HasSuffix(r.Name, "/"+name) {
			return r.State, r.Detail + r.Held, nil
		}
	}
	return "", "", fmt.Errorf("status has no %s %s", kind, name)
}

// An autoscaler owns the number of pods from the moment it is asked for, and gives it back.
func TestAutoscaling(t *testing.T) {
	w := newWorld(t, "e2e-scale")
	api := func(replicas, image string) string {
		return w.bare(fmt.Sprintf("  api: {image: %q, port: 80, cpu: 100m, memory: 64Mi, replicas: %s}\n", image, replicas))
	}
	commit := w.push("three", api("3", "nginx:1.26"))
	w.start()
	w.eventually("three pods", w.converged(commit))
	commit = w.push("an autoscaler", api("{min: 2, max: 5, cpu: 70}", "nginx:1.27"))
	w.eventually("the autoscaler", w.converged(commit))
	if n := w.at("deployment/api", ".spec.replicas"); n != "3" {
		t.Errorf("handing over has left %s of 3", n)
	}
	if got := w.at("hpa/api", ".spec.minReplicas") + w.at("pdb/api", ".spec.maxUnavailable"); got != "21" {
		t.Errorf("autoscaler and disruption budget say %s", got)
	}
	mark := kube.Mark()
	w.kubectl("scale", "deployment", "api", "--replicas=4") // as the autoscaler does: by the subresource
	w.quiet()
	if writes, err := kube.Writes(kubetest.Recsysd, mark); err != nil || len(writes) > 0 || w.at("deployment/api", ".spec.replicas") != "4" {
		t.Errorf("the autoscaler's number was written over: %v, %v", writes, err)
	}
	w.kubectl("patch", "hpa", "api", "--field-manager=kubectl-edit", "-p", `{"spec":{"maxReplicas":9}}`)
	w.eventually("a hand's bound is put back", func() error { return same(w.at("hpa/api", ".spec.maxReplicas"), "5") })
	commit = w.push("two", api("2", "nginx:1.27"))
	w.eventually("two pods", w.converged(commit))
	if n := w.at("deployment/api", ".spec.replicas"); n != "2" || w.kubectl("get", "hpa", "-o", "name") != "" {
		t.Errorf("%s replicas, and an autoscaler may be left", n)
	}
	w.quiet()
}

// A rollout that cannot end is told at once with the pod's own reason, and stops what stands on it; the old pods serve on.
func TestFailingRollout(t *testing.T) {
	w := newWorld(t, "e2e-rollout")
	stack := func(labels, front string) string {
		return w.bare(fmt.Sprintf("  db: {image: \"nginx:1.27\", port: 80, cpu: 100m, memory: 64Mi, replicas: 2, labels: {%s}}\n%s", labels, front))
	}
	const front = "  front: {image: \"nginx:1.27\", cpu: 100m, memory: 64Mi, uses: [db]}\n"
	commit := w.push("well", stack("v: one", ""))
	w.start()
	w.eventually("all is well", w.converged(commit))
	w.push("a bad one", stack("kubetest.recsysd.dev/fail: CrashLoopBackOff", front))
	w.eventually("it is broken, for the pod's own reason", func() error {
		state, detail, err := w.resource("Deployment", "db")
		if err == nil && (state != "broken" || !strings.Contains(detail, "CrashLoopBackOff: the last exit code was 3")) {
			err = fmt.Errorf("%s %s", state, detail)
		}
		return err
	})
	v, err := ask[statusView](w, "status")
	if err != nil || !strings.Contains(v.Stacks[0].Error, "CrashLoopBackOff") {
		t.Errorf("the stack's error is %q, %v", v.Stacks[0].Error, err)
	}
	if n := w.at("deployment/db", ".status.availableReplicas"); n != "2" {
		t.Errorf("%s of 2 old pods serve", n)
	}
	if left := w.kubectl("get", "deployment", "front", "--ignore-not-found", "-o", "name"); left != "" {
		t.Error("what stands on it did not wait")
	}
	commit = w.push("a good one", stack("v: two", front))
	w.eventually("it recovers", w.converged(commit))
	w.quiet()
}

// A database whose new form never becomes ready comes back when Git is mended: nobody has to remove the pod by hand.
func TestDatabaseComesBack(t *testing.T) {
	w := newWorld(t, "e2e-comeback")
	db := func(label string) string {
		return w.bare("  db: {image: \"nginx:1.27\", port: 80, cpu: 100m, memory: 64Mi, disk: {size: 1Gi, mount: /data}, labels: {" + label + "}}\n")
	}
	commit := w.push("well", db("v: one"))
	w.start()
	w.eventually("it runs", w.converged(commit))
	w.push("a bad one", db("kubetest.recsysd.dev/fail: ImagePullBackOff"))
	w.eventually("it is broken, for the pod's own reason", func() error {
		state, detail, err := w.resource("StatefulSet", "db")
		if err == nil && (state != "broken" || !strings.Contains(detail, "ImagePullBackOff")) {
			err = fmt.Errorf("%s %s", state, detail)
		}
		return err
	})
	commit = w.push("a good one", db("v: two"))
	w.eventually("it runs again", w.converged(commit))
	w.quiet()
}

// An address makes it usable; what the cloud fills in is no drift; back within the cluster it goes in place.
func TestExpose(t *testing.T) {
	w := newWorld(t, "e2e-expose")
	api := func(expose string) string {
		return w.bare("  api: {image: \"nginx:1.27\", port: 80, cpu: 100m, memory: 64Mi, health: /ok" + expose + "}\n")
	}
	commit := w.push("exposed", api(", expose: {type: loadBalancer}"))
	w.start()
	w.eventually("it waits for its address", func() error {
		state, detail, err := w.resource("Service", "api")
		if err == nil && (state != "pending" || !strings.Contains(detail, "address")) {
			err = fmt.Errorf("%s %s", state, detail)
		}
		return err
	})
	w.kubectl("patch", "service", "api", "--subresource=status", "--type=merge", "-p", `{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.9"}]}}}`)
	w.eventually("it has one", w.converged(commit))
	if v, err := ask[statusView](w, "status"); err != nil || v.Stacks[0].Outputs["workloads.api.url"] != "http://203.0.113.9:80" {
		t.Errorf("outputs: %v, %v", v.Stacks[0].Outputs, err)
	}
	w.quiet()
	w.kubectl("patch", "service", "api", "--field-manager=kubectl-edit", "-p", `{"spec":{"type":"NodePort"}}`)
	w.eventually("a hand's type is put back", func() error { return same(w.at("service/api", ".spec.type"), "LoadBalancer") })
	commit = w.push("within", api(""))
	w.eventually("it is within the cluster again", w.converged(commit))
	if kind := w.at("service/api", ".spec.type"); kind != "ClusterIP" {
		t.Errorf("the service is a %s", kind)
	}
	w.quiet()
}

// A host behind GKE's Ingress, with all that goes with it: what Google's controllers write on these is no drift, a hand's edit is, and all of
// it goes again.
func TestHTTPS(t *testing.T) {
	if err := kube.InstallGKE(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "e2e-https")
	api := func(expose string) string {
		return w.bare("  api: {image: \"nginx:1.27\", port: 80, cpu: 100m, memory: 64Mi, health: /ok" + expose + "}\n")
	}
	commit := w.push("a host", api(", expose: {type: loadBalancer, host: api.example.com}"))
	w.start()
	w.eventually("it waits for its address", func() error {
		state, detail, err := w.resource("Ingress", "api")
		if err == nil && (state != "pending" || !strings.Contains(detail, "address")) {
			err = fmt.Errorf("%s %s", state, detail)
		}
		return err
	})
	w.kubectl("patch", "ingress", "api", "--subresource=status", "--type=merge", "-p", `{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.10"}]}}}`)
	w.eventually("it has one", w.converged(commit))
	for object, patch := range map[string]string{
		"ingress/api": `{"metadata":{"annotations":{"ingress.kubernetes.io/backends":"{}"},"finalizers":["networking.gke.io/ingress-finalizer-V2"]}}`,
		"service/api": `{"metadata":{"annotations":{"cloud.google.com/neg-status":"{}"}}}`,
		"managedcertificate/api": `{"metadata":{"annotations":{"networking.gke.io/x":"y"}},
			"status":{"certificateStatus":"Provisioning","domainStatus":[{"domain":"api.example.com","status":"FailedNotVisible"}]}}`,
	} {
		w.kubectl("patch", object, "--type=merge", "--field-manager=glbc", "-p", patch)
	}
	w.quiet()
	if _, detail, err := w.resource("ManagedCertificate.networking.gke.io", "api"); err != nil || !strings.Contains(detail, "api.example.com is FailedNotVisible") {
		t.Errorf("of the certificate it says %q, %v", detail, err)
	}
	if v, err := ask[statusView](w, "status"); err != nil || v.Stacks[0].Outputs["workloads.api.url"] != "https://api.example.com" || v.Stacks[0].Outputs["workloads.api.address"] != "203.0.113.10" {
		t.Errorf("outputs: %v, %v", v.Stacks[0].Outputs, err)
	}
	w.kubectl("patch", "frontendconfig", "api", "--type=merge", "--field-manager=kubectl-edit", "-p", `{"spec":{"redirectToHttps":{"enabled":false}}}`)
	w.eventually("a hand's way around https is closed", func() error { return same(w.at("frontendconfig/api", ".spec.redirectToHttps.enabled"), "true") })
	w.kubectl("patch", "ingress", "api", "--type=merge", "--field-manager=glbc", "-p", `{"metadata":{"finalizers":null}}`) // whose controller lets it go
	commit = w.push("within", api(""))
	w.eventually("it is within the cluster again", w.converged(commit))
	if left := w.kubectl("get", "ingress,backendconfig,frontendconfig,managedcertificate", "-o", "name"); left != "" {
		t.Errorf("these are left: %s", left)
	}
	w.quiet()
}

// A disk grows and never shrinks; its dumps have an identity that may use their prefix alone; the disk outlives its workload.
func TestDatabase(t *testing.T) {
	w := newWorld(t, "e2e-database")
	db := func(size, rest string) string {
		return w.bare("  postgres: {image: \"postgres:16\", port: 5432, cpu: 100m, memory: 64Mi, disk: {size: " + size + ", mount: /data}, env: {POSTGRES_PASSWORD: {secret: postgres, key: password}}" + rest + "}\n")
	}
	const backup = `, backup: {schedule: "0 3 * * *", bucket: data, keep: 3}`
	commit := w.push("a database", db("10Gi", backup))
	w.start()
	w.eventually("it runs", w.converged(commit))
	if got := strings.Join(w.grants(), ", "); got != "roles/storage.objectUser postgres-backup backups/postgres/" {
		t.Errorf("the grants are %s", got)
	}
	w.kubectl("patch", "cronjob", "postgres-backup", "--field-manager=kubectl-edit", "-p", `{"spec":{"suspend":true}}`)
	w.eventually("a backup that a hand switched off is on again", func() error {
		return differs(w.at("cronjob/postgres-backup", ".spec.suspend"), "true")
	})
	commit = w.push("more", db("20Gi", backup))
	w.eventually("the disk grows", w.converged(commit))
	mark := kube.Mark()
	w.push("less", db("5Gi", backup))
	w.eventually("a smaller disk is held, with its place", func() error {
		_, detail, err := w.resource("PersistentVolumeClaim", "postgres-data")
		if err == nil && !(strings.Contains(detail, "a disk never shrinks") && strings.Contains(detail, "stack.yaml:")) {
			err = fmt.Errorf("%s", detail)
		}
		return err
	})
	writes, err := kube.Writes(kubetest.Recsysd, mark)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range writes {
		if r.Resource == "persistentvolumeclaims" {
			t.Errorf("it was tried: %v", r)
		}
	}
	w.push("no workload", strings.Replace(w.bare(""), "workloads:\n", "", 1))
	w.eventually("the database is gone", func() error { return same(w.kubectl("get", "statefulset,cronjob", "-o", "name"), "") })
	if w.kubectl("get", "pvc", "-o", "name") == "" || len(w.grants()) > 0 {
		t.Errorf("the disk is to stay, and the grants are to go: %v", w.grants())
	}
}
