package desired

import (
	"errors"
	"fmt"
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
	self, isVar := strings.CutPrefix(path, "vars.")
	if isVar {
		e.open = []string{self}
	}
	text, err := e.expand(v.text)
	e.open = nil
	e.total += len(text)
	if err == nil && e.total > maxExpandedTotal {
		err = errors.New("the variables of this stack grow beyond any reason")
	}
	var c circle
	switch {
	case errors.As(err, &c) && (!isVar || self != slices.Min(c)), errors.Is(err, errElsewhere):
		e.p.spoil(v.at) // reported at the variable itself
	case err != nil:
		e.p.unreadable(v.at, path, "%v", err)
	default:
		v.text, v.expanded, v.tag = text, true, "!!str"
	}
}

// errElsewhere: a variable cannot be had, and its own place says why.
var errElsewhere = errors.New("reported elsewhere")

// circle is variables that need each other.
type circle []string

func (c circle) Error() string { return "variables go in a circle: " + strings.Join(c, " -> ") }

// expand is text with its variables replaced.
func (e *variables) expand(text string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String(), nil
		}
		if literal, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(literal + "${")
			text = after
			continue
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !varName.MatchString(name) {
			return "", errors.New("${ begins a variable such as ${tag}; write $${ for the characters themselves")
		}
		value, err := e.lookup(name)
		if err != nil {
			return "", err
		}
		b.WriteString(before + value)
		if b.Len() > maxExpanded {
			return "", errors.New("longer than 64 KiB with its variables replaced")
		}
		text = rest
	}
}

// lookup is the value of one variable.
func (e *variables) lookup(name string) (string, error) {
	if text, ok := e.known[name]; ok {
		return text, nil
	}
	if name == "environment" {
		return e.environment, nil
	}
	if i := slices.Index(e.open, name); i >= 0 {
		return "", append(circle(slices.Clone(e.open[i:])), name)
	}
	from := e.top.get("vars").get(name)
	if slices.Contains(builtIn, name) {
		from = e.top.get(name)
	}
	if from == nil || from.kind != scalar || from.null() {
		hint := suggest(name, e.names())
		if hint == "" {
			hint = "; variables are set under vars"
		}
		return "", fmt.Errorf("unknown variable %q%s", name, hint)
	}
	if from.expanded { // its place has been walked over
		return from.text, nil
	}
	e.open = append(e.open, name)
	text, err := e.expand(from.text)
	e.open = e.open[:len(e.open)-1]
	var c circle
	switch {
	case errors.As(err, &c):
		return "", err
	case err != nil:
		return "", errElsewhere
	}
	e.known[name] = text
	return text, nil
}

func (e *variables) names() []string { return append(e.top.get("vars").keys(), builtIn...) }
