// Package sealed opens the encrypted files of a stack: those that age wrote, and those that SOPS wrote for age's keys. It reads
// bytes and gives texts by key. It knows no stack, no cluster and no cloud, it fetches nothing, and its errors tell where a mistake
// stands and never what stands there.
package sealed

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// File is an encrypted file that was recognized.
type File struct {
	data []byte
	sops *node // the tree of a SOPS file; nil: age wrote it
}

// ErrPlain is the error of a file that nobody encrypted.
var ErrPlain = errors.New("not encrypted: neither age nor SOPS wrote it")

// Recognize tells what kind of encrypted file data is. It opens nothing and needs no key. Its error is ErrPlain, or Mistakes.
func Recognize(data []byte) (*File, error) {
	if isAge(data) {
		return &File{data: data}, nil
	}
	tree, err := parse(data)
	if err != nil || tree.get("sops") == nil {
		return nil, ErrPlain // whatever is wrong with it beside that may not be told: it would quote a secret
	}
	return &File{data: data, sops: tree}, nil
}

// Revision is another whenever the content was encrypted anew, and tells nothing of it: it is made from what is encrypted. Giving a
// SOPS file to other recipients leaves it as it is.
func (f *File) Revision() string {
	h := sha256.New()
	if f.sops == nil {
		h.Write(f.data)
	} else {
		for _, e := range f.sops.fields {
			if e.key != "sops" {
				fmt.Fprintf(h, "%d:%s%d:%s", len(e.key), e.key, len(e.value.text), e.value.text)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Open decrypts the file. With key, what is in it is one value, which is given under that; else it is a mapping of keys to texts.
// The error is Mistakes where they have a place in the file.
func (f *File) Open(keys Keys, key string) (map[string][]byte, error) {
	if len(keys.identities) == 0 {
		return nil, ErrNoKey
	}
	if f.sops != nil {
		return openSOPS(f.sops, keys, key)
	}
	plain, err := openAge(f.data, keys)
	if err != nil {
		return nil, err
	}
	if key != "" {
		if len(plain) == 0 {
			return nil, errors.New("what is encrypted in it is empty")
		}
		return map[string][]byte{key: plain}, nil
	}
	return texts(plain)
}

// Mistake is what is wrong at a place of a file. What is the library's own sentence is never part of it: that may quote a value.
type Mistake struct {
	Line, Column int // of the plain text, or of the SOPS file; 0: the whole
	What         string
}

func (m Mistake) Error() string {
	if m.Line == 0 {
		return m.What
	}
	return fmt.Sprintf("line %d, column %d: %s", m.Line, m.Column, m.What)
}

// Mistakes are all of one file, in its order.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	var errs []error
	for _, one := range m {
		errs = append(errs, one)
	}
	return errors.Join(errs...).Error()
}

// err is the mistakes in order, or nil.
func (m Mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	slices.SortStableFunc(m, func(a, b Mistake) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	return m
}

// texts reads a plain text: a YAML or JSON mapping of keys to single values, which are taken as they are written.
func texts(plain []byte) (map[string][]byte, error) {
	tree, err := parse(plain)
	if err != nil {
		return nil, err
	}
	var wrong Mistakes
	values := map[string][]byte{}
	for _, f := range tree.fields {
		text, what := f.value.single()
		if what != "" {
			wrong = append(wrong, f.value.mistake("%q %s", f.key, what))
			continue
		}
		values[f.key] = []byte(text)
	}
	return values, wrong.err()
}

// single is the text of a single value; otherwise what is wrong with it.
func (n *node) single() (text, wrong string) {
	switch {
	case n.kind != scalar:
		return "", "must be a text; a Secret has no values within values"
	case n.null:
		return "", "has no value"
	}
	return n.text, ""
}

func isBlank(data []byte) bool { return len(bytes.TrimSpace(data)) == 0 }
