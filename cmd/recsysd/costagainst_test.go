package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCostAgainstARevisionAndAnEnvironment(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "stack.yaml")
	git := func(args ...string) {
		t.Helper()
		c := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("stack.yaml", twoPods)
	git("init", "-q", "-b", "main")
	git("add", ".")
	git("commit", "-qm", "two pods")
	git("tag", "-am", "first", "v1")
	write("stack.yaml", strings.Replace(twoPods, "replicas: 2", "replicas: 3", 1))
	git("commit", "-qam", "three pods")
	write("stack.yaml", strings.Replace(twoPods, "replicas: 2", "replicas: 4", 1)+slept)
	write("environments/small.yaml", "workloads:\n  api: {replicas: 1}\n")

	// A pod is 19.875929, the cluster 73.
	for _, c := range []struct {
		what                     string
		args                     []string
		before, after, scheduled string
	}{
		{"the last commit", []string{"--against", "HEAD"}, "132.627787", "152.503716", "112.751858"},
		{"a branch", []string{"--against", "main"}, "132.627787", "152.503716", "112.751858"},
		{"one commit before", []string{"--against", "HEAD~1"}, "112.751858", "152.503716", "112.751858"},
		{"the same, written otherwise", []string{"--against", "main^"}, "112.751858", "152.503716", "112.751858"},
		{"an annotated tag", []string{"--against", "v1"}, "112.751858", "152.503716", "112.751858"},
		{"another environment of the same files", []string{"--against-environment", "small"}, "92.875929", "152.503716", "112.751858"},
		{"the file itself, for an environment", []string{"--environment", "small", "--against-environment", ""}, "152.503716", "92.875929", "82.937965"},
	} {
		code, out, errs := invoke(t, append([]string{"cost", file, "-o", "json"}, c.args...)...)
		if code != exitWell {
			t.Fatalf("%s: %s", c.what, errs)
		}
		type delta struct{ Before, After json.Number }
		var v struct {
			Resources []struct{ Kind, Name string }
			Total     struct{ USDPerMonth, Scheduled delta }
		}
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatal(err)
		}
		if d := v.Total.USDPerMonth; d.Before.String() != c.before || d.After.String() != c.after || v.Total.Scheduled.After.String() != c.scheduled {
			t.Errorf("%s: %+v, want %s, %s, %s", c.what, v.Total, c.before, c.after, c.scheduled)
		}
		if len(v.Resources) != 1 || v.Resources[0].Kind != "Deployment" {
			t.Errorf("%s: only the workload's price is another: %v", c.what, v.Resources)
		}
	}
	for _, c := range []struct{ revision, says string }{
		{"nowhere", `revision "nowhere": there is no such branch, tag or commit in the repository`},
		{"HEAD~9", "the history is not as long as that"},
		{"HEAD~x", "~x is no number of commits"},
	} {
		if code, _, errs := invoke(t, "cost", file, "--against", c.revision); code != exitError || !strings.Contains(errs, c.says) {
			t.Errorf("--against %s: exit %d, %s", c.revision, code, errs)
		}
	}
}

// Environments have names of their own: what stands under the same entry of the stack file is one thing, and not one more and one less.
func TestCostAgainstAnEnvironmentWithOtherNames(t *testing.T) {
	code, out, errs := invoke(t, "cost", "../../examples/team/stack.yaml", "--against-environment", "staging")
	if code != exitWell {
		t.Fatal(errs)
	}
	plain := strings.Join(strings.Fields(out), " ")
	for _, line := range []string{
		"nodepool/acme-recsys-primary/general 25.55 102.84 +77.29", "PersistentVolumeClaim/recsys/postgres-data 2.00 10.00 +8.00", "total 141.32 226.61 +85.29",
	} {
		if !strings.Contains(plain, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	if strings.Contains(strings.SplitN(out, "\n", 2)[1], "staging") {
		t.Errorf("one thing is told of twice:\n%s", out)
	}
}
