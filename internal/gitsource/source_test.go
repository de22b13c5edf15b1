package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/gitsource/gittest"
	"recsysd.dev/recsysd/internal/reconcile"
)

// world is one repository and all the ways to it.
type world struct {
	root string
	repo *gittest.Repo
	http *gittest.HTTP
	ssh  *gittest.SSH

	oldHTTP *gittest.HTTP // they speak version 0 of the protocol alone
	oldSSH  *gittest.SSH
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{root: t.TempDir()}
	var err error
	if w.repo, err = gittest.NewRepo(w.root, "infra"); err != nil {
		t.Fatal(err)
	}
	for _, server := range []**gittest.HTTP{&w.http, &w.oldHTTP} {
		*server = must(gittest.ServeHTTP(w.root))(t)
		t.Cleanup((*server).Close)
	}
	for _, server := range []**gittest.SSH{&w.ssh, &w.oldSSH} {
		*server = must(gittest.ServeSSH(w.root, t.TempDir()))(t)
		t.Cleanup((*server).Close)
	}
	w.oldHTTP.GrowOld()
	w.oldSSH.GrowOld()
	return w
}

// ways are the configurations that lead to the repository.
func (w *world) ways() map[string]Config {
	return map[string]Config{
		"http":     {URL: w.http.Repo("infra")},
		"old http": {URL: w.oldHTTP.Repo("infra")},
		"ssh":      {URL: w.ssh.Repo("infra"), Auth: Auth{SSHKeyFile: w.ssh.KeyFile, KnownHostsFile: w.ssh.KnownHostsFile}},
		"old ssh":  {URL: w.oldSSH.Repo("infra"), Auth: Auth{SSHKeyFile: w.oldSSH.KeyFile, KnownHostsFile: w.oldSSH.KnownHostsFile}},
		"path":     {URL: w.repo.Dir},
		"file":     {URL: "file://" + w.repo.Dir},
		"worktree": {URL: w.repo.Work},
	}
}

func (w *world) commit(t testing.TB, files map[string]string) string {
	t.Helper()
	return must(w.repo.Commit("a change", files))(t)
}

func open(t testing.TB, cfg Config) *Source {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// must makes a test fatal of a call's error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantRevision polls nothing: it looks at what Fetch knows.
func wantRevision(t testing.TB, s reconcile.Source, commit, content string) {
	t.Helper()
	r, err := s.Fetch(t.Context())
	if err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	wantContent(t, r, commit, content)
}

func wantContent(t testing.TB, r reconcile.Revision, commit, content string) {
	t.Helper()
	if r.Commit != commit {
		t.Fatalf("commit %q, want %q", r.Commit, commit)
	}
	got, err := fs.ReadFile(r.Tree, "stack.yaml")
	if err != nil || string(got) != content {
		t.Fatalf("stack.yaml of %s is %q, %v; want %q", commit, got, err, content)
	}
}

// wantError checks that a text is one line, without what must not be shown, and says what is wrong.
func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
}

func TestFollowsABranch(t *testing.T) {
	w := newWorld(t)
	for name, cfg := range w.ways() {
		t.Run(name, func(t *testing.T) {
			first := w.commit(t, map[string]string{"stack.yaml": "one", "k8s/a.yaml": "a"})
			cfg.Dir = filepath.Join(t.TempDir(), "state")
			s := open(t, cfg)
			wantRevision(t, s, first, "one")
			r := must(s.Fetch(t.Context()))(t)
			ok(t, s.Keep(t.Context(), r))

			second := w.commit(t, map[string]string{"stack.yaml": "two"})
			wantRevision(t, s, first, "one") // no network without a poll
			ok(t, s.Poll(t.Context()))
			wantRevision(t, s, second, "two")
			if got, err := fs.ReadFile(r.Tree, "k8s/a.yaml"); err != nil || string(got) != "a" {
				t.Errorf("an older revision that is still held is no longer readable: %q, %v", got, err)
			}
			kept, found, err := s.Kept(t.Context())
			if err != nil || !found {
				t.Fatalf("Kept: %v, %v", found, err)
			}
			wantContent(t, kept, first, "one")
		})
	}
}

