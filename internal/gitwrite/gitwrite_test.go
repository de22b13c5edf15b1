package gitwrite_test

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

	"recsysd.dev/recsysd/internal/gitsource"
	"recsysd.dev/recsysd/internal/gitsource/gittest"
	"recsysd.dev/recsysd/internal/gitwrite"
)

// place is a repository and a way to it.
type place struct {
	*testing.T
	repo *gittest.Repo
	http *gittest.HTTP // nil on other ways
	cfg  gitwrite.Config
}

// everywhere runs a test over each way to a repository.
func everywhere(t *testing.T, test func(p *place)) {
	for _, way := range []string{"https", "ssh", "path"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			test(newPlace(t, way))
		})
	}
}

func newPlace(t *testing.T, way string) *place {
	t.Helper()
	root := t.TempDir()
	repo, err := gittest.NewRepo(root, "infra")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{T: t, repo: repo, cfg: gitwrite.Config{Push: "main", Name: "Robot", Email: "robot@example.com", Git: gitsource.Config{Branch: "main", Timeout: 10 * time.Second}}}
	p.must(nil, repo.AcceptPushes())
	switch way {
	case "https":
		p.http, err = gittest.ServeHTTP(root)
		p.must(nil, err)
		t.Cleanup(p.http.Close)
		p.http.Require("s3cret-token")
		token := filepath.Join(t.TempDir(), "token")
		p.must(nil, os.WriteFile(token, []byte("s3cret-token\n"), 0o600))
		p.cfg.Git.URL, p.cfg.Git.Auth.TokenFile = p.http.Repo("infra"), token
	case "ssh":
		s, err := gittest.ServeSSH(root, t.TempDir())
		p.must(nil, err)
		t.Cleanup(s.Close)
		p.cfg.Git.URL, p.cfg.Git.Auth = s.Repo("infra"), gitsource.Auth{SSHKeyFile: s.KeyFile, KnownHostsFile: s.KnownHostsFile}
	default:
		p.cfg.Git.URL = repo.Dir
	}
	p.commit("first", map[string]string{"stack.yaml": "tag: 1\n", "a/b/over.yaml": "tag: 1\n", "a/other": "x\n", "README": "r\n"})
	return p
}

func (p *place) must(_ any, err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *place) commit(message string, files map[string]string) string {
	p.Helper()
	h, err := p.repo.Commit(message, files)
	p.must(h, err)
	return h
}

// bare runs git in the repository that is served.
func (p *place) bare(args ...string) string {
	p.Helper()
	out, err := p.repo.Git(append([]string{"--git-dir", p.repo.Dir}, args...)...)
	p.must(out, err)
	return out
}

// bump is an edit that replaces "tag: 1" by "tag: 2" in files, and changes nothing where that is done.
func bump(names ...string) gitwrite.Edit {
	return func(_ context.Context, tree fs.FS) (gitwrite.Change, error) {
		c := gitwrite.Change{Files: map[string][]byte{}, Message: "tag 1 -> 2"}
		for _, name := range names {
			b, err := fs.ReadFile(tree, name)
			if err != nil {
				return c, err
			}
			if s := strings.Replace(string(b), "tag: 1", "tag: 2", 1); s != string(b) {
				c.Files[name] = []byte(s)
			}
		}
		return c, nil
	}
}

// between runs do once, after the files were fetched and before the push.
func between(edit gitwrite.Edit, do func()) gitwrite.Edit {
	return func(ctx context.Context, tree fs.FS) (gitwrite.Change, error) {
		if do != nil {
			do()
		}
		do = nil
		return edit(ctx, tree)
	}
}

func TestUpdateIsOneCommitThatChangesOnlyThat(t *testing.T) {
	everywhere(t, func(p *place) {
		p.must(p.repo.Git("update-index", "--chmod=+x", "stack.yaml"))
		p.must(os.Symlink("README", filepath.Join(p.repo.Work, "a", "link")), nil)
		before := p.commit("a link, and a file that is executable", nil)
		got, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml", "a/b/over.yaml"))
		p.must(got, err)
		if head := p.bare("rev-parse", "main"); head != got {
			p.Errorf("main is at %s, the commit is %s", head, got)
		}
		if log := p.bare("log", "-1", "--format=%P|%an|%ae|%cn|%ce|%B", "main"); strings.TrimSpace(log) != before+"|Robot|robot@example.com|Robot|robot@example.com|tag 1 -> 2" {
			p.Errorf("the commit: %s", log)
		}
		if stat := p.bare("diff", "--raw", "--abbrev=4", before, "main"); strings.Count(stat, "\n") != 1 || strings.Count(stat, " M\t") != 2 {
			p.Errorf("changed:\n%s", stat)
		}
		if content := p.bare("show", "main:a/b/over.yaml"); content != "tag: 2" {
			p.Errorf("content: %q", content)
		}
		p.bare("fsck", "--strict")
		again, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml", "a/b/over.yaml"))
		if again != "" || err != nil || p.bare("rev-parse", "main") != got {
			p.Errorf("with nothing to change: %q, %v", again, err)
		}
	})
}

