package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/resource"
)

// A move is a tag in Git that is to become another.
type move struct {
	desired.Followed
	next string
}

func (m move) String() string {
	return fmt.Sprintf("%s: %s %s -> %s", m.Workload, m.Image, m.Tag, m.next)
}

// moves are the tags that are behind. Whoever calls it holds the lock.
func (w *writeBack) moves(followed []desired.Followed, now time.Time) []move {
	var all []move
	for _, f := range followed {
		stands := image.Tag{Name: f.Tag}
		key := f.Choice.Path + ":" + f.Tag
		switch {
		case !f.Choice.Known:
			continue
		case f.Choice.Lists(f.Tag):
			delete(w.missing, key)
		case w.missing[key].IsZero():
			w.missing[key] = now
		}
		stands.Uploaded = w.missing[key] // what is uploaded from then on is newer than what was gone by then
		if next, ok := f.Choice.Next(stands); ok {
			all = append(all, move{f, next.Name})
		}
	}
	return all
}

// tagsOf are the new tags by workload.
func tagsOf(moves []move) map[string]string {
	tags := map[string]string{}
	for _, m := range moves {
		tags[m.Workload] = m.next
	}
	return tags
}

// A proposal is what is to be committed.
type proposal struct {
	moves []move
	also  []string          // entries of the stack file that read otherwise with it, though their tags are not among the moves
	files map[string][]byte // that change; none: there is nothing to commit
}

// message is what the commit says.
func (p proposal) message() string {
	if len(p.moves) == 0 {
		return ""
	}
	var b strings.Builder
	if len(p.moves) == 1 {
		fmt.Fprintln(&b, p.moves[0])
	} else {
		fmt.Fprintf(&b, "%s and %d more: new images\n\n", p.moves[0].Workload, len(p.moves)-1)
		for _, m := range p.moves {
			fmt.Fprintf(&b, "- %s\n", m)
		}
	}
	if len(p.also) > 0 {
		fmt.Fprintf(&b, "\nThe same variable stands elsewhere too, so this changes with it: %s\n", strings.Join(p.also, ", "))
	}
	return b.String()
}

// alsoChanged are the entries that are not the moved workloads' and yet differ between two readings.
func alsoChanged(before, after *desired.Stack, moves []move) []string {
	hashes := map[resource.Ref]string{}
	for _, r := range before.Resources {
		hashes[r.Ref] = r.Hash
	}
	changed := map[string]bool{}
	for _, r := range after.Resources {
		if hashes[r.Ref] != r.Hash {
			changed[r.Entry] = true
		}
	}
	for _, m := range moves {
		delete(changed, "workloads."+m.Workload)
	}
	return slices.Sorted(maps.Keys(changed))
}
