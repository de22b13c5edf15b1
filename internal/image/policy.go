package image

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Policy says which tags of an image may run, and which of two is newer. The zero Policy matches nothing.
type Policy struct {
	text     string
	versions *semver.Constraints // tags are versions
	pattern  *regexp.Regexp      // tags are any text
}

// maxPolicy bounds a range or a pattern; a real one is far below it.
const maxPolicy = 256

// Versions is a range of semantic versions, such as ^1.0 or >=1.2 <2. A tag may have a v before its version, which must be whole
// (1.2.3, not 1.2: that is the name of something that moves). Pre-releases match only a range that names one, as ^1.0-0 does.
func Versions(text string) (Policy, error) {
	if strings.TrimSpace(text) == "" || len(text) > maxPolicy {
		return Policy{}, errors.New("must be a range of versions such as ^1.0")
	}
	c, err := semver.NewConstraint(text)
	if err != nil {
		return Policy{}, fmt.Errorf("%q is not a range of versions such as ^1.0 or >=1.2 <2", text)
	}
	if !satisfiable(text, c) {
		return Policy{}, fmt.Errorf("%q matches no version at all", text)
	}
	return Policy{text: text, versions: c}, nil
}

// Newest is the tag uploaded last of those that match a regular expression (RE2) as a whole.
func Newest(text string) (Policy, error) {
	if text == "" || len(text) > maxPolicy {
		return Policy{}, errors.New("must be a regular expression that whole tags match, such as main-[0-9]+")
	}
	if _, err := regexp.Compile(text); err != nil { // by itself: the group below must not mend it
		return Policy{}, fmt.Errorf("%q is not a regular expression: %s", text, reason(err))
	}
	p, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return Policy{}, fmt.Errorf("%q is not a regular expression: %s", text, reason(err))
	}
	return Policy{text: text, pattern: p}, nil
}

// reason is what is wrong without the pattern, which is in the message already.
func reason(err error) string {
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}

// String is the policy as it was written.
func (p Policy) String() string { return p.text }

// Matches reports whether a tag may run at all.
func (p Policy) Matches(tag string) bool {
	switch {
	case p.versions != nil:
		v, ok := version(tag)
		return ok && p.versions.Check(v)
	case p.pattern != nil:
		return p.pattern.MatchString(tag)
	}
	return false
}

// Choose is the newest of the tags that match, whatever their order. Of one version under two names it is the one uploaded last.
func (p Policy) Choose(tags []Tag) (best Tag, ok bool) {
	for _, t := range tags {
		if !p.Matches(t.Name) {
			continue
		}
		if !ok || cmp.Or(p.compare(t, best), t.Uploaded.Compare(best.Uploaded), cmp.Compare(t.Name, best.Name)) > 0 {
			best, ok = t, true
		}
	}
	return best, ok
}

// compare tells which of two tags that match is newer by the policy's own measure; 0: neither.
func (p Policy) compare(a, b Tag) int {
	if p.versions == nil {
		return a.Uploaded.Compare(b.Uploaded)
	}
	v, _ := version(a.Name)
	w, _ := version(b.Name)
	return v.Compare(w)
}

// version reads a tag that is a whole version.
func version(tag string) (*semver.Version, bool) {
	v, err := semver.StrictNewVersion(strings.TrimPrefix(tag, "v"))
	return v, err == nil
}

// versionText fits the versions in a range, whole or not.
var versionText = regexp.MustCompile(`[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)?`)

// satisfiable tries the versions around those that the range names: where a range holds any, it holds one of these.
func satisfiable(text string, c *semver.Constraints) bool {
	tries := []string{"0.0.0", "0.0.1", "1.0.0"}
	for _, named := range versionText.FindAllString(text, -1) {
		v, err := semver.NewVersion(named)
		if err != nil {
			continue
		}
		core := semver.New(v.Major(), v.Minor(), v.Patch(), "", "")
		tries = append(tries, core.String(), core.IncPatch().String(), core.IncMinor().String(), core.IncMajor().String(),
			core.String()+"-0", core.IncPatch().String()+"-0")
		if pre := v.Prerelease(); pre != "" {
			tries = append(tries, v.String(), v.String()+".0", core.IncMinor().String()+"-"+pre, core.IncMajor().String()+"-"+pre)
		}
		for _, before := range predecessors(v) {
			tries = append(tries, before.String())
		}
	}
	for _, t := range tries {
		if v, err := semver.NewVersion(t); err == nil && c.Check(v) {
			return true
		}
	}
	return false
}

// predecessors are versions just below v.
func predecessors(v *semver.Version) (all []*semver.Version) {
	if v.Patch() > 0 {
		all = append(all, semver.New(v.Major(), v.Minor(), v.Patch()-1, "", ""))
	}
	if v.Minor() > 0 {
		all = append(all, semver.New(v.Major(), v.Minor()-1, 0, "", ""))
	}
	if v.Major() > 0 {
		all = append(all, semver.New(v.Major()-1, 0, 0, "", ""))
	}
	return all
}
