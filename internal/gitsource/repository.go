package gitsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Repository is a repository to be written to. Each question is a conversation of its own; nothing is remembered between two.
// It must not be used from two goroutines at once.
type Repository struct {
	cfg     Config
	address address
	store   *store
	origin  func(branch string) origin
	gate    gate
	shut    func()
}

// gate is the way into a repository.
type gate interface {
	// push moves a branch from one commit to another. The objects are those that the repository lacks.
	push(ctx context.Context, branch string, old, to plumbing.Hash, objects []plumbing.EncodedObject) error
}

// OpenRepository checks the configuration; it does not touch the network. Of the configuration, the address, the proof and the bounds
// count; what is downloaded lies in a temporary directory until Close.
func OpenRepository(cfg Config) (*Repository, error) {
	cfg.Timeout = cmp.Or(cfg.Timeout, 30*time.Second)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 256<<20)
	a, err := parseAddress(cfg.URL)
	if err != nil {
		return nil, err
	}
	if err := checkAuth(a, cfg.Auth); err != nil {
		return nil, fmt.Errorf("git %s: %w", a, err)
	}
	st, err := openStore("", true, cfg.MaxBytes, a.String(), "")
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", a, err)
	}
	r := &Repository{cfg: cfg, address: a, store: st, shut: func() {}}
	room := spool{st.dir, cfg.MaxBytes}
	switch a.endpoint.Protocol {
	case "file":
		r.origin = func(branch string) origin { return &local{path: a.endpoint.Path, branch: branch} }
		r.gate = localGate(a.endpoint.Path)
	case "ssh":
		r.origin = func(branch string) origin { return &remote{branch: branch, spool: room, open: openSSH(a, cfg.Auth)} }
		r.gate = remoteGate(func(context.Context) (receiver, error) { return &sshReceiver{address: a, auth: cfg.Auth}, nil })
	default:
		open, shut := openHTTP(a, cfg.Auth)
		receive, shutReceive := receiveHTTP(a, cfg.Auth)
		r.origin = func(branch string) origin { return &remote{branch: branch, spool: room, open: open} }
		r.gate, r.shut = remoteGate(receive), func() { shut(); shutReceive() }
	}
	return r, nil
}

// Close ends idle connections and removes what was downloaded.
func (r *Repository) Close() error {
	r.shut()
	return r.store.close()
}

// named refuses what is not the name of a branch: it becomes part of paths.
func (r *Repository) named(branch string) error {
	if err := plumbing.NewBranchReferenceName(branch).Validate(); err != nil {
		return fmt.Errorf("git %s: branch %q is not a valid name", r.address, printable(branch))
	}
	return nil
}

// Tip is the newest commit of a branch, with its files. Close it.
type Tip struct {
	Commit plumbing.Hash
	Tree   fs.FS

	repository *Repository
	tree       *tree
	listing    listing
}

// Tip fetches the newest commit of a branch, without history. Its error is ErrNoBranch if there is no such branch.
func (r *Repository) Tip(ctx context.Context, branch string) (*Tip, error) {
	if err := r.named(branch); err != nil {
		return nil, err
	}
	patient, stop := withPatience(ctx, r.cfg.Timeout)
	defer stop()
	t, err := r.tip(patient, branch)
	return t, explain(patient, r.address, r.cfg.Auth, err)
}

func (r *Repository) tip(ctx context.Context, branch string) (*Tip, error) {
	l, err := r.origin(branch).list(ctx)
	if err != nil {
		return nil, err
	}
	t, err := r.store.add(ctx, l.tip(), nil, l.download)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("commit %s: %w", l.tip(), err), l.close())
	}
	return &Tip{Commit: l.tip(), Tree: t, repository: r, tree: t, listing: l}, nil
}

// Close ends the conversation; the files stay readable.
func (t *Tip) Close() error { return t.listing.close() }

// Descends reports whether a commit is the tip or one that came before it.
func (t *Tip) Descends(ctx context.Context, from plumbing.Hash) (bool, error) {
	if t.Commit == from {
		return true, nil
	}
	patient, stop := withPatience(ctx, t.repository.cfg.Timeout)
	defer stop()
	err := t.listing.descends(patient, from)
	if errors.As(err, new(errNotProven)) {
		return false, nil
	}
	return err == nil, explain(patient, t.repository.address, t.repository.cfg.Auth, err)
}

// Author is who a commit says it is from.
type Author struct{ Name, Email string }

// Beyond are the authors and committers of the commits that the tip has and base, of the same repository, has not: each once. It is not ok
// where there are too many commits to tell.
func (t *Tip) Beyond(ctx context.Context, base plumbing.Hash) (from []Author, ok bool, err error) {
	patient, stop := withPatience(ctx, t.repository.cfg.Timeout)
	defer stop()
	commits, err := t.listing.beyond(patient, base)
	if errors.As(err, new(errNotProven)) {
		return nil, false, nil
	}
	for _, c := range commits {
		for _, who := range []object.Signature{c.Author, c.Committer} {
			if a := (Author{who.Name, who.Email}); !slices.Contains(from, a) {
				from = append(from, a)
			}
		}
	}
	return from, err == nil, explain(patient, t.repository.address, t.repository.cfg.Auth, err)
}

// Entries are those of a directory as Git keeps them, submodules included. Links on the way to it are not followed.
func (t *Tip) Entries(dir string) ([]object.TreeEntry, error) {
	n, err := t.tree.find(dir, false)
	if err == nil && !n.IsDir() {
		err = errors.New("not a directory")
	}
	var all []object.TreeEntry
	if err == nil {
		all, err = t.tree.entries(n)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: err}
	}
	return all, nil
}

// hookPatience is how much longer a push is waited for than a fetch: the server's hooks run in silence.
const hookPatience = 4

// Push moves a branch from old, the zero hash if it is to be made, to a commit whose missing objects are given. It never forces:
// if the branch is not at old, the error is ErrMoved. Whatever the conversation came to, it is no error if the branch is there.
func (r *Repository) Push(ctx context.Context, branch string, old, to plumbing.Hash, objects []plumbing.EncodedObject) error {
	if err := r.named(branch); err != nil {
		return err
	}
	patient, stop := withPatience(ctx, hookPatience*r.cfg.Timeout)
	defer stop()
	err := r.gate.push(patient, branch, old, to, objects)
	if err == nil {
		return nil
	}
	now, lookErr := r.head(ctx, branch)
	switch {
	case lookErr == nil && now == to:
		return nil // only the answer was lost
	case lookErr == nil && now != old, errors.Is(err, ErrMoved):
		// A server tells in words of its own that it was outrun; that the branch is elsewhere is the fact behind them.
		return &shownError{text: fmt.Sprintf("git %s: branch %s: %v", r.address, branch, ErrMoved), cause: ErrMoved}
	}
	return explain(patient, r.address, r.cfg.Auth, err)
}

// head is where a branch is; the zero hash if it is not there.
func (r *Repository) head(ctx context.Context, branch string) (plumbing.Hash, error) {
	patient, stop := withPatience(ctx, r.cfg.Timeout)
	defer stop()
	l, err := r.origin(branch).list(patient)
	if errors.Is(err, ErrNoBranch) {
		return plumbing.ZeroHash, nil
	}
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return l.tip(), l.close()
}
