package gitwrite

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"recsysd.dev/recsysd/internal/gitsource"
)

// made is a new commit and the objects that come with it: the changed files, and the directories on the way to them. The rest of the
// tree is the parent's, and is named, not copied.
type made struct {
	hash    plumbing.Hash // zero: the change changes nothing
	objects []plumbing.EncodedObject
	from    *gitsource.Tip
}

// commit makes a commit that changes the files at a spot.
func commit(at *spot, change Change, name, email string, when time.Time) (*made, error) {
	m := &made{from: at.on}
	before, after, err := m.directory(".", change.Files)
	if err != nil || before == after {
		return m, err
	}
	who := object.Signature{Name: name, Email: email, When: when}
	c := &object.Commit{
		Author: who, Committer: who, Message: strings.TrimRight(change.Message, "\n") + "\n",
		TreeHash: after, ParentHashes: at.parents,
	}
	m.hash, err = m.keep(c)
	return m, err
}

// directory is a directory with the files changed that lie below it, by paths from there: its hash before and after.
func (m *made) directory(dir string, files map[string][]byte) (before, after plumbing.Hash, err error) {
	entries, err := m.from.Entries(dir)
	if err != nil {
		return before, after, err
	}
	if before, err = hashOf(&object.Tree{Entries: entries}); err != nil {
		return before, after, err
	}
	here, below := split(files)
	for i := range entries {
		e := &entries[i]
		content, changed := here[e.Name]
		switch {
		case changed && (e.Mode == filemode.Regular || e.Mode == filemode.Executable || e.Mode == filemode.Deprecated):
			e.Hash, err = m.blob(content)
		case changed:
			err = fmt.Errorf("%s: not a file", path.Join(dir, e.Name))
		case below[e.Name] != nil && e.Mode == filemode.Dir:
			_, e.Hash, err = m.directory(path.Join(dir, e.Name), below[e.Name])
		case below[e.Name] != nil:
			err = fmt.Errorf("%s: not a directory", path.Join(dir, e.Name))
		default:
			continue
		}
		if err != nil {
			return before, after, err
		}
		delete(here, e.Name)
		delete(below, e.Name)
	}
	for name := range here {
		return before, after, fmt.Errorf("%s: there is no such file", path.Join(dir, name))
	}
	for name := range below {
		return before, after, fmt.Errorf("%s: there is no such directory", path.Join(dir, name))
	}
	after, err = m.keep(&object.Tree{Entries: entries})
	return before, after, err
}

// split tells files in a directory from those in directories below it.
func split(files map[string][]byte) (here map[string][]byte, below map[string]map[string][]byte) {
	here, below = map[string][]byte{}, map[string]map[string][]byte{}
	for name, content := range files {
		first, rest, deeper := strings.Cut(name, "/")
		if !deeper {
			here[first] = content
			continue
		}
		if below[first] == nil {
			below[first] = map[string][]byte{}
		}
		below[first][rest] = content
	}
	return here, below
}

func (m *made) blob(content []byte) (plumbing.Hash, error) {
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.BlobObject)
	if _, err := bytes.NewReader(content).WriteTo(o); err != nil {
		return plumbing.ZeroHash, err
	}
	m.objects = append(m.objects, o)
	return o.Hash(), nil
}

// encoder is a tree or a commit.
type encoder interface {
	Encode(plumbing.EncodedObject) error
}

func (m *made) keep(e encoder) (plumbing.Hash, error) {
	o := &plumbing.MemoryObject{}
	if err := e.Encode(o); err != nil {
		return plumbing.ZeroHash, err
	}
	m.objects = append(m.objects, o)
	return o.Hash(), nil
}

func hashOf(e encoder) (plumbing.Hash, error) {
	o := &plumbing.MemoryObject{}
	err := e.Encode(o)
	return o.Hash(), err
}
