package gitsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// store is the source's directory: one pack for each commit that is still needed, and what must survive a restart. Files
// appear whole or not at all; whatever else lies there is removed when it is opened.
type store struct {
	dir      string // packs are written here
	scratch  bool   // dir is temporary, nothing outlives this process
	spare    string // with scratch: packs that a daemon wrote are read from here
	max      int64
	remember state
}

// state is state.json.
type state struct {
	Origin   string `json:"origin"` // without credentials
	Branch   string `json:"branch"`
	Accepted string `json:"accepted"` // newest commit taken from the branch; the next must descend from it
	Kept     string `json:"kept"`     // newest commit said to be good
}

const (
	stateName = "state.json"
	packEnd   = ".pack"
	partName  = "incoming-*"
)

// openStore makes the directory if need be. A state of another repository or branch says nothing about this one's history;
// the revision kept is still the last good one. With scratch, dir is only read and a temporary directory written.
func openStore(dir string, scratch bool, max int64, origin, branch string) (*store, error) {
	s := &store{dir: dir, scratch: scratch, max: max}
	if scratch {
		temp, err := os.MkdirTemp("", "recsysd-git-")
		if err != nil {
			return nil, err
		}
		s.dir, s.spare = temp, dir
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := s.read(dir); err != nil && !(scratch && errors.Is(err, fs.ErrPermission)) {
		return nil, errors.Join(err, s.close())
	}
	if s.remember.Origin != origin || s.remember.Branch != branch {
		s.remember = state{Origin: origin, Branch: branch, Kept: s.remember.Kept}
	}
	if scratch {
		return s, nil
	}
	parts, err := filepath.Glob(filepath.Join(dir, partName))
	for _, part := range parts {
		err = errors.Join(err, os.Remove(part))
	}
	return s, err
}

// read takes over what an earlier process remembered. A state that cannot be understood is not taken for none: that would
// silently accept whatever the branch is now.
func (s *store) read(dir string) error {
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, stateName)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, &s.remember); err != nil {
		return fmt.Errorf("%s is damaged; remove it to accept the branch as it is: %w", path, err)
	}
	return nil
}

// close removes what is temporary.
func (s *store) close() error {
	if s.scratch {
		return os.RemoveAll(s.dir)
	}
	return nil
}

// add receives a commit's pack, proves it complete, and puts it in its place.
func (s *store) add(ctx context.Context, commit plumbing.Hash, fill func(io.Writer) (largeMissing bool, err error)) (*tree, error) {
	var largeMissing bool
	file, err := spool{s.dir, s.max}.receive(func(w io.Writer) (err error) {
		largeMissing, err = fill(w)
		return err
	})
	if err != nil {
		return nil, err
	}
	t, err := readTree(ctx, file, commit, largeMissing)
	if err == nil {
		err = file.Sync() // before the name: after a loss of power a pack is whole or absent
	}
	if err == nil {
		err = os.Rename(file.Name(), s.path(commit.String()))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return t, nil
}

// load opens a commit that was added, perhaps by an earlier process.
func (s *store) load(ctx context.Context, commit string) (*tree, error) {
	file, err := os.Open(s.path(commit))
	if errors.Is(err, fs.ErrNotExist) && s.spare != "" {
		file, err = os.Open(filepath.Join(s.spare, commit+packEnd))
	}
	if err != nil {
		return nil, err
	}
	t, err := readTree(ctx, file, plumbing.NewHash(commit), true)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", file.Name(), err), file.Close())
	}
	return t, nil
}

// readTree opens a pack file as a commit's tree; the file then belongs to the tree.
func readTree(ctx context.Context, file *os.File, commit plumbing.Hash, largeMissing bool) (*tree, error) {
	p, err := openPack(ctx, file)
	if err != nil {
		return nil, err
	}
	return openTree(p, commit, largeMissing)
}

// path is where a commit's pack lies.
func (s *store) path(commit string) string { return filepath.Join(s.dir, commit+packEnd) }

// save writes the state, then removes the packs that nobody needs any more. Whoever still reads one of them may go on.
func (s *store) save(lent string) error {
	if s.scratch {
		return nil
	}
	content, err := json.MarshalIndent(s.remember, "", "  ")
	if err != nil {
		return err
	}
	file, err := spool{s.dir, 1 << 20}.receive(func(w io.Writer) error {
		_, err := w.Write(append(content, '\n'))
		return err
	})
	if err != nil {
		return err
	}
	err = errors.Join(file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(s.dir, stateName))
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return s.prune(s.remember.Accepted, s.remember.Kept, lent)
}

// prune removes all packs but those needed, so that the disk holds three at most however many commits there were.
func (s *store) prune(needed ...string) error {
	packs, err := filepath.Glob(filepath.Join(s.dir, "*"+packEnd))
	for _, path := range packs {
		if !slices.Contains(needed, strings.TrimSuffix(filepath.Base(path), packEnd)) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// syncDir makes renames in a directory survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// spool receives bytes into a new file of a directory, up to a bound.
type spool struct {
	dir string
	max int64
}

// receive leaves no file behind if it fails.
func (s spool) receive(fill func(io.Writer) error) (*os.File, error) {
	file, err := os.CreateTemp(s.dir, partName)
	if err != nil {
		return nil, err
	}
	if err := fill(&boundedWriter{file, s.max, s.max}); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return file, nil
}

// boundedWriter refuses what exceeds its bound while it streams, before it is on disk.
type boundedWriter struct {
	to        io.Writer
	left, max int64
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		return 0, errPackTooLarge(b.max)
	}
	b.left -= int64(len(p))
	return b.to.Write(p)
}
