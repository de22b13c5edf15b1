package gitsource

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
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

func TestAuthentication(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(t, map[string]string{"stack.yaml": "one"})
	const right, wrong = "glpat-right-secret", "glpat-wrong-secret"
	w.http.Require(right)
	token := filepath.Join(t.TempDir(), "token")
	write := func(content string) { ok(t, os.WriteFile(token, []byte(content), 0o600)) }
	silent := func(err error) error {
		if err != nil && (strings.Contains(err.Error(), right) || strings.Contains(err.Error(), wrong)) {
			t.Errorf("a secret is in %q", err)
		}
		return err
	}
	cfg := Config{URL: w.http.Repo("infra")}
	wantError(t, open(t, cfg).Poll(t.Context()), "authentication failed", "tokenFile")

	cfg.Auth.TokenFile = token
	s := open(t, cfg)
	wantError(t, s.Poll(t.Context()), token, "no such file")
	write("\n")
	wantError(t, s.Poll(t.Context()), token, "empty")
	write(wrong)
	wantError(t, silent(s.Poll(t.Context())), "authentication failed", token)
	write(right + "\n")
	if err := silent(s.Poll(t.Context())); err != nil {
		t.Fatalf("a renewed token does not count: %v", err)
	}
	wantRevision(t, s, commit, "one")

	for _, url := range []string{"http://bot:" + wrong + "@", "http://" + wrong + "@"} {
		s := open(t, Config{URL: strings.Replace(w.http.Repo("infra"), "http://", url, 1)})
		wantError(t, silent(s.Poll(t.Context())), "authentication failed", w.http.Repo("infra"))
		if s.String() != w.http.Repo("infra") {
			t.Errorf("String is %q", s)
		}
	}
	s = open(t, Config{URL: strings.Replace(w.http.Repo("infra"), "http://", "http://bot:"+right+"@", 1)})
	ok(t, s.Poll(t.Context()))
	w.http.Close()
	wantError(t, silent(s.Poll(t.Context())), "connection refused")
}

func TestSSHIdentity(t *testing.T) {
	w := newWorld(t)
	w.commit(t, map[string]string{"stack.yaml": "one"})
	dir := t.TempDir()
	stranger := filepath.Join(dir, "stranger")
	ok(t, gittest.NewKeyFile(stranger))
	other := must(gittest.ServeSSH(w.root, t.TempDir()))(t)
	defer other.Close()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		ok(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	// The host's name with another host's key.
	wrongKey := write("wrong", strings.Replace(string(must(os.ReadFile(other.KnownHostsFile))(t)), port(other.Addr), port(w.ssh.Addr), 1))
	for _, c := range []struct {
		reason string
		auth   Auth
		says   []string
	}{
		{"the key of the host is another", Auth{SSHKeyFile: w.ssh.KeyFile, KnownHostsFile: wrongKey}, []string{"host key", wrongKey, "in between"}},
		{"the host is not known", Auth{SSHKeyFile: w.ssh.KeyFile, KnownHostsFile: write("none", "")}, []string{"none has no key for " + w.ssh.Addr, "ssh-keyscan"}},
		{"the file of known hosts is missing", Auth{SSHKeyFile: w.ssh.KeyFile, KnownHostsFile: filepath.Join(dir, "absent")}, []string{"knownHostsFile", "absent", "no such file"}},
		{"the server does not know our key", Auth{SSHKeyFile: stranger, KnownHostsFile: w.ssh.KnownHostsFile}, []string{"authentication failed", stranger}},
		{"our key is missing", Auth{SSHKeyFile: filepath.Join(dir, "nokey"), KnownHostsFile: w.ssh.KnownHostsFile}, []string{"sshKeyFile", "nokey", "no such file"}},
		{"our key is no key", Auth{SSHKeyFile: write("text", "hello"), KnownHostsFile: w.ssh.KnownHostsFile}, []string{"text holds no private key"}},
	} {
		s := open(t, Config{URL: w.ssh.Repo("infra"), Auth: c.auth})
		t.Log(c.reason)
		wantError(t, s.Poll(t.Context()), c.says...)
	}
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

func TestConfigurationMistakes(t *testing.T) {
	for _, c := range []struct {
		reason string
		cfg    Config
		says   string
	}{
		{"no URL", Config{}, "no git url"},
		{"a scheme that is not Git's", Config{URL: "ftp://x/y"}, "ftp"},
		{"the unprotected protocol", Config{URL: "git://example.com/x"}, "use https or ssh"},
		{"a URL that does not parse keeps its password to itself", Config{URL: "https://bot:s3cret@exa mple.com:x/y"}, "not valid"},
		{"a password over plain http", Config{URL: "http://bot:s3cret@example.com/x"}, "plain text"},
		{"a token over plain http", Config{URL: "http://example.com/x", Auth: Auth{TokenFile: "s3cret"}}, "plain text"},
		{"ssh without a key", Config{URL: "git@example.com:x.git", Auth: Auth{KnownHostsFile: "x"}}, "sshKeyFile"},
		{"ssh without known hosts", Config{URL: "git@example.com:x.git", Auth: Auth{SSHKeyFile: "x"}}, "knownHostsFile"},
		{"a branch that cannot be", Config{URL: "https://example.com/x", Branch: "a..b"}, "not a valid name"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			_, err := New(c.cfg)
			wantError(t, err, c.says)
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the secret is in %q", err)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	for raw, want := range map[string]string{
		"https://bot:s3cret@example.com/x.git": "https://example.com/x.git",
		"https://s3cret@example.com/x.git":     "https://example.com/x.git",
		"https://example.com/x?token=s3cret":   "https://example.com/x",
		"git@example.com:team/x.git":           "ssh://example.com/team/x.git",
		"ssh://bot:s3cret@example.com:2222/x":  "ssh://example.com:2222/x",
		"/srv/git/x":                           "/srv/git/x",
		"file:///srv/git/x":                    "/srv/git/x",
		"git://bot:s3cret@example.com/x":       "git://example.com/x",
		"https://bot:s3cret@exa mple.com:x/y":  "(a git url that is not valid)",
	} {
		if got := Redact(raw); got != want {
			t.Errorf("Redact(%q) = %q, want %q", raw, got, want)
		}
	}
}

// TestUsersConfigurationPlaysNoPart: a ~/.gitconfig that redirects every URL, and one that is broken.
func TestUsersConfigurationPlaysNoPart(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(t, map[string]string{"stack.yaml": "one"})
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("GIT_DIR", "/nonexistent")
	t.Setenv("SSH_AUTH_SOCK", "/nonexistent")
	for _, content := range []string{"[url \"http://127.0.0.1:1/\"]\n\tinsteadOf = http://\n\tinsteadOf = /\n", "[broken"} {
		ok(t, os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(content), 0o600))
		for _, cfg := range w.ways() {
			wantRevision(t, open(t, cfg), commit, "one")
		}
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
