package e2e_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

type doctorView struct {
	Stack  string
	Checks []struct{ Check, Outcome, Detail, Mend string }
}

// outcomes are the checks by how they ended, in their order.
func (v doctorView) outcomes(outcome string) []string {
	var names []string
	for _, c := range v.Checks {
		if c.Outcome == outcome {
			names = append(names, c.Check)
		}
	}
	return names
}

// A stack that has all it needs is well, before its cluster exists and after; each thing taken away fails by itself.
func TestDoctor(t *testing.T) {
	w := newWorld(t, "e2e-doctor")
	commit := w.push("the stack", w.example())
	if err := os.MkdirAll(w.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	v, err := ask[doctorView](w, "doctor")
	if err != nil || len(v.outcomes("fail")) > 0 {
		t.Fatalf("an empty project with all rights: %v\n%+v", err, v)
	}
	if n := w.google.Received(); n != 0 {
		t.Errorf("doctor sent %d writes", n)
	}
	w.start()
	w.eventually("the example converges", w.converged(commit))
	v, err = ask[doctorView](w, "doctor")
	if err != nil || len(v.outcomes("skip")) > 0 {
		t.Fatalf("a stack that runs: %v\n%+v", err, v)
	}
	w.wrongIn("services", "gcloud services enable artifactregistry.googleapis.com --project=acme", func() { w.google.DisableServices("artifactregistry.googleapis.com") })
	w.wrongIn("rights to change", "container.clusters.create", func() { w.google.DenyPermissions("container.clusters.create") })
	if err := w.stop(); err != nil {
		t.Error(err)
	}

	// With Git, the resource manager and the cluster's endpoint away, the rest is still told.
	w.git.Close()
	w.google.Hang("resourcemanager")
	v, err = ask[doctorView](w, "doctor")
	if exitStatus(err) != 1 {
		t.Errorf("half of it is broken: %v", err)
	}
	if ok := v.outcomes("ok"); !slices.Contains(ok, "state") || !slices.Contains(ok, "credentials") {
		t.Errorf("what works is not told: %+v", v)
	}
	if failed := v.outcomes("fail"); !slices.Contains(failed, "repository") || !slices.Contains(failed, "services") || !slices.Contains(failed, "project") {
		t.Errorf("what does not work is not told: %+v", v)
	}
}

// wrongIn demands that after a change one check more fails, and that its lines say so.
func (w *world) wrongIn(check, says string, breaks func()) {
	w.Helper()
	before, err := ask[doctorView](w, "doctor")
	if exitStatus(err) > 1 {
		w.Fatal(err)
	}
	breaks()
	after, err := ask[doctorView](w, "doctor")
	if exitStatus(err) != 1 || slices.Contains(before.outcomes("fail"), check) || !slices.Equal(after.outcomes("fail"), append(before.outcomes("fail"), check)) {
		w.Errorf("%s: %v, %v, then %v", check, err, before.outcomes("fail"), after.outcomes("fail"))
	}
	out, err := w.recsysd("doctor")
	if exitStatus(err) != 1 || !strings.Contains(out, says) {
		w.Errorf("%s: %v\n%s", check, err, out)
	}
}

// bootstrap is a script that a shell takes, for the kinds of the stack and no others.
func TestBootstrap(t *testing.T) {
	w := newWorld(t, "e2e-bootstrap")
	w.push("the stack", w.example())
	fromGit, err := w.recsysd("bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	fromFile, err := w.command("bootstrap", w.write("stack.yaml", w.example()))
	if err != nil || fromFile != fromGit {
		t.Errorf("the file's %v\n%s\nGit's\n%s", err, fromFile, fromGit)
	}
	if strings.Contains(fromGit, "compute.networks.create") || !strings.Contains(fromGit, "storage.buckets.setIamPolicy") || strings.Contains(fromGit, "projects.setIamPolicy") {
		t.Error(fromGit)
	}
	if out, err := w.command("bootstrap", "--account", "x y", w.path("stack.yaml")); exitStatus(err) != 2 || out != "" {
		t.Errorf("an account that is none: %v %s", err, out)
	}
}
