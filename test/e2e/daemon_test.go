package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemon is a running recsysd.
type daemon struct {
	cmd  *exec.Cmd
	log  string // path
	done chan struct{}
}

// start runs the daemon until the test ends or stops it.
func (w *world) start() {
	w.Helper()
	path := w.path("daemon.log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.Fatal(err)
	}
	defer log.Close()
	d := &daemon{cmd: exec.Command(binary, "run", "--config", w.config), log: path, done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		w.Fatal(err)
	}
	go func() { d.cmd.Wait(); close(d.done) }()
	w.daemon = d
	w.Cleanup(d.kill)
}

// kill ends it as kill -9 does, and waits until it is gone.
func (d *daemon) kill() {
	d.cmd.Process.Kill()
	<-d.done
}

func (d *daemon) gone() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// stop asks it to end, and reports how it ended.
func (w *world) stop() error {
	w.daemon.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-w.daemon.done:
	case <-time.After(30 * time.Second):
		w.daemon.kill()
		return errors.New("did not stop within 30 s")
	}
	if code := w.daemon.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("exit status %d", code)
	}
	return nil
}

func (d *daemon) tail() string {
	b, _ := os.ReadFile(d.log)
	return string(b[max(0, len(b)-4000):])
}

// recsysd runs the command line against this world's configuration and returns what it prints; a status other than 0 is an
// *exec.ExitError with what it complained.
func (w *world) recsysd(args ...string) (string, error) {
	return w.command(append(args, "--config", w.config)...)
}

// command is the same without the configuration.
func (w *world) command(args ...string) (string, error) {
	cmd := exec.Command(binary, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("recsysd %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return out.String(), nil
}

// exitStatus is what recsysd's error says of its end; 0 for none.
func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// The JSON contracts, as a program would read them.
type (
	change struct {
		Field, Want, Have, Manager string
		At                         time.Time
	}

	statusView struct {
		Stacks []struct {
			Name, Attempted, Applied, Error string
			Converged                       bool
			Outputs                         map[string]string
			Resources                       []struct {
				Kind, Name, State, Held, Detail string
				Usable                          bool
				Drift                           int
				Repaired                        *struct {
					At, Since time.Time
					Drift     []change
				}
			}
		}
	}

	historyView struct {
		Passes []struct {
			End                                time.Time
			Attempted, Applied, Outcome, Error string
			Steps                              []struct {
				Kind, Name, Verb, Outcome, Why, Done string
				Drift                                []change
				Since                                time.Time
				USDPerMonth                          *float64
			}
		}
	}

	planView struct {
		Steps []struct {
			Kind, Name, Verb, Why string
			Drift                 []change
		}
		Summary map[string]int
	}
)

// ask runs a command with -o json and reads its answer.
func ask[V any](w *world, args ...string) (V, error) {
	var v V
	out, err := w.recsysd(append(args, "-o", "json")...)
	if out != "" {
		if bad := json.Unmarshal([]byte(out), &v); bad != nil {
			return v, errors.Join(err, fmt.Errorf("%w in %s", bad, out))
		}
	}
	return v, err
}

// converged says what is missing until commit is applied.
func (w *world) converged(commit string) func() error {
	return func() error {
		v, err := ask[statusView](w, "status")
		if err != nil {
			return err
		}
		if len(v.Stacks) != 1 {
			return fmt.Errorf("%d stacks", len(v.Stacks))
		}
		if s := v.Stacks[0]; !s.Converged || s.Applied != commit {
			return fmt.Errorf("converged %v, applied %q, want %q; error %q", s.Converged, s.Applied, commit, s.Error)
		}
		return nil
	}
}

var sample = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? (\S+)$`)

// metric is the sum of the samples of name that carry all of labels (each like kind="bucket").
func (w *world) metric(name string, labels ...string) (float64, error) {
	resp, err := http.Get("http://" + w.address() + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(string(b)) {
		m := sample.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || m[1] != name {
			continue
		}
		carries := true
		for _, l := range labels {
			carries = carries && strings.Contains(m[2], l)
		}
		if carries {
			v, err := strconv.ParseFloat(m[3], 64)
			if err != nil {
				return 0, err
			}
			sum += v
		}
	}
	return sum, nil
}

var listening = regexp.MustCompile(`"listen":"(127\.0\.0\.1:\d+)"`)

// address is where the daemon serves its metrics, as its log says.
func (w *world) address() string {
	b, _ := os.ReadFile(w.daemon.log)
	all := listening.FindAllSubmatch(b, -1)
	if len(all) == 0 {
		return "127.0.0.1:1"
	}
	return string(all[len(all)-1][1])
}
