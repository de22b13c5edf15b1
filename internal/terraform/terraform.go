// Package terraform reads what Terraform keeps (a state, or its configuration) and writes the stack file that says the same. It is
// pure: bytes become a model, and a model becomes text. It runs no Terraform, asks no provider and looks at no cloud; whether the text
// is a good stack is for the desired room to say.
package terraform

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Model is what was found: resources as Terraform has them, and what was said of all of them.
type Model struct {
	Source    string // the files, for people
	Resources []Resource
	// Project and Region are those of the provider or of the usual variables; "" if nothing says it.
	Project, Region string
	// Skipped are lines about what could not be read, each with its place. The rest was read.
	Skipped []string
}

// Resource is one instance of a resource. Attributes are null, text, numbers, truth, lists and mappings; a nested block is a list of
// mappings, as in a state; what cannot be known is an unknown.
type Resource struct {
	Module     string // that it lies in, as module.a.module.b; "" is the root
	Type, Name string
	Key        string // of the instance, where there may be several; else ""
	Place      string // file, or file:line:column
	Attributes map[string]any

	// filled: the provider has written down every attribute, what nobody asked for too.
	filled bool
}

// Address is what Terraform calls it.
func (r Resource) Address() string {
	address := r.Type + "." + r.Name
	if r.Module != "" {
		address = r.Module + "." + address
	}
	if _, err := strconv.Atoi(r.Key); err == nil {
		return address + "[" + r.Key + "]"
	}
	if r.Key != "" {
		address += "[" + strconv.Quote(r.Key) + "]"
	}
	return address
}

// part is what lies in r under a name.
func (r Resource) part(name string) Resource {
	return Resource{Type: r.Address(), Name: name, Place: r.Place, filled: r.filled}
}

// unknown stands for a value that is not known here.
type unknown struct{ place, why string }

// merge takes in what was read of another file.
func (m *Model) merge(o Model) {
	m.Source = strings.Trim(m.Source+", "+o.Source, ", ")
	m.Resources = append(m.Resources, o.Resources...)
	m.Skipped = append(m.Skipped, o.Skipped...)
	m.Project, m.Region = cmp.Or(m.Project, o.Project), cmp.Or(m.Region, o.Region)
}

// Merge is what several states and configurations say together.
func Merge(models ...Model) Model {
	var all Model
	for _, m := range models {
		all.merge(m)
	}
	slices.SortStableFunc(all.Resources, func(a, b Resource) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Module, b.Module), strings.Compare(a.Name, b.Name), strings.Compare(a.Key, b.Key))
	})
	return all
}

// line is text in one line that no terminal and no comment takes amiss.
func line(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfeff || r == '\u2028' || r == '\u2029' || r == '\ufffd' {
			return -1
		}
		return r
	}, s)
}
