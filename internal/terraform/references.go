package terraform

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// steps are the names of a reference up to the first index.
func steps(t hcl.Traversal) []string {
	var names []string
	for _, s := range t {
		switch s := s.(type) {
		case hcl.TraverseRoot:
			names = append(names, s.Name)
		case hcl.TraverseAttr:
			names = append(names, s.Name)
		default:
			return names
		}
	}
	return names
}

// depthOf is how many steps lead to a value: var.x and local.x are one, TYPE.NAME.ATTRIBUTE is one.
func depthOf(names []string) int {
	if names[0] == "var" || names[0] == "local" {
		return 2
	}
	return 3
}

// reference is what a reference's first steps lead to.
func (m *module) reference(names []string, where hcl.Range) (cty.Value, *unknown) {
	full := strings.Join(names, ".")
	if len(names) < depthOf(names) {
		return cty.NilVal, &unknown{place(where), full + " is known to Terraform alone; import the state instead"}
	}
	key := strings.Join(names[:depthOf(names)], ".")
	if r, ok := m.found[key]; ok {
		return r.value, r.why
	}
	m.found[key] = result{why: &unknown{place(where), key + " refers to itself"}}
	v, u := m.look(names, where)
	m.found[key] = result{v, u}
	return v, u
}

func (m *module) look(names []string, where hcl.Range) (cty.Value, *unknown) {
	switch names[0] {
	case "var":
		return m.variable(names[1], where)
	case "local":
		if a := m.locals[names[1]]; a != nil {
			return m.value(a.Expr)
		}
		return cty.NilVal, &unknown{place(where), fmt.Sprintf("there is no local.%s", names[1])}
	}
	if b := m.resources[names[0]+"."+names[1]]; b != nil {
		if a := b.Body.Attributes[names[2]]; a != nil {
			return m.value(a.Expr)
		}
		if v, ok := m.derived(b, names[2]); ok {
			return v, nil
		}
	}
	return cty.NilVal, &unknown{place(where), strings.Join(names, ".") + " is known to Terraform alone; import the state instead"}
}

// insert puts a value at a path of a tree.
func insert(tree map[string]any, path []string, v cty.Value) {
	for _, step := range path[:len(path)-1] {
		next, ok := tree[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			tree[step] = next
		}
		tree = next
	}
	tree[path[len(path)-1]] = v
}

func object(branch any) cty.Value {
	if v, ok := branch.(cty.Value); ok {
		return v
	}
	attributes := map[string]cty.Value{}
	for k, in := range branch.(map[string]any) {
		attributes[k] = object(in)
	}
	return cty.ObjectVal(attributes)
}

// plain is a value as data: nil, text, json.Number, bool, []any, map[string]any.
func plain(v cty.Value) any {
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return nil
	}
	t := v.Type()
	switch {
	case t == cty.String:
		return v.AsString()
	case t == cty.Number:
		return json.Number(v.AsBigFloat().Text('f', -1))
	case t == cty.Bool:
		return v.True()
	case t.IsObjectType() || t.IsMapType():
		out := map[string]any{}
		for k, in := range v.AsValueMap() {
			out[k] = plain(in)
		}
		return out
	case t.IsListType() || t.IsTupleType() || t.IsSetType():
		out := []any{}
		for _, in := range v.AsValueSlice() {
			out = append(out, plain(in))
		}
		return out
	}
	return nil
}
