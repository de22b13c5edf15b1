package kube

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Of a live object is kept who owns what, word for word, since a list of owners is only ever written as a whole; and nothing of its
// status that nobody reads.
func TestStrip(t *testing.T) {
	w := newWorld(t)
	d := w.object(deploymentYAML)
	w.create(d)
	w.hand(d, "controller", `{"status":{"conditions":[{"type":"X","status":"True","reason":"r","message":"m","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`, "status")
	whole := w.live(d)
	stripped := (&unstructured.Unstructured{Object: whole}).DeepCopy().Object // the next read may be of a newer version
	before, err := owners(whole)
	if err != nil {
		t.Fatal(err)
	}
	i := newItem(&unstructured.Unstructured{Object: stripped})
	after, err := owners(stripped)
	if err != nil || len(before) != len(after) || len(before) == 0 {
		t.Fatalf("%d owners of %d are kept: %v", len(after), len(before), err)
	}
	for n, o := range before {
		if !o.fields.Equals(after[n].fields) || o.name != after[n].name {
			t.Errorf("what %s owns is not kept", o.name)
		}
	}
	want, _ := json.Marshal(list(whole, "metadata", "managedFields"))
	have, _ := json.Marshal(list(stripped, "metadata", "managedFields"))
	if string(want) != string(have) {
		t.Errorf("kept owners would be written as\n%s\ninstead of\n%s", have, want)
	}
	status, _ := json.Marshal(stripped["status"])
	if strings.Contains(string(status), "lastTransitionTime") || !strings.Contains(string(status), `"message":"m"`) {
		t.Errorf("kept of the status: %s", status)
	}
	if again := newItem(i.object); again.print != i.print || again.state != i.state {
		t.Error("a stripped object is another one")
	}
}

// BenchmarkHeld is what a live ConfigMap of 1 KB costs for as long as it is watched, and what it is to take one in.
func BenchmarkHeld(b *testing.B) {
	form := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c-%05d","namespace":"crowd","uid":"0b7b1a8e-7f7c-4a52-8b4f-%012d","resourceVersion":"%d",` +
		`"creationTimestamp":"2026-01-01T00:00:00Z","labels":{"recsysd.dev/stack":"crowd","recsysd.dev/entry":"manifests.0123456789abcdef","app.kubernetes.io/managed-by":"recsysd"},` +
		`"annotations":{"recsysd.dev/applied":"0123456789abcdef"},"managedFields":[{"manager":"recsysd","operation":"Apply","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1",` +
		`"fieldsV1":{"f:data":{"f:filler":{},"f:n":{}},"f:metadata":{"f:annotations":{"f:recsysd.dev/applied":{}},"f:labels":{"f:app.kubernetes.io/managed-by":{},"f:recsysd.dev/entry":{},"f:recsysd.dev/stack":{}}}}}]},` +
		`"data":{"n":"%d","filler":"` + strings.Repeat("0123456789abcdef", 64) + `"}}`
	var held []*item
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	n := 0
	for b.Loop() {
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(fmt.Appendf(nil, form, n, n, n+1, n)); err != nil {
			b.Fatal(err)
		}
		held = append(held, newItem(u))
		n++
	}
	b.ReportMetric(float64(heap()-before)/float64(n), "held-B/object")
	runtime.KeepAlive(held)
}
