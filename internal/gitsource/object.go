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
func decodeTree(p *pack, h plumbing.Hash) ([]object.TreeEntry, error) {
	content, err := p.object(h, plumbing.TreeObject)
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

// openTree makes a commit's tree readable and proves that it is complete: every directory, and, unless large files may be
// missing, every file.
func openTree(p *pack, commit plumbing.Hash, largeMissing bool) (*tree, error) {
	content, err := p.object(commit, plumbing.CommitObject)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", commit, err)
	}
	c, err := parseCommit(commit, content)
	if err != nil {
		return nil, err
	}
	seen := map[plumbing.Hash]bool{}
	for todo := []plumbing.Hash{c.TreeHash}; len(todo) > 0; {
		h := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[h] {
			continue
		}
		seen[h] = true
		listed, err := decodeTree(p, h)
		if err != nil {
			return nil, err
		}
		for _, e := range listed {
			switch _, ok := p.find(e.Hash); {
			case e.Mode == filemode.Dir:
				todo = append(todo, e.Hash)
			case !ok && e.Mode != filemode.Submodule && !largeMissing && p.skipped == 0:
				return nil, fmt.Errorf("the pack is not complete: file %s (%s) is missing", e.Name, e.Hash)
			}
		}
	}
	return &tree{pack: p, root: c.TreeHash, time: c.Committer.When}, nil
}
