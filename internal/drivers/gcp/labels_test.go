package gcp_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

func TestLabels(t *testing.T) {
	want := map[string]string{"team": "ml", "empty": "", gcp.LabelStack: "recsys"}
	live := map[string]string{"team": "shop", "owner": "somebody", "goog-x": "1", gcp.LabelUnprotected: "0123456789ab"}

	diff := gcp.DiffLabels(want, live)
	if !slices.Equal(diff, []resource.Change{
		{Field: "labels.empty", Want: `""`, Have: "absent"},
		{Field: "labels.recsysd-stack", Want: "recsys", Have: "absent", Owner: true},
		{Field: "labels.team", Want: "ml", Have: "shop"},
	}) {
		t.Errorf("only declared keys count, and an empty label is not an absent one: %v", diff)
	}
	if d := gcp.DiffLabels(nil, live); len(d) > 0 {
		t.Errorf("who declares nothing owns nothing: %v", d)
	}
	if got := gcp.Undeclared(live, want); !slices.Equal(got, []string{"label owner=somebody is not in the stack file; left alone"}) {
		t.Errorf("a foreign label is a notice, Google's and recsysd's own are none: %q", got)
	}
	if got := gcp.Declared(live, want); !maps.Equal(got, map[string]string{"team": "shop"}) {
		t.Errorf("of the live labels the declared ones count: %v", got)
	}

	before := maps.Clone(live)
	tests := []struct {
		why   string
		drift []resource.Change
		want  map[string]string
	}{
		{"what drifted is put back and nothing else", diff[2:], map[string]string{"team": "ml", "owner": "somebody", "goog-x": "1", gcp.LabelUnprotected: "0123456789ab"}},
		{"a mark alone is written alone", []resource.Change{{Field: resource.FieldUnprotected, Want: "ba9876543210", Mark: true}},
			map[string]string{"team": "shop", "owner": "somebody", "goog-x": "1", gcp.LabelUnprotected: "ba9876543210"}},
		{"and cleared alone", []resource.Change{{Field: resource.FieldUnprotected, Mark: true}},
			map[string]string{"team": "shop", "owner": "somebody", "goog-x": "1"}},
		{"other fields are none of its business", []resource.Change{{Field: "location", Want: "x"}}, live},
	}
	for _, tt := range tests {
		if got := gcp.MergeLabels(live, want, tt.drift); !maps.Equal(got, tt.want) {
			t.Errorf("%s: want %v, have %v", tt.why, tt.want, got)
		}
		if !reflect.DeepEqual(live, before) {
			t.Fatalf("%s: the live labels were changed in place", tt.why)
		}
	}
	if gcp.OwnedBy(map[string]string{gcp.LabelStack: "recsys2"}, "recsys") || gcp.OwnedBy(map[string]string{}, "") {
		t.Error("another stack's resource is not ours, and nobody's is not the nameless stack's")
	}
}
