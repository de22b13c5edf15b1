package gitsource

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// origin is the repository that is followed, wherever it lies.
type origin interface {
	// list asks once for the references; no object is transferred. The listing must be closed.
	list(ctx context.Context) (listing, error)
}

// listing is the answer to one look at the references, and the way to what they name.
type listing interface {
	// tip is the branch's newest commit.
	tip() plumbing.Hash
	// descends proves that a commit is an ancestor of the tip, or returns an errNotProven.
	descends(ctx context.Context, from plumbing.Hash) error
	// beyond are the commits that the tip has and base has not, or an errNotProven if there are more than maxBeyond.
	beyond(ctx context.Context, base plumbing.Hash) ([]*object.Commit, error)
	// download writes the tip and its whole tree as one pack, but what since has, if that is not nil. With largeMissing, files over
	// maxObject may be left out.
	download(ctx context.Context, since *tree, w io.Writer) (largeMissing bool, err error)
	close() error
}

// maxBeyond is far above what waits on a branch for somebody to take it over.
const maxBeyond = 100

var errFarBeyond = errNotProven(fmt.Sprintf("is more than %d commits beyond", maxBeyond))

// errNotProven says why a commit does not count as an ancestor.
type errNotProven string

func (e errNotProven) Error() string { return string(e) }

// branchTip picks the branch from a list of references. That it is not there among others is an ErrNoBranch.
func branchTip(branch string, heads map[string]plumbing.Hash) (plumbing.Hash, error) {
	if h, ok := heads[branchRef(branch)]; ok && !h.IsZero() {
		return h, nil
	}
	var others []string
	for name := range heads {
		if other, ok := strings.CutPrefix(name, "refs/heads/"); ok {
			others = append(others, printable(other))
		}
	}
	if len(others) == 0 {
		return plumbing.ZeroHash, fmt.Errorf("branch %s: the repository has no branch; is it empty?", branch)
	}
	slices.Sort(others)
	if len(others) > 5 {
		others = append(others[:5], "…")
	}
	return plumbing.ZeroHash, &shownError{fmt.Sprintf("branch %s does not exist; there are: %s", branch, strings.Join(others, ", ")), ErrNoBranch}
}

// branchRef is a branch's full name.
func branchRef(branch string) string { return plumbing.NewBranchReferenceName(branch).String() }
