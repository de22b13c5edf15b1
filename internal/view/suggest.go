package view

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// Suggestion is the rules of a stack file that would end the drift that is seen now, what is fought over included.
type Suggestion struct {
	Stack  string       `json:"stack"`
	Ignore []IgnoreRule `json:"ignore"`
}

// IgnoreRule is one rule, as it stands in a stack file.
type IgnoreRule struct {
	Fields []string `json:"fields"`
	On     string   `json:"on"`
}

// Suggest makes a rule for each resource in drift. No rule brings back what is gone, or says whose a resource is.
func (v Drift) Suggest() Suggestion {
	s := Suggestion{Stack: v.Stack, Ignore: []IgnoreRule{}}
	for _, r := range v.Resources {
		rule := IgnoreRule{On: resource.Ref{Kind: r.Kind, Name: r.Name}.String()}
		for _, c := range r.Drift {
			if !strings.Contains(c.Field, "recsysd.dev/") && c.Field != reconcile.GoneField && resource.CheckField(c.Field) == nil && !slices.Contains(rule.Fields, c.Field) {
				rule.Fields = append(rule.Fields, c.Field)
			}
		}
		if len(rule.Fields) > 0 {
			s.Ignore = append(s.Ignore, rule)
		}
	}
	return s
}

// Text writes the rules as YAML that can be pasted into a stack file.
func (s Suggestion) Text(w io.Writer) error {
	var b strings.Builder
	if len(s.Ignore) == 0 {
		fmt.Fprintf(&b, "# %s: no drift that a rule would end\n", s.Stack)
	} else {
		b.WriteString("ignore:\n")
	}
	for _, r := range s.Ignore {
		fmt.Fprintf(&b, "  - %s\n", resource.IgnoreRule(r.On, r.Fields))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
