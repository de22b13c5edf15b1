package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// team is the files of examples/team, with the names of the environments under this world's name.
func team(t testing.TB, stack string) (files []string, base string) {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile("../../examples/team/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), "recsys-", stack+"-")
	}
	for _, env := range []string{"staging", "production"} {
		files = append(files, "environments/"+env+".yaml", read("environments/"+env+".yaml"))
	}
	base = strings.ReplaceAll(read("stack.yaml"), stack+"-api", "recsys-api")
	return files, edit(t, base, `(?m)^    dnsEndpoint: true\n`, "") // the name that a cluster reports leads nowhere here
}

// Two environments of one repository in one project: neither takes, changes or removes what is the other's, and the one that goes takes
// nothing along.
func TestTwoEnvironmentsInOneProject(t *testing.T) {
	staging := newWorld(t, "e2e-env-staging")
	files, base := team(t, "e2e-env")
	staging.configure("environment: staging\n")
	commit := staging.push("the team's stack", base, files...)
	staging.start()
	staging.balance("api")
	staging.eventually("staging converges", staging.converged(commit))

	production := &world{
		TB: t, stack: "e2e-env-production", dir: t.TempDir(), google: staging.google, kube: staging.kube, git: staging.git, repo: staging.repo,
	}
	production.configure("environment: production\n")
	production.start()
	production.balance("api")
	production.eventually("production converges beside it", production.converged(commit))
	staging.quiet()
	production.quiet()

	for name, want := range map[string]bool{
		"acme-e2e-env-staging-models": true, "acme-e2e-env-production-models": true, "acme-e2e-env-staging-data": true, "acme-e2e-env-production-data": true,
	} {
		if got := staging.google.Bucket(name) != nil; got != want {
			t.Errorf("bucket %s: there is %v, want %v", name, got, want)
		}
	}
	// Staging loses a bucket and the machines for training were never its own: an overlay removes keys.
	if pool := staging.google.Bucket("acme-e2e-env-staging-mlflow"); pool == nil {
		t.Error("staging has no bucket for mlflow")
	}

	// What one environment changes is not the other's business.
	changed := staging.push("another tag in staging", base, append(files, "environments/staging.yaml",
		strings.Replace(files[1], "v1.2.0-rc.1", "v1.2.0", 1))...)
	staging.eventually("staging follows", staging.converged(changed))
	production.eventually("production has nothing to do", production.converged(changed))
	image := func(w *world) string { return w.kubectl("get", "deployment", "api", "-o", "jsonpath={..image}") }
	if s, p := image(staging), image(production); !strings.HasSuffix(s, ":v1.2.0") || !strings.HasSuffix(p, ":v1.1.0") {
		t.Errorf("staging runs %s, production %s", s, p)
	}

	// An overlay that removes what is not there is a mistake with its place, and stops nothing.
	broken := staging.push("a mistake in production", base, append(files, "environments/production.yaml", files[3]+"workloads: {apo: null}\n")...)
	_ = broken
	production.eventually("production says where", func() error {
		v, err := ask[statusView](production, "status")
		if err != nil {
			return err
		}
		if e := fmt.Sprint(v.Stacks[0].Error); !strings.Contains(e, "environments/production.yaml:") || !strings.Contains(e, "apo") {
			return fmt.Errorf("the error is %q", e)
		}
		return nil
	})
	staging.eventually("staging does not mind", staging.converged(broken))
}

// The walk of docs/growing.md from one bucket to three: grants follow the storage entries, the old bucket goes only with two commits.
func TestOneBucketBecomesThree(t *testing.T) {
	w := newWorld(t, "e2e-three")
	w.start()
	stack := func(buckets, storage string) string {
		return fmt.Sprintf(`apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: %s
project: acme
region: us-central1
clusters: {primary: {}}
buckets: %s
workloads:
  api: {image: "nginx:1.27", port: 8000, cpu: 100m, memory: 128Mi, storage: %s}
`, w.stack, buckets, storage)
	}
	const more = "models: {versioning: true}, mlflow: {lifecycle: [{action: setClass, class: nearline, ageDays: 30}]}"
	granted := func(bucket string) bool {
		for _, b := range w.google.Policy(bucket).Bindings {
			if strings.Contains(strings.Join(b.Members, " "), "/sa/api") {
				return true
			}
		}
		return false
	}
	old, models := "acme-e2e-three-data", "acme-e2e-three-models"
	w.eventually("one bucket", w.converged(w.push("one", stack("{data: {forceDestroy: true}}", "[{bucket: data, prefix: models/, access: read}]"))))
	w.google.PutObject(old, "models/current.pkl", nil)

	w.eventually("three buckets, both grants", w.converged(w.push("three", stack("{data: {forceDestroy: true}, "+more+"}",
		"[{bucket: data, prefix: models/, access: read}, {bucket: models, access: read}]"))))
	if !granted(old) || !granted(models) {
		t.Errorf("on the way the API has the old bucket: %v, the new: %v", granted(old), granted(models))
	}
	w.quiet()

	w.eventually("switched over", w.converged(w.push("switch", stack("{data: {forceDestroy: true}, "+more+"}", "[{bucket: models, access: read}]"))))
	if granted(old) || !granted(models) {
		t.Errorf("afterwards the API has the old bucket: %v, the new: %v", granted(old), granted(models))
	}

	w.eventually("taken out at once it is held", w.converged(w.push("out at once", stack("{"+more+"}", "[{bucket: models, access: read}]"))))
	if w.google.Bucket(old) == nil {
		t.Fatal("the bucket went with one commit")
	}
	w.eventually("unprotected", w.converged(w.push("unprotect", stack("{data: {forceDestroy: true, protect: false}, "+more+"}", "[{bucket: models, access: read}]"))))
	w.eventually("gone", w.converged(w.push("out", stack("{"+more+"}", "[{bucket: models, access: read}]"))))
	w.eventually("the bucket is gone", func() error { return same(w.google.Bucket(old) == nil, true) })
	if w.google.Bucket(models) == nil {
		t.Error("the new bucket went along")
	}
	w.quiet()
}
