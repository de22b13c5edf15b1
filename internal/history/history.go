// Package history keeps the last passes of a stack on disk, and what the stack remembers between passes. It is read at start and
// never decides anything: losing it costs only memory.
package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/view"
)

// limit is how many passes are kept. Where there are more, the oldest goes that did not fail, as long as failures are no more
// than half.
const limit = 200

// Store is the history of one stack. It is safe for concurrent use.
type Store struct {
	path string
	book func() *cost.Book // in force; nil: what drift costs is not kept

	mu     sync.Mutex
	passes []view.HistoryPass // oldest first
	memory memory             // as it was last written
}

// file is what lies on disk.
type file struct {
	Memory memory             `json:"memory"`
	Passes []view.HistoryPass `json:"passes"`
}

// Open reads the history of a stack below dir, which is made if need be. A file that cannot be read is set aside and reported in
// the error, and the store begins anew. Without a store the directory itself cannot be used.
func Open(dir, stack string) (*Store, reconcile.Memory, error) {
	dir = filepath.Join(dir, stack)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, reconcile.Memory{}, fmt.Errorf("state directory: %w", err)
	}
	s := &Store{path: filepath.Join(dir, name)}
	f, err := read(s.path)
	var bad unreadable
	switch {
	case errors.As(err, &bad):
		aside := s.path + ".unreadable"
		return s, reconcile.Memory{}, errors.Join(fmt.Errorf("%w; it is set aside as %s", err, aside), os.Rename(s.path, aside))
	case err != nil:
		return nil, reconcile.Memory{}, err
	}
	s.passes, s.memory = f.Passes, f.Memory
	return s, f.Memory.remembered(), nil
}

// PriceBy has the drift of passes kept with what it costs by the book that is in force then. Call it before the first Record.
func (s *Store) PriceBy(book func() *cost.Book) { s.book = book }

// Remembered is the memory of a stack whose history another process may be writing: nothing on disk is made, moved or changed.
// Where there is no history there is no memory.
func Remembered(dir, stack string) (reconcile.Memory, error) {
	f, err := read(filepath.Join(dir, stack, name))
	return f.Memory.remembered(), err
}

// name of the file in a stack's directory.
const name = "history.json"

// unreadable is the error of a file that is there and is no history.
type unreadable struct {
	path  string
	cause error
}

func (u unreadable) Error() string {
	return fmt.Sprintf("history %s cannot be read: %v", u.path, u.cause)
}
func (u unreadable) Unwrap() error { return u.cause }

// read is what lies at path; no file is an empty one.
func read(path string) (file, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return file{}, nil
	}
	if err != nil {
		return file{}, fmt.Errorf("history: %w", err)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return file{}, unreadable{path, err}
	}
	return f, nil
}

// Record adds a pass, with what is to be told of it beside, and writes what is to be remembered. A pass like the one before it, or without a step, is
// folded into that one, unless there is anything to tell; the disk is left alone if nothing but the time has changed.
func (s *Store) Record(p reconcile.Pass, m reconcile.Memory, notes ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := view.HistoryPassOf(p)
	entry.Notes = notes
	entry = bound(entry)
	if s.book != nil {
		entry.Price(&p, s.book())
	}
	folded := s.fold(entry)
	if !folded {
		s.passes = append(s.passes, entry)
		s.trim()
	}
	named := false
	for ref, who := range p.Named {
		named = s.sign(ref, who) || named
	}
	if folded && !named && p.Same { // and so is the memory
		return nil
	}
	now := memorize(m)
	if folded && !named && now.equal(s.memory) {
		return nil
	}
	b, err := json.Marshal(file{now, s.passes})
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if err := replace(s.path, b); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	s.memory = now
	return nil
}

