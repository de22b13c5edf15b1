package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/httpd"
	"recsysd.dev/recsysd/internal/view"
)

// fake is a daemon with one stack, recsys, that notes what it was asked.
type fake struct {
	asked []string
	wait  chan struct{} // if set, Sync waits for it
}

func (f *fake) note(format string, args ...any) {
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

func (f *fake) Status(context.Context) (view.Status, error) {
	return view.Status{Stacks: []view.StackStatus{{Name: "recsys", Applied: "c1"}}}, nil
}

func (f *fake) History(_ context.Context, stack string) (view.History, error) {
	if stack != "recsys" {
		return view.History{}, fmt.Errorf("no stack %q: %w", stack, ErrNotFound)
	}
	return view.History{Stack: stack}, nil
}

func (f *fake) Drift(context.Context, string) (view.Drift, error) {
	return view.Drift{}, errors.New("the disk is full")
}

func (f *fake) Sync(ctx context.Context, stack string, o Sync) (view.StackStatus, error) {
	f.note("sync %s %v %d", stack, o.AcceptRewrite, o.MaxDeletes)
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-ctx.Done():
			return view.StackStatus{}, ctx.Err()
		}
	}
	return view.StackStatus{Name: stack, Converged: true}, nil
}

func (f *fake) Suspend(_ context.Context, stack, ref, reason string) error {
	f.note("suspend %s %s %s", stack, ref, reason)
	return nil
}

func (f *fake) Rest(_ context.Context, stack string, o Rest) ([]Rested, error) {
	f.note("rest %s %s %v %s", stack, o.Workload, o.Asleep, o.For)
	return []Rested{{Kind: "Deployment", Name: "recsys/api", Rest: "awake"}}, nil
}

func (f *fake) Resume(_ context.Context, stack, ref string) error {
	f.note("resume %s %s", stack, ref)
	return nil
}

// serve runs the fake behind a socket and returns its client.
func serve(t *testing.T, d Daemon) Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.sock")
	l := listenAt(t, path)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- httpd.Serve(ctx, l, Handler(d), 0) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return Client{Socket: path}
}

func TestQuestionsAndOrdersArrive(t *testing.T) {
	f := &fake{}
	c := serve(t, f)
	ctx := t.Context()
	if s, err := c.Status(ctx); err != nil || len(s.Stacks) != 1 || s.Stacks[0].Applied != "c1" {
		t.Errorf("status: %+v, %v", s, err)
	}
	if s, err := c.Sync(ctx, "recsys", Sync{AcceptRewrite: true, MaxDeletes: 5}); err != nil || !s.Converged {
		t.Errorf("sync returns what its pass came to: %+v, %v", s, err)
	}
	if _, err := c.Sync(ctx, "", Sync{}); err != nil {
		t.Errorf("a plain sync: %v", err)
	}
	if err := c.Suspend(ctx, "recsys", "Deployment/recsys/api", "a & b?"); err != nil {
		t.Error(err)
	}
	if err := c.Resume(ctx, "recsys", ""); err != nil {
		t.Error(err)
	}
	if done, err := c.Rest(ctx, "recsys", Rest{Workload: "api", Asleep: true, For: time.Hour}); err != nil || len(done) != 1 || done[0].Name != "recsys/api" {
		t.Errorf("rest: %+v, %v", done, err)
	}
	want := []string{"sync recsys true 5", "sync  false 0", "suspend recsys Deployment/recsys/api a & b?", "resume recsys ", "rest recsys api true 1h0m0s"}
	if strings.Join(f.asked, "|") != strings.Join(want, "|") {
		t.Errorf("orders must arrive as they were given:\n got %q\nwant %q", f.asked, want)
	}
}

func TestErrorsAreOneLineForPeople(t *testing.T) {
	c := serve(t, &fake{})
	ctx := t.Context()
	for _, e := range []struct {
		reason, want string
		err          error
	}{
		{"an unknown stack", `no stack "x": not found`, second(c.History(ctx, "x"))},
		{"a failure of the daemon's own", "the disk is full", second(c.Drift(ctx, ""))},
		{"suspending without a reason leaves a riddle to the next person", "invalid request: say why (--reason)", c.Suspend(ctx, "recsys", "", "")},
		{"a request that the server does not know", "the daemon answered 404 Not Found", c.Call(ctx, "POST", "/v1/nothing", "", nil, nil)},
		{"a body with an unknown field", `invalid request: json: unknown field "x"`, c.Call(ctx, "POST", "/v1/sync", "", map[string]int{"x": 1}, nil)},
	} {
		if e.err == nil || e.err.Error() != e.want {
			t.Errorf("%s: %v, want %s", e.reason, e.err, e.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	leaveSocket(t, stale)
	for _, path := range []string{filepath.Join(dir, "absent.sock"), stale} {
		_, err := Client{Socket: path}.Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), "no daemon listens at "+path) {
			t.Errorf("%s: the person must learn that nothing is running: %v", path, err)
		}
	}
}

func TestGivingUpOnASync(t *testing.T) {
	f := &fake{wait: make(chan struct{})}
	c := serve(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Sync(ctx, "recsys", Sync{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's patience is the caller's: %v", err)
	}
}

// leaveSocket does what a killed daemon does: the socket's file stays, nobody listens.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

// listenAt holds the lock for as long as the test runs.
func listenAt(t *testing.T, path string) net.Listener {
	t.Helper()
	lock, err := Hold(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Release() })
	l, err := lock.Listen()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "c.sock")
	t.Run("a missing folder is made", func(t *testing.T) {
		l := listenAt(t, path)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("owner and group may speak to the daemon, nobody else: %v, %v", info.Mode(), err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Errorf("closing twice is harmless: %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.sock")); len(left) > 0 {
			t.Errorf("a daemon that stops takes its socket along: %v", left)
		}
	})
	t.Run("what a killed daemon left behind is replaced", func(t *testing.T) {
		leaveSocket(t, path)
		defer listenAt(t, path).Close()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the replaced socket answers: %v", err)
		}
		conn.Close()
	})
}

func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	lock, err := Hold(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(path); !errors.Is(err, ErrHeld) {
		t.Errorf("a second daemon, or an apply beside one, must be refused: %v", err)
	}
	l, err := lock.Listen()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Hold(path); !errors.Is(err, ErrHeld) {
		t.Errorf("a daemon that no longer listens may still have steps in flight: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := Hold(path)
	if err != nil {
		t.Fatalf("after it has gone the next may come: %v", err)
	}
	again.Release()
}

func TestListenRefusesAPathThatNoSocketCanHave(t *testing.T) {
	lock, err := Hold(filepath.Join(t.TempDir(), strings.Repeat("x", 120), "c.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if _, err := lock.Listen(); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("the kernel's own answer is only `invalid argument`: %v", err)
	}
}
