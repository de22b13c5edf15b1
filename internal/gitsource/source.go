// Package gitsource follows one branch of a Git repository and hands out its newest commit as a read-only fs.FS. It polls on
// its own, keeps the last good commit across restarts, and refuses a branch whose history was rewritten.
//
// A poll that finds nothing new costs one question about one branch, however many there are (where the server speaks only version 0 of
// Git's protocol: one list of all references). A new commit is fetched alone, without history, as one pack file in the source's directory
// with what it has beyond the commit before it, and read from there: there is never a checkout, no git program is run, and memory does
// not grow with the repository. The user's and the system's Git and ssh configuration play no part.
//
// A Repository is the same conversation for whoever writes: the newest commit of a branch, and a push that moves it. What a commit is
// made of is gitwrite's business. Neither knows what the files mean.
package gitsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"recsysd.dev/recsysd/internal/reconcile"
)

// Source is a reconcile.Source over a Git repository. Its methods are safe for concurrent use.
type Source struct {
	cfg     Config
	address address
	origin  origin
	shut    func()
	turn    chan struct{} // held by whoever polls
	hints   chan struct{} // Run polls at once

	mu       sync.Mutex
	store    *store
	restored bool // the commit accepted by an earlier process was looked for on disk
	polled   bool
	current  reconcile.Revision
	kept     reconcile.Revision
	lent     string // what Fetch gave out last; it may be kept yet
	err      error  // of the last poll
	failures int    // polls that failed in a row
	refused  *refusal
	whole    plumbing.Hash // a tip that could not be received as what it has beyond the one before
}

// refusal is the verdict over a commit that is not fetched again however often it is seen.
type refusal struct {
	tip plumbing.Hash
	err error
}

var _ reconcile.Source = (*Source)(nil)

// Close ends idle connections and removes what is temporary. Revisions that were handed out stay readable.
func (s *Source) Close() error {
	s.shut()
	return s.store.close()
}

// String is the repository's address without credentials.
func (s *Source) String() string { return s.address.String() }

// Poll looks at the repository once. Its error is also what Fetch returns until a poll succeeds.
func (s *Source) Poll(ctx context.Context) error { return s.poll(ctx, false) }

// AcceptRewrite polls once and takes the branch as it is, even if its history was rewritten.
func (s *Source) AcceptRewrite(ctx context.Context) error { return s.poll(ctx, true) }

// poll waits for its turn, so that two never run at once.
func (s *Source) poll(ctx context.Context, rewritten bool) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.look(ctx, rewritten)
}

// look is one poll. Whoever calls it has the turn.
func (s *Source) look(ctx context.Context, rewritten bool) error {
	s.restore(ctx)
	patient, stop := withPatience(ctx, s.cfg.Timeout)
	defer stop()
	before := s.current.Commit // only whoever has the turn writes it
	err := explain(patient, s.address, s.cfg.Auth, s.update(patient, rewritten || s.cfg.AllowRewrite))
	if err != nil && ctx.Err() != nil {
		return err // given up by the caller: it says nothing about the repository
	}
	s.mu.Lock()
	news := s.current.Commit != before || s.polled && (err == nil) != (s.err == nil)
	s.polled, s.err = true, err
	if err == nil {
		s.failures = 0
	} else {
		s.failures++
	}
	s.mu.Unlock()
	if news && s.cfg.Notify != nil {
		s.cfg.Notify()
	}
	return err
}

// restore finds the commit that an earlier process accepted, so that Git may be away. If it cannot be read it is fetched anew.
func (s *Source) restore(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restored || s.store.remember.Accepted == "" {
		return
	}
	t, err := s.store.load(ctx, s.store.remember.Accepted)
	if err == nil {
		s.current = reconcile.Revision{Commit: s.store.remember.Accepted, Tree: t}
	}
	s.restored = ctx.Err() == nil
}

