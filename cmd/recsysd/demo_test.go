package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/view"
)

func demoHouse(t *testing.T) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "recsysd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// startDemo runs `recsysd demo` and returns what it prints once it has said that it converged.
func startDemo(t *testing.T, dir string) (out string, stop func()) {
	t.Helper()
	t.Setenv("PATH", "")
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr output
	p := &program{in: strings.NewReader(""), out: &stdout, err: &stderr, world: real()}
	done := make(chan int, 1)
	go func() { done <- p.execute(ctx, []string{"demo", "--dir", dir, "--listen", "127.0.0.1:0"}) }()
	stop = func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("the demo ends well: exit %d\n%s", code, stderr.String())
		}
	}
	deadline := time.Now().Add(patience)
	for !strings.Contains(stdout.String(), "/metrics") {
		if time.Now().After(deadline) {
			t.Fatalf("the demo did not converge\n%s%s", stdout.String(), stderr.String())
		}
		select {
		case code := <-done:
			t.Fatalf("the demo ended: %d %s", code, stderr.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return stdout.String(), stop
}

func TestDemo(t *testing.T) {
	dir := demoHouse(t)
	out, stop := startDemo(t, dir)
	took := regexp.MustCompile(`converged in ([0-9.]+) s`).FindStringSubmatch(out)
	if took == nil {
		t.Fatalf("the demo says when it has converged:\n%s", out)
	}
	if s, err := strconv.ParseFloat(took[1], 64); err != nil || s > 3 {
		t.Errorf("the demo has converged %s s after its first line; 3 are allowed", took[1])
	}
	address := regexp.MustCompile(`http://([0-9.:]+)/metrics`).FindStringSubmatch(out)
	if address == nil {
		t.Fatalf("the demo names its metrics:\n%s", out)
	}
	resp, err := http.Get(address[0])
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	client := control.Client{Socket: filepath.Join(dir, "control.sock")}
	for _, said := range []string{"versioning was switched on", "its image was set to", "it was deleted"} {
		code, out, errs := invoke(t, "demo", "drift", "--dir", dir)
		if code != 0 || !strings.Contains(out, said) {
			t.Fatalf("a foreign hand in the cloud: %d %s%s", code, out, errs)
		}
		s, err := client.Sync(t.Context(), "", control.Sync{})
		for err == nil && !s.Converged {
			s, err = client.Sync(t.Context(), "", control.Sync{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	h, err := client.History(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	repaired := func(kind, field string) bool {
		for _, p := range h.Passes {
			for _, s := range p.Steps {
				for _, c := range s.Drift {
					if s.Kind == kind && strings.Contains(c.Field, field) && s.Outcome == "ok" {
						return true
					}
				}
			}
		}
		return false
	}
	if !repaired("bucket", "versioning") || !repaired("Deployment", "image") {
		t.Errorf("history names what was put back, field by field: %+v", h)
	}

	edited := strings.Replace(read(t, filepath.Join(dir, "infra", "stack.yaml")), "v1.0.1", "v1.0.2", 1)
	if err := os.WriteFile(filepath.Join(dir, "infra", "stack.yaml"), []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	code, hash, errs := invoke(t, "demo", "commit", "--dir", dir)
	if code != 0 {
		t.Fatal(errs)
	}
	var s view.StackStatus
	for deadline := time.Now().Add(patience); s.Applied != strings.TrimSpace(hash); {
		if s, err = client.Sync(t.Context(), "", control.Sync{}); err != nil || time.Now().After(deadline) {
			t.Fatalf("the edit %s is not applied: %+v %v", hash, s, err)
		}
	}
	if code, _, errs := invoke(t, "demo", "--dir", dir); code != 2 || !strings.Contains(errs, "is running in") {
		t.Errorf("a second demo in the same folder is refused: %d %s", code, errs)
	}
	stop()

	t.Run("an earlier demo's repository is taken up again", func(t *testing.T) {
		_, stop := startDemo(t, dir)
		defer stop()
		s, err := client.Status(t.Context())
		if err != nil || s.Stacks[0].Applied != strings.TrimSpace(hash) {
			t.Errorf("what was committed then is applied now: %+v %v", s, err)
		}
	})
}

func TestDemoLeavesOtherPeoplesFoldersAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := invoke(t, "demo", "--dir", dir)
	if code != 2 || !strings.Contains(errs, "was not made by a demo") {
		t.Errorf("exit %d %s", code, errs)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("nothing is left in it: %v %v", entries, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
