package desired_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/resource"
)

const budgetHead = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: recsys
project: acme
region: us-central1
vars: {limit: "120.25"}
buckets: {data: {}}
`

// TestBudget: what a budget says is taken exactly, and what it leaves out has its default.
func TestBudget(t *testing.T) {
	usual := []int{50, 80, 100}
	for _, c := range []struct {
		reason, line string
		want         *resource.Budget
	}{
		{"a stack that says nothing has none", "", nil},
		{"a sum alone is told of, and holds nothing", "budget: {monthly: 110}", &resource.Budget{Monthly: resource.Count(110), WarnAt: usual}},
		{"cents are exact", "budget: {monthly: 110.50}", &resource.Budget{Monthly: resource.Ratio(221, 2), WarnAt: usual}},
		{"0.1 is a tenth, which no binary fraction is", "budget: {monthly: 0.1}", &resource.Budget{Monthly: resource.Ratio(1, 10), WarnAt: usual}},
		{"a millionth counts", "budget: {monthly: 999999999.000001}", &resource.Budget{Monthly: resource.Ratio(999999999000001, 1000000), WarnAt: usual}},
		{"quotes change nothing", `budget: {monthly: "80.10"}`, &resource.Budget{Monthly: resource.Ratio(801, 10), WarnAt: usual}},
		{"a variable may hold it", "budget: {monthly: \"${limit}\"}", &resource.Budget{Monthly: resource.Ratio(481, 4), WarnAt: usual}},
		{"hold holds", "budget: {monthly: 80, onExceed: hold}", &resource.Budget{Monthly: resource.Count(80), WarnAt: usual, Hold: true}},
		{"an empty list is none, not the default", "budget: {monthly: 80, warnAt: [], onExceed: warn}", &resource.Budget{Monthly: resource.Count(80), WarnAt: []int{}}},
		{"thresholds beyond the budget itself", "budget: {monthly: 80, warnAt: [1, 1000]}", &resource.Budget{Monthly: resource.Count(80), WarnAt: []int{1, 1000}}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			tree := fstest.MapFS{"stack.yaml": {Data: []byte(budgetHead + c.line + "\n")}}
			s, err := desired.Load(tree, "stack.yaml", desired.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if c.want != nil {
				c.want.Pos = "stack.yaml:8:19"
			}
			if !reflect.DeepEqual(s.Budget, c.want) {
				t.Errorf("%s\n got %+v\nwant %+v", c.line, s.Budget, c.want)
			}
		})
	}
}

// TestBudgetForms: a sum that could be read in two ways, or in none, is not read at all.
func TestBudgetForms(t *testing.T) {
	for _, form := range []string{"$80", "80 USD", "1e3", ".5", "80.", "1_000", "+80", `"1,000"`, `"110,50"`, "0x50", ".inf", ".nan", "1234567890", "1.1234567", "true", "~", "--8"} {
		tree := fstest.MapFS{"stack.yaml": {Data: []byte(budgetHead + "budget: {monthly: " + form + "}\n")}}
		_, err := desired.Load(tree, "stack.yaml", desired.Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "stack.yaml:8:19: budget.monthly: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: want one line at its place, have %v", form, err)
		}
	}
}
