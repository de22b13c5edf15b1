package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/examples"
	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/view"
)

func TestDaemonConvergesAndShowsIt(t *testing.T) {
	h := newHouse(t)
	address, _ := h.start()
	s := h.until("recsys", "the example converges", converged)
	if s.Applied == "" || s.Applied != s.Attempted || s.Error != "" || s.LastConverged == nil {
		t.Errorf("a converged stack says which commit, and when: %+v", s)
	}
	if s.Outputs["clusters.primary.endpoint"] == "" || s.Outputs["buckets.data.url"] != "gs://acme-recsys-data" {
		t.Errorf("what the stack is used by: %v", s.Outputs)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, body := get(t, address, path); code != 200 {
			t.Errorf("%s of a daemon that is well: %d %s", path, code, body)
		}
	}
	_, metrics := get(t, address, "/metrics")
	for _, line := range []string{
		`recsysd_resource_usable{kind="cluster",name="acme-gke",stack="recsys"} 1`,
		`recsysd_resource_drift{kind="bucket",name="acme-recsys-data",stack="recsys"} 0`,
		`recsysd_stack_valid{stack="recsys"} 1`, `recsysd_source_up{stack="recsys"} 1`, `recsysd_config_valid 1`,
		`recsysd_unexplained_writes_total{stack="recsys"} 0`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if _, body := get(t, address, "/api/v1/status"); !strings.Contains(body, `"converged":true`) {
		t.Errorf("the status page gives what the command does: %s", body)
	}
	code, out, errs := invoke(t, "status", "--socket", h.client.Socket)
	if code != 0 || !strings.Contains(out, "recsys  converged") {
		t.Errorf("recsysd status: %d %s%s", code, out, errs)
	}
	code, out, errs = invoke(t, "history", "recsys", "--config", h.config)
	if code != 0 || !strings.Contains(out, "create   cluster/acme-gke") {
		t.Errorf("recsysd history tells what was done: %d %s%s", code, out, errs)
	}
	// real would look for credentials, of which there are none here: the running daemon is asked instead.
	code, out, errs = invoke(t, "output", "buckets.data.url", "--config", h.config)
	if code != 0 || out != "gs://acme-recsys-data\n" {
		t.Errorf("recsysd output asks the daemon: %d %q %s", code, out, errs)
	}
}

func TestOneAtATime(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.until("recsys", "the example converges", converged)
	writes := h.cloud.Writes()
	for _, args := range [][]string{{"run"}, {"apply"}, {"apply", "--once"}, {"destroy", "--yes", "recsys"}} {
		code, _, errs := invokeIn(t, h.world, "", append(args, "--config", h.config)...)
		if code != 2 || !strings.Contains(errs, "another recsysd holds the control socket") || strings.Count(errs, "\n") != 1 {
			t.Errorf("recsysd %s beside a daemon is refused: %d %q", strings.Join(args, " "), code, errs)
		}
	}
	code, out, errs := invokeIn(t, h.world, "", "plan", "--config", h.config)
	if code != 0 || !strings.Contains(out, "Nothing to do") {
		t.Errorf("plan may stand beside a daemon and finds nothing to do: %d %s%s", code, out, errs)
	}
	if h.cloud.Writes() != writes {
		t.Error("none of that may have written anything")
	}
}

func TestSuspensionLastsOverRestarts(t *testing.T) {
	h := newHouse(t)
	_, stop := h.start()
	h.until("recsys", "the example converges", converged)
	if code, _, errs := invoke(t, "suspend", "recsys", "--socket", h.client.Socket); code != 2 || !strings.Contains(errs, "--reason") {
		t.Errorf("a suspension needs a reason: %d %s", code, errs)
	}
	code, _, errs := invoke(t, "suspend", "recsys", "Deployment/recsys/api", "--reason", "looking into it", "--socket", h.client.Socket)
	if code != 0 {
		t.Fatal(errs)
	}
	stop()
	h.start()
	s := h.until("recsys", "the restarted daemon leaves it alone", func(s view.StackStatus) bool {
		for _, r := range s.Resources {
			if r.Name == "recsys/api" && r.Kind == "Deployment" {
				return strings.Contains(r.Held, "looking into it")
			}
		}
		return false
	})
	if s.Suspended != "" {
		t.Errorf("the rest of the stack is not suspended: %+v", s)
	}
	if code, _, errs := invoke(t, "resume", "recsys", "Deployment/recsys/api", "--socket", h.client.Socket); code != 0 {
		t.Fatal(errs)
	}
	h.until("recsys", "after resume it is kept again", converged)
	if code, _, errs := invoke(t, "suspend", "recsys", "--reason", "migration", "--socket", h.client.Socket); code != 0 {
		t.Fatal(errs)
	}
	h.until("recsys", "the whole stack is suspended", func(s view.StackStatus) bool { return s.Suspended == "migration" })
	h.commit("stack.yaml", strings.Replace(string(examples.Stack), "v1.0.1", "v1.0.2", 1))
	writes := h.cloud.Writes()
	h.until("recsys", "passes go on", func(s view.StackStatus) bool { return s.Attempted != s.Applied })
	if h.cloud.Writes() != writes {
		t.Error("a suspended stack is looked at and not written")
	}
}

func TestABadCommitChangesNothing(t *testing.T) {
	h := newHouse(t)
	address, _ := h.start()
	h.until("recsys", "the example converges", converged)
	writes := h.cloud.Writes()
	h.commit("stack.yaml", strings.Replace(string(examples.Stack), "memory: 1Gi", "memroy: 1Gi", 1))
	s := h.until("recsys", "the mistake is shown with its place", func(s view.StackStatus) bool {
		return strings.Contains(s.Error, "stack.yaml:") && strings.Contains(s.Error, `did you mean "memory"?`)
	})
	if h.cloud.Writes() != writes || s.Applied == "" {
		t.Errorf("the last good revision stays in force: %+v", s)
	}
	if _, metrics := get(t, address, "/metrics"); !strings.Contains(metrics, `recsysd_stack_valid{stack="recsys"} 0`) {
		t.Error("the metrics say that the newest stack is invalid")
	}
	h.commit("stack.yaml", strings.Replace(string(examples.Stack), "v1.0.1", "v1.0.2", 1))
	h.until("recsys", "the next good commit is applied", converged)
}

func TestSupervisorIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "60000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	h := newHouse(t)
	_, stop := h.start()
	heard := map[string]bool{}
	listen := func(want string) {
		t.Helper()
		conn.SetReadDeadline(time.Now().Add(patience))
		buf := make([]byte, 4096)
		for !heard[want] {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("systemd never heard %q, only %v", want, heard)
			}
			for _, line := range strings.Split(string(buf[:n]), "\n") {
				heard[line] = true
			}
		}
	}
	listen("READY=1")
	listen("WATCHDOG=1")
	listen("STATUS=recsys converged")
	stop()
	listen("STOPPING=1")
}

