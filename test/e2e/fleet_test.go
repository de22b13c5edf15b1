package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

// fleet is many stacks of a few objects each in one daemon, each with a repository of its own on this machine, all in one cluster.
type fleet struct {
	*world
	members []*member
}

// member is one stack.
type member struct {
	name       string
	url        string // of its repository
	kubeconfig string
	poll       string
	repo       *gittest.Repo
	head       string          // its newest commit
	served     bool            // from the bare repository; else the daemon reads where commits are made
	proxy      *kubetest.Proxy // in front of the cluster, for it alone; nil: it is spoken to directly
	git        *gittest.HTTP   // nil: the repository is a path
}

// newFleet makes n members with a first commit each. The configuration is not written yet.
func newFleet(t testing.TB, name string, n int) *fleet {
	t.Helper()
	f := &fleet{world: newWorld(t, name)}
	config, err := kube.Kubeconfig(kubetest.Recsysd)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m := f.join(fmt.Sprintf("%s-%02d", name, i), false)
		m.url, m.kubeconfig, m.poll = m.repo.Work, config, "1h"
		f.members = append(f.members, m)
	}
	return f
}

func (f *fleet) join(name string, served bool) *member {
	f.Helper()
	repo, err := gittest.NewRepo(filepath.Join(f.dir, "fleet"), name)
	if err != nil {
		f.Fatal(err)
	}
	m := &member{name: name, repo: repo, served: served}
	f.pushTo(m, "first")
	return m
}

// stray makes a member whose ways to Git and to the cluster can be cut.
func (f *fleet) stray(name string) *member {
	f.Helper()
	m := f.join(name, true)
	var err error
	if m.proxy, err = kube.Proxy(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(m.proxy.Close)
	if m.git, err = gittest.ServeHTTP(filepath.Join(f.dir, "fleet")); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(m.git.Close)
	m.url, m.poll = m.git.Repo(name), "200ms"
	m.kubeconfig = f.write(name+".kubeconfig", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "https://%s", certificate-authority-data: %s}}], users: [{name: u, user: {token: %s}}]}`,
		m.proxy.Endpoint, base64.StdEncoding.EncodeToString(kube.CA), kube.Token(kubetest.Recsysd)))
	return m
}

// hang lets a stray have work, and no answer to any call any more.
func (f *fleet) hang(m *member) {
	m.proxy.Refuse(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	f.begin(m)
	m.git.Misbehave(gittest.Hang)
}

// caught is closed by the next call of a stray that hangs.
func (m *member) caught() <-chan struct{} {
	caught := make(chan struct{})
	catch := sync.OnceFunc(func() { close(caught) })
	m.proxy.Refuse(func(_ http.ResponseWriter, r *http.Request) { catch(); <-r.Context().Done() })
	m.git.Misbehave(func(w http.ResponseWriter, r *http.Request, git http.Handler) { catch(); gittest.Hang(w, r, git) })
	return caught
}

// fail lets a stray have work, and every call fail.
func (f *fleet) fail(m *member) {
	m.proxy.Refuse(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusInternalServerError) })
	f.begin(m)
	m.git.Misbehave(gittest.Down(http.StatusServiceUnavailable))
}

// begin pushes a commit and waits until the daemon goes by it.
func (f *fleet) begin(m *member) {
	f.Helper()
	f.pushTo(m, "in trouble")
	f.eventually(m.name+" has begun with it", f.goesBy("attempted", m))
}

// goesBy says what is missing until the newest commits are what is attempted, or applied.
func (f *fleet) goesBy(how string, members ...*member) func() error {
	return func() error {
		for _, m := range members {
			n, err := f.metric("recsysd_revision_info", fmt.Sprintf("stack=%q", m.name), fmt.Sprintf("%s=%q", how, m.head))
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("%s of %s is not %s", m.head, m.name, how)
			}
		}
		return nil
	}
}

// configureFleet writes a configuration with these members.
func (f *fleet) configureFleet(members ...*member) {
	f.Helper()
	f.configure("")
	config, err := os.ReadFile(f.config)
	if err != nil {
		f.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(config), "listen: ")
	var b strings.Builder
	b.WriteString("stacks:\n")
	for _, m := range members {
		fmt.Fprintf(&b, "- {name: %s, project: acme, git: {url: %q, pollInterval: %s}, kubernetes: {kubeconfig: %q}, minGap: 50ms, interval: 60s, stepTimeout: %s}\n",
			m.name, m.url, m.poll, m.kubeconfig, fleetTimeout)
	}
	// As an editor does it, at once.
	if err := os.Rename(f.write("config.next", b.String()+"listen: "+rest), f.config); err != nil {
		f.Fatal(err)
	}
}

const fleetTimeout = 5 * time.Second

// pushTo commits what changes one object of three, and returns when the repository had it.
func (f *fleet) pushTo(m *member, value string) time.Time {
	f.Helper()
	var objects strings.Builder
	for i := range 3 {
		fmt.Fprintf(&objects, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-%d}\ndata: {n: \"%s\", filler: %s}\n", i, map[bool]string{true: value, false: "0"}[i == 0], strings.Repeat("x", 500))
	}
	stack := fmt.Sprintf("apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: %s\nproject: acme\nregion: us-central1\nmanifests: [k8s/*.yaml]\n", m.name)
	files := map[string]string{"stack.yaml": stack, "k8s/all.yaml": objects.String()}
	ref := filepath.Join(m.repo.Work, ".git", "refs", "heads", "main")
	var err error
	if m.served {
		_, err = m.repo.Commit(value, files)
	} else if err = m.repo.Write(files); err == nil {
		if m.head == "" {
			_, err = m.repo.Git("add", "--all")
		}
		if err == nil {
			_, err = m.repo.Git("commit", "--quiet", "--all", "--message", value) // nothing more: 48 of these are one round
		}
	}
	if err != nil {
		f.Fatal(err)
	}
	head, err := os.ReadFile(ref)
	if err != nil {
		f.Fatal(err)
	}
	m.head = strings.TrimSpace(string(head))
	info, err := os.Stat(ref)
	if err != nil {
		f.Fatal(err)
	}
	return info.ModTime()
}

// settle waits until the members' newest commits are applied.
func (f *fleet) settle(members ...*member) {
	f.Helper()
	f.within(5*time.Minute, "the fleet converges", f.goesBy("applied", members...))
}

// pushes commits to each of the members in turn, so many rounds, and returns from the audit log how long each commit took to its write.
func (f *fleet) pushes(what string, rounds int, members ...*member) []time.Duration {
	f.Helper()
	mark := kube.Mark()
	pushed := map[string][]time.Time{}
	for round := range rounds {
		for _, m := range members {
			pushed[m.name] = append(pushed[m.name], f.pushTo(m, fmt.Sprint(what, " ", round)))
		}
	}
	var took []time.Duration
	f.within(time.Minute, "every commit is written", func() error {
		writes, err := kube.Writes(kubetest.Recsysd, mark)
		if err != nil {
			return err
		}
		took = took[:0]
		written := map[string]int{}
		for _, r := range writes {
			n := written[r.Namespace]
			if r.Resource != "configmaps" || r.Name != "c-0" || n >= len(pushed[r.Namespace]) {
				continue
			}
			written[r.Namespace]++
			took = append(took, r.Answered.Sub(pushed[r.Namespace][n]))
		}
		return same(len(took), rounds*len(members))
	})
	slices.Sort(took)
	return took
}
