package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"recsysd.dev/recsysd/examples"
	"recsysd.dev/recsysd/internal/config"
)

// demoMark is in every folder that a demo made; no other is written to.
const demoMark = ".recsysd-demo"

// demoSetup makes the demo's folder: the repository, the daemon's configuration and an empty state, since a new simulated cloud is
// empty too. The repository of an earlier demo is kept with what was committed to it.
func demoSetup(dir, listen string) (file string, c *config.Config, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", nil, err
	}
	if err := os.RemoveAll(filepath.Join(dir, "state")); err != nil {
		return "", nil, err
	}
	repo := filepath.Join(dir, "infra")
	if _, err := git.PlainOpen(repo); err != nil {
		if err := demoRepository(repo); err != nil {
			return "", nil, fmt.Errorf("make the repository: %w", err)
		}
	}
	file = filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`stacks:
  - name: recsys
    project: acme
    git: {url: %q, pollInterval: 5s}
    interval: 3s
    minGap: 100ms
listen: %q
controlSocket: control.sock
stateDir: state
log: {level: info, format: text}
`, repo, listen)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	c, err = config.Load(file)
	return file, c, err
}

// demoClaim makes the folder, and refuses one that holds what no demo made.
func demoClaim(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	mark := filepath.Join(dir, demoMark)
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s holds %s and was not made by a demo; name another folder with --dir", dir, entries[0].Name())
	}
	return os.WriteFile(mark, []byte("Made by recsysd demo. May be removed when no demo runs.\n"), 0o600)
}

// demoRepository makes a repository whose only commit holds the example stack. No git program is needed.
func demoRepository(path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	_, err := git.PlainInitWithOptions(path, &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: plumbing.Main}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(path, "stack.yaml"), examples.Stack, 0o644); err != nil {
		return err
	}
	_, err = demoCommit(path, "The example stack")
	return err
}

// demoCommit commits everything in the working tree.
func demoCommit(path, message string) (string, error) {
	repo, err := git.PlainOpen(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	tree, err := repo.Worktree()
	if err != nil {
		return "", err
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return "", err
	}
	who := &object.Signature{Name: "recsysd demo", Email: "demo@recsysd.invalid", When: time.Now()}
	hash, err := tree.Commit(message, &git.CommitOptions{Author: who, Committer: who})
	if errors.Is(err, git.ErrEmptyCommit) {
		return "", errors.New("nothing was edited since the last commit")
	}
	return hash.String(), err
}
