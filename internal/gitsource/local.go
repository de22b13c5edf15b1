package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	git "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// maxWalk is how many commits a local proof of descent looks at.
const maxWalk = 100_000

// local is a repository on this machine, opened in place: go-git's own transport for paths runs the git program. A commit is
// still copied into the source's directory, so that nothing done to the repository later can take it away.
type local struct {
	path, branch string
}

// open reads nothing but the repository's own configuration. It is opened anew each time, for git may have repacked it.
func (l *local) open() (*filesystem.Storage, error) {
	repo, err := git.PlainOpenWithOptions(l.path, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		return nil, fmt.Errorf("there is no Git repository at %s", l.path)
	}
	if err != nil {
		return nil, err
	}
	opened, ok := repo.Storer.(*filesystem.Storage)
	if !ok {
		return nil, fmt.Errorf("the repository is stored in a %T, which cannot be read", repo.Storer)
	}
	return filesystem.NewStorageWithOptions(opened.Filesystem(), cache.NewObjectLRU(maxObject), filesystem.Options{
		LargeObjectThreshold: maxObject,
		AlternatesFS:         osfs.New("/"),
	}), nil
}

func (l *local) list(context.Context) (listing, error) {
	storage, err := l.open()
	if err != nil {
		return nil, err
	}
	if ref, err := storer.ResolveReference(storage, plumbing.NewBranchReferenceName(l.branch)); err == nil {
		return &localListing{storage, ref.Hash()}, nil
	}
	refs, err := storage.IterReferences()
	if err != nil {
		return nil, err
	}
	heads := map[string]plumbing.Hash{}
	err = refs.ForEach(func(ref *plumbing.Reference) error {
		heads[ref.Name().String()] = ref.Hash()
		return nil
	})
	if err == nil {
		_, err = branchTip(l.branch, heads)
	}
	return nil, err
}

type localListing struct {
	storage *filesystem.Storage
	commit  plumbing.Hash
}

func (l *localListing) tip() plumbing.Hash { return l.commit }
func (l *localListing) close() error       { return l.storage.Close() }

func (l *localListing) download(ctx context.Context, w io.Writer) (bool, error) {
	return true, writePack(ctx, l.storage, l.commit, w)
}

func (l *localListing) descends(ctx context.Context, from plumbing.Hash) error {
	seen := map[plumbing.Hash]bool{}
	for todo := []plumbing.Hash{l.commit}; len(todo) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h := todo[0]
		todo = todo[1:]
		progress(ctx)
		if h == from {
			return nil
		}
		if seen[h] {
			continue
		}
		if seen[h] = true; len(seen) > maxWalk {
			return errNotProven(fmt.Sprintf("is not seen, in its last %d commits, to descend from", maxWalk))
		}
		c, err := object.GetCommit(l.storage, h)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			continue // the edge of a shallow clone
		}
		if err != nil {
			return err
		}
		todo = append(todo, c.ParentHashes...)
	}
	return errNotProven("does not descend from")
}

// watch sends on changed whenever the branch may have moved, until ctx is done. It sends nothing where the system cannot
// watch, or there is nothing to watch yet; the poll is the safety net.
func (l *local) watch(ctx context.Context, changed chan<- struct{}) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return
	}
	defer watcher.Close()
	interesting := func(string) bool { return true }
	for look := true; ; {
		if look {
			interesting = l.places(watcher)
			select {
			case changed <- struct{}{}:
			default: // a poll is due already
			}
		}
		select {
		case <-ctx.Done():
			return
		case event := <-watcher.Events:
			look = interesting(event.Name)
		case <-watcher.Errors: // events were lost
			look = true
		}
	}
}

// places watches the directories in which the branch's reference appears, as far as they exist, and tells which names count:
// git replaces files, so it is the directories that must be watched. What cannot be watched is left to the poll.
func (l *local) places(watcher *fsnotify.Watcher) func(name string) bool {
	top := filepath.Clean(l.path)
	storage, err := l.open()
	if err == nil {
		defer storage.Close()
	}
	var refs billy.Filesystem
	if err == nil {
		refs, err = storage.Filesystem().Chroot("refs") // of a linked worktree, the main repository's
	}
	if err != nil { // until it appears
		watcher.Add(filepath.Dir(top))
		watcher.Add(top)
		return func(name string) bool { return strings.HasPrefix(name, top) }
	}
	dot := filepath.Dir(refs.Root())
	ref := filepath.Join(dot, filepath.FromSlash(branchRef(l.branch)))
	for dir := filepath.Dir(ref); len(dir) >= len(dot); dir = filepath.Dir(dir) {
		watcher.Add(dir) // one that does not exist yet is added when its parent changes
	}
	watcher.Add(filepath.Dir(dot)) // the whole may be removed and made anew
	return func(name string) bool {
		return strings.HasPrefix(ref, name) || name == filepath.Join(dot, "packed-refs")
	}
}
