package gitsource

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestTree reads one tree, with everything a repository may hold, the way each kind of origin delivers it.
func TestTree(t *testing.T) {
	w := newWorld(t)
	ok(t, w.repo.Write(map[string]string{
		"stack.yaml": "one", "k8s/a.yaml": "a", "k8s/deep/b.yaml": "b", "run.sh": "#!/bin/sh",
		"empty": "",
	}))
	ok(t, os.Chmod(filepath.Join(w.repo.Work, "run.sh"), 0o755))
	for name, target := range map[string]string{
		"link.yaml": "stack.yaml", "k8s/up.yaml": "../stack.yaml", "dir": "k8s/deep", "k8s/hop": "../link.yaml",
		"out": "../secret", "k8s/out": "../../secret", "root": "/etc/passwd", "circle": "circle2", "circle2": "circle", "gone": "nowhere",
		"k8s/roundabout": "../../" + filepath.Base(w.root) + "/stack.yaml",
	} {
		ok(t, os.Symlink(target, filepath.Join(w.repo.Work, name)))
	}
	must(w.repo.Git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("12", 20)+",module"))(t)
	must(w.repo.Git("add", "stack.yaml", "k8s", "run.sh", "empty", "link.yaml", "dir", "out", "root", "circle", "circle2", "gone"))(t)
	must(w.repo.Git("commit", "-q", "-m", "all"))(t)
	must(w.repo.Git("push", "-q", "origin", "HEAD"))(t)

	for _, name := range []string{"http", "path"} {
		t.Run(name, func(t *testing.T) {
			r := must(open(t, w.ways()[name]).Fetch(t.Context()))(t)
			testTree(t, r.Tree)
		})
	}
}

// TestLargeFiles: they are in the listing and cannot be read, whether the server left them out, sent them, or sent them as
// deltas of each other.
func TestLargeFiles(t *testing.T) {
	w := newWorld(t)
	large := strings.Repeat("x", maxObject+1)
	w.commit(t, map[string]string{"stack.yaml": "one", "fits.bin": large[:maxObject], "large.bin": large, "larger.bin": large + "tail"})
	for _, c := range []struct{ way, filter string }{{"http", "false"}, {"http", "true"}, {"path", ""}} {
		t.Run(c.way+" filter "+c.filter, func(t *testing.T) {
			must(w.repo.Git("--git-dir="+w.repo.Dir, "config", "uploadpack.allowFilter", c.filter))(t)
			tree := must(open(t, w.ways()[c.way]).Fetch(t.Context()))(t).Tree
			if content, err := fs.ReadFile(tree, "fits.bin"); err != nil || len(content) != maxObject {
				t.Errorf("a file of exactly the largest size: %d bytes, %v", len(content), err)
			}
			for _, name := range []string{"large.bin", "larger.bin"} {
				if _, err := fs.ReadFile(tree, name); err == nil || !strings.Contains(err.Error(), "8 MiB") {
					t.Errorf("%s gives %v, want an error with the limit", name, err)
				}
			}
			if names := must(fs.Glob(tree, "*.bin"))(t); len(names) != 3 {
				t.Errorf("only %v are listed", names)
			}
		})
	}
}

