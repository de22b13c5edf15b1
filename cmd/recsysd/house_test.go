package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

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
	d, stop := h.startDaemon()
	return d.address, stop
}

func (h *house) startDaemon() (d *daemon, stop func() string) {
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
	d = newDaemon(h.config, h.world, newLogger(&log, c.Log))
	up, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- d.run(ctx, lock, c, func() { close(up) }) }()
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
	case <-up:
	case err := <-done:
		h.t.Fatalf("the daemon did not start: %v\n%s", err, log.String())
	}
	return d, stop
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
