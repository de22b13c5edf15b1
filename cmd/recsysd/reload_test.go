package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/sim"
	"recsysd.dev/recsysd/internal/view"
)

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

	h.configure("recsys")
	h.write("prices.yaml", "schema: 1\ncurrency: EUR\ncompiled: \"2027-01-01\"\nprices: []\n")
	plain, err := os.ReadFile(filepath.Join(h.dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	h.write("config.yaml", string(plain)+"prices: prices.yaml\n")
	status("a price book with a mistake is not taken up, and said with its place", func(s view.Status) bool {
		return strings.Contains(s.ConfigError, "prices.yaml:2:11: currency:") && len(s.Stacks) == 1
	})

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

// TestNeighboursAreTold: that two stacks of a daemon are one to Google stands in the status of both and once in the log, for as long
// as it is so.
func TestNeighboursAreTold(t *testing.T) {
	h := newHouse(t)
	h.commit("environments/second.yaml", "name: second\nnamespace: recsys\n")
	h.configure("recsys", "second")
	_, stop := h.start()
	told := func(s view.StackStatus) bool {
		return slices.ContainsFunc(s.Notices, func(n string) bool { return strings.Contains(n, "stacks recsys and second are one to Google") })
	}
	h.until("recsys", "the one stack tells of the other", told)
	h.until("second", "and the other of the one", told)

	h.commit("environments/second.yaml", "name: second\nnamespace: elsewhere\n")
	apart := func(s view.StackStatus) bool { return !told(s) }
	h.until("second", "another namespace is the way out", apart)
	h.until("recsys", "for both", apart)

	h.commit("environments/second.yaml", "name: second\nnamespace: recsys\n")
	h.until("second", "what is so again is told again", told)
	h.configure("recsys")
	h.until("recsys", "a stack that is no longer kept is nobody's neighbour", apart)
	if log := stop(); strings.Count(log, "are one to Google") != 2 {
		t.Errorf("told once each time that it becomes so:\n%s", log)
	}
}

func TestAPassIsNotCutShortByAReload(t *testing.T) {
	h := newHouse(t)
	reached, reloaded := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(reloaded) })
	h.cloud.SetFault(func(c sim.Call) sim.Fault {
		if c.Op == sim.Create && c.Ref.Kind == "cluster" {
			close(reached)
			<-reloaded // everything in the cluster is still to come in this pass
		}
		return sim.Fault{}
	})
	d, stop := h.startDaemon()
	t.Cleanup(release) // before the daemon is stopped, which would wait for it
	<-reached
	text := strings.Replace(read(t, h.config), "minGap: 10ms", "minGap: 20ms", 1)
	h.write("config.yaml", text)
	r, err := d.find("recsys")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); !r.replaced(); {
		if time.Now().After(deadline) {
			t.Fatal("the changed configuration was not noticed")
		}
		time.Sleep(time.Millisecond)
	}
	release()
	h.until("recsys", "the stack converges with its new settings", converged)
	log := stop()
	if !strings.Contains(log, `"reason":"start","took"`) || strings.Contains(log, "not started") {
		t.Errorf("every step of the pass that ran was taken:\n%s", log)
	}
	if n := strings.Count(log, `"reason":"start"`); n != 2 {
		t.Errorf("the engine is built anew once, after that pass; passes at a start: %d", n)
	}
}

// replaced reports whether the runner waits for the end of a pass to build its parts anew.
func (r *runner) replaced() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stale
}

func TestHangup(t *testing.T) {
	// Caught here as well, so that one that comes before the daemon listens does not end the test.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	h := newHouse(t)
	c, err := config.Load(h.config)
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(h.config, h.world, newLogger(io.Discard, c.Log))
	d.adopt(c, func(*runner) {})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.hangups(ctx, func(*runner) {}) }()
	h.write("config.yaml", "stacks: 3\n")
	for deadline := time.Now().Add(patience); d.status().ConfigError == ""; {
		if time.Now().After(deadline) {
			t.Fatal("SIGHUP does not reload the configuration")
		}
		syscall.Kill(os.Getpid(), syscall.SIGHUP)
		<-caught
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
