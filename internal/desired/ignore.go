package desired

import (
	"path"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// addIgnores tells the resources which of their fields others say. It comes last: a rule may name any of them.
func (b *builder) addIgnores() {
	for i, rule := range b.file.Ignore {
		at := indexed("ignore", i)
		if b.p.unusable[b.at(at+".fields")] || b.p.unusable[b.at(at+".on")] {
			continue // it could not be read
		}
		if !b.checkIgnore(rule, at) || b.p.any() { // where the stack could not be read, a rule that fits nothing says nothing
			continue
		}
		matched := false
		for n := range b.resources {
			r := &b.resources[n]
			if b.ignores(rule.On, r.Ref) {
				r.Ignore = append(r.Ignore, rule.Fields...)
				matched = true
			}
		}
		if !matched {
			b.notice(b.at(at+".on"), at+".on: "+rule.On+" fits no resource of the stack, so the rule changes nothing"+b.ofKind(rule.On))
		}
	}
}

// ofKind names the first resources of the kind that a pattern is of, if there are any.
func (b *builder) ofKind(pattern string) string {
	kind, _, _ := strings.Cut(pattern, "/")
	var names []string
	for i := range b.resources {
		if ref := b.resources[i].Ref; ref.Kind == kind && len(names) < 3 {
			names = append(names, ref.String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; there is " + strings.Join(names, ", ")
}

// ignores reports whether a pattern names a resource.
func (b *builder) ignores(pattern string, ref resource.Ref) bool {
	if fits, err := path.Match(pattern, ref.String()); fits && err == nil {
		return true
	}
	name, inStack := strings.CutPrefix(ref.Name, b.namespace()+"/")
	if !inStack {
		return false
	}
	fits, err := path.Match(pattern, ref.Kind+"/"+name)
	return fits && err == nil
}

// checkIgnore reports what is wrong with a rule, and whether nothing is.
func (b *builder) checkIgnore(rule ignoreRule, at string) bool {
	wrong := false
	add := func(below, format string, args ...any) {
		wrong = true
		b.p.add(b.at(at+below), at+below, format, args...)
	}
	if len(rule.Fields) == 0 {
		add(".fields", "names no field; write them as recsysd drift shows them, such as spec.replicas")
	}
	for i, field := range rule.Fields {
		if err := resource.CheckField(field); err != nil {
			add(indexed(".fields", i), "%v", err)
		} else if strings.Contains(field, "recsysd.dev/") {
			add(indexed(".fields", i), "%q is a mark of recsysd itself, which is never left to others", field)
		}
	}
	parts := strings.Split(rule.On, "/")
	_, err := path.Match(rule.On, "")
	switch {
	case rule.On == "":
		add(".on", "names no resource; write KIND/NAME, such as Deployment/api")
	case len(parts) < 2 || len(parts) > 4 || strings.Contains("/"+rule.On+"/", "//"):
		add(".on", "%q is not KIND/NAME or KIND/NAMESPACE/NAME, such as Deployment/api", rule.On)
	case err != nil:
		add(".on", "%q is not a pattern such as Deployment/api-*", rule.On)
	}
	return !wrong
}
