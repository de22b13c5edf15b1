package e2e_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

// day is when the first image of every test was pushed.
var day = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// following is a stack with one workload whose image follows a policy. image is what stands in its braces.
func following(w *world, image string, more ...string) string {
	return fmt.Sprintf(`apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: %s
project: acme
region: us-central1
clusters: {primary: {}}
registries:
  images: {name: images}
workloads:
  # what runs
  api:
    image: {registry: images, name: recsys-api, %s}
    port: 8000
    cpu: 100m
    memory: 64Mi
%s`, w.stack, image, strings.Join(more, ""))
}

// deployed is the image that the API server is asked to run.
func (w *world) deployed() string {
	w.Helper()
	return w.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
}

// rolls waits until the tag runs, pinned by its digest, and the stack has converged.
func (w *world) rolls(commit, tag, digest string) {
	w.Helper()
	want := "us-central1-docker.pkg.dev/acme/images/recsys-api:" + tag
	if digest != "" {
		want += "@" + digest
	}
	w.eventually(tag+" runs", func() error {
		if err := w.converged(commit)(); err != nil {
			return err
		}
		if got := w.deployed(); got != want {
			return fmt.Errorf("%s runs, want %s", got, want)
		}
		return nil
	})
}

// stays demands that passes over several intervals change nothing of what runs.
func (w *world) stays(why string) {
	w.Helper()
	before := w.deployed()
	generation := w.kubectl("get", "deployment", "api", "-o", "jsonpath={.metadata.generation}")
	for range 3 {
		if _, err := w.recsysd("sync", w.stack); err != nil && !w.away {
			w.Fatal(err)
		}
	}
	if now := w.deployed(); now != before {
		w.Errorf("%s: %s runs, and before it was %s", why, now, before)
	}
	if now := w.kubectl("get", "deployment", "api", "-o", "jsonpath={.metadata.generation}"); now != generation {
		w.Errorf("%s: the deployment was changed: generation %s, before %s", why, now, generation)
	}
}

const eachSecond = "imageUpdates: {interval: 1s}\n"

// A push rolls the pods to an image pinned by its digest; what becomes of the registry afterwards rolls nothing back, whatever else
// is lost; Git's policy is obeyed.
func TestImagePushRolls(t *testing.T) {
	w := newWorld(t, "e2e-images")
	w.configure(eachSecond)
	commit := w.push("follow 1.x", following(w, `policy: "^1.0"`))
	w.start()
	w.eventually("the workload waits for an image, and says where that is asked for", func() error {
		status, err := w.recsysd("status")
		if err != nil || !strings.Contains(status, "there is no image recsys-api with a tag yet") || !strings.Contains(status, "stack.yaml:12:") {
			return fmt.Errorf("%w: %s", err, status)
		}
		return nil
	})
	w.eventually("the registry is there", func() error {
		if w.google.Repository("images") == nil {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	first := w.google.PushImage("images", "recsys-api", day, "v1.0.1", "latest")
	w.google.PushImage("images", "recsys-api", day.Add(time.Hour), "v2.0.0", "v1.0.2-rc.1")
	w.rolls(commit, "v1.0.1", first)
	w.quiet()

	second := w.google.PushIndex("images", "recsys-api", day.Add(2*time.Hour), "v1.0.2")
	w.rolls(commit, "v1.0.2", second)
	w.quiet()
	history, err := ask[historyView](w, "history")
	if err != nil || !strings.Contains(fmt.Sprint(history), "recsys-api:v1.0.1@") || !strings.Contains(fmt.Sprint(history), "recsys-api:v1.0.2@") {
		t.Errorf("history does not tell the old and the new tag: %v, %v", err, history)
	}

	w.google.RemoveImages("images", "recsys-api", "v1.0.2")
	w.forgets(t, "the tag vanished")
	w.google.RemoveImages("images", "recsys-api")
	w.forgets(t, "the registry is empty")
	w.google.Forbid("ListDockerImages")
	w.forgets(t, "the registry may not be listed")
	w.google.Heal()
	w.google.Fail("artifactregistry", codes.Unavailable, "down", gcptest.Forever)
	w.away = true
	w.stays("the registry is away")
	w.away = false
	w.google.Heal()

	w.kubectl("set", "image", "deployment/api", "api=us-central1-docker.pkg.dev/acme/images/recsys-api:v1.9.9")
	w.rolls(commit, "v1.0.2", second) // a hand's tag is put back, though it is newer
	third := w.google.PushImage("images", "recsys-api", day.Add(3*time.Hour), "v1.0.0")
	w.stays("an older one was pushed later")
	commit = w.push("back to 1.0.0", following(w, `policy: "<=1.0.1"`))
	w.rolls(commit, "v1.0.0", third)
	fourth := w.google.PushImage("images", "recsys-api", day.Add(4*time.Hour), "main-7")
	commit = w.push("the newest of main", following(w, `newest: "main-[0-9]+"`))
	w.rolls(commit, "main-7", fourth)
	w.google.MoveTag("images", "recsys-api", "main-7", third)
	w.rolls(commit, "main-7", third)
	w.quiet()
}

// forgets demands that nothing changes, then after a restart that loses the state directory either.
func (w *world) forgets(t *testing.T, why string) {
	w.stays(why)
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(w.path("state")); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.eventually("a pass after the restart", func() error { _, err := w.recsysd("sync", w.stack); return err })
	w.stays(why + ", and everything was forgotten")
}

// However many workloads follow tags, and however many passes there are, a repository is listed once in an interval.
func TestOneListingPerInterval(t *testing.T) {
	w := newWorld(t, "e2e-listings")
	w.configure("imageUpdates: {interval: 10m}\n")
	var others strings.Builder
	for i := range 4 {
		fmt.Fprintf(&others, "  api%d: {image: {registry: images, name: recsys-api, policy: \"^1.0\"}, cpu: 100m, memory: 64Mi}\n", i)
	}
	commit := w.push("the registry", fmt.Sprintf("apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: %s\nproject: acme\nregion: us-central1\nregistries: {images: {name: images}}\n", w.stack))
	w.start()
	w.eventually("the registry is there", w.converged(commit))
	w.google.PushImage("images", "recsys-api", day, "v1.0.0")
	commit = w.push("five workloads", following(w, `policy: "^1.0"`, others.String()))
	w.eventually("they run", w.converged(commit))
	for range 3 {
		if _, err := w.recsysd("sync", w.stack); err != nil {
			t.Fatal(err)
		}
	}
	lists := slices.DeleteFunc(w.google.Calls(), func(c gcptest.Call) bool { return c.Method != "ListDockerImages" })
	if len(lists) != 1 {
		t.Errorf("the repository was listed %d times: %v", len(lists), lists)
	}
}
