package gitsource

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

// TestGitAway: each fault gives one clear line, the last commit stays, and the next good poll goes on.
func TestGitAway(t *testing.T) {
	w := newWorld(t)
	first := w.commit(t, map[string]string{"stack.yaml": "one"})
	s := open(t, w.ways()["http"])
	wantRevision(t, s, first, "one")
	patience := s.cfg.Timeout
	liar := func(old, new string) gittest.Fault {
		return func(rw http.ResponseWriter, r *http.Request, git http.Handler) {
			rec := httptest.NewRecorder()
			git.ServeHTTP(rec, r)
			for k, v := range rec.Header() {
				rw.Header()[k] = v
			}
			rw.Write([]byte(strings.ReplaceAll(rec.Body.String(), old, new)))
		}
	}
	second := w.commit(t, map[string]string{"stack.yaml": "two"})
	for _, c := range []struct {
		reason string
		fault  gittest.Fault
		says   string
	}{
		{"a server that is down says so with its status", gittest.Down(503), "503 Service Unavailable"},
		{"a token without permission", gittest.Down(403), "access denied"},
		{"a repository that is gone", gittest.Down(404), "repository not found"},
		{"a server that hangs is given up", gittest.Hang, "no answer for 300ms"},
		{"a pack that is cut", gittest.HalfPack(150), "in the middle"},
		{"a server that is no Git server", func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) {
			rw.Write([]byte("<html>\n<body>Welcome</body></html>"))
		}, "http"},
		{"a reference to a commit that does not exist", liar(second, strings.Repeat("12", 20)), "not our ref"},
		{"a listing without the branch", liar("refs/heads/main", "refs/heads/mine"), "branch main does not exist; there are: mine"},
		{"a listing without end", func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) {
			line := "fff0" + strings.Repeat("1", 40) + " refs/heads/" + strings.Repeat("a", 65520-4-40-12-1) + "\n"
			rw.Write([]byte("001e# service=git-upload-pack\n0000" + "0046" + strings.Repeat("1", 40) + " refs/heads/aaaaa\x00shallow\n"))
			for range 1024 {
				if _, err := rw.Write([]byte(line)); err != nil {
					return
				}
			}
		}, "too long"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w.http.Misbehave(c.fault)
			defer w.http.Misbehave(nil)
			if s.cfg.Timeout = patience; strings.HasPrefix(c.says, "no answer") {
				s.cfg.Timeout = 300 * time.Millisecond
			}
			err := s.Poll(t.Context())
			wantError(t, err, "git "+w.http.Repo("infra")+": ", c.says)
			r, err := s.Fetch(t.Context())
			if err == nil {
				t.Error("Fetch does not tell of it")
			}
			wantContent(t, r, first, "one")
			left := must(filepath.Glob(filepath.Join(s.store.dir, partName)))(t)
			if len(left) > 0 {
				t.Errorf("half a file was left behind: %v", left)
			}
		})
	}
	s.cfg.Timeout = patience
	ok(t, s.Poll(t.Context()))
	wantRevision(t, s, second, "two")
	w.http.Close()
	wantError(t, s.Poll(t.Context()), "connection refused")
}

func TestDrippingServerIsGivenUpInTheEnd(t *testing.T) {
	w := newWorld(t)
	w.commit(t, map[string]string{"stack.yaml": "one"})
	w.http.Misbehave(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for _, err := rw.Write([]byte("001e# service=git-upload-pack\n0000")); err == nil; _, err = rw.Write([]byte("0")) {
			http.NewResponseController(rw).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	})
	cfg := w.ways()["http"]
	cfg.Timeout = 50 * time.Millisecond
	if err := open(t, cfg).Poll(t.Context()); err == nil {
		t.Error("a server that drips bytes without end gave no error")
	}
}

