package e2e_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

// A guarded world's repository asks for a proof, which turns up in nothing that recsysd prints, serves or writes to its disk.
type guarded struct {
	*world
	values map[string]string // the proof, in each form in which it was ever given
	said   map[string]string
}

// asks keeps what every command that reads Git says.
func (g *guarded) asks(when string) {
	g.Helper()
	for _, args := range [][]string{
		{"sync", g.stack}, {"status"}, {"status", "-o", "json"}, {"plan"}, {"plan", "-o", "json"}, {"history", g.stack, "-o", "json"},
		{"doctor"}, {"doctor", "-o", "json"}, {"bootstrap"}, {"output"}, {"apply", "--once"},
	} {
		out, err := g.recsysd(args...)
		g.said[fmt.Sprintf("%s: %s", when, strings.Join(args, " "))] = fmt.Sprint(out, err)
	}
}

// refused demands that Git is seen to say no, and keeps how that is told.
func (g *guarded) refused(when, says string) {
	g.Helper()
	g.eventually(when, func() error {
		out, err := g.recsysd("sync", g.stack)
		if err == nil {
			return fmt.Errorf("sync is well: %s", out)
		}
		status, err := g.recsysd("status")
		if err != nil || !strings.Contains(status, says) {
			return fmt.Errorf("%v: the status lacks %q: %s", err, says, status)
		}
		return nil
	})
	g.asks(when)
}

// searched ends the daemon with a crash, and looks for the proof everywhere.
func (g *guarded) searched() {
	g.Helper()
	g.daemon.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-g.daemon.done:
	case <-time.After(30 * time.Second):
		g.Fatal("SIGQUIT did not end the daemon")
	}
	read := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		g.said[path] = string(b)
		return err
	}
	for _, root := range []string{g.daemon.log, g.path("state")} {
		if err := filepath.WalkDir(root, read); err != nil {
			g.Fatal(err)
		}
	}
	if !strings.Contains(g.said[g.daemon.log], "goroutine ") {
		g.Error("the log lacks the crash: nothing is proved")
	}
	for where, text := range g.said {
		leaks(g, where, text, g.values)
	}
}

// guard is a world whose daemon reads a repository at url, with further keys of git; the stack is one bucket.
func guard(t *testing.T, stack string, way func(w *world) (url, keys string)) *guarded {
	t.Helper()
	g := &guarded{world: newWorld(t, stack), values: map[string]string{}, said: map[string]string{}}
	commit := g.push("a bucket", fmt.Sprintf("apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: %s\nproject: acme\nregion: us-central1\nbuckets: {data: {}}\n", stack))
	url, keys := way(g.world)
	b, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	g.write("config.yaml", edit(t, string(b), `git: \{url: "[^"]*", pollInterval: 200ms`, fmt.Sprintf("git: {url: %q, pollInterval: 200ms%s", url, keys)))
	g.start()
	g.eventually("the proof is taken", g.converged(commit))
	g.asks("converged")
	return g
}

func TestNoDeployKeyLeaks(t *testing.T) {
	var server *gittest.SSH
	g := guard(t, "e2e-leak-ssh", func(w *world) (string, string) {
		var err error
		if server, err = gittest.ServeSSH(w.path("git"), w.dir); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		return server.Repo("infra"), fmt.Sprintf(", auth: {sshKeyFile: %q, knownHostsFile: %q}", server.KeyFile, server.KnownHostsFile)
	})
	key, err := os.ReadFile(server.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	note := func(key []byte) {
		for i, line := range strings.Split(string(key), "\n") {
			if len(line) > 20 && !strings.HasPrefix(line, "-----") {
				g.values[fmt.Sprintf("line %d of a key, of which there are %d", i, len(g.values))] = line
			}
		}
	}
	note(key)
	g.write(filepath.Base(server.KeyFile), strings.Replace(string(key), "OPENSSH PRIVATE", "OPENSSH PIRATE", 1))
	g.refused("a damaged key", "holds no private key")
	if err := gittest.NewKeyFile(server.KeyFile); err != nil {
		t.Fatal(err)
	}
	if key, err = os.ReadFile(server.KeyFile); err != nil {
		t.Fatal(err)
	}
	note(key)
	g.refused("a key that nobody knows", "git ssh://")
	if len(g.values) < 6 {
		t.Fatalf("only %d lines are looked for", len(g.values))
	}
	g.searched()
}

func TestNoPasswordForGitLeaks(t *testing.T) {
	const password = `mk-git "<&>+/é 7f3a`
	g := guard(t, "e2e-leak-http", func(w *world) (string, string) {
		w.git.Require(password)
		return w.git.Repo("infra"), fmt.Sprintf(", auth: {username: robot, tokenFile: %q}", w.write("password", password+"\n"))
	})
	g.values["password"] = password
	g.git.Require("another") // its answer repeats the one that it was given
	g.refused("Git turns the password down", "git http://")
	g.git.Close()
	g.refused("Git is away", "git http://")

	// A password that stands in the URL is refused, as are other mistakes there; none repeats it.
	b, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(b), "http://", "http://"+url.UserPassword("robot", password).String()+"@", 1)
	for name, bad := range map[string]string{
		"a password in the URL": with, "a scheme that is none": strings.Replace(with, "http://", "htp://", 1),
		"a port that is none": strings.Replace(with, "@127.0.0.1:", "@127.0.0.1:x", 1),
		"a list":              edit(t, with, `git: \{url: ("[^"]*")`, "git: {url: [$1]"), "an unknown key": edit(t, with, `git: \{url: `, "git: {ulr: "),
	} {
		g.write("config.yaml", bad)
		out, err := g.recsysd("plan")
		if err == nil {
			t.Errorf("%s is taken", name)
		}
		g.said[name] = fmt.Sprint(out, err)
	}
	g.searched()
}
