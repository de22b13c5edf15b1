package kube

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"recsysd.dev/recsysd/internal/resource"
)

// changes renders differences of o for people, sorted. Values of Secrets are masked.
func changes(diffs []difference, o Object, all []owner) []resource.Change {
	var out []resource.Change
	for _, d := range diffs {
		c := resource.Change{Field: pathText(d.path), Want: show(d.want), Have: show(d.have)}
		c.Veiled = shortened(c.Want) || shortened(c.Have)
		c.Manager, c.At = who(all, d.path)
		if o.GVK().GroupKind() == secretKind && confidential(d.path) {
			c.Veiled = true
			c.Want, c.Have = mask(d.want, "(secret)"), mask(d.have, "(another secret)")
			if d.want == nil {
				c.Have = mask(d.have, "(secret)")
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b resource.Change) int { return cmp.Compare(a.Field, b.Field) })
	return out
}

// confidential: of a Secret, all but what identifies it. kubectl copies its values into an annotation.
func confidential(p fieldpath.Path) bool {
	if len(p) == 0 || p[0].FieldName == nil {
		return true
	}
	switch *p[0].FieldName {
	case "type", "immutable":
		return false
	case "metadata":
		return len(p) < 2 || p[1].FieldName == nil || *p[1].FieldName == "annotations"
	}
	return true
}

func mask(v any, as string) string {
	if v == nil {
		return ""
	}
	return as
}

// show is a value in one line; "" is absent.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if v == "" {
			return `""`
		}
		return shorten(v)
	case map[string]any, []any:
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return shorten(string(b))
	}
	return fmt.Sprint(v)
}

// ellipsis stands for what a value has beyond what is shown of it.
const ellipsis = "…"

func shorten(s string) string {
	const most = 300
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + ellipsis
	}
	return s
}

func shortened(text string) bool { return strings.HasSuffix(text, ellipsis) }

// pathText writes a path as a person would: spec.template.spec.containers[api].image.
func pathText(p fieldpath.Path) string {
	var b strings.Builder
	for _, e := range p {
		switch {
		case e.FieldName != nil && !strings.ContainsAny(*e.FieldName, "./ []"):
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(*e.FieldName)
		case e.FieldName != nil:
			b.WriteString("[" + *e.FieldName + "]")
		case e.Key != nil:
			var parts []string
			for _, f := range *e.Key {
				parts = append(parts, fmt.Sprint(f.Value.Unstructured()))
			}
			b.WriteString("[" + strings.Join(parts, "/") + "]")
		case e.Value != nil:
			b.WriteString("[" + fmt.Sprint((*e.Value).Unstructured()) + "]")
		case e.Index != nil:
			fmt.Fprintf(&b, "[%d]", *e.Index)
		}
	}
	return b.String()
}
