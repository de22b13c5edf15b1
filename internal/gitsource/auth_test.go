package gitsource

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

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
	w.http.Misbehave(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) { // repeats what it was sent
		text := "ERR no such token: " + right + "\n"
		fmt.Fprintf(rw, "001e# service=git-upload-pack\n0000%04x%s", len(text)+4, text)
	})
	wantError(t, silent(s.Poll(t.Context())), "no such token: REDACTED")
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
