package gitwrite

import (
	"bytes"
	"io/fs"
)

// Over is a tree with files changed: what a commit of the change would have. Only files that exist may be among them.
func Over(tree fs.FS, files map[string][]byte) fs.FS { return over{tree, files} }

type over struct {
	fs.FS
	files map[string][]byte
}

var _ fs.ReadLinkFS = over{}

// Open reads a changed file from memory. Its description, but for the content, stays that of the file.
func (o over) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	content, changed := o.files[name]
	if err != nil || !changed {
		return f, err
	}
	return &changedFile{f, bytes.NewReader(content)}, nil
}

func (o over) Lstat(name string) (fs.FileInfo, error)     { return fs.Lstat(o.FS, name) }
func (o over) ReadLink(name string) (string, error)       { return fs.ReadLink(o.FS, name) }
func (o over) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(o.FS, name) }

type changedFile struct {
	fs.File
	content *bytes.Reader
}

func (f *changedFile) Read(p []byte) (int, error) { return f.content.Read(p) }