func TestWatchdogIsNotFedByAStuckStack(t *testing.T) {
	h := newHouse(t)
	c, err := config.Load(h.config)
	if err != nil {
		t.Fatal(err)
	}
	r := newRunner(c, c.Stacks[0], h.world, newLogger(io.Discard, c.Log).Logger)
	bound := time.Hour*5/4 + 3*2*time.Minute + 30*time.Second
	if err := r.healthy(r.beat.Add(bound)); err != nil {
		t.Errorf("a pause and a slow look are no reason: %v", err)
	}
	if err := r.healthy(r.beat.Add(bound + time.Second)); err == nil {
		t.Error("a pass that hangs beyond every limit is")
	}
}

func TestAStackThatCannotRunLeavesTheOthersAlone(t *testing.T) {
	h := newHouse(t)
	h.write("config.yaml", read(t, h.config)+"- {name: second, project: acme, git: {url: 'git@host.invalid:infra.git'}}\n")
	address, _ := h.start()
	h.until("recsys", "the stack that can run converges", converged)
	s, err := h.client.Status(t.Context())
	if err != nil || len(s.Stacks) != 2 || !strings.Contains(s.Stacks[1].Error, "ssh needs git.auth.sshKeyFile") {
		t.Errorf("the other one says what it lacks: %+v %v", s.Stacks, err)
	}
	if code, body := get(t, address, "/readyz"); code != 503 || !strings.Contains(body, "stack second: ") || strings.Contains(body, "stack recsys") {
		t.Errorf("not ready, because of the one and not of the other: %d %s", code, body)
	}
	if _, body := get(t, address, "/metrics"); !strings.Contains(body, `recsysd_passes_total{outcome="failed",stack="second"} 0`) {
		t.Error("a stack without any pass is not in the metrics: no alert could tell of it")
	}
	if _, err := h.client.Sync(t.Context(), "second", control.Sync{}); err == nil || !strings.Contains(err.Error(), "sshKeyFile") {
		t.Errorf("a sync of it fails at once, with the reason: %v", err)
	}
}
