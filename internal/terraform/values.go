package terraform

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Bounds of a value: text that grows with every reference must not fill the memory.
const (
	maxText       = 64 << 10 // bytes, lists and mappings included
	maxReferences = 100      // in one expression
)

// module is a folder's configuration, with what is known of its values.
type module struct {
	blocks    []*hclsyntax.Block // at the top, in their order
	variables map[string]*hclsyntax.Block
	locals    map[string]*hclsyntax.Attribute
	resources map[string]*hclsyntax.Block // by type.name

	given map[string]cty.Value // variables from outside
	found map[string]result    // what was evaluated before, by reference
}

type result struct {
	value cty.Value
	why   *unknown
}

func newModule() *module {
	return &module{
		variables: map[string]*hclsyntax.Block{}, locals: map[string]*hclsyntax.Attribute{}, resources: map[string]*hclsyntax.Block{},
		given: map[string]cty.Value{}, found: map[string]result{},
	}
}

// collect takes note of what a file declares.
func (m *module) collect(body *hclsyntax.Body) {
	for _, b := range body.Blocks {
		m.blocks = append(m.blocks, b)
		switch {
		case b.Type == "variable" && len(b.Labels) == 1:
			m.variables[b.Labels[0]] = b
		case b.Type == "locals":
			maps.Copy(m.locals, b.Body.Attributes)
		case b.Type == "resource" && len(b.Labels) == 2:
			m.resources[b.Labels[0]+"."+b.Labels[1]] = b
		}
	}
}

// readValues takes in a .tfvars file.
func (m *module) readValues(s Source) error {
	body, err := parse(s)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(body.Attributes)) {
		a := body.Attributes[name]
		v, diags := a.Expr.Value(&hcl.EvalContext{})
		if diags.HasErrors() {
			errs = append(errs, explain(diags))
			continue
		}
		m.given[name] = m.typed(name, v)
	}
	return errors.Join(errs...)
}

// give takes in variables as Terraform's command line has them.
func (m *module) give(values map[string]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if m.variables[name] == nil {
			errs = append(errs, fmt.Errorf("--var %s: no such variable is declared", line(name)))
			continue
		}
		v := cty.StringVal(values[name])
		if t := m.keyword(name); t == "" && m.variables[name].Body.Attributes["type"] != nil {
			source := Source{"--var " + name, []byte(values[name])}
			if err := bounded(source); err != nil {
				errs = append(errs, err)
				continue
			}
			e, diags := hclsyntax.ParseExpression(source.Data, source.Name, hcl.InitialPos)
			if !diags.HasErrors() {
				v, diags = e.Value(&hcl.EvalContext{})
			}
			if diags.HasErrors() {
				errs = append(errs, explain(diags))
				continue
			}
		}
		m.given[name] = m.typed(name, v)
	}
	return errors.Join(errs...)
}

// keyword is the simple type of a variable, "" if it has none or another.
func (m *module) keyword(name string) string {
	b := m.variables[name]
	if b == nil || b.Body.Attributes["type"] == nil {
		return ""
	}
	return hcl.ExprAsKeyword(b.Body.Attributes["type"].Expr)
}

// typed converts a value to a variable's simple type, and marks it if it is sensitive.
func (m *module) typed(name string, v cty.Value) cty.Value {
	want := map[string]cty.Type{"string": cty.String, "number": cty.Number, "bool": cty.Bool}
	if t, ok := want[m.keyword(name)]; ok {
		if c, err := convert.Convert(v, t); err == nil {
			v = c
		}
	}
	if b := m.variables[name]; b != nil && b.Body.Attributes["sensitive"] != nil {
		if s, u := m.value(b.Body.Attributes["sensitive"].Expr); u == nil && s.RawEquals(cty.True) {
			v = v.Mark(sensitive)
		}
	}
	return v
}

const sensitive = "sensitive"

// variable is the value of var.name, as it is asked for at where.
func (m *module) variable(name string, where hcl.Range) (cty.Value, *unknown) {
	if v, ok := m.given[name]; ok {
		return v, nil
	}
	b := m.variables[name]
	if b == nil {
		return cty.NilVal, &unknown{place(where), fmt.Sprintf("there is no variable %s", name)}
	}
	a := b.Body.Attributes["default"]
	if a == nil {
		return cty.NilVal, &unknown{place(where), fmt.Sprintf("var.%s has no value; give one with --var %s=VALUE", name, name)}
	}
	v, u := m.value(a.Expr)
	if u != nil {
		return v, u
	}
	return m.typed(name, v), nil
}

// known is the value of an expression as plain data, or an unknown.
func (m *module) known(e hclsyntax.Expression) any {
	v, u := m.value(e)
	if u != nil {
		return *u
	}
	if v.ContainsMarked() {
		return unknown{place(e.Range()), "is made from a sensitive variable, so it is not shown"}
	}
	return plain(v)
}

// value evaluates an expression as far as that can be done without Terraform.
func (m *module) value(e hclsyntax.Expression) (cty.Value, *unknown) {
	references := e.Variables()
	if len(references) > maxReferences {
		return cty.NilVal, &unknown{place(e.Range()), "refers to too many things"}
	}
	tree := map[string]any{}
	for _, t := range references {
		names := steps(t)
		v, u := m.reference(names, t.SourceRange())
		if u != nil {
			return cty.NilVal, &unknown{place(t.SourceRange()), u.why} // where it is asked for, not where it was asked for first
		}
		insert(tree, names[:min(len(names), depthOf(names))], v)
	}
	context := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: functions}
	for root, branch := range tree {
		context.Variables[root] = object(branch)
	}
	v, diags := e.Value(context)
	switch {
	case diags.HasErrors():
		return cty.NilVal, &unknown{place(e.Range()), "cannot be evaluated: " + say(diags.Errs()[0].(*hcl.Diagnostic))}
	case weigh(v, maxText) < 0:
		return cty.NilVal, &unknown{place(e.Range()), "is too long"}
	case !v.IsWhollyKnown():
		return cty.NilVal, &unknown{place(e.Range()), "is known to Terraform alone"}
	}
	return v, nil
}

// weigh takes the size of a value off a budget; it is below zero where the value is larger.
func weigh(v cty.Value, budget int) int {
	v, _ = v.Unmark()
	budget -= 8
	switch {
	case budget < 0 || v.IsNull() || !v.IsKnown():
	case v.Type() == cty.String:
		budget -= len(v.AsString())
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next() && budget >= 0; {
			k, in := it.Element()
			budget = weigh(in, weigh(k, budget))
		}
	}
	return budget
}
