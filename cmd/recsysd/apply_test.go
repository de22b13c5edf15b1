package main

import (
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/examples"
	"recsysd.dev/recsysd/internal/sim"
)

func TestApplyAndDestroy(t *testing.T) {
	h := newHouse(t)
	code, out, errs := invokeIn(t, h.world, "", "apply", "--config", h.config)
	if code != 0 || !strings.Contains(out, "create   cluster/acme-gke  ok") || !strings.Contains(out, "recsys has converged at ") {
		t.Fatalf("apply tells what it does and ends when all is done: %d\n%s%s", code, out, errs)
	}
	code, out, errs = invokeIn(t, h.world, "", "output", "buckets.data.url", "--config", h.config)
	if code != 0 || out != "gs://acme-recsys-data\n" {
		t.Errorf("one output is its value alone, for scripts: %d %q %s", code, out, errs)
	}
	if code, _, errs := invokeIn(t, h.world, "", "output", "no.such", "--config", h.config); code != 2 || !strings.Contains(errs, "buckets.data.url") {
		t.Errorf("an output that does not exist lists those that do: %d %s", code, errs)
	}
	before := len(h.cloud.Things())
	code, out, errs = invokeIn(t, h.world, "no\n", "destroy", "--config", h.config)
	if code != 2 || !strings.Contains(out, "hold     cluster/acme-gke") || !strings.Contains(errs, "nothing was removed") {
		t.Errorf("without the stack's name nothing goes: %d\n%s%s", code, out, errs)
	}
	if after := len(h.cloud.Things()); after != before {
		t.Errorf("%d things before, %d after", before, after)
	}
	code, out, errs = invokeIn(t, h.world, "", "destroy", "--yes", "recsys", "--config", h.config)
	if last := out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]; code != 0 || !strings.Contains(last, "is taken down but for what is held: ") || !strings.Contains(last, "bucket/acme-recsys-data") {
		t.Errorf("what is protected stays, and is named in the end: %d\n%s%s", code, out, errs)
	}
	h.commit("stack.yaml", strings.Replace(string(examples.Stack), "labels: {team: ml}", "labels: {team: ml}\nprotect: false", 1))
	if code, _, errs := invokeIn(t, h.world, "", "apply", "--config", h.config); code != 0 {
		t.Fatalf("the marks are written: %d %s", code, errs)
	}
	code, out, errs = invokeIn(t, h.world, "", "destroy", "--yes", "recsys", "--config", h.config)
	if code != 0 {
		t.Errorf("an unprotected stack is taken down: %d\n%s%s", code, out, errs)
	}
	if left := h.cloud.Things(); len(left) > 0 {
		t.Errorf("something is left: %v", left)
	}
	if v := h.cloud.Violations(); len(v) > 0 {
		t.Errorf("the cloud saw what must never be: %v", v)
	}
}

func TestApplyGivesUpOnWhatIsHeld(t *testing.T) {
	h := newHouse(t)
	if code, _, errs := invokeIn(t, h.world, "", "apply", "--config", h.config); code != 0 {
		t.Fatal(errs)
	}
	h.commit("stack.yaml", strings.Replace(string(examples.Stack), "location: us-central1", "location: eu", 1)+"\n# moved\n")
	moved := strings.Replace(string(examples.Stack), "    class: standard\n", "    class: standard\n    location: europe-west1\n", 1)
	h.commit("stack.yaml", moved)
	code, _, errs := invokeIn(t, h.world, "", "apply", "--timeout", "20s", "--config", h.config)
	if code != 2 || !strings.Contains(errs, "bucket/acme-recsys-data: held:") || !strings.Contains(errs, "nothing more will happen by itself") {
		t.Errorf("what is held is named, at once and not after the timeout: %d %s", code, errs)
	}
	if code, _, _ := invokeIn(t, h.world, "", "plan", "--config", h.config); code != 1 {
		t.Errorf("a hold that hides a difference is one: exit %d", code)
	}
}

// The name that is typed is a yes to what was shown. Lifting a protection is not yet removing what it protected.
func TestDestroyRemovesOnlyWhatItHasShown(t *testing.T) {
	h := newHouse(t)
	if code, _, errs := invokeIn(t, h.world, "", "apply", "--config", h.config); code != 0 {
		t.Fatal(errs)
	}
	h.commit("stack.yaml", strings.Replace(string(examples.Stack), "labels: {team: ml}", "labels: {team: ml}\nprotect: false", 1))
	code, out, errs := invokeIn(t, h.world, "recsys\n", "destroy", "--config", h.config)
	if code != 2 || !strings.Contains(out, "~ update   bucket/acme-recsys-data  is unprotected") || !strings.Contains(errs, "bucket/acme-recsys-data: would be removed now, which the plan did not show") {
		t.Errorf("what was shown as a mark is about to be removed: %d\n%s%s", code, out, errs)
	}
	if !slices.ContainsFunc(h.cloud.Things(), func(thing sim.Thing) bool { return thing.Ref.String() == "bucket/acme-recsys-data" }) {
		t.Errorf("the bucket is gone: %v", h.cloud.Things())
	}
	if code, out, errs := invokeIn(t, h.world, "recsys\n", "destroy", "--config", h.config); code != 0 || len(h.cloud.Things()) > 0 {
		t.Errorf("shown and agreed to, everything goes: %d\n%s%s%v", code, out, errs, h.cloud.Things())
	}
}
