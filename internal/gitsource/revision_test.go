package gitsource

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

// TestFileAtARevision: a file is read as it was in whatever a person calls a revision, and what is no revision, or more than one, is said.
func TestFileAtARevision(t *testing.T) {
	root := t.TempDir()
	repo := must(gittest.NewRepo(root, "infra"))(t)
	commit := func(content string) string {
		return strings.TrimSpace(must(repo.Commit(content, map[string]string{"team/stack.yaml": content}))(t))
	}
	git := func(args ...string) string { return strings.TrimSpace(must(repo.Git(args...))(t)) }
	first, second := commit("one"), commit("two")
	git("tag", "light", first)
	git("tag", "-a", "-m", "a word", "heavy", first)
	git("branch", "old", first)
	git("branch", "team/old", first)
	third := commit("three")

	// Two commits whose hashes begin alike, for at least four digits.
	hashes, alike := map[string]string{}, ""
	tree := git("rev-parse", first+"^{tree}")
	for i := 0; alike == ""; i++ {
		h := git("commit-tree", "-m", strings.Repeat("x", i), tree)
		if hashes[h[:4]] != "" {
			alike = h[:4]
		}
		hashes[h[:4]] = h
	}

	file := must(NewFile(filepath.Join(git("rev-parse", "--show-toplevel"), "team", "stack.yaml")))(t)
	for _, c := range []struct{ reason, revision, content string }{
		{"a whole hash", first, "one"},
		{"the beginning of one", second[:7], "two"},
		{"with an odd number of digits, in capitals", strings.ToUpper(second[:9]), "two"},
		{"HEAD", "HEAD", "three"},
		{"a branch", "old", "one"},
		{"a branch with a slash", "team/old", "one"},
		{"a reference in full", "refs/heads/old", "one"},
		{"a tag", "light", "one"},
		{"a tag with a word of its own", "heavy", "one"},
		{"the one before", "HEAD^", "two"},
		{"two before", "HEAD~2", "one"},
		{"before a hash", third[:8] + "~", "two"},
		{"both ways at once", "HEAD~1^", "one"},
	} {
		r, closeTree, err := file.At(t.Context(), c.revision)
		if err != nil {
			t.Errorf("%s, %s: %v", c.reason, c.revision, err)
			continue
		}
		if got, err := fs.ReadFile(r.Tree, file.Name()); err != nil || string(got) != c.content {
			t.Errorf("%s, %s: %q, %v; want %q", c.reason, c.revision, got, err, c.content)
		}
		ok(t, closeTree())
	}
	for _, c := range []struct{ reason, revision, says string }{
		{"no such branch", "main2", "no such branch, tag or commit"},
		{"no such commit", strings.Repeat("0", 40), "no such branch, tag or commit"},
		{"too short a beginning", third[:3], "no such branch, tag or commit"},
		{"a beginning that two have", alike, "more than one commit begins so"},
		{"a tree is no commit", tree[:12], "no such branch, tag or commit"},
		{"nothing", "", "no such branch, tag or commit"},
		{"longer ago than there is history", "HEAD~3", "the history is not as long as that"},
		{"a number that is none", "HEAD~x", "~x is no number of commits"},
		{"a way out of the repository", "../HEAD", "no such branch, tag or commit"},
	} {
		_, _, err := file.At(t.Context(), c.revision)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s, %q: %v; want %q", c.reason, c.revision, err, c.says)
		}
	}

	young := must(NewFile(filepath.Join(git("rev-parse", "--show-toplevel"), "team", "young.yaml")))(t)
	r, closeTree, err := young.At(t.Context(), "HEAD")
	ok(t, err)
	if _, err := fs.ReadFile(r.Tree, young.Name()); err == nil {
		t.Error("a file is read that the revision does not have")
	}
	ok(t, closeTree())
	if _, _, err := must(NewFile(filepath.Join(t.TempDir(), "stack.yaml")))(t).At(t.Context(), "HEAD"); err == nil {
		t.Error("a file outside of any repository has a revision")
	}
}
