package gitsource

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "infra")
	ok(t, os.MkdirAll(filepath.Join(dir, "k8s"), 0o755))
	path := filepath.Join(dir, "stack.yaml")
	write := func(name, content string) { ok(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600)) }
	write("stack.yaml", "one")
	write("k8s/a.yaml", "a")
	write("../secret", "s")
	ok(t, os.Symlink("../../secret", filepath.Join(dir, "k8s", "out.yaml")))
	ok(t, os.Symlink("../../secret", filepath.Join(dir, "leaves.yaml")))

	f := must(NewFile(path))(t)
	r := must(f.Fetch(t.Context()))(t)
	wantContent(t, r, fmt.Sprintf("%x", sha256.Sum256([]byte("one"))), "one")
	if f.Name() != "stack.yaml" {
		t.Errorf("Name is %q", f.Name())
	}
	write("stack.yaml", "one more") // while the pass runs
	wantContent(t, r, r.Commit, "one")
	if info, err := fs.Stat(r.Tree, "stack.yaml"); err != nil || info.Size() != 3 {
		t.Errorf("the file's size is %v, %v; want that of what was hashed", info, err)
	}
	if got, err := fs.ReadFile(r.Tree, "k8s/a.yaml"); err != nil || string(got) != "a" {
		t.Errorf("a manifest beside it is %q, %v", got, err)
	}
	if got, err := fs.ReadFile(r.Tree, "k8s/out.yaml"); err == nil {
		t.Errorf("a link out of the directory is followed: %q", got)
	}
	if names := must(fs.Glob(r.Tree, "k8s/*.yaml"))(t); len(names) != 2 {
		t.Errorf("k8s/*.yaml matches %v", names)
	}
	ok(t, os.Remove(filepath.Join(dir, "leaves.yaml")))
	ok(t, os.Remove(filepath.Join(dir, "k8s", "out.yaml")))
	write("stack.yaml", "one")
	if err := fstest.TestFS(r.Tree, "stack.yaml", "k8s/a.yaml"); err != nil {
		t.Error(err)
	}
	if _, found, err := f.Kept(t.Context()); found || err != nil {
		t.Errorf("Kept of a file: %v, %v", found, err)
	}

	ok(t, os.Symlink("../secret", filepath.Join(dir, "leaves.yaml")))
	write("large.yaml", strings.Repeat("x", maxObject+1))
	for name, says := range map[string]string{
		"absent.yaml": "no such file", "k8s": "is not a file", "leaves.yaml": "escapes", "large.yaml": "8 MiB", "nowhere/x.yaml": "no such file",
	} {
		_, err := must(NewFile(filepath.Join(dir, name)))(t).Fetch(t.Context())
		wantError(t, err, filepath.Dir(filepath.Join(dir, name)), says)
	}
}

// Within a repository the tree is the whole of it, as the daemon sees it; a worktree's .git is a file.
func TestFileInARepository(t *testing.T) {
	for reason, mark := range map[string]func(string) error{
		"a repository": func(path string) error { return os.Mkdir(path, 0o755) },
		"a worktree":   func(path string) error { return os.WriteFile(path, []byte("gitdir: elsewhere"), 0o600) },
	} {
		repo := t.TempDir()
		ok(t, mark(filepath.Join(repo, ".git")))
		ok(t, os.MkdirAll(filepath.Join(repo, "deploy", "team"), 0o755))
		ok(t, os.WriteFile(filepath.Join(repo, "deploy", "team", "stack.yaml"), []byte("one"), 0o600))
		ok(t, os.WriteFile(filepath.Join(repo, "deploy", "shared.yaml"), []byte("shared"), 0o600))
		f := must(NewFile(filepath.Join(repo, "deploy", "team", "stack.yaml")))(t)
		if f.Name() != "deploy/team/stack.yaml" {
			t.Errorf("%s: Name is %q", reason, f.Name())
		}
		r := must(f.Fetch(t.Context()))(t)
		for name, want := range map[string]string{f.Name(): "one", "deploy/shared.yaml": "shared"} {
			if got, err := fs.ReadFile(r.Tree, name); err != nil || string(got) != want {
				t.Errorf("%s: %s is %q, %v", reason, name, got, err)
			}
		}
	}
}
