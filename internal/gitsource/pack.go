package gitsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// maxObject is the largest file, directory or commit that is ever held in memory. Larger files may be in a repository;
// they can be listed, not read.
const maxObject = 8 << 20

// maxChain is the longest chain of deltas that git itself makes.
const maxChain = 4095

// errLarge is the answer for an object over maxObject.
var errLarge = fmt.Errorf("larger than %d MiB, the most that is read", maxObject>>20)

// errAbsent is the answer for an object that the pack does not hold.
var errAbsent = errors.New("object is not in the pack")

// pack reads the objects of one pack file in place. Its memory is the index, about 48 bytes for each object, and one small
// cache, however large the file is. It is safe for concurrent use. The file may be unlinked while it is read.
//
// go-git's own parser holds every object whole while it indexes; this one streams what is not a delta, and leaves out
// deltas over maxObject.
type pack struct {
	file    *os.File // closed by its finalizer: whoever still holds a tree of this pack may read on
	size    int64
	under   packs            // deltas may stand on objects of these, too
	objects []packed         // by hash
	made    *cache.BufferLRU // what deltas made and stood on last, by offset
	skipped int              // deltas left out because they, or what they stand on, are too large
}

// packed is one object's place in the index.
type packed struct {
	hash   plumbing.Hash
	offset int64
	size   int64
	kind   plumbing.ObjectType
}

// openPack indexes a pack and thereby proves every object in it: an object is known by the hash of the content that was read,
// and the pack's own checksum must be right. It takes over the file.
func openPack(ctx context.Context, file *os.File, under packs) (*pack, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	p := &pack{file: file, size: info.Size(), under: under, made: cache.NewBufferLRU(maxObject)}
	pending, err := p.scan(ctx)
	if err != nil {
		return nil, err
	}
	p.sort()
	if err := p.resolve(ctx, pending); err != nil {
		return nil, err
	}
	p.made = cache.NewBufferLRU(maxObject / 8) // a snapshot stays small while it is held
	return p, nil
}

// scan reads the file once from front to back: whole objects are hashed as they stream by, the offsets of deltas returned.
func (p *pack) scan(ctx context.Context) ([]int64, error) {
	s := packfile.NewScanner(p.section())
	_, count, err := s.Header()
	if errors.Is(err, packfile.ErrEmptyPackfile) {
		return nil, errors.New("the pack is empty")
	}
	if err != nil {
		return nil, packError(err)
	}
	var pending []int64
	for range count {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		progress(ctx)
		h, err := s.NextObjectHeader()
		if err != nil {
			return nil, packError(err)
		}
		hasher := plumbing.NewHasher(h.Type, h.Length)
		n, _, err := s.NextObject(hasher)
		if err != nil {
			return nil, packError(err)
		}
		if n != h.Length {
			return nil, packError(io.ErrUnexpectedEOF)
		}
		if h.Type.IsDelta() {
			pending = append(pending, h.Offset)
			continue
		}
		p.objects = append(p.objects, packed{hasher.Sum(), h.Offset, h.Length, h.Type})
	}
	if _, err := s.Checksum(); err != nil {
		return nil, packError(err)
	}
	return pending, nil
}

// resolve finds out what each delta makes. A delta may name its base by hash and stand before it, so it goes round until
// nothing new is found.
func (p *pack) resolve(ctx context.Context, pending []int64) error {
	for len(pending) > 0 {
		var again []int64
		var made []packed
		for _, offset := range pending {
			if err := ctx.Err(); err != nil {
				return err
			}
			progress(ctx)
			kind, content, err := p.read(offset)
			switch {
			case errors.Is(err, errLarge):
				p.skipped++
			case errors.Is(err, errAbsent):
				again = append(again, offset)
			case err != nil:
				return packError(err)
			default:
				made = append(made, packed{plumbing.ComputeHash(kind, content), offset, int64(len(content)), kind})
			}
		}
		if len(again) == len(pending) {
			if p.skipped == 0 {
				return fmt.Errorf("the pack is not complete: %d objects stand on others that it lacks", len(again))
			}
			p.skipped += len(again) // what they stand on was left out
			return nil
		}
		p.objects = append(p.objects, made...)
		p.sort()
		pending = again
	}
	return nil
}

// sort puts the index in the order that find relies on.
func (p *pack) sort() {
	slices.SortFunc(p.objects, func(a, b packed) int { return bytes.Compare(a.hash[:], b.hash[:]) })
}

