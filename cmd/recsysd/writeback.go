package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/gitwrite"
	"recsysd.dev/recsysd/internal/reconcile"
)

// A writeBack keeps the tags that stand in Git up with the policies of their images: it commits them, and what runs follows from the
// commit as from anybody's. It learns what Git says from the passes of its stack, and writes beside them. A nil one writes nothing.
type writeBack struct {
	stack config.Stack
	git   gitwrite.Config
	read  reader
	log   *zap.Logger
	moved func(context.Context) // told when the branch that is followed was pushed to

	due chan struct{} // holds one if there is something to write

	mu       sync.Mutex
	followed []desired.Followed
	missing  map[string]time.Time // when a tag that Git names was first seen not to be in its registry, by image and tag
	resting  bool                 // the stack is suspended
	wanted   string               // what the last pass found to write
	done     string               // what was last written, or found written
	doneAt   time.Time            // when that was
	failures int                  // in a row
	after    time.Time            // not to be tried before
	trouble  string               // why it is not written; "": it is
}

// newWriteBack is nil where nothing is to be written into Git.
func newWriteBack(c *config.Config, s config.Stack, read reader, log *zap.Logger, moved func(context.Context)) *writeBack {
	u := s.ImageUpdates
	if u.Push == "" || s.Mode == config.Observe {
		return nil
	}
	return &writeBack{
		stack: s, read: read, log: log, moved: moved, due: make(chan struct{}, 1), missing: map[string]time.Time{},
		git: gitwrite.Config{Git: gitConfig(c, s), Push: u.Push, Name: u.Author.Name, Email: u.Author.Email},
	}
}

// heard notes what Git says of followed tags, as a pass reads it.
func (w *writeBack) heard(stack *desired.Stack) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.followed = stack.Followed
}

// passed takes note of a pass, and has what it found written if it is time for that. A stack that is suspended, or that cannot be had
// from Git as it is there now, is left alone.
func (w *writeBack) passed(p reconcile.Pass) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resting = p.Suspended != ""
	moves := w.moves(w.followed, p.End)
	if len(moves) == 0 {
		w.failures, w.trouble = 0, ""
		return
	}
	w.wanted = fmt.Sprint(p.Attempted, tagsOf(moves))
	if w.resting || p.SourceErr != nil || p.StackErr != nil || w.stands(p.End) || p.End.Before(w.after) {
		return
	}
	select {
	case w.due <- struct{}{}:
	default: // it is about to be written
	}
}

// lookAgain is how often a proposal is looked for: somebody may have deleted its branch without taking it over.
const lookAgain = 10 * time.Minute

// stands reports whether what is wanted is written, as far as anybody knows. On the followed branch it is gone as soon as Git says so;
// a branch of its own is not followed. Whoever calls it holds the lock.
func (w *writeBack) stands(now time.Time) bool {
	return w.wanted == w.done && (w.git.Push == w.stack.Git.Branch || now.Before(w.doneAt.Add(lookAgain)))
}

// up reports whether the last attempt went well, and whether there is anybody to attempt it.
func (w *writeBack) up() (up, on bool) {
	if w == nil {
		return false, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trouble == "", true
}

// run writes what is due until ctx is done.
func (w *writeBack) run(ctx context.Context) error {
	if w == nil {
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.due:
			w.update(ctx)
		}
	}
}

// errResting: the stack was suspended while a commit was being made.
var errResting = errors.New("the stack is suspended")

// update writes once. A failure is told, and tried again by the passes that come after the pause.
func (w *writeBack) update(ctx context.Context) {
	w.mu.Lock()
	wanted := w.wanted
	w.mu.Unlock()
	var p proposal
	commit, err := gitwrite.Update(ctx, w.git, func(ctx context.Context, tree fs.FS) (_ gitwrite.Change, err error) {
		p, err = w.edit(ctx, tree)
		return gitwrite.Change{Files: p.files, Message: p.message()}, err
	})
	if ctx.Err() != nil || errors.Is(err, errResting) {
		return
	}
	w.account(wanted, err)
	if commit == "" {
		return
	}
	for _, m := range p.moves {
		w.log.Info("new tag written into Git", zap.String("workload", m.Workload), zap.String("image", m.Image), zap.String("old", m.Tag),
			zap.String("new", m.next), zap.String("commit", commit), zap.String("branch", w.git.Push))
	}
	if len(p.also) > 0 {
		w.log.Warn("a tag that was written stands in more places than its image", zap.Strings("changed", p.also), zap.String("commit", commit))
	}
	if w.git.Push == w.stack.Git.Branch {
		w.moved(ctx)
	}
}

// Pauses after a failure: the first, and the longest.
const (
	firstPause   = 5 * time.Second
	longestPause = 10 * time.Minute
)

// account takes note of an update's end.
func (w *writeBack) account(wanted string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.done, w.doneAt, w.failures, w.trouble, w.after = wanted, time.Now(), 0, "", time.Time{}
		return
	}
	pause := min(firstPause<<min(w.failures, 10), longestPause)
	w.failures, w.after = w.failures+1, time.Now().Add(pause)
	trouble := "new tags are not written into Git: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	if trouble != w.trouble {
		w.log.Warn("new tags are not written into Git", zap.Error(err), zap.Duration("again", pause))
	}
	w.trouble = trouble
}

// edit decides on the files of a commit what tags to write, and proves that the stack then says that and is valid. There may be nothing
// to write.
func (w *writeBack) edit(ctx context.Context, tree fs.FS) (proposal, error) {
	before, err := w.read(ctx, tree, time.Now())
	if err != nil {
		return proposal{}, fmt.Errorf("the stack as it is in Git now is not valid: %w", err)
	}
	w.mu.Lock()
	resting, moves := w.resting, w.moves(before.Followed, time.Now())
	w.mu.Unlock()
	if resting {
		return proposal{}, errResting
	}
	if len(moves) == 0 {
		return proposal{}, nil
	}
	tags := tagsOf(moves)
	files, err := desired.Retag(tree, w.stack.Git.Path, w.stack.Environment, tags)
	if err != nil {
		return proposal{}, err
	}
	after, err := w.read(ctx, gitwrite.Over(tree, files), time.Now())
	if err != nil {
		return proposal{}, fmt.Errorf("the stack would not be valid with %s: %w", moves[0], err)
	}
	for _, f := range before.Followed {
		if tags[f.Workload] == "" {
			tags[f.Workload] = f.Tag
		}
	}
	for _, f := range after.Followed {
		if tags[f.Workload] != f.Tag {
			return proposal{}, fmt.Errorf("with %s written, %s would run %s, not %s: its tag is not its own in Git", moves[0], f.Workload, f.Tag, tags[f.Workload])
		}
	}
	return proposal{moves, alsoChanged(before, after, moves), files}, nil
}

// notices are for the status: why nothing is written, and which tags stand in Git for reasons that may surprise.
func (w *writeBack) notices() []string {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	if w.trouble != "" {
		all = append(all, w.trouble)
	}
	for _, f := range w.followed {
		c := f.Choice
		switch {
		case c.Known && !c.Lists(f.Tag):
			all = append(all, fmt.Sprintf("%s: %s:%s, which stands in Git, is not in the registry", f.Workload, f.Image, f.Tag))
		case !c.Policy.Matches(f.Tag):
			all = append(all, fmt.Sprintf("%s: %s:%s, which stands in Git, does not match %s", f.Workload, f.Image, f.Tag, c.Policy))
		}
	}
	return all
}
