// Package gitwrite puts one edit of a branch's files into one commit, and pushes it: onto the branch as it is at that moment, never
// by force, and again on the new head if someone else was faster. It reads no more of a repository than one commit, and runs no git
// program.
//
// It does not know what the files mean, nor when an edit is due.
package gitwrite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"recsysd.dev/recsysd/internal/gitsource"
)

// Config says where commits go, and in whose name.
type Config struct {
	Git   gitsource.Config // its branch is the one that edits are based on
	Push  string           // branch that commits go to; it may be the same, and is made if it does not exist
	Name  string           // of the author
	Email string           // of the author
}

// Change is what an edit comes to. No files: there is nothing to change.
type Change struct {
	Files   map[string][]byte // whole contents by path; only files that exist may be changed
	Message string
}

// Edit changes the files of a commit. It is called again with other files whenever the branch has moved meanwhile, so it must decide
// anew each time. Its error is Update's.
type Edit func(ctx context.Context, tree fs.FS) (Change, error)

// maxTries is how often an edit is made on a new head, until whoever keeps pushing is left alone for a while.
const maxTries = 5

// Update makes the edit, commits and pushes it. The commit is "" if the edit changed nothing.
func Update(ctx context.Context, cfg Config, edit Edit) (commit string, err error) {
	repository, err := gitsource.OpenRepository(cfg.Git)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, repository.Close()) }()
	u := &update{cfg, repository, edit}
	for try := 1; ; try++ {
		commit, err := u.once(ctx)
		if !errors.Is(err, gitsource.ErrMoved) || try >= maxTries {
			return commit, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(rand.N(time.Duration(try) * jitter)):
		}
	}
}

// jitter keeps two who push at once from doing so in step.
const jitter = 200 * time.Millisecond

// update is one call of Update.
type update struct {
	cfg        Config
	repository *gitsource.Repository
	edit       Edit
}

// once makes the edit on the head as it is now. The error is an ErrMoved if that was outrun.
func (u *update) once(ctx context.Context) (_ string, err error) {
	at, err := u.spot(ctx)
	if at == nil {
		return "", err
	}
	defer func() { err = errors.Join(err, at.on.Close()) }()
	change, err := u.edit(ctx, at.on.Tree)
	if err != nil || len(change.Files) == 0 {
		return "", err
	}
	c, err := commit(at, change, u.cfg.Name, u.cfg.Email, time.Now())
	if err != nil || c.hash.IsZero() {
		return "", err
	}
	if err := u.repository.Push(ctx, u.cfg.Push, at.old, c.hash, c.objects); err != nil {
		return "", err
	}
	return c.hash.String(), nil
}

// spot is where a commit goes.
type spot struct {
	on      *gitsource.Tip  // whose files it changes
	parents []plumbing.Hash // on's commit, and whatever else it goes on from
	old     plumbing.Hash   // where the branch to push is; zero: it is made
}

// onTop is a spot on a tip and nothing else.
func onTop(t *gitsource.Tip) *spot { return &spot{on: t, parents: []plumbing.Hash{t.Commit}} }

// spot finds where to build, and where the branch to push is. It is nil, without an error, if that branch has what the edit is for
// already, in a history of its own.
func (u *update) spot(ctx context.Context) (*spot, error) {
	tracked, err := u.repository.Tip(ctx, u.cfg.Git.Branch)
	if err != nil {
		return nil, err
	}
	at := onTop(tracked)
	if u.cfg.Push == u.cfg.Git.Branch {
		at.old = tracked.Commit
		return at, nil
	}
	other, err := u.repository.Tip(ctx, u.cfg.Push)
	if errors.Is(err, gitsource.ErrNoBranch) {
		return at, nil
	}
	if err != nil {
		return nil, errors.Join(err, tracked.Close())
	}
	at, err = u.choose(ctx, tracked, other)
	for _, t := range []*gitsource.Tip{tracked, other} {
		if at == nil || t != at.on {
			err = errors.Join(err, t.Close())
		}
	}
	if at == nil {
		return nil, err
	}
	if err != nil {
		return nil, errors.Join(err, at.on.Close())
	}
	at.old = other.Commit
	return at, nil
}

// choose builds on the newer of two that lie on one line: proposals that wait, or that were taken over. Of two that parted, as they do
// when something else is merged first, or when proposals are squashed, the files are those of the branch that is followed: what
// the other has of ours is proposed anew with them. What it has of anybody else is not thrown away, and not joined here.
func (u *update) choose(ctx context.Context, tracked, other *gitsource.Tip) (*spot, error) {
	ahead, err := other.Descends(ctx, tracked.Commit)
	if err != nil {
		return nil, err
	}
	if ahead {
		return onTop(other), nil
	}
	behind, err := tracked.Descends(ctx, other.Commit)
	if err != nil {
		return nil, err
	}
	if behind {
		return onTop(tracked), nil
	}
	change, err := u.edit(ctx, other.Tree)
	if err != nil || len(change.Files) == 0 {
		return nil, err
	}
	authors, known, err := other.Beyond(ctx, tracked.Commit)
	if err != nil {
		return nil, err
	}
	if ours := (gitsource.Author{Name: u.cfg.Name, Email: u.cfg.Email}); known && slices.Equal(authors, []gitsource.Author{ours}) {
		return &spot{on: tracked, parents: []plumbing.Hash{other.Commit, tracked.Commit}}, nil
	}
	return nil, fmt.Errorf("branch %s is not on top of %s, holds commits of others, and is never overwritten; merge %s into it, or delete it and it is made anew",
		u.cfg.Push, u.cfg.Git.Branch, u.cfg.Git.Branch)
}
