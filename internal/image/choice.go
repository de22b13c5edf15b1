package image

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Choice is what is known for the choice of an image's tag.
type Choice struct {
	Policy  Policy
	Path    string // of the image, without a tag
	Tags    []Tag  // of the image, as its registry lists them
	Known   bool   // whether the registry was listed at all: without it, that a tag is not among Tags says nothing
	Trouble string // why the listing is missing or old; "": it is not
	Place   string // where the stack asks for it: file:line:column: path
}

// Pick is the tag to run, where running is the one chosen before, if any. What the registry lists decides, save that a tag which has
// vanished from it is never given up for an older one: a clean-up, a blind or half-read registry, or an empty one, rolls nothing back.
// A tag that the policy does not match any more is: that is what the stack asks for.
//
// It is not ok if nothing that matches is known. vanished: the pick is not in the registry, as far as that is known.
func (c Choice) Pick(running *Tag) (pick Tag, vanished, ok bool) {
	best, found := c.Policy.Choose(c.Tags)
	if running == nil || !c.Policy.Matches(running.Name) {
		return best, false, found
	}
	listed := slices.ContainsFunc(c.Tags, func(t Tag) bool { return t.Name == running.Name })
	if found && (listed || c.Policy.compare(best, *running) > 0) {
		return best, false, true
	}
	return *running, c.Known, true
}

// Next is the tag to write in place of the one that stands in Git; it is not ok if that one stays. A version never becomes a lower one,
// not even for a policy that does not match it: whoever wants that writes it. Of other tags the later upload counts. That of a tag which
// is not listed is taken from stands: it may be a time before which it was uploaded, and zero says that nothing is known, so it stays.
func (c Choice) Next(stands Tag) (next Tag, ok bool) {
	best, found := c.Policy.Choose(c.Tags)
	if !found || best.Name == stands.Name {
		return Tag{}, false
	}
	if c.Policy.versions != nil {
		v, whole := version(stands.Name)
		w, _ := version(best.Name)
		return best, !whole || w.GreaterThan(v)
	}
	if !c.Policy.Matches(stands.Name) {
		return best, true
	}
	if uploaded, listed := c.uploaded(stands.Name); listed {
		stands.Uploaded = uploaded
	}
	return best, !stands.Uploaded.IsZero() && best.Uploaded.After(stands.Uploaded)
}

// Lists reports whether a tag is in the registry, as far as that is known.
func (c Choice) Lists(tag string) bool {
	_, listed := c.uploaded(tag)
	return listed
}

func (c Choice) uploaded(tag string) (time.Time, bool) {
	for _, t := range c.Tags {
		if t.Name == tag {
			return t.Uploaded, true
		}
	}
	return time.Time{}, false
}

// Missing says why nothing is known to run, in one line.
func (c Choice) Missing() string {
	name := c.Path[strings.LastIndexByte(c.Path, '/')+1:]
	switch {
	case !c.Known && c.Trouble == "":
		return fmt.Sprintf("%s: which tag of %s is the newest that matches %s is not known here", c.Place, name, c.Policy)
	case !c.Known:
		return fmt.Sprintf("%s: the tags of %s are not known: %s", c.Place, name, c.Trouble)
	case len(c.Tags) == 0:
		return fmt.Sprintf("%s: there is no image %s with a tag yet; it runs once one that matches %s is pushed", c.Place, name, c.Policy)
	}
	return fmt.Sprintf("%s: no tag of %s matches %s; there are: %s", c.Place, name, c.Policy, c.seen())
}

// seen lists some tags, the newest first.
func (c Choice) seen() string {
	tags := slices.Clone(c.Tags)
	slices.SortFunc(tags, func(a, b Tag) int {
		if d := b.Uploaded.Compare(a.Uploaded); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	const shown = 8
	var names []string
	for i, t := range tags {
		if i == shown {
			names = append(names, fmt.Sprintf("and %d more", len(tags)-shown))
			break
		}
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}