// sign writes who made the drift of a resource into the newest step about that, if nobody stands there yet: records of who changed what
// come late. What was handed out by Passes stays as it is.
func (s *Store) sign(ref resource.Ref, who resource.Author) (changed bool) {
	for i := len(s.passes) - 1; i >= 0; i-- {
		for j, step := range s.passes[i].Steps {
			if step.Kind != ref.Kind || step.Name != ref.Name || step.Done == "" {
				continue
			}
			step.Drift = slices.Clone(step.Drift)
			for k := range step.Drift {
				if c := &step.Drift[k]; c.Manager == "" {
					c.Manager, c.At, changed = who.Name, who.At, true
				}
			}
			s.passes[i].Steps = slices.Clone(s.passes[i].Steps)
			s.passes[i].Steps[j] = step
			return changed
		}
	}
	return false
}

// What is kept of one pass is bounded, whatever a stack or a cloud comes up with.
const (
	maxSteps = 100
	maxDrift = 50  // fields of a step
	maxText  = 500 // bytes of a value or a reason
)

func bound(p view.HistoryPass) view.HistoryPass {
	p.Error = short(p.Error, 8*maxText)
	p.Notes = slices.Clone(p.Notes)
	for i, n := range p.Notes {
		p.Notes[i] = short(n, maxText)
	}
	for ref, why := range p.Broken {
		p.Broken[ref] = short(why, maxText)
	}
	if more := len(p.Steps) - maxSteps; more > 0 {
		p.Steps = p.Steps[:maxSteps]
		p.Error = strings.TrimPrefix(fmt.Sprintf("%s\n%d more steps are not kept", p.Error, more), "\n")
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Why, s.DoneWhy = short(s.Why, maxText), short(s.DoneWhy, maxText)
		s.Drift = slices.Clone(s.Drift[:min(len(s.Drift), maxDrift)])
		for j := range s.Drift {
			s.Drift[j].Want, s.Drift[j].Have = short(s.Drift[j].Want, maxText), short(s.Drift[j].Have, maxText)
		}
	}
	return p
}

// short cuts a text at the start of a character.
func short(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	return strings.ToValidUTF8(s[:bytes], "") + "…"
}

// fold lets the last pass stand for entry too, if entry tells nothing new.
func (s *Store) fold(entry view.HistoryPass) bool {
	if len(s.passes) == 0 || len(entry.Notes) > 0 {
		return false
	}
	last := &s.passes[len(s.passes)-1]
	same := last.Attempted == entry.Attempted && last.Applied == entry.Applied && last.Outcome == entry.Outcome && last.Error == entry.Error &&
		last.Withheld == entry.Withheld &&
		maps.EqualFunc(last.Broken, entry.Broken, func(string, string) bool { return true }) // the words vary from one look to the next
	if same && len(entry.Steps) == 0 && len(last.Steps) > 0 {
		return true // it only waited for what the last one began
	}
	if !same || !slices.EqualFunc(last.Steps, entry.Steps, likeStep) {
		return false
	}
	if len(entry.Steps) > 0 && entry.Error == "" {
		return false // the same repair twice is worth two lines
	}
	last.End = entry.End
	return true
}

func likeStep(a, b view.HistoryStep) bool {
	return a.Kind == b.Kind && a.Name == b.Name && a.Verb == b.Verb && a.Outcome == b.Outcome
}

func (s *Store) trim() {
	if len(s.passes) <= limit {
		return
	}
	failures := 0
	for _, p := range s.passes {
		if p.Outcome == string(reconcile.Failed) {
			failures++
		}
	}
	oldest := slices.IndexFunc(s.passes, func(p view.HistoryPass) bool { return p.Outcome != string(reconcile.Failed) })
	if oldest < 0 || failures > limit/2 {
		oldest = 0
	}
	s.passes = slices.Delete(s.passes, oldest, oldest+1)
}

// Passes are the passes that are kept, newest first.
func (s *Store) Passes() []view.HistoryPass {
	s.mu.Lock()
	defer s.mu.Unlock()
	passes := slices.Clone(s.passes)
	slices.Reverse(passes)
	return passes
}

// replace writes a file so that a crash leaves either the old content or the new.
func replace(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".history-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
