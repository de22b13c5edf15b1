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

// File is a reconcile.Source over one local stack file, for plan and apply with --file. The commit is the SHA-256 of its
// content; the tree is its directory, so manifests and environments beside it are found. Links out of that directory are
// refused.
type File struct{ Path string }

var _ reconcile.Source = File{}

// Name is the stack file's path inside the tree.
func (f File) Name() string { return filepath.Base(f.Path) }

// Fetch reads the file anew. What the tree then shows of it is what was hashed, even if it is changed meanwhile.
func (f File) Fetch(context.Context) (reconcile.Revision, error) {
	root, err := os.OpenRoot(filepath.Dir(f.Path))
	if err != nil {
		return reconcile.Revision{}, err
	}
	content, err := f.read(root)
	if err != nil {
		return reconcile.Revision{}, errors.Join(fmt.Errorf("%s: %w", f.Path, cause(err)), root.Close())
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