func TestUnchangedPollTransfersNothing(t *testing.T) {
	w := newWorld(t)
	w.commit(t, map[string]string{"stack.yaml": "one"})
	s := open(t, w.ways()["http"])
	ok(t, s.Poll(t.Context()))
	w.http.Reset()
	for range 10 {
		ok(t, s.Poll(t.Context()))
	}
	if c := w.http.Reset(); c.Listings != 10 || c.Packs != 0 || c.Bytes > 10*1024 {
		t.Errorf("ten polls of an unchanged branch cost %+v, want 10 listings of at most 1 KiB and no pack", c)
	}

	s = open(t, w.ways()["ssh"])
	ok(t, s.Poll(t.Context()))
	before := w.ssh.Connections()
	ok(t, s.Poll(t.Context()))
	if n := w.ssh.Connections() - before; n != 1 {
		t.Errorf("a poll of an unchanged branch over ssh made %d connections, want 1", n)
	}
}

func TestNewCommitIsFetchedWithoutHistory(t *testing.T) {
	w := newWorld(t)
	noise := make([]byte, 0, 1<<20)
	for i := range 1 << 16 {
		noise = fmt.Appendf(noise, "%d %x\n", i, i*i*2654435761)
	}
	w.commit(t, map[string]string{"stack.yaml": "one", "old": string(noise)})
	must(w.repo.Git("rm", "-q", "old"))(t)
	w.commit(t, map[string]string{"stack.yaml": "two"})
	s := open(t, w.ways()["http"])
	ok(t, s.Poll(t.Context()))
	if c := w.http.Reset(); c.Bytes > 8<<10 || c.Packs != 1 {
		t.Errorf("the first fetch of a tiny tree behind a large history cost %+v, want one pack of a few hundred bytes", c)
	}
}

func TestRestartWithoutNetwork(t *testing.T) {
	w := newWorld(t)
	for name, cfg := range w.ways() {
		if name == "worktree" {
			continue // the same repository as path, but for its place
		}
		t.Run(name, func(t *testing.T) {
			cfg.Dir = t.TempDir()
			good := w.commit(t, map[string]string{"stack.yaml": "good"})
			s := open(t, cfg)
			ok(t, s.Keep(t.Context(), must(s.Fetch(t.Context()))(t)))
			newest := w.commit(t, map[string]string{"stack.yaml": "invalid"})
			ok(t, s.Poll(t.Context()))

			ok(t, os.Rename(w.repo.Dir, w.repo.Dir+".away"))
			defer os.Rename(w.repo.Dir+".away", w.repo.Dir)
			again := open(t, cfg)
			kept, found, err := again.Kept(t.Context())
			if err != nil || !found {
				t.Fatalf("Kept after a restart: %v, %v", found, err)
			}
			wantContent(t, kept, good, "good")
			r, err := again.Fetch(t.Context())
			wantError(t, err, "git ", "epository")
			wantContent(t, r, newest, "invalid")

			ok(t, os.Rename(w.repo.Dir+".away", w.repo.Dir))
			ok(t, again.Poll(t.Context()))
			wantRevision(t, again, newest, "invalid")
		})
	}
}

func TestDamagedPackIsFetchedAnew(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(t, map[string]string{"stack.yaml": "one"})
	cfg := w.ways()["http"]
	cfg.Dir = t.TempDir()
	s := open(t, cfg)
	ok(t, s.Keep(t.Context(), must(s.Fetch(t.Context()))(t)))
	path := filepath.Join(cfg.Dir, commit+packEnd)
	ok(t, os.Truncate(path, 60))
	ok(t, os.WriteFile(filepath.Join(cfg.Dir, "incoming-left-by-a-crash"), []byte("x"), 0o600))

	again := open(t, cfg)
	if _, _, err := again.Kept(t.Context()); err == nil || !strings.Contains(err.Error(), "pack") {
		t.Errorf("Kept returns %v for half a pack, want an error that says so", err)
	}
	wantRevision(t, again, commit, "one")
	if _, found, err := again.Kept(t.Context()); err != nil || !found {
		t.Errorf("after it was fetched anew Kept still says %v, %v", found, err)
	}
	if left, _ := filepath.Glob(filepath.Join(cfg.Dir, partName)); len(left) > 0 {
		t.Errorf("what a crash left behind is still there: %v", left)
	}
	ok(t, os.WriteFile(filepath.Join(cfg.Dir, stateName), []byte("{"), 0o600))
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), stateName) {
		t.Errorf("a damaged state gives %v, want an error that names the file", err)
	}
}

