package gitsource

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// decodeTree reads one directory. Names that no file can have (from a server that means harm) make it an error.
func decodeTree(ps packs, h plumbing.Hash) ([]object.TreeEntry, error) {
	content, err := ps.object(h, plumbing.TreeObject)
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", h, err)
	}
	return parseTree(h, content)
}

// parseTree decodes a directory that was read, under the rules of decodeTree.
func parseTree(h plumbing.Hash, content []byte) ([]object.TreeEntry, error) {
	var t object.Tree
	if err := t.Decode(memory(plumbing.TreeObject, content)); err != nil {
		return nil, fmt.Errorf("directory %s: %w", h, err)
	}
	for _, e := range t.Entries {
		if !fs.ValidPath(e.Name) || e.Name == "." || strings.Contains(e.Name, "/") {
			return nil, fmt.Errorf("directory %s: %q is no name for a file", h, e.Name)
		}
	}
	return t.Entries, nil
}

// parseCommit decodes a commit that was read.
func parseCommit(h plumbing.Hash, content []byte) (*object.Commit, error) {
	var c object.Commit
	if err := c.Decode(memory(plumbing.CommitObject, content)); err != nil {
		return nil, fmt.Errorf("commit %s: %w", h, err)
	}
	return &c, nil
}

// memory wraps bytes as go-git's decoders want them.
func memory(kind plumbing.ObjectType, content []byte) *plumbing.MemoryObject {
	var o plumbing.MemoryObject
	o.SetType(kind)
	o.Write(content) // into memory: it cannot fail
	return &o
}

// openTree makes a commit's tree readable and proves that it is complete: every directory, and, unless large files may be missing, every
// file. Of what since, which was proven before, has at the same place nothing is looked at again.
func openTree(ps packs, commit plumbing.Hash, largeMissing bool, since *tree) (*tree, error) {
	content, err := ps.object(commit, plumbing.CommitObject)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", commit, err)
	}
	c, err := parseCommit(commit, content)
	if err != nil {
		return nil, err
	}
	largeMissing = largeMissing && since == nil // a new file that is missing may be large, or was thought to be here
	skipped := false
	for _, p := range ps {
		skipped = skipped || p.skipped > 0
	}
	read := func(h plumbing.Hash) ([]object.TreeEntry, error) { return decodeTree(ps, h) }
	err = walkTree(c.TreeHash, since, read, func(e object.TreeEntry) error {
		if _, ok := ps.find(e.Hash); !ok && e.Mode != filemode.Dir && !largeMissing && !skipped {
			return fmt.Errorf("the pack is not complete: file %s (%s) is missing", e.Name, e.Hash)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &tree{packs: ps, commit: commit, parents: c.ParentHashes, root: c.TreeHash, time: c.Committer.When}
	if since != nil {
		t.since = since.commit
	}
	return t, nil
}

// walkTree visits every entry below a directory but submodules, each directory once, and leaves out what since has at the same place.
func walkTree(root plumbing.Hash, since *tree, read func(plumbing.Hash) ([]object.TreeEntry, error), visit func(object.TreeEntry) error) error {
	type pair struct{ now, before plumbing.Hash }
	todo := []pair{{now: root}}
	if since != nil {
		todo[0].before = since.root
	}
	seen := map[plumbing.Hash]bool{}
	for len(todo) > 0 {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[dir.now] || dir.now == dir.before {
			continue
		}
		seen[dir.now] = true
		listed, err := read(dir.now)
		if err != nil {
			return err
		}
		before := map[string]plumbing.Hash{}
		if !dir.before.IsZero() {
			known, err := decodeTree(since.packs, dir.before)
			if err != nil {
				return err
			}
			for _, e := range known {
				before[e.Name] = e.Hash
			}
		}
		for _, e := range listed {
			if e.Mode == filemode.Submodule || before[e.Name] == e.Hash {
				continue
			}
			if err := visit(e); err != nil {
				return err
			}
			if e.Mode == filemode.Dir {
				todo = append(todo, pair{e.Hash, before[e.Name]})
			}
		}
	}
	return nil
}
