package terraform

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are those of Terraform's that names, locations and labels are made with. They look at nothing outside.
var functions = map[string]function.Function{
	"coalesce": stdlib.CoalesceFunc, "compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
	"distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "format": formatFunc,
	"join": joinFunc, "keys": stdlib.KeysFunc, "length": stdlib.LengthFunc, "lookup": stdlib.LookupFunc,
	"lower": stdlib.LowerFunc, "max": stdlib.MaxFunc, "merge": stdlib.MergeFunc, "min": stdlib.MinFunc, "replace": replaceFunc,
	"split": stdlib.SplitFunc, "substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc, "tobool": stdlib.MakeToFunc(cty.Bool),
	"tonumber": stdlib.MakeToFunc(cty.Number), "tostring": stdlib.MakeToFunc(cty.String), "trim": stdlib.TrimFunc,
	"trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc,
	"upper": stdlib.UpperFunc, "values": stdlib.ValuesFunc,
}

// formatFunc knows %s, %d, %v and %% and nothing that pads.
var formatFunc = function.New(&function.Spec{
	Params:   []function.Parameter{{Name: "format", Type: cty.String}},
	VarParam: &function.Parameter{Name: "values", Type: cty.DynamicPseudoType},
	Type:     function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var b strings.Builder
		rest := args[1:]
		format := args[0].AsString()
		for i := 0; i < len(format); i++ {
			if format[i] != '%' {
				b.WriteByte(format[i])
				continue
			}
			i++
			switch {
			case i < len(format) && format[i] == '%':
				b.WriteByte('%')
			case i < len(format) && strings.IndexByte("sdv", format[i]) >= 0 && len(rest) > 0:
				switch v := plain(rest[0]).(type) {
				case string, bool, fmt.Stringer:
					fmt.Fprint(&b, v)
				default:
					return cty.NilVal, function.NewArgErrorf(0, "only texts, numbers and truth are formatted here")
				}
				rest = rest[1:]
			default:
				return cty.NilVal, function.NewArgErrorf(0, "only %%s, %%d and %%v, each with a value, are known here")
			}
		}
		return cty.StringVal(b.String()), nil
	},
})

// replaceFunc replaces text; what stands between slashes would be a pattern, which is not known here. Text can grow only so far.
var replaceFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "old", Type: cty.String}, {Name: "new", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		text, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
		switch {
		case len(old) > 1 && strings.HasPrefix(old, "/") && strings.HasSuffix(old, "/"):
			return cty.NilVal, function.NewArgErrorf(1, "patterns are not known here")
		case len(text)+(strings.Count(text, old)*len(with)) > maxText:
			return cty.NilVal, function.NewArgErrorf(2, "the text would be too long")
		}
		return cty.StringVal(strings.ReplaceAll(text, old, with)), nil
	},
})

// joinFunc is Terraform's, for as much text as a name or a label can be.
var joinFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "separator", Type: cty.String}, {Name: "list", Type: cty.List(cty.String)}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var parts []string
		for it := args[1].ElementIterator(); it.Next(); {
			_, v := it.Element()
			if v.IsNull() {
				return cty.NilVal, function.NewArgErrorf(1, "holds null")
			}
			parts = append(parts, v.AsString())
		}
		if len(parts)*len(args[0].AsString()) > maxText {
			return cty.NilVal, function.NewArgErrorf(0, "the text would be too long")
		}
		return cty.StringVal(strings.Join(parts, args[0].AsString())), nil
	},
})
