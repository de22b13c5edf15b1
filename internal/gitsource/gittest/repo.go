// Package gittest has real Git repositories, and real servers for them, on loopback for tests: git http-backend behind an
// HTTP server that counts and can misbehave, and git-upload-pack and git-receive-pack behind an ssh server. It needs Debian's package git.
//
// It does not depend on package testing, so that a whole environment can be built of it.
package gittest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Repo is a bare repository at Dir and a work tree from which commits are pushed to its branch main.
type Repo struct {
	Dir  string // bare, to be served
	Work string
}

// NewRepo makes the bare repository root/name.git and its work tree root/name. It has no commit yet.
func NewRepo(root, name string) (*Repo, error) {
	r := &Repo{Dir: filepath.Join(root, name+".git"), Work: filepath.Join(root, name)}
	if err := os.MkdirAll(r.Work, 0o755); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", r.Dir},
		{"init", "--quiet", "--initial-branch=main", r.Work},
		{"remote", "add", "origin", r.Dir},
	} {
		if _, err := r.Git(args...); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// AcceptPushes lets everybody push over http, who could only fetch so far.
func (r *Repo) AcceptPushes() error {
	_, err := r.Git("--git-dir", r.Dir, "config", "http.receivepack", "true")
	return err
}

// Commit writes files into the work tree, commits everything there and pushes. It returns the commit's hash.
func (r *Repo) Commit(message string, files map[string]string) (string, error) {
	if err := r.Write(files); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"add", "--all"},
		{"commit", "--quiet", "--allow-empty", "--message", message},
		{"push", "--quiet", "origin", "HEAD"},
	} {
		if _, err := r.Git(args...); err != nil {
			return "", err
		}
	}
	return r.Git("rev-parse", "HEAD")
}

// Rewrite replaces the newest commit by another and forces the push.
func (r *Repo) Rewrite(message string, files map[string]string) (string, error) {
	if err := r.Write(files); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"add", "--all"},
		{"commit", "--quiet", "--amend", "--allow-empty", "--message", message},
		{"push", "--quiet", "--force", "origin", "HEAD"},
	} {
		if _, err := r.Git(args...); err != nil {
			return "", err
		}
	}
	return r.Git("rev-parse", "HEAD")
}

// Write puts files into the work tree.
func (r *Repo) Write(files map[string]string) error {
	for name, content := range files {
		path := filepath.Join(r.Work, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Git runs the git program in the work tree and returns what it prints, without the last line feed.
func (r *Repo) Git(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = r.Work
	cmd.Env = append(environment(),
		"GIT_AUTHOR_NAME=Tester", "GIT_AUTHOR_EMAIL=tester@example.com",
		"GIT_COMMITTER_NAME=Tester", "GIT_COMMITTER_EMAIL=tester@example.com",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=core.fsync", "GIT_CONFIG_VALUE_0=none", "GIT_CONFIG_KEY_1=gc.auto", "GIT_CONFIG_VALUE_1=0",
	)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s (is Debian's package git installed?)", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// environment keeps the machine's own Git configuration out.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"}
}
