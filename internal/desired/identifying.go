package desired

import "regexp"

// identifying is what everything else is named after. A stand-in takes the place of a wrong one, so that the rest can be judged.
var identifying = []struct {
	key, hint, standIn string
	fits               *regexp.Regexp
}{
	{"name", "lower-case letters, digits and '-', beginning with a letter, at most 50", "stack", entryKey},
	{"project", "the id of a Google Cloud project", "project", projectID},
	{"region", "a region such as us-central1", "us-central1", region},
}

// identify reports whether this is a stack, and requires what identifies it.
func (b *builder) identify() bool {
	ok := true
	for _, must := range []struct{ key, text string }{{"apiVersion", apiVersion}, {"kind", "Stack"}} {
		v := b.top.get(must.key)
		switch {
		case v == nil:
			b.p.add(b.top.at, must.key, "missing; it must be %s", must.text)
		case v.text != must.text:
			b.p.add(v.at, must.key, "%q is not known; it must be %s", v.text, must.text)
		default:
			continue
		}
		ok = false
	}
	for _, id := range identifying {
		v := b.top.get(id.key)
		switch {
		case v == nil:
			b.p.add(b.top.at, id.key, "missing; %s", id.hint)
			b.top.set(id.key, &value{at: b.top.at, text: id.standIn, tag: "!!str"})
		case v.null():
			b.p.add(v.at, id.key, "has no value; %s", id.hint)
		case v.kind != scalar:
			b.p.add(v.at, id.key, "must be a single value, not %s", v.name())
		default:
			continue
		}
		if v != nil {
			*v = value{at: v.at, text: id.standIn, tag: "!!str"}
		}
	}
	return ok
}

// checkIdentity judges the identity as it is with its variables replaced.
func (b *builder) checkIdentity() {
	expected := map[string]string{"name": b.options.Name, "project": b.options.Project}
	for _, id := range identifying {
		v, hint := b.top.get(id.key), id.hint
		if m := zone.FindStringSubmatch(v.text); m != nil && id.key == "region" {
			hint = "that is a zone; its region is " + m[1]
		}
		switch want := expected[id.key]; {
		case !id.fits.MatchString(v.text):
			b.p.add(v.at, id.key, "%q: %s", v.text, hint)
			v.text = id.standIn
		case want != "" && v.text != want && !b.p.has(id.key):
			b.p.add(v.at, id.key, "%q, but the configuration says %q for this stack", v.text, want)
		}
	}
}
