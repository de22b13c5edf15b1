package desired

import (
	"regexp"
	"slices"
	"strings"
)

// Names that ${…} knows without vars.
var builtIn = []string{"project", "region", "name", "environment"}

var varName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Bounds of what variables may grow to: of one value, and of all together.
const (
	maxExpanded      = 64 << 10
	maxExpandedTotal = 4 << 20
)

// variables replaces ${x} in the scalars of a stack. A variable may use others; it may not use itself.
type variables struct {
	top         *value // the stack: project, region, name and vars are looked up here
	environment string
	p           *problems

	known map[string]string // expanded so far
	open  []string          // being expanded
	total int
}

// checkNames reports variables that could never be used.
func (e *variables) checkNames() {
	vars := e.top.get("vars")
	if vars == nil {
		return
	}
	for _, f := range vars.fields {
		switch {
		case slices.Contains(builtIn, f.key):
			e.p.add(f.at, "vars."+f.key, "${%s} is built in and cannot be set here", f.key)
		case !varName.MatchString(f.key):
			e.p.add(f.at, "vars."+f.key, "not a name for a variable; letters, digits and _")
		}
	}
}

// expandAll replaces the variables in every scalar below v, in place. Keys are left alone.
func (e *variables) expandAll(v *value, path string) {
	for i, item := range v.items {
		e.expandAll(item, indexed(path, i))
	}
	for _, f := range v.fields {
		e.expandAll(f.value, joined(path, f.key))
	}
	if v.kind != scalar || !strings.Contains(v.text, "${") {
		return
	}
	text, why := e.expand(v.text)
	e.total += len(text)
	if why == "" && e.total > maxExpandedTotal {
		why = "the variables of this stack grow beyond any reason"
	}
	if why != "" {
		e.p.add(v.at, path, "%s", why)
		return
	}
	v.text, v.expanded, v.tag = text, true, "!!str"
}

// expand is text with its variables replaced, or why that cannot be done.
func (e *variables) expand(text string) (expanded, why string) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String(), ""
		}
		if literal, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(literal + "${")
			text = after
			continue
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !varName.MatchString(name) {
			return "", "${ begins a variable such as ${tag}; write $${ for the characters themselves"
		}
		value, why := e.lookup(name)
		if why != "" {
			return "", why
		}
		b.WriteString(before + value)
		if b.Len() > maxExpanded {
			return "", "longer than 64 KiB with its variables replaced"
		}
		text = rest
	}
}

// lookup is the value of one variable, or why it has none.
func (e *variables) lookup(name string) (text, why string) {
	if text, ok := e.known[name]; ok {
		return text, ""
	}
	if name == "environment" {
		return e.environment, ""
	}
	if i := slices.Index(e.open, name); i >= 0 {
		return "", "variables go in a circle: " + strings.Join(append(slices.Clone(e.open[i:]), name), " -> ")
	}
	from := e.top.get("vars").get(name)
	if slices.Contains(builtIn, name) {
		from = e.top.get(name)
	}
	if from == nil && slices.Contains(builtIn, name) {
		return "", "" // that it is missing is said elsewhere
	}
	if from == nil || from.kind != scalar || from.null() {
		return "", "unknown variable \"" + name + "\"" + suggest(name, e.names()) + "; variables are set under vars"
	}
	if from.expanded { // its place has been walked over
		return from.text, ""
	}
	e.open = append(e.open, name)
	text, why = e.expand(from.text)
	e.open = e.open[:len(e.open)-1]
	if why == "" {
		e.known[name] = text
	}
	return text, why
}

func (e *variables) names() []string {
	return append(e.top.get("vars").keys(), builtIn...)
}
