package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

// depths are how far back a proof of descent looks, one request after another: nearly every push is one commit.
var depths = [...]int{2, 16, 128, 1024, 8192}

// remote is a repository behind https or ssh, spoken to in Git's own protocol. It uses go-git's wire formats and transports,
// not its repositories: those read the user's configuration and hold packs in memory.
type remote struct {
	branch string
	spool  spool
	open   func(ctx context.Context, prefix string) (talk, map[string]plumbing.Hash, error) // with the references that have the prefix
}

// list costs one request over http once the server is known, if no redirect leads to it, one connection over ssh. The conversation stays open, for a redirect
// that was followed here counts for the requests that come after.
func (r *remote) list(ctx context.Context) (listing, error) {
	talk, refs, err := r.open(ctx, branchRef(r.branch))
	if err != nil {
		return nil, err
	}
	if refs[branchRef(r.branch)].IsZero() { // only to say which branches there are
		if refs, err = talk.refs(ctx, "refs/heads/"); err != nil {
			return nil, errors.Join(err, talk.Close())
		}
	}
	tip, err := branchTip(r.branch, refs)
	if err != nil {
		return nil, errors.Join(err, talk.Close())
	}
	return &remoteListing{remote: r, talk: talk, commit: tip}, nil
}

// remoteListing is an open conversation.
type remoteListing struct {
	*remote
	talk   talk
	commit plumbing.Hash
}

func (l *remoteListing) tip() plumbing.Hash { return l.commit }
func (l *remoteListing) close() error       { return l.talk.Close() }

// download asks for the tip alone, without history and without what since has; a server that can leave out large files is asked to.
func (l *remoteListing) download(ctx context.Context, since *tree, to io.Writer) (largeMissing bool, err error) {
	w := wish{want: l.commit, depth: 1}
	if since != nil {
		w.have, w.thin = since.commit, true
	}
	if l.talk.filters() {
		largeMissing = true
		w.filter = packp.FilterBlobLimit(maxObject+1, packp.BlobLimitPrefixNone)
	}
	_, err = l.talk.fetch(ctx, w, to)
	return largeMissing, err
}

// descends asks for the commits between from and the tip, deeper and deeper. A commit's hash covers the hashes of its
// parents, so a chain of them is a proof that needs no trust in the server. (A shallow fetch's own "fast-forward" is none:
// what is not there cannot contradict it.)
func (l *remoteListing) descends(ctx context.Context, from plumbing.Hash) error {
	for _, depth := range depths {
		file, edge, err := l.history(ctx, depth, from)
		if err != nil {
			return err
		}
		found, whole, err := findAncestor(ctx, file, l.commit, from, edge)
		if err = errors.Join(err, os.Remove(file.Name())); err != nil {
			return err
		}
		if found {
			return nil
		}
		if whole {
			return errNotProven("does not descend from")
		}
	}
	return errNotProven(fmt.Sprintf("is not seen, in its last %d commits, to descend from", depths[len(depths)-1]))
}

// history receives the commits, so many deep, that the tip has and base has not, and tells at which the server cut.
func (l *remoteListing) history(ctx context.Context, depth int, base plumbing.Hash) (file *os.File, edge []plumbing.Hash, err error) {
	w := wish{want: l.commit, depth: depth, have: base} // nothing that base reaches is sent
	if l.talk.filters() {
		w.filter = packp.FilterTreeDepth(0)
	}
	file, err = l.spool.receive(func(to io.Writer) (err error) {
		edge, err = l.talk.fetch(ctx, w, to)
		return err
	})
	return file, edge, err
}

func (l *remoteListing) beyond(ctx context.Context, base plumbing.Hash) (all []*object.Commit, err error) {
	file, edge, err := l.history(ctx, maxBeyond+1, base)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	p, err := openPack(ctx, file, nil)
	if err != nil {
		return nil, err
	}
	return walkBeyond(l.commit, func(h plumbing.Hash) (*object.Commit, error) {
		content, err := p.object(h, plumbing.CommitObject)
		switch {
		case errors.Is(err, errAbsent):
			return nil, nil
		case err != nil:
			return nil, err
		case slices.Contains(edge, h):
			return nil, errFarBeyond
		}
		return parseCommit(h, content)
	})
}

// walkBeyond collects the commits from tip on back to those for which read has none.
func walkBeyond(tip plumbing.Hash, read func(plumbing.Hash) (*object.Commit, error)) (all []*object.Commit, err error) {
	seen := map[plumbing.Hash]bool{}
	for todo := []plumbing.Hash{tip}; len(todo) > 0; {
		h := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[h] {
			continue
		}
		seen[h] = true
		c, err := read(h)
		switch {
		case err != nil:
			return nil, err
		case c == nil:
			continue
		case len(all) == maxBeyond:
			return nil, errFarBeyond
		}
		all = append(all, c)
		todo = append(todo, c.ParentHashes...)
	}
	return all, nil
}

// findAncestor walks the commits in a pack from the tip. whole is false if there are older ones that were not sent, because
// they are behind the edge.
func findAncestor(ctx context.Context, file *os.File, tip, from plumbing.Hash, edge []plumbing.Hash) (found, whole bool, err error) {
	p, err := openPack(ctx, file, nil)
	if err != nil {
		return false, false, err
	}
	whole = true
	seen := map[plumbing.Hash]bool{}
	for todo := []plumbing.Hash{tip}; len(todo) > 0; {
		h := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[h] {
			continue
		}
		seen[h] = true
		content, err := p.object(h, plumbing.CommitObject)
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return false, false, err
		}
		c, err := parseCommit(h, content)
		if err != nil {
			return false, false, err
		}
		if slices.Contains(c.ParentHashes, from) {
			return true, true, nil
		}
		if slices.Contains(edge, h) {
			whole = false
			continue
		}
		todo = append(todo, c.ParentHashes...)
	}
	return false, whole, nil
}
