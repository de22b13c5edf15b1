package desired_test

import (
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired"
)

// TestAlone: a text is read as the file that it will be, and what it names beside itself is not there.
func TestAlone(t *testing.T) {
	s, err := desired.Load(desired.Alone("stack.yaml", head+"buckets: {data: {}}\n"), "stack.yaml", desired.Options{})
	if err != nil || len(s.Resources) != 1 {
		t.Errorf("a stack file is a stack: %+v %v", s, err)
	}
	for reason, c := range map[string]struct{ text, says string }{
		"a mistake has its place":            {head + "buckets: {data: {nmae: x}}\n", `stack.yaml:6:18: buckets.data.nmae`},
		"there is nothing beside it":         {head + "manifests: [kube/]\nclusters: {main: {}}\n", "manifests[0]: kube: there is no such file"},
		"nor under a folder of its own name": {head + "manifests: [stack.yaml/x.yaml]\nclusters: {main: {}}\n", "manifests[0]"},
	} {
		if _, err := desired.Load(desired.Alone("stack.yaml", c.text), "stack.yaml", desired.Options{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