// find looks an object up by its hash.
func (p *pack) find(h plumbing.Hash) (packed, bool) {
	i, ok := slices.BinarySearchFunc(p.objects, h, func(o packed, h plumbing.Hash) int { return bytes.Compare(o.hash[:], h[:]) })
	if !ok {
		return packed{}, false
	}
	return p.objects[i], true
}

// object returns one object, which must be of the kind wanted; errAbsent, or errLarge.
func (p *pack) object(h plumbing.Hash, kind plumbing.ObjectType) ([]byte, error) {
	o, ok := p.find(h)
	switch {
	case !ok:
		return nil, errAbsent
	case o.kind != kind:
		return nil, fmt.Errorf("%s is a %s, not a %s", h, o.kind, kind)
	case o.size > maxObject:
		return nil, errLarge
	}
	_, content, err := p.read(o.offset)
	return content, err
}

// read returns the object at an offset, and its kind; errAbsent if it stands on an object that the index does not have. The
// chain of deltas is followed down to its base and then applied one by one, so three objects are held at most however long
// the chain is. The content must not be changed.
func (p *pack) read(offset int64) (plumbing.ObjectType, []byte, error) {
	chain, base, kind, err := p.chain(offset)
	if err != nil {
		return 0, nil, err
	}
	var content []byte
	if !base.IsZero() {
		if content, err = p.under.object(base, kind); err != nil {
			return 0, nil, err
		}
	}
	start := len(chain) - 1
	for i, at := range chain { // begin as near as the cache allows
		if known, ok := p.made.Get(at); ok {
			content, start = known, i-1
			break
		}
	}
	for i := start; i >= 0; i-- {
		stored, err := p.stored(chain[i])
		if err != nil {
			return 0, nil, err
		}
		if i == len(chain)-1 && base.IsZero() {
			content = stored
		} else {
			if deltaResult(stored) > maxObject {
				return 0, nil, errLarge
			}
			if content, err = packfile.PatchDelta(content, stored); err != nil {
				return 0, nil, err
			}
		}
		if len(chain) > 1 || !base.IsZero() {
			p.made.Put(chain[i], content)
		}
	}
	return kind, content, nil
}

// chain lists the offsets from a delta down to the whole object that it stands on, and that object's kind; base is its hash if it is not
// in this pack, but under it.
func (p *pack) chain(offset int64) (chain []int64, base plumbing.Hash, kind plumbing.ObjectType, err error) {
	chain = []int64{offset}
	for {
		h, err := packfile.NewScanner(p.section()).SeekObjectHeader(offset)
		switch {
		case err != nil:
			return nil, base, 0, err
		case !h.Type.IsDelta():
			return chain, base, h.Type, nil
		case len(chain) > maxChain:
			return nil, base, 0, fmt.Errorf("a chain of more than %d deltas", maxChain)
		}
		offset = h.OffsetReference
		if h.Type == plumbing.REFDeltaObject {
			here, ok := p.find(h.Reference)
			if !ok {
				if below, ok := p.under.find(h.Reference); ok {
					return chain, h.Reference, below.kind, nil
				}
				return nil, base, 0, errAbsent
			}
			offset = here.offset
		}
		chain = append(chain, offset)
	}
}

// stored inflates the bytes that are kept at an offset: an object, or a delta against one.
func (p *pack) stored(offset int64) ([]byte, error) {
	s := packfile.NewScanner(p.section())
	h, err := s.SeekObjectHeader(offset)
	if err != nil {
		return nil, err
	}
	if h.Length > maxObject {
		return nil, errLarge
	}
	var content bytes.Buffer
	content.Grow(int(h.Length))
	n, _, err := s.NextObject(&content)
	if err == nil && n != h.Length {
		err = io.ErrUnexpectedEOF
	}
	return content.Bytes(), err
}

// section is a reader of its own over the whole file, so that readers do not disturb each other.
func (p *pack) section() io.ReadSeeker { return io.NewSectionReader(p.file, 0, p.size) }

// deltaResult is the size of what a delta makes: the second of the two numbers at its start, seven bits a byte.
func deltaResult(delta []byte) int64 {
	var size uint64
	for range 2 {
		size = 0
		for shift := 0; len(delta) > 0; shift += 7 {
			b := delta[0]
			delta = delta[1:]
			if shift > 56 {
				return maxObject + 1
			}
			size |= uint64(b&0x7f) << shift
			if b < 0x80 {
				break
			}
		}
	}
	return int64(size)
}

// packError says what a half or broken pack is, instead of the end of a file that no one knows.
func packError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the pack ends in the middle")
	}
	return fmt.Errorf("the pack is damaged: %w", err)
}
