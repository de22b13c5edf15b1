package gitsource

import (
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// writePack writes one commit with its whole tree, but what since has, and files over maxObject. It holds one object at a time; go-git's own
// encoder holds all of them.
func writePack(ctx context.Context, from *filesystem.Storage, commit plumbing.Hash, since *tree, w io.Writer) error {
	objects, err := treeObjects(ctx, from, commit, since)
	if err != nil {
		return err
	}
	p := &packWriter{sum: sha1.New()}
	p.to = io.MultiWriter(w, p.sum)
	p.deflate = zlib.NewWriter(p.to)
	header := append([]byte("PACK"), 0, 0, 0, 2)
	if _, err := p.to.Write(binary.BigEndian.AppendUint32(header, uint32(len(objects)))); err != nil {
		return err
	}
	for _, h := range objects {
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := from.EncodedObject(plumbing.AnyObject, h)
		if err != nil {
			return fmt.Errorf("object %s: %w", h, err)
		}
		if err := p.add(o); err != nil {
			return fmt.Errorf("object %s: %w", h, err)
		}
		progress(ctx)
	}
	_, err = w.Write(p.sum.Sum(nil))
	return err
}

// packWriter writes objects whole, never as deltas: that would need two of them at once.
type packWriter struct {
	to      io.Writer
	sum     hash.Hash // SHA-1 is what the format asks for
	deflate *zlib.Writer
}

// add writes an object's kind and size, four bits and then seven a byte, and its content.
func (p *packWriter) add(o plumbing.EncodedObject) (err error) {
	size := uint64(o.Size())
	head := []byte{byte(o.Type())<<4 | byte(size&0x0f)}
	for size >>= 4; size > 0; size >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(size&0x7f))
	}
	if _, err := p.to.Write(head); err != nil {
		return err
	}
	content, err := o.Reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	p.deflate.Reset(p.to)
	if _, err := io.Copy(p.deflate, content); err != nil {
		return err
	}
	return p.deflate.Close()
}

// treeObjects lists a commit and everything in its tree that since has not, each once.
func treeObjects(ctx context.Context, from *filesystem.Storage, commit plumbing.Hash, since *tree) ([]plumbing.Hash, error) {
	content, err := storedObject(from, commit, plumbing.CommitObject)
	if err != nil {
		return nil, err
	}
	c, err := parseCommit(commit, content)
	if err != nil {
		return nil, err
	}
	objects := []plumbing.Hash{commit}
	seen := map[plumbing.Hash]bool{}
	take := func(h plumbing.Hash) bool {
		if seen[h] {
			return false
		}
		seen[h] = true
		if since != nil {
			if _, ok := since.packs.find(h); ok {
				return false
			}
		}
		return true
	}
	read := func(dir plumbing.Hash) ([]object.TreeEntry, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		progress(ctx)
		if take(dir) {
			objects = append(objects, dir)
		}
		content, err := storedObject(from, dir, plumbing.TreeObject)
		if err != nil {
			return nil, err
		}
		return parseTree(dir, content)
	}
	err = walkTree(c.TreeHash, since, read, func(e object.TreeEntry) error {
		if e.Mode == filemode.Dir || !take(e.Hash) {
			return nil
		}
		size, err := storedSize(from, e.Hash)
		if err != nil {
			return fmt.Errorf("file %s: %w", e.Name, err)
		}
		if size <= maxObject {
			objects = append(objects, e.Hash)
		}
		return nil
	})
	return objects, err
}

// storedSize also looks into the repositories that this one borrows objects from.
func storedSize(from *filesystem.Storage, h plumbing.Hash) (int64, error) {
	size, err := from.EncodedObjectSize(h)
	if !errors.Is(err, plumbing.ErrObjectNotFound) {
		return size, err
	}
	o, err := from.EncodedObject(plumbing.BlobObject, h)
	if err != nil {
		return 0, err
	}
	return o.Size(), nil
}

// storedObject reads a commit or a directory.
func storedObject(from *filesystem.Storage, h plumbing.Hash, kind plumbing.ObjectType) (content []byte, err error) {
	o, err := from.EncodedObject(kind, h)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, h, err)
	}
	if o.Size() > maxObject {
		return nil, fmt.Errorf("%s %s: %w", kind, h, errLarge)
	}
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}
