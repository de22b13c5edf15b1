package image_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/image"
)

var day = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// tags makes tags of names, each uploaded an hour after the one before.
func tags(names ...string) []image.Tag {
	var all []image.Tag
	for i, n := range names {
		all = append(all, image.Tag{Name: n, Digest: "sha256:" + n, Uploaded: day.Add(time.Duration(i) * time.Hour)})
	}
	return all
}

func versions(t testing.TB, text string) image.Policy {
	t.Helper()
	p, err := image.Versions(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newest(t testing.TB, text string) image.Policy {
	t.Helper()
	p, err := image.Newest(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestVersionsChoose(t *testing.T) {
	for _, c := range []struct{ why, rng, tags, want string }{
		{"the highest version, not the last upload", "^1.0", "1.2.0 1.10.0 1.9.0", "1.10.0"},
		{"a v before it does not count", "^1.0", "v1.2.0 1.1.0", "v1.2.0"},
		{"a v in the range neither", ">=v1.1.0", "v1.2.0 1.1.0", "v1.2.0"},
		{"the next major is outside a caret", "^1.0", "1.9.9 2.0.0", "1.9.9"},
		{"below 1.0 a caret keeps the minor", "^0.2", "0.2.9 0.3.0", "0.2.9"},
		{"a tilde keeps the minor", "~1.4", "1.4.7 1.5.0", "1.4.7"},
		{"two bounds", ">=1.2 <2", "1.1.0 1.9.0 2.0.0", "1.9.0"},
		{"either of two ranges", "1.4.x || 3.x", "1.4.9 2.0.0", "1.4.9"},
		{"an exact version", "1.4.2", "1.4.1 1.4.2 1.4.3", "1.4.2"},
		{"anything", "*", "1.4.1 9.0.0", "9.0.0"},
		{"pre-releases are not asked for", "^1.0", "1.0.0 1.1.0-rc.1", "1.0.0"},
		{"nor by a range with no version below", "*", "1.1.0-rc.1", ""},
		{"pre-releases are asked for", "^1.0-0", "1.0.0 1.1.0-rc.1", "1.1.0-rc.1"},
		{"a release is newer than its pre-releases", "^1.1-0", "1.1.0-rc.1 1.1.0 1.1.0-rc.2", "1.1.0"},
		{"pre-releases in the order of the standard", "^1.1-0", "1.1.0-rc.2 1.1.0-rc.11", "1.1.0-rc.11"},
		{"what is no version is nobody's", "^1.0", "latest main-42 1 v1 1.2 2026.11.24 1.02.3 1.2.3.4 sha-abc", ""},
		{"one version twice: the one uploaded last", "^1.0", "1.0.0 v1.0.0", "v1.0.0"},
		{"nothing matches", "^3", "1.0.0 2.0.0", ""},
		{"there is nothing", "^3", "", ""},
	} {
		all := tags(strings.Fields(c.tags)...)
		for range 2 {
			if got, ok := versions(t, c.rng).Choose(all); got.Name != c.want || ok != (c.want != "") {
				t.Errorf("%s: %s of %s is %q, want %q", c.why, c.rng, c.tags, got.Name, c.want)
			}
			slices.Reverse(all) // the order of a listing says nothing
		}
	}
}

func TestNewestChoose(t *testing.T) {
	for _, c := range []struct{ why, pattern, tags, want string }{
		{"the last upload, not the greatest name", "main-[0-9]+", "main-9 main-10 main-8", "main-8"},
		{"whole tags match", "main", "main xmain main-1", "main"},
		{"alternatives are whole tags too", "a|b", "ab a ba", "a"},
		{"others do not", "main-.*", "dev-1 main-1 dev-2", "main-1"},
		{"none does", "x", "a b", ""},
	} {
		if got, ok := newest(t, c.pattern).Choose(tags(strings.Fields(c.tags)...)); got.Name != c.want || ok != (c.want != "") {
			t.Errorf("%s: %s of %s is %q, want %q", c.why, c.pattern, c.tags, got.Name, c.want)
		}
	}
}

func TestPoliciesThatAreNone(t *testing.T) {
	for text, hint := range map[string]string{
		"": "a range of versions", "  ": "a range of versions", "latest": "not a range", "^": "not a range", "1.0 2.0.0.0": "not a range", strings.Repeat("1", 300): "a range of versions",
		">2 <1": "no version at all", ">=1.5 <1.5": "no version at all", "^1.0 ^2.0": "no version at all", "<0.0.0": "no version at all", ">1.0.0 <1.0.1": "no version at all",
	} {
		if _, err := image.Versions(text); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: got %v, want %q", text, err, hint)
		}
	}
	for _, text := range []string{"*", "x", "^1", "~1.2.3", ">1.0.0", "<0.0.1", "<1", "!=1.0.0", "1.0.0", ">=1.0.0-rc.1 <1.0.0", "=1.2.3-beta", "1.2.3 - 1.2.3", "^0", "<=0.0.0", ">1.2.3-a <1.2.3-b", "v1.x"} {
		if _, err := image.Versions(text); err != nil {
			t.Errorf("%q was refused: %v", text, err)
		}
	}
	for text, hint := range map[string]string{"": "regular expression", "(": "missing closing )", "a)(b": "unexpected )", "[z-a]": "invalid character class", `(?<=x)y`: "invalid", strings.Repeat("a", 300): "regular expression"} {
		if _, err := image.Newest(text); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: got %v, want %q", text, err, hint)
		}
	}
	if (image.Policy{}).Matches("1.0.0") {
		t.Error("no policy matches something")
	}
}

func TestPick(t *testing.T) {
	chosen := func(name string, hour int) *image.Tag {
		return &image.Tag{Name: name, Digest: "sha256:" + name, Uploaded: day.Add(time.Duration(hour) * time.Hour)}
	}
	caret, main := versions(t, "^1.0"), newest(t, "main-.*")
	for _, c := range []struct {
		why      string
		policy   image.Policy
		tags     string
		unknown  bool
		running  *image.Tag
		want     string
		vanished bool
	}{
		{why: "a first start", policy: caret, tags: "1.0.0 1.1.0", want: "1.1.0"},
		{why: "a push is taken", policy: caret, tags: "1.0.0 1.1.0", running: chosen("1.0.0", 0), want: "1.1.0"},
		{why: "the running tag vanished and nothing newer is there", policy: caret, tags: "1.0.0", running: chosen("1.1.0", 1), want: "1.1.0", vanished: true},
		{why: "it vanished, and something newer came", policy: caret, tags: "1.0.0 1.2.0", running: chosen("1.1.0", 1), want: "1.2.0"},
		{why: "the registry is empty", policy: caret, running: chosen("1.1.0", 1), want: "1.1.0", vanished: true},
		{why: "the registry is away", policy: caret, unknown: true, running: chosen("1.1.0", 1), want: "1.1.0"},
		{why: "away, at a first start", policy: caret, unknown: true},
		{why: "away, and what ran is not asked for any more", policy: caret, unknown: true, running: chosen("2.0.0", 1)},
		{why: "the range was lowered in Git", policy: caret, tags: "1.0.0 2.0.0", running: chosen("2.0.0", 1), want: "1.0.0"},
		{why: "nothing matches", policy: caret, tags: "2.0.0"},
		{why: "the same version under another name is not newer", policy: caret, tags: "v1.1.0", running: chosen("1.1.0", 3), want: "1.1.0", vanished: true},
		{why: "the newest upload", policy: main, tags: "main-1 main-2", running: chosen("main-1", 0), want: "main-2"},
		{why: "vanished, older ones are left", policy: main, tags: "main-1 main-2", running: chosen("main-3", 2), want: "main-3", vanished: true},
		{why: "vanished, newer ones are there", policy: main, tags: "main-1 main-2 main-3", running: chosen("main-0", 1), want: "main-3"},
	} {
		choice := image.Choice{Policy: c.policy, Path: "r/api", Tags: tags(strings.Fields(c.tags)...), Known: !c.unknown}
		got, vanished, ok := choice.Pick(c.running)
		if got.Name != c.want || ok != (c.want != "") || vanished != c.vanished {
			t.Errorf("%s: %q, vanished %v, want %q, %v", c.why, got.Name, vanished, c.want, c.vanished)
		}
	}
}

// A tag that was moved to another image, be it an older one, is a wish, not a loss.
func TestPickMovedTag(t *testing.T) {
	running := &image.Tag{Name: "main", Digest: "sha256:new", Uploaded: day.Add(time.Hour)}
	choice := image.Choice{Policy: newest(t, "main"), Known: true, Tags: []image.Tag{{Name: "main", Digest: "sha256:old", Uploaded: day}}}
	if got, _, _ := choice.Pick(running); got.Digest != "sha256:old" {
		t.Errorf("the tag points to %s, and %s is picked", "sha256:old", got.Digest)
	}
}

func TestMissing(t *testing.T) {
	many := "0.1.0 0.2.0 0.3.0 0.4.0 0.5.0 0.6.0 0.7.0 0.8.0 0.9.0"
	for _, c := range []struct{ why, tags, trouble, want string }{
		{"no image yet", "", "", `s:1:2: p: there is no image api with a tag yet; it runs once one that matches ^1.0 is pushed`},
		{"no match", "main 0.9.0", "", `s:1:2: p: no tag of api matches ^1.0; there are: 0.9.0, main`},
		{"many", many, "", `s:1:2: p: no tag of api matches ^1.0; there are: 0.9.0, 0.8.0, 0.7.0, 0.6.0, 0.5.0, 0.4.0, 0.3.0, 0.2.0, and 1 more`},
		{"trouble", "", "permission denied", `s:1:2: p: the tags of api are not known: permission denied`},
	} {
		choice := image.Choice{Policy: versions(t, "^1.0"), Path: "r/api", Place: "s:1:2: p", Tags: tags(strings.Fields(c.tags)...), Known: c.trouble == "", Trouble: c.trouble}
		if got := choice.Missing(); got != c.want {
			t.Errorf("%s: %s\nwant: %s", c.why, got, c.want)
		}
	}
}

func TestReference(t *testing.T) {
	for text, want := range map[string]image.Reference{
		"redis:7":                       {Path: "redis", Tag: "7"},
		"localhost:5000/a/b":            {Path: "localhost:5000/a/b"},
		"localhost:5000/a/b:1@sha256:x": {Path: "localhost:5000/a/b", Tag: "1", Digest: "sha256:x"},
		"r/n@sha256:x":                  {Path: "r/n", Digest: "sha256:x"},
	} {
		if got := image.ParseReference(text); got != want || got.String() != text {
			t.Errorf("%s: %+v, again %s", text, got, got)
		}
	}
}

func TestNote(t *testing.T) {
	for _, tag := range []image.Tag{
		{Name: "1.0.0", Digest: "sha256:x", Uploaded: day.Add(123456789)}, {Name: "1.0.0"}, {Name: "1.0.0", Uploaded: day},
	} {
		if got, ok := image.ParseNote(tag.Note("r/n"), "r/n"); !ok || got != tag {
			t.Errorf("%q is read as %+v, %v, want %+v", tag.Note("r/n"), got, ok, tag)
		}
	}
	for _, note := range []string{"", "r/n", "r/other:1", "r/n:1 yesterday", "r/n@sha256:x"} {
		if got, ok := image.ParseNote(note, "r/n"); ok {
			t.Errorf("%q is read as %+v", note, got)
		}
	}
}

// Whatever the policy and the tags, a choice matches, nothing that matches is newer, its order says nothing, and a pick never goes back.
func FuzzPolicy(f *testing.F) {
	f.Add("^1.0", "main-.*", "1.0.0 v1.2.3 1.3.0-rc.1 main-1 latest", "1.2.0")
	f.Add(">=1 <2 || ~3.1-0", "(a|b)+", "aab b 3.1.0-x 1.9.9", "aab")
	f.Add("", "[", "", "")
	f.Fuzz(func(t *testing.T, rng, pattern, list, last string) {
		all := tags(strings.Fields(list)...)
		backward := slices.Clone(all)
		slices.Reverse(backward)
		v, verr := image.Versions(rng)
		n, nerr := image.Newest(pattern)
		for _, p := range []struct {
			policy image.Policy
			err    error
		}{{v, verr}, {n, nerr}} {
			if p.err != nil {
				if strings.ContainsAny(p.err.Error(), "\n\r") && !strings.ContainsAny(rng+pattern, "\n\r") {
					t.Errorf("more than one line: %q", p.err)
				}
				continue
			}
			best, ok := p.policy.Choose(all)
			if again, _ := p.policy.Choose(backward); again.Name != best.Name {
				t.Errorf("%s chooses %q of %q, and %q of the reverse", p.policy, best.Name, list, again.Name)
			}
			if ok && !p.policy.Matches(best.Name) {
				t.Errorf("%s chooses %q, which does not match", p.policy, best.Name)
			}
			running := &image.Tag{Name: last, Uploaded: day.Add(24 * time.Hour)}
			pick, _, ok := image.Choice{Policy: p.policy, Tags: all, Known: true}.Pick(running)
			if p.policy.Matches(last) && !ok {
				t.Errorf("%s gives up %q for nothing", p.policy, last)
			}
			// As if both were listed: then the running one must not be chosen over the pick.
			if ok && p.policy.Matches(last) && pick.Name != last && !slices.ContainsFunc(all, func(o image.Tag) bool { return o.Name == last }) {
				if both, _ := p.policy.Choose([]image.Tag{*running, pick}); both.Name != pick.Name {
					t.Errorf("%s goes from %q back to %q", p.policy, last, pick.Name)
				}
			}
		}
	})
}

func TestNext(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	listed := []image.Tag{
		{Name: "v1.0.1", Uploaded: noon}, {Name: "v1.0.2", Uploaded: noon.Add(-time.Hour)}, {Name: "v2.0.0", Uploaded: noon},
		{Name: "main-1", Uploaded: noon.Add(-2 * time.Hour)}, {Name: "main-2", Uploaded: noon},
	}
	for _, c := range []struct {
		name   string
		policy image.Policy
		stands image.Tag
		want   string // "": it stays
	}{
		{"a higher version, whenever it was pushed", versions(t, "^1.0"), image.Tag{Name: "v1.0.1"}, "v1.0.2"},
		{"the highest stays", versions(t, "^1.0"), image.Tag{Name: "v1.0.2"}, ""},
		{"one version under another name is none to move to", versions(t, "^1.0"), image.Tag{Name: "1.0.2"}, ""},
		{"a version that vanished goes up", versions(t, "^1.0"), image.Tag{Name: "v1.0.0"}, "v1.0.2"},
		{"a version that vanished does not go down", versions(t, "^1.0"), image.Tag{Name: "v1.0.9"}, ""},
		{"a version outside of the range does not go down", versions(t, "^1.0"), image.Tag{Name: "v2.0.0"}, ""},
		{"a version outside of the range goes up", versions(t, "^2.0"), image.Tag{Name: "v1.0.1"}, "v2.0.0"},
		{"what is no version becomes one", versions(t, "^1.0"), image.Tag{Name: "main-2"}, "v1.0.2"},
		{"a later upload", newest(t, "main-.*"), image.Tag{Name: "main-1"}, "main-2"},
		{"the last upload stays", newest(t, "main-.*"), image.Tag{Name: "main-2"}, ""},
		{"of a tag that vanished nothing is known", newest(t, "main-.*"), image.Tag{Name: "main-9"}, ""},
		{"gone before the last upload", newest(t, "main-.*"), image.Tag{Name: "main-9", Uploaded: noon.Add(-time.Minute)}, "main-2"},
		{"gone after the last upload", newest(t, "main-.*"), image.Tag{Name: "main-9", Uploaded: noon.Add(time.Minute)}, ""},
		{"another pattern than before", newest(t, "main-.*"), image.Tag{Name: "v2.0.0"}, "main-2"},
		{"nothing matches", newest(t, "rc-.*"), image.Tag{Name: "v2.0.0"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			next, ok := image.Choice{Policy: c.policy, Tags: listed, Known: true}.Next(c.stands)
			if ok != (c.want != "") || ok && next.Name != c.want {
				t.Errorf("%q, %v; want %q", next.Name, ok, c.want)
			}
		})
	}
}