func TestHungSSH(t *testing.T) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer listener.Close() // it accepts in the kernel, and never speaks
	w := newWorld(t)
	s := open(t, Config{
		URL: "ssh://git@" + listener.Addr().String() + "/x.git", Timeout: 100 * time.Millisecond,
		Auth: Auth{SSHKeyFile: w.ssh.KeyFile, KnownHostsFile: w.ssh.KnownHostsFile},
	})
	wantError(t, s.Poll(t.Context()), "no answer for 100ms")
}

func TestPackLargerThanAllowed(t *testing.T) {
	w := newWorld(t)
	for _, name := range remotes {
		t.Run(name, func(t *testing.T) {
			first := w.commit(t, map[string]string{"stack.yaml": "one", "data": ""})
			cfg := w.ways()[name]
			cfg.MaxBytes = 64 << 10
			s := open(t, cfg)
			wantRevision(t, s, first, "one")
			noise := make([]byte, 256<<10)
			for i, x := 0, uint32(1); i < len(noise); i++ {
				x = x*1664525 + 1013904223
				noise[i] = byte(x >> 24)
			}
			w.commit(t, map[string]string{"data": string(noise)})
			wantError(t, s.Poll(t.Context()), "64KiB", "git.maxBytes")
			r, _ := s.Fetch(t.Context())
			wantContent(t, r, first, "one")
			w.http.Reset()
			wantError(t, s.Poll(t.Context()), "git.maxBytes")
			if c := w.http.Reset(); c.Packs != 0 {
				t.Errorf("the pack that is too large is asked for at every poll: %+v", c)
			}
			next := w.commit(t, map[string]string{"stack.yaml": "two", "data": ""})
			ok(t, s.AcceptRewrite(t.Context())) // the history between is too large to prove it
			wantRevision(t, s, next, "two")
		})
	}
}

func TestEmptyRepositoryAndMissingBranch(t *testing.T) {
	w := newWorld(t)
	for name, cfg := range w.ways() {
		if name != "worktree" {
			wantError(t, open(t, cfg).Poll(t.Context()), "empty")
		}
	}
	w.commit(t, map[string]string{"stack.yaml": "one"})
	for _, cfg := range w.ways() {
		cfg.Branch = "prod"
		wantError(t, open(t, cfg).Poll(t.Context()), "branch prod does not exist; there are: main")
	}
	for _, cfg := range w.ways() {
		cfg.URL = strings.Replace(strings.TrimSuffix(cfg.URL, ".git"), "/infra", "/gone", 1) + ".git"
		wantError(t, open(t, cfg).Poll(t.Context()), "epository", "gone.git")
	}
}

func TestRedirectedRepository(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(t, map[string]string{"stack.yaml": "one"})
	moved := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, w.http.URL+strings.Replace(r.URL.String(), "/old", "/infra", 1), http.StatusMovedPermanently)
	}))
	defer moved.Close()
	s := open(t, Config{URL: moved.URL + "/old.git"})
	wantRevision(t, s, commit, "one")
	next := w.commit(t, map[string]string{"stack.yaml": "two"})
	ok(t, s.Poll(t.Context()))
	wantRevision(t, s, next, "two")
}

func TestUnsupportedObjectFormat(t *testing.T) {
	w := newWorld(t)
	bare, work := filepath.Join(w.root, "new.git"), filepath.Join(w.root, "new")
	must(w.repo.Git("init", "-q", "--bare", "--object-format=sha256", bare))(t)
	must(w.repo.Git("init", "-q", "--object-format=sha256", work))(t)
	must(w.repo.Git("-C", work, "commit", "-q", "--allow-empty", "-m", "x"))(t)
	must(w.repo.Git("-C", work, "push", "-q", bare, "HEAD:main"))(t)
	for name, url := range map[string]string{"http": w.http.Repo("new"), "path": filepath.Join(w.root, "new.git")} {
		err := open(t, Config{URL: url}).Poll(t.Context())
		wantError(t, err, "SHA-256")
		t.Log(name, err)
	}
}
