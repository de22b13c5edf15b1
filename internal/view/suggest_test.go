package view

import (
	"bytes"
	"testing"
)

// What is printed can be pasted into a stack file: fields that YAML would take for something else are quoted, and nothing is suggested that no
// rule would end.
func TestSuggest(t *testing.T) {
	v := Drift{Stack: "recsys", Resources: []ResourceDrift{
		{Kind: "Deployment", Name: "recsys/api", Drift: []Change{
			{Field: "metadata.labels[recsysd.dev/stack]"}, {Field: "spec.replicas"}, {Field: "spec.template.spec.containers[api].image"},
		}},
		{Kind: "Service", Name: "recsys/gone", Drift: []Change{{Field: "resource", Want: "present", Have: "absent"}}},
		{Kind: "bucket", Name: "acme-data", Drift: []Change{{Field: "labels.team"}}},
	}}
	var b bytes.Buffer
	if err := v.Suggest().Text(&b); err != nil {
		t.Fatal(err)
	}
	const want = `ignore:
  - {fields: [spec.replicas, 'spec.template.spec.containers[api].image'], on: Deployment/recsys/api}
  - {fields: [labels.team], on: bucket/acme-data}
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	if err := (Drift{Stack: "recsys"}).Suggest().Text(&b); err != nil || b.String() != "# recsys: no drift that a rule would end\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}
