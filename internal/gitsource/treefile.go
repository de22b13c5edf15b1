package gitsource

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// openFile is a file that was read already.
type openFile struct {
	node
	*bytes.Reader
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }
func (f *openFile) Close() error               { return nil }
func (f *openFile) Size() int64                { return f.node.size }

// entries are sorted by name: git sorts directories as if they ended in a slash.
func entries(nodes []node) []fs.DirEntry {
	list := make([]fs.DirEntry, len(nodes))
	for i, n := range nodes {
		list[i] = fs.FileInfoToDirEntry(n)
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list
}

// openDir is a directory that is listed when it is asked for.
type openDir struct {
	tree *tree
	node node
	name string
	rest []fs.DirEntry
	read bool
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.node, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(count int) ([]fs.DirEntry, error) {
	if !d.read {
		nodes, err := d.tree.list(d.node)
		if err != nil {
			return nil, &fs.PathError{Op: "readdir", Path: d.name, Err: err}
		}
		d.rest, d.read = entries(nodes), true
	}
	if count > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if count <= 0 || count > len(d.rest) {
		count = len(d.rest)
	}
	part := d.rest[:count:count]
	d.rest = d.rest[count:]
	return part, nil
}