func TestUpdateIsMadeAgainOnANewHead(t *testing.T) {
	everywhere(t, func(p *place) {
		var other string
		got, err := gitwrite.Update(t.Context(), p.cfg, between(bump("stack.yaml"), func() {
			other = p.commit("somebody was faster", map[string]string{"stack.yaml": "tag: 1\nmore: true\n"})
		}))
		p.must(got, err)
		if parent := p.bare("rev-parse", "main^"); parent != other {
			p.Errorf("the parent is %s, not the other's commit %s", parent, other)
		}
		if content := p.bare("show", "main:stack.yaml"); content != "tag: 2\nmore: true" {
			p.Errorf("content: %q", content)
		}
	})
}

func TestUpdateGivesUpOnABranchThatNeverRests(t *testing.T) {
	p := newPlace(t, "path")
	calls := 0
	_, err := gitwrite.Update(t.Context(), p.cfg, func(ctx context.Context, tree fs.FS) (gitwrite.Change, error) {
		calls++
		p.commit("again", map[string]string{"a/other": fmt.Sprint(calls)})
		return bump("stack.yaml")(ctx, tree)
	})
	if !errors.Is(err, gitsource.ErrMoved) || calls != 5 {
		t.Errorf("after %d edits: %v", calls, err)
	}
}

func TestUpdateNeedsNoEditThatSomebodyElseMade(t *testing.T) {
	everywhere(t, func(p *place) {
		var other string
		got, err := gitwrite.Update(t.Context(), p.cfg, between(bump("stack.yaml"), func() {
			other = p.commit("the same", map[string]string{"stack.yaml": "tag: 2\n"})
		}))
		if got != "" || err != nil || p.bare("rev-parse", "main") != other {
			p.Errorf("%q, %v", got, err)
		}
	})
}

func TestUpdateThatIsRefusedIsOneLineAndLeavesTheBranch(t *testing.T) {
	for _, way := range []string{"https", "ssh"} {
		t.Run(way, func(t *testing.T) {
			p := newPlace(t, way)
			hook := filepath.Join(p.repo.Dir, "hooks", "pre-receive")
			p.must(nil, os.WriteFile(hook, []byte("#!/bin/sh\necho 'main is protected' >&2\necho more >&2\nexit 1\n"), 0o700))
			before := p.bare("rev-parse", "main")
			got, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
			if got != "" || err == nil || !strings.Contains(err.Error(), "the push to branch main was refused: pre-receive hook declined: main is protected") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q, %v", got, err)
			}
			if p.bare("rev-parse", "main") != before {
				t.Error("the branch moved")
			}
		})
	}
}

func TestUpdateWithoutTheRightToWrite(t *testing.T) {
	p := newPlace(t, "https")
	p.bare("config", "http.receivepack", "false")
	_, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
	if err == nil || !strings.Contains(err.Error(), "may read this repository, but not write to it") || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}

func TestUpdateMayOnlyChangeFilesThatExist(t *testing.T) {
	p := newPlace(t, "path")
	for name, says := range map[string]string{"new": "no such file", "a": "not a file", "README/x": "not a directory", "n/x": "no such directory"} {
		_, err := gitwrite.Update(t.Context(), p.cfg, func(context.Context, fs.FS) (gitwrite.Change, error) {
			return gitwrite.Change{Files: map[string][]byte{name: []byte("x")}, Message: "m"}, nil
		})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUpdateOfALocalRepository(t *testing.T) {
	t.Run("the branch of a work tree is refused, another one is not", func(t *testing.T) {
		p := newPlace(t, "path")
		p.cfg.Git.URL = p.repo.Work
		_, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
		if err == nil || !strings.Contains(err.Error(), "branch main is checked out there") {
			t.Error(err)
		}
		p.cfg.Push = "image-updates"
		got, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
		p.must(got, err)
		if head, err := p.repo.Git("rev-parse", "image-updates"); err != nil || head != got {
			t.Errorf("%s, %v", head, err)
		}
	})
	t.Run("what another one has locked is not touched, and the lock stays", func(t *testing.T) {
		p := newPlace(t, "path")
		lock := filepath.Join(p.repo.Dir, "refs/heads/main.lock")
		p.must(nil, os.WriteFile(lock, nil, 0o600))
		_, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
		if err == nil || !strings.Contains(err.Error(), "main.lock exists") {
			t.Error(err)
		}
		if _, err := os.Stat(lock); err != nil {
			t.Error(err)
		}
	})
	t.Run("a branch that git has packed", func(t *testing.T) {
		p := newPlace(t, "path")
		p.bare("pack-refs", "--all")
		p.bare("repack", "-adq")
		got, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
		p.must(got, err)
		if p.bare("rev-parse", "main") != got || p.bare("fsck", "--strict") != "" {
			t.Error("the branch has not moved, or the repository is damaged")
		}
	})
}

// The answer to a push may be lost. Whether it was made is then seen at the branch.
func TestUpdateWhoseAnswerIsLost(t *testing.T) {
	p := newPlace(t, "https")
	p.http.Misbehave(gittest.LoseAnswer("git-receive-pack"))
	got, err := gitwrite.Update(t.Context(), p.cfg, bump("stack.yaml"))
	p.must(got, err)
	if p.bare("rev-parse", "main") != got {
		t.Error("the branch is elsewhere")
	}
}
