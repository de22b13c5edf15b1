package desired

import (
	"bytes"
	"io/fs"
	"time"
)

// Alone is a tree with one file at its top: a stack file that lies in no folder yet.
func Alone(name, text string) fs.FS { return alone{name, text} }

type alone struct{ name, text string }

func (a alone) Open(name string) (fs.File, error) {
	switch {
	case !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	case name != a.name:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return aloneOpen{a, bytes.NewReader([]byte(a.text))}, nil
}

// aloneOpen is the file while it is read, and what is known of it.
type aloneOpen struct {
	alone
	*bytes.Reader
}

func (f aloneOpen) Stat() (fs.FileInfo, error) { return f, nil }
func (f aloneOpen) Close() error               { return nil }
func (f aloneOpen) Name() string               { return f.name }
func (f aloneOpen) Size() int64                { return int64(len(f.text)) }
func (f aloneOpen) Mode() fs.FileMode          { return 0o444 }
func (f aloneOpen) ModTime() time.Time         { return time.Time{} }
func (f aloneOpen) IsDir() bool                { return false }
func (f aloneOpen) Sys() any                   { return nil }
