package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

const writesBack = "imageUpdates: {interval: 1s, push: %s, author: {name: Release Robot, email: robot@acme.example}}\n"

// writing is a world whose daemon pushes to a branch; the registry is there, and holds v1.0.1.
func writing(t *testing.T, stack, branch, keys string) *world {
	w := newWorld(t, stack)
	if err := w.repo.AcceptPushes(); err != nil {
		t.Fatal(err)
	}
	w.configure(fmt.Sprintf(writesBack, branch) + keys)
	return w
}

// begins starts the daemon and waits until commit is applied, with v1.0.1 in the registry.
func (w *world) begins(commit string) {
	w.Helper()
	w.start()
	w.eventually("the registry is there", func() error {
		if w.google.Repository("images") == nil {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	w.google.PushImage("images", "recsys-api", day, "v1.0.1")
	w.rolls(commit, "v1.0.1", "")
}

// served runs git in the repository that the daemon follows.
func (w *world) served(args ...string) string {
	w.Helper()
	out, err := w.repo.Git(append([]string{"--git-dir", w.repo.Dir}, args...)...)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// commits waits until a branch's newest commit has a subject, and returns it.
func (w *world) commits(branch, subject string) string {
	w.Helper()
	w.eventually(subject, func() error {
		if out, err := w.repo.Git("--git-dir", w.repo.Dir, "log", "-1", "--format=%s", branch); err != nil || out != subject {
			return fmt.Errorf("%s is at %q, %w", branch, out, err)
		}
		return nil
	})
	return w.served("rev-parse", branch)
}

// pull brings the work tree up to what the daemon pushed.
func (w *world) pull() {
	w.Helper()
	if _, err := w.repo.Git("pull", "-q", "--ff-only", "origin", "main"); err != nil {
		w.Fatal(err)
	}
}

// still demands that passes over several intervals push nothing.
func (w *world) still(why string) {
	w.Helper()
	before := w.served("for-each-ref")
	for range 2 {
		listed := w.listings()
		w.eventually("the tags are listed again", func() error {
			if _, err := w.recsysd("sync", w.stack); err != nil {
				return err
			}
			if w.listings() == listed {
				return fmt.Errorf("%d listings", listed)
			}
			return nil
		})
	}
	if now := w.served("for-each-ref"); now != before {
		w.Errorf("%s: something was pushed:\n%s\nbefore:\n%s", why, now, before)
	}
}

// listings is how often the registry's tags were listed.
func (w *world) listings() int {
	return len(slices.DeleteFunc(w.google.Calls(), func(c gcptest.Call) bool { return c.Method != "ListDockerImages" }))
}

// notices waits until the status tells what.
func (w *world) notices(what string) {
	w.Helper()
	w.eventually("the status tells: "+what, func() error {
		status, err := w.recsysd("status")
		if err == nil && !strings.Contains(status, what) {
			err = fmt.Errorf("it does not: %s", status)
		}
		return err
	})
}

func (w *world) writeBackUp(want float64) func() error {
	return func() error {
		up, err := w.metric("recsysd_writeback_up")
		return errors.Join(err, same(up, want))
	}
}

// A push of an image becomes a commit, and the commit a rollout. Nobody's commit is lost, nothing is written twice, and who may not
// write says so.
func TestTagsAreWrittenIntoGit(t *testing.T) {
	w := writing(t, "e2e-writeback", "main", "")
	stack := following(w, `tag: v1.0.1, policy: "^1.0"`)
	commit := w.push("follow 1.x", stack)
	w.begins(commit)
	w.still("the newest tag stands in Git")

	w.google.PushImage("images", "recsys-api", day.Add(time.Hour), "v1.0.2", "v2.0.0")
	second := w.commits("main", "api: recsys-api v1.0.1 -> v1.0.2")
	w.rolls(second, "v1.0.2", "")
	if got := w.served("log", "-1", "--format=%P %an <%ae>", "main"); got != commit+" Release Robot <robot@acme.example>" {
		t.Errorf("the commit: %s", got)
	}
	if got := w.served("show", "main:stack.yaml") + "\n"; got != strings.Replace(stack, "tag: v1.0.1", "tag: v1.0.2", 1) {
		t.Errorf("more than the tag was changed:\n%s", got)
	}
	w.still("it is written")
	w.quiet()

	w.pull()
	var once sync.Once
	w.git.Misbehave(func(rw http.ResponseWriter, r *http.Request, git http.Handler) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
			once.Do(func() {
				if _, err := w.repo.Commit("somebody was faster", map[string]string{"README": "new\n"}); err != nil {
					t.Error(err)
				}
			})
		}
		git.ServeHTTP(rw, r)
	})
	w.google.PushImage("images", "recsys-api", day.Add(2*time.Hour), "v1.0.3")
	third := w.commits("main", "api: recsys-api v1.0.2 -> v1.0.3")
	w.git.Misbehave(nil)
	if got := w.served("log", "-3", "--format=%s", "main"); got != "api: recsys-api v1.0.2 -> v1.0.3\nsomebody was faster\napi: recsys-api v1.0.1 -> v1.0.2" {
		t.Errorf("the history:\n%s", got)
	}
	w.rolls(third, "v1.0.3", "")

	w.google.RemoveImages("images", "recsys-api", "v1.0.3")
	w.notices("recsys-api:v1.0.3, which stands in Git, is not in the registry")
	w.still("the tag vanished, and it is not moved to a lower one")

	if _, err := w.recsysd("suspend", w.stack, "--reason", "an inspection"); err != nil {
		t.Fatal(err)
	}
	w.google.PushImage("images", "recsys-api", day.Add(3*time.Hour), "v1.0.4")
	w.still("the stack is suspended")
	hook := filepath.Join(w.repo.Dir, "hooks", "pre-receive")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := w.recsysd("resume", w.stack); err != nil {
		t.Fatal(err)
	}
	w.notices("the push to branch main was refused: pre-receive hook declined: main is protected")
	w.eventually("the metrics tell", w.writeBackUp(0))
	if err := os.Remove(hook); err != nil {
		t.Fatal(err)
	}
	w.rolls(w.commits("main", "api: recsys-api v1.0.3 -> v1.0.4"), "v1.0.4", "")
	w.eventually("the metrics tell that it goes again", w.writeBackUp(1))
	if count := w.served("rev-list", "--count", "main"); count != "5" {
		t.Errorf("%s commits on main, want 5", count)
	}
}

// Two workloads' tags, one in an environment's overlay and one in a variable, become one commit in a repository on this machine.
func TestTagsInAnOverlayAndAVariable(t *testing.T) {
	w := writing(t, "e2e-writeback-local", "main", "environment: prod\n")
	config, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.write("config.yaml", strings.Replace(string(config), w.git.Repo("infra"), w.repo.Dir, 1))
	stack := following(w, `tag: v0.0.1, policy: "^1.0"`,
		"  worker: {image: {registry: images, name: recsys-api, tag: \"${worker}\", policy: \"<1.1\"}, cpu: 100m, memory: 64Mi}\n",
		"  other: {image: 'redis:7', cpu: 100m, memory: 64Mi, env: {WORKER: '${worker}'}}\n", "vars:\n  worker: 'v1.0.1' # until 1.1\n")
	const overlay = "# production\nworkloads:\n  api: {image: {tag: \"v1.0.1\"}} # released\n"
	w.begins(w.push("two workloads", stack, "environments/prod.yaml", overlay))

	w.google.PushImage("images", "recsys-api", day.Add(time.Hour), "v1.0.9", "v1.2.0")
	commit := w.commits("main", "api and 1 more: new images")
	if got := w.served("log", "-1", "--format=%b", "main"); strings.TrimSpace(got) != "- api: recsys-api v1.0.1 -> v1.2.0\n- worker: recsys-api v1.0.1 -> v1.0.9\n\n"+
		"The same variable stands elsewhere too, so this changes with it: workloads.other" {
		t.Errorf("the commit says:\n%s", got)
	}
	if got := w.served("show", "main:environments/prod.yaml") + "\n"; got != strings.Replace(overlay, "v1.0.1", "v1.2.0", 1) {
		t.Errorf("the overlay:\n%s", got)
	}
	if got := w.served("show", "main:stack.yaml") + "\n"; got != strings.Replace(stack, "worker: 'v1.0.1'", "worker: 'v1.0.9'", 1) {
		t.Errorf("the stack file:\n%s", got)
	}
	w.served("fsck", "--strict")
	w.rolls(commit, "v1.2.0", "")
	w.still("both are written")
}

// With a branch of its own, what runs waits until somebody takes the commit over.
func TestTagsAreProposedOnABranch(t *testing.T) {
	w := writing(t, "e2e-writeback-branch", "image-updates", "")
	main := w.push("follow 1.x", following(w, `tag: v1.0.1, policy: "^1.0"`))
	w.begins(main)
	w.google.PushImage("images", "recsys-api", day.Add(time.Hour), "v1.0.2")
	first := w.commits("image-updates", "api: recsys-api v1.0.1 -> v1.0.2")
	w.still("it is proposed")
	w.stays("nobody has taken it over")
	w.google.PushImage("images", "recsys-api", day.Add(2*time.Hour), "v1.0.3")
	second := w.commits("image-updates", "api: recsys-api v1.0.2 -> v1.0.3")
	if parent := w.served("rev-parse", "image-updates^"); parent != first || w.served("rev-parse", "main") != main {
		t.Errorf("the second is on %s, main at %s; want %s, %s", parent, w.served("rev-parse", "main"), first, main)
	}
	w.served("update-ref", "refs/heads/main", second, main)
	w.rolls(second, "v1.0.3", "")
	w.still("it was taken over")
}