// update brings the current revision up to the branch's tip, unless that is refused.
func (s *Source) update(ctx context.Context, rewritten bool) (err error) {
	l, err := s.origin.list(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	tip := l.tip()
	if tip.String() == s.current.Commit {
		s.refused = nil
		return nil
	}
	if s.refused != nil && s.refused.tip == tip && !rewritten {
		return s.refused.err
	}
	// Only what is whole and proven is ever visible; until then the revision before it stays.
	since := s.base(tip)
	t, err := s.store.add(ctx, tip, since, l.download)
	if err != nil {
		if s.whole = plumbing.ZeroHash; since != nil {
			s.whole = tip
		}
		return s.refuse(tip, fmt.Errorf("commit %s: %w", tip, err))
	}
	accepted := s.store.remember.Accepted
	if accepted != "" && accepted != tip.String() && !slices.Contains(t.parents, plumbing.NewHash(accepted)) && !rewritten {
		if err := s.prove(ctx, l, accepted); err != nil {
			return errors.Join(s.refuse(tip, err), s.discard())
		}
	}
	s.refused = nil
	return s.accept(t)
}

// base is what the pack of a new tip may stand on, which is kept until the tip is accepted or discarded; nil: it is received whole. If that
// comes to nothing with a server, the next poll tries the other.
func (s *Source) base(tip plumbing.Hash) *tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, _ := s.current.Tree.(*tree)
	if s.whole == tip {
		before = nil
	}
	return s.store.await(tip, before)
}

// prove returns ErrRewritten, with both commits and the way out, unless the tip is seen to descend from what was accepted.
func (s *Source) prove(ctx context.Context, l listing, accepted string) error {
	err := l.descends(ctx, plumbing.NewHash(accepted))
	const out = "accept it once with recsysd sync --accept-rewrite"
	var not errNotProven
	switch {
	case errors.As(err, &not):
		return fmt.Errorf("%w: %s, now the tip of %s, %s %s, the last commit accepted; %s, or set git.allowRewrite",
			ErrRewritten, l.tip(), s.cfg.Branch, not, accepted, out)
	case errors.As(err, new(errPackTooLarge)):
		return fmt.Errorf("commit %s: what was pushed since %s is too much to see that the one descends from the other: %w; raise that, or %s",
			l.tip(), accepted, err, out)
	}
	return err
}

// refuse remembers a verdict that another look at the same commit would not change; what may pass is tried again.
func (s *Source) refuse(tip plumbing.Hash, err error) error {
	if errors.Is(err, ErrRewritten) || errors.As(err, new(errPackTooLarge)) {
		s.refused = &refusal{tip, err}
	}
	return err
}

// accept makes a revision the current one, for Fetch and for the next process. From here on the branch must descend from it.
func (s *Source) accept(t *tree) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = reconcile.Revision{Commit: t.commit.String(), Tree: t}
	s.store.remember.Accepted = s.current.Commit
	s.store.took(t)
	return s.store.save(s.lent)
}

// discard removes what was received and not accepted.
func (s *Source) discard() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.awaited = ""
	return s.store.prune(s.store.remember.Accepted, s.store.remember.Kept, s.lent)
}

// Fetch returns the newest revision known, and why there may be a newer one. It asks the network only if nothing has been
// polled yet, so whoever needs no loop may call it without Run.
func (s *Source) Fetch(ctx context.Context) (reconcile.Revision, error) {
	err := s.first(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lent = s.current.Commit
	return s.current, cmp.Or(s.err, err)
}

// first polls unless that was done.
func (s *Source) first(ctx context.Context) error {
	s.mu.Lock()
	polled := s.polled
	s.mu.Unlock()
	if polled {
		return nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	polled = s.polled
	s.mu.Unlock()
	if polled { // by the loop, while this waited
		return nil
	}
	return s.look(ctx, false)
}

// Keep marks a revision as the last good one. It must have been returned by Fetch last, or be kept already.
func (s *Source) Keep(_ context.Context, r reconcile.Revision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Commit == s.kept.Commit {
		return nil
	}
	if r.Commit == "" || r.Commit != s.lent && r.Commit != s.current.Commit {
		return fmt.Errorf("git %s: commit %q is not the one that was fetched last", s.address, r.Commit)
	}
	s.kept, s.store.remember.Kept = r, r.Commit
	if err := s.store.save(s.lent); err != nil {
		return fmt.Errorf("git %s: %w", s.address, err)
	}
	return nil
}

// Kept returns the revision kept last, by this process or an earlier one. It needs no network.
func (s *Source) Kept(ctx context.Context) (reconcile.Revision, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	commit := s.store.remember.Kept
	if commit == "" {
		return reconcile.Revision{}, false, nil
	}
	if s.kept.Commit != commit {
		t, err := s.store.load(ctx, commit)
		if err != nil {
			return reconcile.Revision{}, false, fmt.Errorf("git %s: the last good revision: %w", s.address, err)
		}
		s.kept = reconcile.Revision{Commit: commit, Tree: t}
	}
	return s.kept, true, nil
}
