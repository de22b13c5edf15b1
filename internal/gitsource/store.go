package gitsource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// store is the source's directory: one pack for each commit that is still needed, and what must survive a restart. A pack holds a whole
// commit, or what it has beyond another one, on which it stands. Files appear whole or not at all; whatever else lies there is removed when it is opened.
type store struct {
	dir      string // packs are written here
	scratch  bool   // dir is temporary, nothing outlives this process
	spare    string // with scratch: packs that a daemon wrote are read from here
	max      int64
	remember state
	opened   map[string]*pack // by commit: two that are needed may stand on the same
	awaited  string           // a commit that is being received: until it is judged its pack stays, too
}

// state is state.json.
type state struct {
	Origin   string `json:"origin"` // without credentials
	Branch   string `json:"branch"`
	Accepted string `json:"accepted"` // newest commit taken from the branch; the next must descend from it
	Kept     string `json:"kept"`     // newest commit said to be good

	Stands map[string]string `json:"stands,omitempty"` // on which commit the pack of another stands; the others are whole
}

const (
	stateName = "state.json"
	packEnd   = ".pack"
	partName  = "incoming-*"
)

// openStore makes the directory if need be. A state of another repository or branch says nothing about this one's history;
// the revision kept is still the last good one. With scratch, dir is only read and a temporary directory written.
func openStore(dir string, scratch bool, max int64, origin, branch string) (*store, error) {
	s := &store{dir: dir, scratch: scratch, max: max, opened: map[string]*pack{}}
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
		s.remember = state{Origin: origin, Branch: branch, Kept: s.remember.Kept, Stands: s.remember.Stands}
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

// maxStack is how many packs a commit may be spread over before it is fetched whole again.
const maxStack = 32

// filling writes a commit's pack, but what since has, if that is not nil. Files over maxObject may be left out if it says so.
type filling func(ctx context.Context, since *tree, w io.Writer) (largeMissing bool, err error)

// add receives what a commit has beyond since, an earlier one, proves that together they are complete, and puts it in its place. If they
// are not, or the two together waste too much room, the commit is received whole.
func (s *store) add(ctx context.Context, commit plumbing.Hash, since *tree, fill filling) (*tree, error) {
	file, largeMissing, err := s.receive(ctx, since, fill)
	if err != nil {
		return nil, err
	}
	t, err := readTree(ctx, file, commit, largeMissing, since)
	if err != nil && since != nil && ctx.Err() == nil { // a server may be wrong about what is here
		if err = errors.Join(file.Close(), os.Remove(file.Name())); err != nil {
			return nil, err
		}
		return s.add(ctx, commit, nil, fill)
	}
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

// await says that a commit is about to be added, and returns what its pack may stand on: since, or nothing.
func (s *store) await(commit plumbing.Hash, since *tree) *tree {
	s.awaited = commit.String()
	if since == nil || !s.mayStand(commit, since) {
		return nil
	}
	return since
}

// took notes what a commit that was added stands on. Until then its pack is nobody's.
func (s *store) took(t *tree) {
	commit := t.commit.String()
	s.awaited = ""
	s.opened[commit] = t.packs[0]
	delete(s.remember.Stands, commit)
	if !t.since.IsZero() {
		if s.remember.Stands == nil {
			s.remember.Stands = map[string]string{}
		}
		s.remember.Stands[commit] = t.since.String()
	}
}

func (s *store) receive(ctx context.Context, since *tree, fill filling) (file *os.File, largeMissing bool, err error) {
	file, err = spool{s.dir, s.max}.receive(func(w io.Writer) (err error) {
		largeMissing, err = fill(ctx, since, w)
		return err
	})
	return file, largeMissing, err
}

// mayStand reports whether a commit's pack may stand on since: not if another pack may stand on one of that commit, and not on a stack that
// is too high or, in what was added to the whole commit at its bottom, larger than that.
func (s *store) mayStand(commit plumbing.Hash, since *tree) bool {
	if _, err := os.Lstat(s.path(commit.String())); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	bottom := len(since.packs) - 1
	var added int64
	for _, p := range since.packs[:bottom] {
		added += p.size
	}
	return len(since.packs) < maxStack && added <= since.packs[bottom].size && !slices.Contains(s.stack(since.commit.String()), commit.String())
}

// stack is a commit and those that its pack stands on.
func (s *store) stack(commit string) (all []string) {
	for commit != "" && len(all) < maxStack {
		all = append(all, commit)
		commit = s.remember.Stands[commit]
	}
	return all
}

// load opens a commit that was added, perhaps by an earlier process.
func (s *store) load(ctx context.Context, commit string) (*tree, error) {
	var all packs
	for _, c := range slices.Backward(s.stack(commit)) {
		p, err := s.open(ctx, c, all)
		if err != nil {
			return nil, err
		}
		all = append(packs{p}, all...)
	}
	t, err := openTree(all, plumbing.NewHash(commit), true, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path(commit), err)
	}
	return t, nil
}

// open indexes a pack, once.
func (s *store) open(ctx context.Context, commit string, under packs) (*pack, error) {
	if p := s.opened[commit]; p != nil {
		return p, nil
	}
	file, err := os.Open(s.path(commit))
	if errors.Is(err, fs.ErrNotExist) && s.spare != "" {
		file, err = os.Open(filepath.Join(s.spare, commit+packEnd))
	}
	if err != nil {
		return nil, err
	}
	p, err := openPack(ctx, file, under)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", file.Name(), err), file.Close())
	}
	s.opened[commit] = p
	return p, nil
}

// readTree opens a pack file, on top of what since has, as a commit's tree; the file then belongs to the tree.
func readTree(ctx context.Context, file *os.File, commit plumbing.Hash, largeMissing bool, since *tree) (*tree, error) {
	var under packs
	if since != nil {
		under = since.packs
	}
	p, err := openPack(ctx, file, under)
	if err != nil {
		return nil, err
	}
	return openTree(append(packs{p}, under...), commit, largeMissing, since)
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

// prune removes all packs but those needed and what they stand on, so that the disk holds a few however many commits there were.
func (s *store) prune(needed ...string) error {
	keep := map[string]bool{s.awaited: true}
	for _, commit := range needed {
		for _, c := range s.stack(commit) {
			keep[c] = true
		}
	}
	maps.DeleteFunc(s.remember.Stands, func(commit, _ string) bool { return !keep[commit] })
	maps.DeleteFunc(s.opened, func(commit string, _ *pack) bool { return !keep[commit] })
	packs, err := filepath.Glob(filepath.Join(s.dir, "*"+packEnd))
	for _, path := range packs {
		if !keep[strings.TrimSuffix(filepath.Base(path), packEnd)] {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}
