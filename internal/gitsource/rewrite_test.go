package gitsource

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// remotes are the ways that differ in how descent is proven.
var remotes = []string{"http", "ssh", "path"}

func TestRewrittenBranchIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, name := range remotes {
		t.Run(name, func(t *testing.T) {
			cfg := w.ways()[name]
			cfg.Dir = filepath.Join(t.TempDir(), "state")
			w.commit(t, map[string]string{"stack.yaml": "base"})
			accepted := w.commit(t, map[string]string{"stack.yaml": "one"})
			s := open(t, cfg)
			wantRevision(t, s, accepted, "one")

			rewritten := must(w.repo.Rewrite("rewritten", map[string]string{"stack.yaml": "other"}))(t)
			for range 2 {
				err := s.Poll(t.Context())
				wantError(t, err, "rewritten", accepted, rewritten, "accept-rewrite", "allowRewrite")
				if !errors.Is(err, ErrRewritten) {
					t.Errorf("%v is not ErrRewritten", err)
				}
			}
			w.http.Reset()
			if err := s.Poll(t.Context()); err == nil || w.http.Reset().Packs > 0 {
				t.Error("a commit that is refused is asked for again at every poll")
			}
			r, err := s.Fetch(t.Context())
			if err == nil {
				t.Error("Fetch does not say that the branch was rewritten")
			}
			wantContent(t, r, accepted, "one")

			again := open(t, cfg)
			if r, err = again.Fetch(t.Context()); !errors.Is(err, ErrRewritten) {
				t.Errorf("after a restart the rewritten branch gives %v, want ErrRewritten", err)
			}
			wantContent(t, r, accepted, "one")
			on := w.commit(t, map[string]string{"stack.yaml": "other, and on"})
			if err := again.Poll(t.Context()); !errors.Is(err, ErrRewritten) {
				t.Errorf("a commit on top of the rewritten one gives %v, want ErrRewritten", err)
			}
			ok(t, again.AcceptRewrite(t.Context()))
			wantRevision(t, again, on, "other, and on")
			must(w.repo.Rewrite("once more", map[string]string{"stack.yaml": "third"}))(t)
			if err := again.Poll(t.Context()); !errors.Is(err, ErrRewritten) {
				t.Errorf("a second rewrite after one was accepted once gives %v, want ErrRewritten", err)
			}
			cfg.AllowRewrite = true
			if err := open(t, cfg).Poll(t.Context()); err != nil {
				t.Errorf("with AllowRewrite: %v", err)
			}
			cfg.AllowRewrite, cfg.Dir = false, filepath.Join(t.TempDir(), "fresh")
			if err := open(t, cfg).Poll(t.Context()); err != nil {
				t.Errorf("a fresh directory does not accept what it sees: %v", err)
			}
		})
	}
}

func TestBranchMovedBackIsRefusedUntilItIsRestored(t *testing.T) {
	w := newWorld(t)
	for _, name := range remotes {
		t.Run(name, func(t *testing.T) {
			w.commit(t, map[string]string{"stack.yaml": "one"})
			second := w.commit(t, map[string]string{"stack.yaml": "two"})
			s := open(t, w.ways()[name])
			wantRevision(t, s, second, "two")
			must(w.repo.Git("push", "-q", "-f", "origin", "HEAD~1:main"))(t)
			wantError(t, s.Poll(t.Context()), "does not descend from", second)
			must(w.repo.Git("push", "-q", "-f", "origin", "HEAD:main"))(t)
			if err := s.Poll(t.Context()); err != nil {
				t.Errorf("the branch is back where it was, and still: %v", err)
			}
			wantRevision(t, s, second, "two")
		})
	}
}

