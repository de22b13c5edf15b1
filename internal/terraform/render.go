package terraform

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

type node = yaml.Node

// mapping is a mapping of a stack file whose keys keep their order.
type mapping struct{ content []*node }

// set gives a key a value, or another one.
func (m *mapping) set(key string, v *node) {
	for i := 0; i < len(m.content); i += 2 {
		if m.content[i].Value == key {
			m.content[i+1] = v
			return
		}
	}
	m.content = append(m.content, &node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, v)
}

// head writes above a key what Terraform calls it, and what is to be said of it.
func (m *mapping) head(key, title string, comments []string) {
	for i := 0; i < len(m.content); i += 2 {
		if m.content[i].Value == key {
			m.content[i].HeadComment = "# " + strings.Join(append([]string{line(title)}, comments...), "\n# ")
		}
	}
}

// get is the single value of a key.
func (m *mapping) get(key string) (string, bool) {
	for i := 0; i < len(m.content); i += 2 {
		if m.content[i].Value == key {
			return m.content[i+1].Value, true
		}
	}
	return "", false
}

func (m *mapping) node() *node {
	return &node{Kind: yaml.MappingNode, Tag: "!!map", Content: m.content, Style: yaml.FlowStyle}
}

// block is the same with a line for each key.
func (m *mapping) block() *node {
	n := m.node()
	n.Style = 0
	return n
}

// text is a text as it is: what would pass for a variable of the stack file is none.
func text(s string) *node {
	return &node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.ReplaceAll(s, "${", "$${")}
}

func truth(b bool) *node {
	return &node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(b)}
}

func number(n int64) *node {
	return &node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(n, 10)}
}

func list(l []string) *node {
	n := &node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, s := range l {
		n.Content = append(n.Content, text(s))
	}
	return n
}

func items(l []mapping) *node {
	n := &node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	if len(l) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, m := range l {
		n.Content = append(n.Content, m.node())
	}
	return n
}

func texts(m map[string]string) *node {
	var out mapping
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out.set(k, text(m[k]))
	}
	return out.node()
}

// order of the sections, as docs/stack.md has them.
var order = []string{"networks", "clusters", "buckets", "registries"}

// render writes the stack file.
func (c *conversion) render() (string, error) {
	var top mapping
	top.set("apiVersion", text("recsysd.dev/v1alpha1"))
	top.set("kind", text("Stack"))
	top.set("name", text(c.identity.Name))
	top.set("project", text(c.identity.Project))
	top.set("region", text(c.identity.Region))
	for _, section := range order {
		var entries mapping
		for _, e := range c.entries[section] {
			entries.set(e.key, e.fields.block())
			entries.head(e.key, e.resource.Address(), e.comments)
		}
		if len(entries.content) > 0 {
			top.set(section, entries.block())
		}
	}
	b, err := yaml.Dump(top.block(), yaml.WithV4Defaults())
	if err != nil {
		return "", fmt.Errorf("write the stack file: %w", err)
	}
	return c.header() + string(b), nil
}

// header is what a person should know before the file is used.
func (c *conversion) header() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# From %s, by recsysd import. Every entry is taken over as it is (adopt: true); what does not stand here is left alone.\n", line(c.model.Source))
	b.WriteString("# Everything is protected: it goes only after protect: false was said in an earlier commit, whatever deletion_protection says.\n")
	others := map[string]int{}
	for _, r := range c.model.Resources {
		if !known(r.Type) {
			others[line(r.Type)]++
		}
	}
	if len(others) > 0 {
		b.WriteString("#\n# Not taken over:\n")
	}
	for _, kind := range slices.Sorted(maps.Keys(others)) {
		why := answered[kind]
		if why == "" {
			why = "has no counterpart; left alone"
		}
		fmt.Fprintf(&b, "#   %s (%d): %s\n", kind, others[kind], why)
	}
	if len(c.notices) > 0 {
		b.WriteString("#\n# Left out:\n")
	}
	for _, n := range c.notices {
		fmt.Fprintf(&b, "#   %s\n", n)
	}
	return b.String()
}
