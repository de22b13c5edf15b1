// Package deploy_test checks the files under deploy/ with the programs that read them.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"recsysd.dev/recsysd/test/parts"
)

const deploy = "../../deploy"

func TestUnit(t *testing.T) {
	analyze := parts.Need(t, "systemd-analyze", "systemd")
	root := t.TempDir() // verify wants the program that the unit starts
	install(t, "/usr/bin/true", filepath.Join(root, "usr/local/bin/recsysd"), 0o755)
	install(t, "/usr/bin/true", filepath.Join(root, "bin/kill"), 0o755)
	unit := filepath.Join(deploy, "systemd", "recsysd.service")
	install(t, unit, filepath.Join(root, "etc/systemd/system/recsysd.service"), 0o644)
	stub := filepath.Join(t.TempDir(), "stub")
	if err := os.WriteFile(stub, []byte("[Unit]\nDescription=stands for the system's own\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"basic.target", "sysinit.target", "network-online.target", "multi-user.target", "shutdown.target"} {
		install(t, stub, filepath.Join(root, "etc/systemd/system", name), 0o644)
	}
	if out, err := exec.Command(analyze, "verify", "--root="+root, "recsysd.service").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", unit).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	level := regexp.MustCompile(`Overall exposure level for recsysd.service: ([\d.]+)`).FindSubmatch(out)
	if level == nil {
		t.Fatalf("no exposure level in:\n%s", out)
	}
	if exposure, err := strconv.ParseFloat(string(level[1]), 64); err != nil || exposure > 2.0 {
		t.Errorf("the unit's exposure is %s, %v, want at most 2.0:\n%s", level[1], err, out)
	}
}

func install(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, mode); err != nil {
		t.Fatal(err)
	}
}
