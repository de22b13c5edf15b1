package gitsource

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"recsysd.dev/recsysd/internal/reconcile"
)

// File is a reconcile.Source over one local stack file, for check, and for plan and apply with --file. The commit is the SHA-256 of
// its content. The tree is the repository that it lies in, as the daemon would see it, so that what it names elsewhere in
// the repository is found; outside of one it is the file's directory. Links out of the tree are refused.
type File struct {
	given string // how the caller wrote it
	path  string // absolute
	root  string // of the tree
}

var _ reconcile.Source = File{}

// NewFile finds the tree around the stack file at path. That the file is there is seen when it is fetched.
func NewFile(path string) (File, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	f := File{given: path, path: abs, root: filepath.Dir(abs)}
	for dir := f.root; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			f.root = dir
			return f, nil
		}
		if dir == filepath.Dir(dir) {
			return f, nil
		}
	}
}

// Name is the stack file's path inside the tree.
func (f File) Name() string {
	name, err := filepath.Rel(f.root, f.path)
	if err != nil { // it lies under root, so there is a way
		return filepath.Base(f.path)
	}
	return filepath.ToSlash(name)
}

// Fetch reads the file anew. What the tree then shows of it is what was hashed, even if it is changed meanwhile.
func (f File) Fetch(context.Context) (reconcile.Revision, error) {
	root, err := os.OpenRoot(f.root)
	if err != nil {
		return reconcile.Revision{}, err
	}
	content, err := f.read(root)
	if err != nil {
		return reconcile.Revision{}, errors.Join(fmt.Errorf("%s: %w", f.given, cause(err)), root.Close())
	}
	sum := sha256.Sum256(content)
	// The tree holds the root, which is closed when nobody has the tree any more.
	return reconcile.Revision{Commit: hex.EncodeToString(sum[:]), Tree: fileTree{root.FS(), f.Name(), content}}, nil
}

func (f File) read(root *os.Root) ([]byte, error) {
	info, err := root.Stat(f.Name())
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a file")
	}
	if info.Size() > maxObject {
		return nil, errLarge
	}
	file, err := root.Open(f.Name())
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(file, maxObject))
	return content, errors.Join(err, file.Close())
}

// cause drops the path from an error that is about to be given a fuller one.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Keep does nothing: the file is where it is.
func (File) Keep(context.Context, reconcile.Revision) error { return nil }

// Kept never has anything.
func (File) Kept(context.Context) (reconcile.Revision, bool, error) {
	return reconcile.Revision{}, false, nil
}

// fileTree is a directory in which one file is as it was read.
type fileTree struct {
	fs.FS
	name    string
	content []byte
}

func (t fileTree) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	if err != nil || name != t.name {
		return f, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return &readFile{sizedInfo{info, int64(len(t.content))}, bytes.NewReader(t.content)}, nil
}

type readFile struct {
	info fs.FileInfo
	*bytes.Reader
}

func (f *readFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *readFile) Close() error               { return nil }

type sizedInfo struct {
	fs.FileInfo
	size int64
}

func (i sizedInfo) Size() int64 { return i.size }