func testTree(t *testing.T, tree fs.FS) {
	for name, want := range map[string]string{
		"stack.yaml": "one", "k8s/a.yaml": "a", "k8s/deep/b.yaml": "b", "link.yaml": "one", "k8s/up.yaml": "one",
		"dir/b.yaml": "b", "k8s/hop": "one", "empty": "",
	} {
		if got, err := fs.ReadFile(tree, name); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"out": "out of the repository", "k8s/out": "out of the repository", "root": "out of the repository",
		"k8s/roundabout": "out of the repository", "circle": "circle", "gone": "not exist", "nothing": "not exist",
		"module": "submodule", "module/x": "submodule", "stack.yaml/x": "not exist", "k8s": "directory",
		"../secret": "invalid", "/etc/passwd": "invalid", "k8s/../stack.yaml": "invalid", "": "invalid",
	} {
		got, err := fs.ReadFile(tree, name)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %.40q, %v; want an error with %q", name, got, err, want)
		}
	}
	for _, name := range []string{"gone", "nothing", "module"} {
		if _, err := fs.Stat(tree, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s gives %v, want fs.ErrNotExist", name, err)
		}
	}
	if info, err := fs.Stat(tree, "run.sh"); err != nil || info.Mode() != 0o555 || info.ModTime().IsZero() {
		t.Errorf("run.sh is %v, %v; want it executable with the commit's time", info, err)
	}
	names := must(fs.Glob(tree, "k8s/*.yaml"))(t)
	if want := []string{"k8s/a.yaml", "k8s/up.yaml"}; !slices.Equal(names, want) {
		t.Errorf("k8s/*.yaml matches %v, want %v", names, want)
	}
	for _, e := range must(fs.ReadDir(tree, "."))(t) {
		if e.Name() == "module" || e.Name() == ".git" {
			t.Errorf("%s is listed", e.Name())
		}
	}
	// The standard library's own test, over the part without broken links.
	if err := fstest.TestFS(must(fs.Sub(tree, "k8s/deep"))(t), "b.yaml"); err != nil {
		t.Error(err)
	}
	link, err := fs.ReadLink(tree, "dir")
	if info, lerr := fs.Lstat(tree, "dir"); err != nil || lerr != nil || link != "k8s/deep" || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("dir is a link to %q (%v, %v)", link, err, lerr)
	}
}

func TestTreeIsAFileSystem(t *testing.T) {
	w := newWorld(t)
	w.commit(t, map[string]string{"stack.yaml": "one", "a/b/c": "c", "a/d": "d", "a.b/e": "e", "a-b": "f"})
	r := must(open(t, w.ways()["http"]).Fetch(t.Context()))(t)
	if err := fstest.TestFS(r.Tree, "stack.yaml", "a/b/c", "a/d", "a.b/e", "a-b"); err != nil {
		t.Error(err)
	}
}

// TestLocalRepositories are the shapes in which a repository on disk comes.
func TestLocalRepositories(t *testing.T) {
	w := newWorld(t)
	first := w.commit(t, map[string]string{"stack.yaml": "one"})
	for _, c := range []struct {
		reason string
		git    [][]string
		path   string
	}{
		{"packed by git gc", [][]string{{"--git-dir=" + w.repo.Dir, "gc", "-q"}}, w.repo.Dir},
		{"a clone that borrows its objects", [][]string{{"clone", "-q", "--shared", w.repo.Dir, w.root + "/shared"}}, w.root + "/shared"},
		{"a shallow clone", [][]string{{"clone", "-q", "--depth=1", "file://" + w.repo.Dir, w.root + "/shallow"}}, w.root + "/shallow"},
		{"a linked work tree", [][]string{{"worktree", "add", "-q", "--detach", w.root + "/linked"}}, w.root + "/linked"},
		{"one with configuration for each work tree", [][]string{{"config", "extensions.worktreeConfig", "true"}, {"config", "core.repositoryformatversion", "1"}}, w.repo.Work},
		{"a path that ends in a slash", nil, w.repo.Work + "/"},
		{"the .git directory itself", nil, w.repo.Work + "/.git"},
		{"a branch that is another name for one", [][]string{{"--git-dir=" + w.repo.Dir, "symbolic-ref", "refs/heads/alias", "refs/heads/main"}}, w.repo.Dir},
	} {
		for _, args := range c.git {
			must(w.repo.Git(args...))(t)
		}
		cfg := Config{URL: c.path}
		if strings.Contains(c.reason, "another name") {
			cfg.Branch = "alias"
		}
		t.Log(c.reason)
		wantRevision(t, open(t, cfg), first, "one")
	}
}

func TestLocalCommitSurvivesItsRepository(t *testing.T) {
	w := newWorld(t)
	first := w.commit(t, map[string]string{"stack.yaml": "one"})
	s := open(t, Config{URL: w.repo.Dir, AllowRewrite: true, Dir: t.TempDir()})
	r := must(s.Fetch(t.Context()))(t)
	ok(t, s.Keep(t.Context(), r))
	must(w.repo.Rewrite("other", map[string]string{"stack.yaml": "other"}))(t)
	must(w.repo.Git("--git-dir="+w.repo.Dir, "-c", "gc.pruneExpire=now", "gc", "-q"))(t)
	ok(t, s.Poll(t.Context()))
	wantContent(t, r, first, "one")
	kept, _, err := s.Kept(t.Context())
	ok(t, err)
	wantContent(t, kept, first, "one")
}
