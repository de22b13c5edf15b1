package resource_test

import (
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

func TestCovers(t *testing.T) {
	cases := []struct {
		why, pattern, field string
		want                bool
	}{
		{"itself", "spec.replicas", "spec.replicas", true},
		{"what stands below", "spec.template", "spec.template.spec.containers[api].image", true},
		{"never what stands above", "spec.template.spec", "spec.template", false},
		{"no name that only begins alike", "spec.replica", "spec.replicas", false},
		{"an item of a list", "spec.template.spec.containers[api].image", "spec.template.spec.containers[api].image", true},
		{"another item", "spec.template.spec.containers[api].image", "spec.template.spec.containers[db].image", false},
		{"every item", "spec.template.spec.containers[*].image", "spec.template.spec.containers[db].image", true},
		{"a key with dots and slashes is one step", "metadata.annotations[example.test/lb]", "metadata.annotations[example.test/lb]", true},
		{"some keys", "metadata.annotations[example.test/*]", "metadata.annotations[example.test/lb]", true},
		{"a star stays within its step", "spec.*.image", "spec.template.spec.image", false},
		{"a star in the middle", "labels.te*m", "labels.team", true},
		{"a field of the cloud", "labels.team", "labels.team", true},
		{"a key of two parts", "spec.ports[80/TCP].nodePort", "spec.ports[80/TCP].nodePort", true},
	}
	for _, c := range cases {
		if got := resource.Covers(c.pattern, c.field); got != c.want {
			t.Errorf("%s: %s covers %s: %v", c.why, c.pattern, c.field, got)
		}
	}
}
