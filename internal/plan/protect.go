package plan

import (
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// lifetime is the stricter of what the wanted and the live form say: a form that knows less must not free the resource.
func (it *item) lifetime() resource.Lifetime {
	var l resource.Lifetime
	if it.want != nil {
		l = it.want.Lifetime
	}
	if it.live != nil {
		l = max(l, it.live.Lifetime)
	}
	return l
}

// protected is why the live resource may not go, or "". What is stateful goes only if a commit other than the one being
// applied has said so, which the mark on the resource remembers: one commit cannot both free a thing and remove it.
func (d *draft) protected(it *item) string {
	switch it.lifetime() {
	case resource.Disposable:
		return ""
	case resource.Permanent:
		if unwanted := it.want == nil || d.policy.Destroy; unwanted && it.live.ByHand != "" {
			return "it is never removed by recsysd; what removes it: " + it.live.ByHand
		}
		return "it is never removed by recsysd: remove it by hand"
	}
	switch mark := it.live.Unprotected; {
	case it.want != nil && it.want.Protect:
		return "it is protected: say protect: false in one commit, and this in a later one"
	case mark == "":
		return "it is protected, and no commit has said protect: false while it was in the stack: put it back with protect: false, and remove it in a later commit"
	case mark == Mark(d.policy.Commit) && !d.policy.Destroy:
		return "protect: false was said in this very commit: it goes with a later one"
	}
	return ""
}

// marks are the notes of recsysd's own that are due on a live resource: those that its kind compares, and the one that
// says since which commit it may go. The latter is no business of a stack or resource that is only looked at.
func (d *draft) marks(it *item) []resource.Change {
	if it.want == nil {
		return nil
	}
	due := only(it.live.Diff, func(c resource.Change) bool { return c.Mark })
	if it.lifetime() != resource.Stateful || d.policy.Observe || it.want.Observe {
		return due
	}
	mark := it.live.Unprotected
	switch {
	case !it.want.Protect && mark == "" && d.policy.Commit != "":
		due = append(due, resource.Change{Field: resource.FieldUnprotected, Want: Mark(d.policy.Commit), Mark: true})
	case it.want.Protect && mark != "":
		due = append(due, resource.Change{Field: resource.FieldUnprotected, Have: mark, Mark: true})
	}
	return due
}

// differences are all that differs, whatever of it a step may change.
func (d *draft) differences(it *item) []resource.Change {
	if len(it.fought) > 0 {
		whole, live := *it, *it.live
		whole.see(&live, nil)
		whole.live.Diff, whole.fought = it.all(it.live.Diff), nil
		it = &whole
	}
	unmarked := only(it.live.Diff, func(c resource.Change) bool { return !c.Mark })
	if !it.live.Owned {
		return it.live.Diff
	}
	return slices.Concat(unmarked, d.marks(it))
}

// noted says what a step that writes marks alone is for.
func noted(marks []resource.Change) string {
	var notes []string
	for _, c := range marks {
		switch {
		case c.Field != resource.FieldUnprotected:
			notes = append(notes, "a mark differs: "+c.Field)
		case c.Want == "":
			notes = append(notes, "is protected again: the mark that it may go is taken back")
		default:
			notes = append(notes, "is unprotected: the mark says that it may go with a later commit")
		}
	}
	return strings.Join(notes, "; ")
}
