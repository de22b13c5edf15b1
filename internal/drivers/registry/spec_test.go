package registry_test

import (
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/registry"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		edit func(*registry.Spec)
		want string // all the lines; "": valid
	}{
		{func(*registry.Spec) {}, ""},
		{func(s *registry.Spec) { s.Location = "europe" }, ""},
		{func(s *registry.Spec) { s.Format, s.Cleanup = "", &registry.Cleanup{} }, ""},
		{func(s *registry.Spec) { s.Name = "my_images" }, `name: "my_images": at most 63 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'`},
		{func(s *registry.Spec) { s.Name = strings.Repeat("a", 64) }, `name: "` + strings.Repeat("a", 64) + `": at most 63 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'`},
		{func(s *registry.Spec) { s.Location = "us-central1-b" }, `location: "us-central1-b" is a zone; its region is us-central1`},
		{func(s *registry.Spec) { s.Location = "moon" }, `location: "moon" is neither a region such as us-central1 nor one of us, europe, asia`},
		{func(s *registry.Spec) { s.Format = "oci" }, `format: "oci" is not one of docker, maven, npm, python, apt, yum, go, generic`},
		{func(s *registry.Spec) { s.Scanning = new("on") }, `scanning: "on" is not one of inherited, disabled`},
		{func(s *registry.Spec) { s.Format, s.ImmutableTags = "npm", new(true) }, `immutableTags: only a docker repository has them`},
		{func(s *registry.Spec) { s.Description = new(strings.Repeat("x", 1025)) }, `description: 1025 characters; at most 1024`},
		{func(s *registry.Spec) { s.Cleanup.KeepLast, s.Cleanup.DeleteAfter = new(0), days(0) },
			"cleanup.keepLast: 0 is out of range; 1 to 100000\ncleanup.deleteAfter: 0s would delete everything at once; a day is 1d"},
		{func(s *registry.Spec) { s.Labels["x"] = "A B" }, `labels: x: value "A B": at most 63 of small letters, digits, '-' and '_'`},
	}
	for _, tt := range tests {
		s := sample("ours")
		tt.edit(&s)
		have := ""
		if err := s.Validate(); err != nil {
			have = err.Error()
		}
		if have != tt.want {
			t.Errorf("want %q\nhave %q", tt.want, have)
		}
	}
}
