package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// figures are what a process measured of itself, or what was measured of it: cpu-ms, wall-ms, rss-MiB, peak-MiB, and a subject's own.
type figures map[string]float64

// bare is a subject of test/floor that runs beside the test.
type bare struct {
	testing.TB
	subject   string
	cmd       *exec.Cmd
	out       *bufio.Reader
	complaint bytes.Buffer
}

// builtFloor builds test/floor once, with what the released program is built with.
var builtFloor = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(binary), "floor")
	build := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace,disable_grpc_modules", "-ldflags", "-s -w", "-o", path, "../floor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building test/floor: %w: %s", err, out)
	}
	return path, nil
})

// startFloor starts a subject and returns once its preparation is over.
func startFloor(t testing.TB, subject string, args ...string) *bare {
	t.Helper()
	path, err := builtFloor()
	if err != nil {
		t.Fatal(err)
	}
	f := &bare{TB: t, subject: subject, cmd: exec.Command(path, append([]string{subject}, args...)...)}
	f.cmd.Stderr = &f.complaint
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	f.out = bufio.NewReader(out)
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := f.out.ReadString('\n'); err != nil || line != "begun\n" {
		f.cmd.Process.Kill()
		f.cmd.Wait()
		t.Fatalf("floor %s: said %q before its work, %v: %s", subject, line, err, f.complaint.String())
	}
	return f
}

// wait returns what a subject that ends by itself has measured.
func (f *bare) wait() figures {
	f.Helper()
	rest, err := io.ReadAll(f.out)
	if ended := f.cmd.Wait(); ended != nil {
		f.Fatalf("floor %s: %v: %s", f.subject, ended, f.complaint.String())
	}
	var v figures
	if err == nil {
		lines := strings.Split(strings.TrimSpace(string(rest)), "\n")
		err = json.Unmarshal([]byte(lines[len(lines)-1]), &v)
	}
	if err != nil {
		f.Fatalf("floor %s: %v in %q", f.subject, err, rest)
	}
	return v
}

// stop ends a subject that has no end of its own, and returns what it has measured.
func (f *bare) stop() figures {
	f.Helper()
	f.cmd.Process.Signal(syscall.SIGTERM)
	return f.wait()
}

// floor runs a subject to its end.
func floor(t testing.TB, subject string, args ...string) figures {
	t.Helper()
	return startFloor(t, subject, args...).wait()
}
