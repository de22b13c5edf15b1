package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// localGate is the path of a repository on this machine, written to in place, as Git itself would: objects first, then the branch,
// under Git's own lock. Hooks are not run.
type localGate string

// push refuses the branch of a work tree, as Git does: its files would no longer be those of its branch.
func (path localGate) push(ctx context.Context, branch string, old, to plumbing.Hash, objects []plumbing.EncodedObject) (err error) {
	storage, err := (&local{path: string(path), branch: branch}).open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, storage.Close()) }()
	dir, err := gitDir(string(path))
	if err != nil {
		return err
	}
	if err := checkedOut(storage, dir, branch); err != nil {
		return err
	}
	for _, o := range objects {
		if err := keepObject(storage, dir, o); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return moveBranch(storage, dir, branch, old, to)
}

// keepObject writes one object, and has it on the disk before anything points to it.
func keepObject(storage *filesystem.Storage, dir string, o plumbing.EncodedObject) error {
	h, err := storage.SetEncodedObject(o)
	if err != nil {
		return err
	}
	name := h.String()
	file, err := os.Open(filepath.Join(dir, "objects", name[:2], name[2:]))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was there already, in a pack
	}
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// checkedOut refuses a branch that a work tree is on.
func checkedOut(storage *filesystem.Storage, dir, branch string) error {
	config, err := storage.Config()
	if err != nil {
		return err
	}
	heads, err := filepath.Glob(filepath.Join(dir, "worktrees", "*", "HEAD"))
	if err != nil {
		return err
	}
	if !config.Core.IsBare {
		heads = append(heads, filepath.Join(dir, "HEAD"))
	}
	for _, head := range heads {
		if to, err := pointer(head, "ref:"); err == nil && strings.HasSuffix(filepath.ToSlash(to), "/"+branchRef(branch)) {
			return fmt.Errorf("branch %s is checked out there, and a push would not change the files of that work tree; push to a bare repository, or to another branch", branch)
		}
	}
	return nil
}

// moveBranch is a compare and set: the lock is Git's own, so whoever else moves the branch waits or fails.
func moveBranch(storage *filesystem.Storage, dir, branch string, old, to plumbing.Hash) (err error) {
	name := filepath.Join(dir, filepath.FromSlash(branchRef(branch)))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	lock, err := os.OpenFile(name+".lock", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("branch %s is being moved by someone else: %s exists", branch, name+".lock")
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(lock.Name()) // it is ours
		}
	}()
	if err := isAt(storage, branch, old); err != nil {
		return errors.Join(err, lock.Close())
	}
	_, err = lock.WriteString(to.String() + "\n")
	if err = errors.Join(err, lock.Sync(), lock.Close()); err != nil {
		return err
	}
	return os.Rename(lock.Name(), name)
}

// isAt compares a branch with where it is expected.
func isAt(storage *filesystem.Storage, branch string, old plumbing.Hash) error {
	ref, err := storer.ReferenceStorer(storage).Reference(plumbing.NewBranchReferenceName(branch))
	switch {
	case errors.Is(err, plumbing.ErrReferenceNotFound) && old.IsZero():
		return nil
	case errors.Is(err, plumbing.ErrReferenceNotFound):
		return ErrMoved
	case err != nil:
		return err
	case ref.Type() != plumbing.HashReference:
		return fmt.Errorf("branch %s is a symbolic reference to %s; push to that", branch, ref.Target())
	case ref.Hash() != old:
		return ErrMoved
	}
	return nil
}
