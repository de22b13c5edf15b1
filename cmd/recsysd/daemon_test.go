package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/examples"
	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/sim"
	"recsysd.dev/recsysd/internal/view"
)

// patience is for what must happen; nothing in these tests waits so long unless it fails.
const patience = 30 * time.Second

// A house is a folder with a Git repository, a configuration and a simulated cloud, in which daemons can be started.
type house struct {
	t      *testing.T
	dir    string
	config string
	cloud  *sim.Cloud
	client control.Client
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "recsysd") // short: a socket's path may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &house{
		t: t, dir: dir, config: filepath.Join(dir, "config.yaml"), cloud: &sim.Cloud{},
		client: control.Client{Socket: filepath.Join(dir, "control.sock")},
	}
	if err := demoRepository(filepath.Join(dir, "infra")); err != nil {
		t.Fatal(err)
	}
	h.configure("recsys")
	return h
}

// configure writes a configuration for stacks of these names, each with its environment of that name where it is not the example's.
func (h *house) configure(stacks ...string) {
	h.t.Helper()
	text := "listen: 127.0.0.1:0\ncontrolSocket: control.sock\nstateDir: state\nlog: {level: debug, format: json}\nstacks:\n"
	for _, s := range stacks {
		environment := ""
		if s != "recsys" {
			environment = s
		}
		text += fmt.Sprintf("- {name: %s, project: acme, environment: %q, interval: 1h, minGap: 10ms, git: {url: %q, pollInterval: 1h}}\n",
			s, environment, filepath.Join(h.dir, "infra"))
	}
	h.write("config.yaml", text)
}

func (h *house) write(name, content string) {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// commit puts a file into the repository.
func (h *house) commit(name, content string) {
	h.t.Helper()
	h.write(filepath.Join("infra", name), content)
	if _, err := demoCommit(filepath.Join(h.dir, "infra"), name); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) world(_ context.Context, _ *config.Config, s config.Stack, _ hooks) (drivers.Set, error) {
	return drivers.Set{Kinds: drivers.Simulated(h.cloud, s.Name, s.Project)}, nil
}

// start runs `recsysd run` until stop is called, which returns the log.
func (h *house) start() (address string, stop func() string) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	c, err := config.Load(h.config)
	if err != nil {
		h.t.Fatal(err)
	}
	lock, err := control.Hold(c.ControlSocket)
	if err != nil {
		h.t.Fatal(err)
	}
	var log output
	d := newDaemon(h.config, h.world, newLogger(&log, c.Log))
	up, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- d.run(ctx, lock, c, func() { up <- d.address }) }()
	stopped := false
	stop = func() string {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				h.t.Errorf("a daemon that is asked to stop ends well: %v\n%s", err, log.String())
			}
			lock.Release()
		}
		return log.String()
	}
	h.t.Cleanup(func() {
		if text := stop(); h.t.Failed() {
			h.t.Log(text)
		}
	})
	select {
	case address = <-up:
	case err := <-done:
		h.t.Fatalf("the daemon did not start: %v\n%s", err, log.String())
	}
	return address, stop
}

// until asks for passes until the status is as it should be. Each sync waits for its pass, so this turns no faster than the engine.
func (h *house) until(stack, reason string, well func(view.StackStatus) bool) view.StackStatus {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	var last view.StackStatus
	for ctx.Err() == nil {
		s, err := h.client.Sync(ctx, stack, control.Sync{})
		if err == nil && well(s) {
			return s
		}
		if err == nil {
			last = s
		}
	}
	h.t.Fatalf("%s: did not come true; last seen: %+v", reason, last)
	return last
}

func converged(s view.StackStatus) bool { return s.Converged }

func get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

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

func TestReload(t *testing.T) {
	h := newHouse(t)
	h.commit("environments/second.yaml", "name: second\n")
	address, _ := h.start()
	h.until("recsys", "the example converges", converged)
	status := func(reason string, well func(view.Status) bool) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for time.Now().Before(deadline) {
			s, err := h.client.Status(t.Context())
			if err == nil && well(s) {
				return
			}
			h.client.Sync(t.Context(), "recsys", control.Sync{}) // one pass of patience
		}
		t.Fatalf("%s: did not come true", reason)
	}

	h.write("config.yaml", "stacks: []\nlisten: 3\n")
	status("a configuration with a mistake is not taken up, and said", func(s view.Status) bool {
		return strings.Contains(s.ConfigError, "no stack is configured") && len(s.Stacks) == 1
	})
	if _, metrics := get(t, address, "/metrics"); !strings.Contains(metrics, "recsysd_config_valid 0") {
		t.Error("the metrics say it too")
	}

	h.configure("recsys", "second")
	status("a new stack is started beside the old one", func(s view.Status) bool {
		return s.ConfigError == "" && len(s.Stacks) == 2 && s.Stacks[1].LastPass != nil && s.Stacks[0].Converged
	})

	h.configure("recsys")
	status("a stack that is no longer configured is left alone", func(s view.Status) bool { return len(s.Stacks) == 1 })
	status("and leaves no series", func(view.Status) bool {
		_, metrics := get(t, address, "/metrics")
		return !strings.Contains(metrics, `stack="second"`)
	})
}

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
