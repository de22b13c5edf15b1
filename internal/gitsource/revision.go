package gitsource

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"recsysd.dev/recsysd/internal/reconcile"
)

// At reads the tree as it is in a revision of the repository that the file lies in: a branch, a tag, a commit or the beginning of its
// hash, HEAD, and any of them with ~N or ^ for one before it. The repository is read and not changed, and the network is not asked.
// close gives back what the revision is read from.
func (f File) At(ctx context.Context, revision string) (r reconcile.Revision, close func() error, err error) {
	at := &local{path: f.root}
	storage, err := at.open()
	if err != nil {
		return reconcile.Revision{}, nil, fmt.Errorf("%s: %w", f.given, err)
	}
	defer func() { err = errors.Join(err, storage.Close()) }()
	commit, err := resolve(storage, revision)
	if err != nil {
		return reconcile.Revision{}, nil, fmt.Errorf("revision %q: %w", printable(revision), err)
	}
	file, err := os.CreateTemp("", "recsysd-revision-")
	if err != nil {
		return reconcile.Revision{}, nil, err
	}
	err = errors.Join(os.Remove(file.Name()), writePack(ctx, storage, commit.Hash, nil, file)) // it stays readable while it is open
	if err == nil {
		var p *pack
		var t *tree
		if p, err = openPack(ctx, file, nil); err == nil {
			t, err = openTree(packs{p}, commit.Hash, true, nil)
		}
		if err == nil {
			return reconcile.Revision{Commit: commit.Hash.String(), Tree: t}, file.Close, nil
		}
	}
	return reconcile.Revision{}, nil, errors.Join(fmt.Errorf("revision %q: %w", printable(revision), err), file.Close())
}

// resolve finds the commit that a person names.
func resolve(s *filesystem.Storage, revision string) (*object.Commit, error) {
	name, steps := revision, 0
	for {
		if cut, found := strings.CutSuffix(name, "^"); found {
			name, steps = cut, steps+1
			continue
		}
		at := strings.LastIndexByte(name, '~')
		if at < 0 {
			break
		}
		n := 1
		if digits := name[at+1:]; digits != "" {
			var err error
			if n, err = strconv.Atoi(digits); err != nil || n < 0 {
				return nil, fmt.Errorf("~%s is no number of commits", digits)
			}
		}
		name, steps = name[:at], steps+n
	}
	commit, err := named(s, name)
	for ; err == nil && steps > 0; steps-- {
		if len(commit.ParentHashes) == 0 {
			return nil, errors.New("the history is not as long as that")
		}
		commit, err = object.GetCommit(s, commit.ParentHashes[0])
	}
	return commit, err
}

// named finds what is written in full: a reference by Git's own rules, else the beginning of a hash.
func named(s *filesystem.Storage, name string) (*object.Commit, error) {
	if name != "" {
		for _, rule := range plumbing.RefRevParseRules {
			if ref, err := storer.ResolveReference(s, plumbing.ReferenceName(fmt.Sprintf(rule, name))); err == nil {
				return peeled(s, ref.Hash())
			}
		}
	}
	whole, err := hex.DecodeString(name[:len(name)&^1])
	if err != nil || len(name) < 4 || len(name) > 40 {
		return nil, errors.New("there is no such branch, tag or commit in the repository")
	}
	hashes, err := s.HashesWithPrefix(whole)
	if err != nil {
		return nil, err
	}
	var found *object.Commit
	for _, h := range hashes {
		if !strings.HasPrefix(h.String(), strings.ToLower(name)) {
			continue
		}
		c, err := object.GetCommit(s, h)
		switch {
		case err != nil: // an object of another sort
		case found != nil && found.Hash != h:
			return nil, errors.New("more than one commit begins so")
		default:
			found = c
		}
	}
	if found == nil {
		return nil, errors.New("there is no such branch, tag or commit in the repository")
	}
	return found, nil
}

// peeled is the commit that a reference leads to; an annotated tag is an object of its own.
func peeled(s *filesystem.Storage, h plumbing.Hash) (*object.Commit, error) {
	if tag, err := object.GetTag(s, h); err == nil {
		return tag.Commit()
	}
	return object.GetCommit(s, h)
}
