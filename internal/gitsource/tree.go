package gitsource

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// maxLinks is how many symbolic links one path may pass, as in Linux.
const maxLinks = 40

// tree is one commit's files as a read-only fs.FS, read straight from its packs. Symbolic links are followed inside the
// repository; one that leads out of it is an error. Submodules are not there. Every file has the commit's time.
type tree struct {
	packs   packs
	commit  plumbing.Hash
	parents []plumbing.Hash // of the commit
	since   plumbing.Hash   // on whose packs its own stands; zero: on none
	root    plumbing.Hash
	time    time.Time
}

var (
	_ fs.ReadFileFS = (*tree)(nil)
	_ fs.ReadDirFS  = (*tree)(nil)
	_ fs.StatFS     = (*tree)(nil)
	_ fs.ReadLinkFS = (*tree)(nil)
)

// node is a file, a directory or a link. It is its own fs.FileInfo.
type node struct {
	name string
	hash plumbing.Hash
	mode filemode.FileMode
	size int64
	time time.Time
}

func (n node) Name() string       { return n.name }
func (n node) Size() int64        { return n.size }
func (n node) ModTime() time.Time { return n.time }
func (n node) IsDir() bool        { return n.mode == filemode.Dir }
func (n node) Sys() any           { return nil }

// ContentHash is the same for files of the same content, and for no others. It is known without reading them.
func (n node) ContentHash() string { return n.hash.String() }

func (n node) Mode() fs.FileMode {
	switch n.mode {
	case filemode.Dir:
		return fs.ModeDir | 0o555
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Executable:
		return 0o555
	default:
		return 0o444
	}
}

// Open reads a file whole, so what is read later cannot fail.
func (t *tree) Open(name string) (fs.File, error) {
	n, err := t.find(name, true)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if n.IsDir() {
		return &openDir{tree: t, node: n, name: name}, nil
	}
	content, err := t.content(n)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{node: n, Reader: bytes.NewReader(content)}, nil
}

// ReadFile returns a copy, as fs.ReadFileFS demands.
func (t *tree) ReadFile(name string) ([]byte, error) {
	n, err := t.find(name, true)
	if err == nil && n.IsDir() {
		err = errors.New("is a directory")
	}
	var content []byte
	if err == nil {
		content, err = t.content(n)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return bytes.Clone(content), nil
}

// ReadDir lists a directory by name, without submodules.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find(name, true)
	var nodes []node
	if err == nil {
		nodes, err = t.list(n)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return entries(nodes), nil
}

// Stat follows links; a file that is too large to be read has its true size where the pack holds it, else 0.
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	n, err := t.find(name, true)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return n, nil
}

// Lstat does not follow a link at the end of the path.
func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	n, err := t.find(name, false)
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return n, nil
}

// ReadLink returns what a link says, even where it leads out.
func (t *tree) ReadLink(name string) (string, error) {
	n, err := t.find(name, false)
	if err == nil && n.mode != filemode.Symlink {
		err = fs.ErrInvalid
	}
	var target []byte
	if err == nil {
		target, err = t.content(n)
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return string(target), nil
}

// find walks a path. Links on the way are followed; one at its end only with follow.
func (t *tree) find(name string, follow bool) (node, error) {
	if !fs.ValidPath(name) {
		return node{}, fs.ErrInvalid
	}
	way := []node{{name: ".", hash: t.root, mode: filemode.Dir, time: t.time}}
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..": // only a link says so
			if len(way) == 1 {
				return node{}, errors.New("a symbolic link leads out of the repository")
			}
			way = way[:len(way)-1]
			continue
		}
		n, err := t.child(way[len(way)-1], part)
		if err != nil {
			return node{}, err
		}
		if n.mode != filemode.Symlink || !follow && len(rest) == 0 {
			way = append(way, n)
			continue
		}
		if links++; links > maxLinks {
			return node{}, errors.New("too many symbolic links, or a circle of them")
		}
		target, err := t.content(n)
		if err != nil {
			return node{}, err
		}
		if path.IsAbs(string(target)) {
			return node{}, errors.New("a symbolic link leads out of the repository")
		}
		rest = append(strings.Split(string(target), "/"), rest...)
	}
	n := way[len(way)-1]
	if name != "." {
		n.name = path.Base(name) // as asked for, not as the link's target is called
	}
	return n, nil
}

// child is one entry of a directory, a link not followed.
func (t *tree) child(dir node, name string) (node, error) {
	if !dir.IsDir() {
		return node{}, fs.ErrNotExist
	}
	listed, err := t.entries(dir)
	if err != nil {
		return node{}, err
	}
	for _, e := range listed {
		if e.Name != name {
			continue
		}
		if e.Mode == filemode.Submodule {
			return node{}, fmt.Errorf("is a submodule, and those are not fetched: %w", fs.ErrNotExist)
		}
		return t.node(e), nil
	}
	return node{}, fs.ErrNotExist
}

// list is a directory's entries but submodules.
func (t *tree) list(dir node) ([]node, error) {
	if !dir.IsDir() {
		return nil, errors.New("not a directory")
	}
	listed, err := t.entries(dir)
	if err != nil {
		return nil, err
	}
	var nodes []node
	for _, e := range listed {
		if e.Mode != filemode.Submodule {
			nodes = append(nodes, t.node(e))
		}
	}
	return nodes, nil
}

// node gives an entry the size that the pack knows.
func (t *tree) node(e object.TreeEntry) node {
	n := node{name: e.Name, hash: e.Hash, mode: e.Mode, time: t.time}
	if o, ok := t.packs.find(e.Hash); ok && e.Mode != filemode.Dir {
		n.size = o.size
	}
	return n
}

func (t *tree) entries(dir node) ([]object.TreeEntry, error) {
	return decodeTree(t.packs, dir.hash)
}

// content returns a file's bytes, which the caller must not change. A file that was left out of the pack was too large.
func (t *tree) content(n node) ([]byte, error) {
	content, err := t.packs.object(n.hash, plumbing.BlobObject)
	if errors.Is(err, errAbsent) {
		return nil, errLarge
	}
	return content, err
}