// TestDescent accepts what descends, however far and by whatever way, and shows that nothing of it is trust in the server.
func TestDescent(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ way, filter string }{{"http", "false"}, {"http", "true"}, {"ssh", "false"}, {"path", "false"}} {
		t.Run(c.way+" filter "+c.filter, func(t *testing.T) {
			must(w.repo.Git("--git-dir="+w.repo.Dir, "config", "uploadpack.allowFilter", c.filter))(t)
			w.commit(t, map[string]string{"stack.yaml": "start"})
			s := open(t, w.ways()[c.way])
			ok(t, s.Poll(t.Context()))

			var last string
			for i := range 17 { // deeper than the first two looks
				must(w.repo.Git("commit", "-q", "--allow-empty", "-m", fmt.Sprint(i)))(t)
			}
			last = w.commit(t, map[string]string{"stack.yaml": "far"})
			if err := s.Poll(t.Context()); err != nil {
				t.Fatalf("18 commits at once are taken for a rewrite: %v", err)
			}
			wantRevision(t, s, last, "far")

			must(w.repo.Git("checkout", "-q", "-b", "side", "HEAD~3"))(t)
			must(w.repo.Git("commit", "-q", "--allow-empty", "-m", "side"))(t)
			must(w.repo.Git("merge", "-q", "--no-edit", "main"))(t)
			must(w.repo.Git("checkout", "-q", "main"))(t)
			must(w.repo.Git("reset", "-q", "--hard", "side"))(t)
			must(w.repo.Git("branch", "-q", "-D", "side"))(t)
			merged := w.commit(t, map[string]string{"stack.yaml": "merged"})
			if err := s.Poll(t.Context()); err != nil {
				t.Fatalf("a merge with the accepted commit as its second parent is taken for a rewrite: %v", err)
			}
			wantRevision(t, s, merged, "merged")

			must(w.repo.Git("checkout", "-q", "--orphan", "new"))(t)
			must(w.repo.Git("commit", "-q", "-m", "unrelated"))(t)
			must(w.repo.Git("branch", "-q", "-M", "main"))(t)
			must(w.repo.Git("push", "-q", "-f", "origin", "main"))(t)
			must(w.repo.Git("--git-dir="+w.repo.Dir, "-c", "gc.pruneExpire=now", "gc", "-q"))(t)
			wantError(t, s.Poll(t.Context()), "does not descend from", merged)
		})
	}
}

func TestProofOfDescentIsSmall(t *testing.T) {
	w := newWorld(t)
	big := strings.Repeat("0123456789abcdef", 1<<12)
	files := map[string]string{"stack.yaml": "one"}
	for i := range 20 {
		files[fmt.Sprintf("big/%d", i)] = fmt.Sprint(i, big)
	}
	w.commit(t, files)
	s := open(t, w.ways()["http"])
	ok(t, s.Poll(t.Context()))
	whole := w.http.Reset()
	w.commit(t, map[string]string{"stack.yaml": "two"})
	ok(t, s.Poll(t.Context()))
	// One listing, and one pack with what is new, in which the commit names the accepted one as its parent.
	if c := w.http.Reset(); c.Listings != 1 || c.Packs != 1 || c.Bytes > 1024 {
		t.Errorf("one small commit cost %+v after a first fetch of %+v", c, whole)
	}
}

func TestAnotherBranchIsAnotherHistory(t *testing.T) {
	w := newWorld(t)
	first := w.commit(t, map[string]string{"stack.yaml": "main"})
	cfg := w.ways()["http"]
	cfg.Dir = t.TempDir()
	s := open(t, cfg)
	ok(t, s.Keep(t.Context(), must(s.Fetch(t.Context()))(t)))
	must(w.repo.Git("checkout", "-q", "--orphan", "team/release"))(t)
	other := w.commit(t, map[string]string{"stack.yaml": "release"})
	cfg.Branch = "team/release"
	again := open(t, cfg)
	wantRevision(t, again, other, "release")
	kept, _, err := again.Kept(t.Context())
	ok(t, err)
	wantContent(t, kept, first, "main")
}

// A repository that was made anew under the same address knows nothing of what was accepted: that is a rewritten branch, not a server's
// fault, and can be accepted as one.
func TestARepositoryThatIsMadeAnew(t *testing.T) {
	for _, way := range []string{"http", "old http", "ssh", "old ssh", "path"} {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			cfg := w.ways()[way]
			cfg.Dir = t.TempDir()
			first := w.commit(t, map[string]string{"stack.yaml": "one"})
			s := open(t, cfg)
			wantRevision(t, s, first, "one")
			ok(t, os.RemoveAll(w.repo.Dir))
			must(w.repo.Git("init", "-q", "--bare", "-b", "main", w.repo.Dir))(t)
			second := must(w.repo.Rewrite("anew", map[string]string{"stack.yaml": "other"}))(t)
			for range 2 {
				if err := s.Poll(t.Context()); !errors.Is(err, ErrRewritten) {
					t.Errorf("%v is not ErrRewritten", err)
				}
			}
			r, _ := s.Fetch(t.Context())
			wantContent(t, r, first, "one")
			ok(t, s.AcceptRewrite(t.Context()))
			wantRevision(t, s, second, "other")
		})
	}
}