func TestDiskStaysBounded(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := open(t, Config{URL: w.repo.Dir, Dir: dir})
	var script strings.Builder
	const commits = 100
	for i := range commits {
		content := fmt.Sprintf("stack %d", i)
		fmt.Fprintf(&script, "commit refs/heads/all\nmark :%d\ncommitter T <t@example.com> %d +0000\ndata 1\nx\nM 644 inline stack.yaml\ndata %d\n%s\n", i+1, 1e9+i, len(content), content)
	}
	ok(t, os.WriteFile(filepath.Join(w.root, "script"), []byte(script.String()), 0o600))
	must(w.repo.Git("-c", "alias.import=!git --git-dir="+w.repo.Dir+" fast-import --quiet <"+filepath.Join(w.root, "script"), "import"))(t)
	hashes := strings.Fields(must(w.repo.Git("--git-dir="+w.repo.Dir, "rev-list", "--reverse", "all"))(t))
	if len(hashes) != commits {
		t.Fatalf("%d commits were made, want %d", len(hashes), commits)
	}
	most := 0
	for i, h := range hashes {
		ok(t, os.WriteFile(filepath.Join(w.repo.Dir, "refs", "heads", "main"), []byte(h+"\n"), 0o644))
		ok(t, s.Poll(t.Context()))
		r := must(s.Fetch(t.Context()))(t)
		wantContent(t, r, h, fmt.Sprintf("stack %d", i))
		if i%7 == 0 {
			ok(t, s.Keep(t.Context(), r))
		}
		most = max(most, len(must(os.ReadDir(dir))(t)))
	}
	if most > 15 {
		t.Errorf("over %d commits the directory held up to %d files, want the state, and of three commits a pack with the few that stand on it", commits, most)
	}
}

func TestKeepTakesOnlyWhatWasFetched(t *testing.T) {
	w := newWorld(t)
	first := w.commit(t, map[string]string{"stack.yaml": "one"})
	cfg := w.ways()["http"]
	cfg.Dir = t.TempDir()
	s := open(t, cfg)
	r := must(s.Fetch(t.Context()))(t)
	w.commit(t, map[string]string{"stack.yaml": "two"})
	ok(t, s.Poll(t.Context())) // while a pass works on the first
	w.commit(t, map[string]string{"stack.yaml": "three"})
	ok(t, s.Poll(t.Context()))
	if err := s.Keep(t.Context(), r); err != nil {
		t.Fatalf("a revision that was superseded during the pass cannot be kept: %v", err)
	}
	again := open(t, cfg)
	kept, _, err := again.Kept(t.Context())
	ok(t, err)
	wantContent(t, kept, first, "one")
	if err := s.Keep(t.Context(), reconcile.Revision{Commit: strings.Repeat("1", 40)}); err == nil {
		t.Error("a commit that was never fetched can be kept, and would be missing after a restart")
	}
}

func TestReadOnlyLeavesTheDaemonsDirectoryAlone(t *testing.T) {
	w := newWorld(t)
	accepted := w.commit(t, map[string]string{"stack.yaml": "one"})
	cfg := w.ways()["http"]
	cfg.Dir = t.TempDir()
	daemon := open(t, cfg)
	ok(t, daemon.Keep(t.Context(), must(daemon.Fetch(t.Context()))(t)))
	before := must(os.ReadDir(cfg.Dir))(t)

	looker := cfg
	looker.ReadOnly = true
	rewritten := must(w.repo.Rewrite("other", map[string]string{"stack.yaml": "other"}))(t)
	s := open(t, looker)
	r, err := s.Fetch(t.Context())
	wantError(t, err, accepted, rewritten)
	wantContent(t, r, accepted, "one")
	ok(t, s.AcceptRewrite(t.Context()))
	r = must(s.Fetch(t.Context()))(t)
	wantContent(t, r, rewritten, "other")
	ok(t, s.Keep(t.Context(), r))
	if after := must(os.ReadDir(cfg.Dir))(t); len(after) != len(before) {
		t.Errorf("a look beside the daemon changed its directory from %v to %v", before, after)
	}
	if err := daemon.Poll(t.Context()); !errors.Is(err, ErrRewritten) {
		t.Errorf("after somebody else's look the daemon says %v, want ErrRewritten as before", err)
	}
	if _, err := os.Stat(s.store.dir); err != nil {
		t.Fatal(err)
	}
	ok(t, s.Close())
	if _, err := os.Stat(s.store.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary directory is still there after Close: %v", err)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	w.commit(t, map[string]string{"stack.yaml": "one"})
	w.http.Misbehave(gittest.Hang)
	s := open(t, w.ways()["http"])
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Fetch(ctx); err == nil {
		t.Fatal("Fetch of a server that hangs returned no error")
	}
	if ctx.Err() == nil {
		t.Fatal("Fetch returned before its context ended")
	}
	w.http.Misbehave(nil)
	if _, err := s.Fetch(t.Context()); err != nil {
		t.Errorf("a caller that gave up is remembered as a failure of the repository: %v", err)
	}
}
