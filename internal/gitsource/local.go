package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
	"github.com/go-git/go-billy/v5/osfs"
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
	dir, err := gitDir(l.path)
	if err != nil {
		return nil, err
	}
	storage := filesystem.NewStorageWithOptions(osfs.New(dir), cache.NewObjectLRU(maxObject), filesystem.Options{
		LargeObjectThreshold: maxObject,
		AlternatesFS:         osfs.New("/"),
	})
	config, err := storage.Config()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "config"), err)
	}
	extensions := config.Raw.Section("extensions")
	if format := extensions.Option("objectFormat"); format != "" && format != "sha1" {
		return nil, errSHA256
	}
	if kept := extensions.Option("refStorage"); kept != "" && kept != "files" {
		return nil, fmt.Errorf("the repository keeps its references as %s, which is not supported", printable(kept))
	}
	return storage, nil
}

// gitDir finds the directory with the objects and branches, of a bare repository, a work tree or a linked work tree. It is
// not sought in parent directories.
func gitDir(path string) (string, error) {
	dot := filepath.Join(path, ".git")
	info, err := os.Stat(dot)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dot = filepath.Clean(path)
	case err != nil:
		return "", err
	case !info.IsDir(): // of a linked work tree or a submodule
		if dot, err = pointer(dot, "gitdir:"); err != nil {
			return "", err
		}
	}
	common, err := pointer(filepath.Join(dot, "commondir"), "")
	if errors.Is(err, fs.ErrNotExist) {
		common, err = dot, nil
	}
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(common, "objects")); err != nil {
		return "", fmt.Errorf("there is no Git repository at %s", path)
	}
	return common, nil
}

// pointer reads a path from a file, relative to it.
func pointer(file, prefix string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	to, found := strings.CutPrefix(strings.TrimSpace(string(content)), prefix)
	if to = strings.TrimSpace(to); !found || to == "" {
		return "", fmt.Errorf("%s does not say where the repository is", file)
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(file), to)
	}
	return filepath.Clean(to), nil
}

// list reads one reference, and all of them only to say which branches there are.
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
	if err != nil {
		return nil, err
	}
	tip, err := branchTip(l.branch, heads)
	if err != nil {
		return nil, err
	}
	return &localListing{storage, tip}, nil // it has appeared just now
}

// localListing is an opened repository.
type localListing struct {
	storage *filesystem.Storage
	commit  plumbing.Hash
}

func (l *localListing) tip() plumbing.Hash { return l.commit }
func (l *localListing) close() error       { return l.storage.Close() }

// download copies the commit out of the repository, which need not exist any more a moment later.
func (l *localListing) download(ctx context.Context, since *tree, w io.Writer) (bool, error) {
	return true, writePack(ctx, l.storage, l.commit, since, w)
}

// descends walks back from the tip, nearest commits first.
func (l *localListing) descends(ctx context.Context, from plumbing.Hash) error {
	found := false
	err := l.walk(ctx, l.commit, func(h plumbing.Hash) bool {
		found = h == from
		return !found
	})
	if err == nil && !found {
		err = errNotProven("does not descend from")
	}
	return err
}

func (l *localListing) beyond(ctx context.Context, base plumbing.Hash) ([]*object.Commit, error) {
	known := map[plumbing.Hash]bool{}
	err := l.walk(ctx, base, func(h plumbing.Hash) bool {
		known[h] = true
		return true
	})
	if err != nil {
		return nil, err
	}
	return walkBeyond(l.commit, func(h plumbing.Hash) (*object.Commit, error) {
		if known[h] {
			return nil, nil
		}
		return object.GetCommit(l.storage, h)
	})
}

// walk visits a commit and those before it, nearest first, for as long as visit says so. A history of more than maxWalk is an errNotProven.
func (l *localListing) walk(ctx context.Context, from plumbing.Hash, visit func(plumbing.Hash) bool) error {
	seen := map[plumbing.Hash]bool{}
	for todo := []plumbing.Hash{from}; len(todo) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h := todo[0]
		todo = todo[1:]
		progress(ctx)
		if seen[h] {
			continue
		}
		if !visit(h) {
			return nil
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
	return nil
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
	dot, err := gitDir(l.path)
	if err != nil { // until it appears
		watcher.Add(filepath.Dir(top))
		watcher.Add(top)
		return func(name string) bool { return strings.HasPrefix(name, top) }
	}
	ref := filepath.Join(dot, filepath.FromSlash(branchRef(l.branch)))
	for dir := filepath.Dir(ref); len(dir) >= len(dot); dir = filepath.Dir(dir) {
		watcher.Add(dir) // one that does not exist yet is added when its parent changes
	}
	watcher.Add(filepath.Dir(dot)) // the whole may be removed and made anew
	return func(name string) bool {
		return strings.HasPrefix(ref, name) || name == filepath.Join(dot, "packed-refs")
	}
}
