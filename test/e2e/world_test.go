package e2e_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

// world is one stack with all that it lives in.
type world struct {
	testing.TB
	stack  string // its name, and its namespace
	dir    string
	google *gcptest.Server
	kube   *kubetest.Proxy // in front of the shared control plane
	git    *gittest.HTTP
	repo   *gittest.Repo
	poll   string // how often Git is asked
	level  string // of the log
	away   bool   // something of the world is away: passes do not succeed
	config string
	daemon *daemon

	prometheus string // where one listens that scrapes the daemon; "": none does
}

// newWorld starts everything but the daemon. Names of stacks are unique within the control plane that the tests share.
func newWorld(t testing.TB, stack string) *world {
	t.Helper()
	w := &world{TB: t, stack: stack, dir: t.TempDir()}
	var err error
	if w.google, err = gcptest.New(gcptest.Options{Project: "acme"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.google.Close() })
	if w.kube, err = kube.Proxy(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.kube.Close)
	w.google.SetClusterEndpoint(w.kube.Endpoint, kube.CA)
	w.google.RequireToken(kube.Token(kubetest.Recsysd))
	w.serveGit()
	w.configure("")
	return w
}

// serveGit makes the stack's repository and serves it over http.
func (w *world) serveGit() {
	w.Helper()
	root := filepath.Join(w.dir, "git")
	var err error
	if w.repo, err = gittest.NewRepo(root, "infra"); err != nil {
		w.Fatal(err)
	}
	if w.git, err = gittest.ServeHTTP(root); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(w.git.Close)
}

// configure writes the daemon's configuration; stackKeys are further lines of the stack's entry.
func (w *world) configure(stackKeys string) {
	w.Helper()
	for _, ordinary := range []string{"stepTimeout: 20s\n", "interval: 2s\n"} {
		if key, _, _ := strings.Cut(ordinary, ":"); !strings.Contains(stackKeys, key+":") {
			stackKeys += ordinary
		}
	}
	token := w.write("token", kube.Token(kubetest.Recsysd))
	var endpoints strings.Builder
	for service, address := range w.google.Endpoints() {
		fmt.Fprintf(&endpoints, "    %s: %q\n", service, address)
	}
	w.config = w.write("config.yaml", fmt.Sprintf(`stacks:
- name: %s
  project: acme
  git: {url: %q, pollInterval: %s}
  minGap: 50ms
%slisten: 127.0.0.1:0
controlSocket: %s
stateDir: %s
log: {level: %s, format: json}
gcp:
  insecure: true
  accessTokenFile: %s
  endpoints:
%s`, w.stack, w.git.Repo("infra"), cmp.Or(w.poll, "200ms"), indent(stackKeys), w.path("control.sock"), w.path("state"), cmp.Or(w.level, "debug"), token, endpoints.String()))
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, content string) string {
	w.Helper()
	path := w.path(name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

// push commits the stack file, and other files given as name, content, name, content, and returns the commit.
func (w *world) push(message, stack string, others ...string) string {
	w.Helper()
	files := map[string]string{"stack.yaml": stack}
	for i := 0; i+1 < len(others); i += 2 {
		files[others[i]] = others[i+1]
	}
	commit, err := w.repo.Commit(message, files)
	if err != nil {
		w.Fatal(err)
	}
	return strings.TrimSpace(commit)
}

// example is examples/stack.yaml under this world's name.
func (w *world) example() string {
	w.Helper()
	b, err := os.ReadFile("../../examples/stack.yaml")
	if err != nil {
		w.Fatal(err)
	}
	return edit(w.TB, string(b), `(?m)^name: recsys$`, "name: "+w.stack)
}

// edit replaces the one match of pattern in text; anything but one match fails the test.
func edit(t testing.TB, text, pattern, with string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	if n := len(re.FindAllString(text, -1)); n != 1 {
		t.Fatalf("%q matches %d times, want once, in:\n%s", pattern, n, text)
	}
	return re.ReplaceAllString(text, with)
}

// eventually waits until check has nothing to say.
func (w *world) eventually(what string, check func() error) {
	w.Helper()
	w.within(60*time.Second, what, check)
}

// balance gives a Service its address, once it is there and asks for one, as the cloud's controller would.
func (w *world) balance(service string) {
	w.Helper()
	w.eventually("Service "+service+" asks for a load balancer", func() error {
		kind, err := kube.Kubectl(w.Context(), kubetest.Admin, "-n", w.stack, "get", "service", service, "-o", "jsonpath={.spec.type}")
		if err != nil {
			return err
		}
		return same(kind, "LoadBalancer")
	})
	w.kubectl("patch", "service", service, "--subresource=status", "--type=merge", "-p", `{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.9"}]}}}`)
}

func (w *world) within(limit time.Duration, what string, check func() error) {
	w.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			w.Fatalf("%s: not within %v: %v\n%s", what, limit, err, w.account())
		case <-tick.C:
		}
	}
}

// account is what a person would look at when a stack does not converge.
func (w *world) account() string {
	if w.daemon == nil {
		return ""
	}
	status, _ := w.recsysd("status")
	return "status:\n" + status + "\nend of the log:\n" + w.daemon.tail()
}

func indent(lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		b.WriteString("  " + line)
	}
	return b.String()
}
