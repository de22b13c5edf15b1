package bucket_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

const days = bucket.Retention(24 * time.Hour)

func TestDiff(t *testing.T) {
	cases := []struct {
		reason     string
		want, live bucket.Spec
		diff       string // field want|have, with * for a mark and ! for a reason to recreate
	}{
		{"what is left out is not ours", bucket.Spec{}, bucket.Spec{Class: new("archive"), Versioning: new(true), SoftDelete: new(7 * days), Lifecycle: []bucket.Rule{{Action: "delete"}}, PublicAccessPrevention: new("inherited"), UniformBucketLevelAccess: new(false)}, ""},
		{"false and none are values", bucket.Spec{Versioning: new(false), Lifecycle: []bucket.Rule{}, SoftDelete: new(0 * days)}, bucket.Spec{Versioning: new(true), Lifecycle: []bucket.Rule{{Action: "delete", AgeDays: new(int64(0))}}, SoftDelete: new(7 * days)},
			"lifecycle none|delete when age 0d, softDelete off|7d, versioning false|true"},
		{"the server answers locations in capitals", bucket.Spec{Location: "us-central1"}, bucket.Spec{Location: "US-CENTRAL1"}, ""},
		{"a bucket cannot move", bucket.Spec{Location: "us-central1"}, bucket.Spec{Location: "EU"}, "location! us-central1|eu"},
		{"rules and prefixes are sets", bucket.Spec{Lifecycle: []bucket.Rule{{Action: "delete", AgeDays: new(int64(1)), Prefixes: []string{"b", "a"}}, {Action: "delete", NewerVersions: new(int64(2))}}},
			bucket.Spec{Lifecycle: []bucket.Rule{{Action: "delete", NewerVersions: new(int64(2))}, {Action: "delete", AgeDays: new(int64(1)), Prefixes: []string{"a", "b", "a"}}, {Action: "delete", NewerVersions: new(int64(2))}}}, ""},
		{"an age of zero is not no age", bucket.Spec{Lifecycle: []bucket.Rule{{Action: "delete", AgeDays: new(int64(0)), Prefixes: []string{"tmp/"}}}}, bucket.Spec{Lifecycle: []bucket.Rule{{Action: "delete", Prefixes: []string{"tmp/"}}}},
			"lifecycle delete when age 0d and prefix tmp/|delete when prefix tmp/"},
		{"a condition without a word in the stack file still counts", bucket.Spec{Lifecycle: []bucket.Rule{{Action: "delete", AgeDays: new(int64(1))}}}, bucket.Spec{Lifecycle: []bucket.Rule{{Action: "delete", AgeDays: new(int64(1)), Other: "live"}}},
			"lifecycle delete when age 1d|delete when age 1d and live"},
		{"of labels only the declared keys are ours, and empty is not absent", bucket.Spec{Labels: map[string]string{"a": "", "b": "1"}}, bucket.Spec{Labels: map[string]string{"b": "2", "c": "3"}}, `labels.a ""|absent, labels.b 1|2`},
		{"the permission to destroy is a mark", bucket.Spec{ForceDestroy: true}, bucket.Spec{}, "forceDestroy* true|false"},
		{"grants are told by account, and are a set", bucket.Spec{Grants: []bucket.Grant{{Principal: gcp.Principal{Namespace: "n", Account: "a"}, Role: "r2"}, {Principal: gcp.Principal{Namespace: "n", Account: "a"}, Role: "r1", Prefix: "p/"}, {Principal: gcp.Principal{Namespace: "n", Account: "b"}, Role: "r1"}}}, bucket.Spec{Grants: []bucket.Grant{{Principal: gcp.Principal{Namespace: "n", Account: "a"}, Role: "r1", Prefix: "p/"}, {Principal: gcp.Principal{Namespace: "n", Account: "a"}, Role: "r2"}, {Principal: gcp.Principal{Namespace: "n", Account: "c"}, Role: "r1", Condition: "x"}}},
			"grants.n/b r1|none, grants.n/c none|r1 if x"},
		{"another project's bucket is never ours", bucket.Spec{}, bucket.Spec{Project: "42"}, "project! the stack's own|number 42"},
	}
	for _, c := range cases {
		var got []string
		for _, d := range c.want.Diff(c.live) {
			sign := ""
			if d.Mark {
				sign += "*"
			}
			if d.Recreate {
				sign += "!"
			}
			got = append(got, fmt.Sprintf("%s%s %s|%s", d.Field, sign, d.Want, d.Have))
		}
		if text := strings.Join(got, ", "); text != c.diff {
			t.Errorf("%s:\n got %s\nwant %s", c.reason, text, c.diff)
		}
	}
}

func TestValidate(t *testing.T) {
	rule := func(r bucket.Rule) bucket.Spec { return bucket.Spec{Lifecycle: []bucket.Rule{r}} }
	age := new(int64(1))
	cases := []struct {
		reason string
		spec   bucket.Spec // name and location are filled in where they are empty
		errs   string
	}{
		{"the least that is needed", bucket.Spec{}, ""},
		{"a domain's bucket may be longer", bucket.Spec{Name: strings.Repeat("a", 60) + "." + strings.Repeat("b", 60)}, ""},
		{"two letters are too few", bucket.Spec{Name: "ab"}, `name: "ab": at least 3 characters`},
		{"64 are too many", bucket.Spec{Name: strings.Repeat("a", 64)}, `name: "` + strings.Repeat("a", 64) + `": at most 63 characters, or between two dots`},
		{"capitals", bucket.Spec{Name: "Data"}, `name: "Data": only a-z, 0-9, '-', '_' and '.', with a letter or digit at both ends`},
		{"an address", bucket.Spec{Name: "10.0.0.1"}, `name: "10.0.0.1": must not look like an IP address`},
		{"Google's own", bucket.Spec{Name: "my-g00gle-data"}, `name: "my-g00gle-data": names with google in them, or goog in front, are Google's own`},
		{"two dots", bucket.Spec{Name: "a..b"}, `name: "a..b": dots must stand between letters or digits`},
		{"a dot beside a dash", bucket.Spec{Name: "a.-b"}, `name: "a.-b": dots must stand between letters or digits`},
		{"a zone", bucket.Spec{Location: "us-central1-a"}, `location: "us-central1-a" is a zone; its region is us-central1`},
		{"no place at all", bucket.Spec{Location: "mars"}, `location: "mars" is neither a region such as us-central1 nor one of us, eu, asia, nam4, eur4, eur5, eur7, eur8, asia1`},
		{"any case will do for a location", bucket.Spec{Location: "EUR4"}, ""},
		{"Google's word for a class", bucket.Spec{Class: new("STANDARD")}, `class: "STANDARD" is not one of standard, nearline, coldline, archive`},
		{"less than a week", bucket.Spec{SoftDelete: new(3 * days)}, "softDelete: 3d is out of range; off, or 7d to 90d"},
		{"off is allowed", bucket.Spec{SoftDelete: new(0 * days)}, ""},
		{"a rule for everything, unsaid", rule(bucket.Rule{Action: "delete"}), "lifecycle[0]: no condition; ageDays: 0 meets every object, if that is meant"},
		{"a rule for everything, said", rule(bucket.Rule{Action: "delete", AgeDays: new(int64(0))}), ""},
		{"an action of no meaning", rule(bucket.Rule{Action: "Delete", AgeDays: age}), `lifecycle[0]: action: "Delete" is not one of delete, setClass`},
		{"a class without a use", rule(bucket.Rule{Action: "delete", Class: "archive", AgeDays: age}), "lifecycle[0]: class: only setClass has a class; to meet objects of a class is not supported"},
		{"a use without a class", rule(bucket.Rule{Action: "setClass", AgeDays: age}), "lifecycle[0]: class: setClass needs one of standard, nearline, coldline, archive"},
		{"no versions", rule(bucket.Rule{Action: "delete", NewerVersions: new(int64(0))}), "lifecycle[0]: newerVersions: 0 is out of range; 1 to 36500"},
		{"a path is not a prefix", rule(bucket.Rule{Action: "delete", AgeDays: age, Prefixes: []string{"/tmp/"}}), `lifecycle[0]: prefixes[0]: "/tmp/": object names do not begin with a slash`},
		{"recsysd's own mark", bucket.Spec{Labels: map[string]string{"recsysd-force-destroy": "true"}}, `labels: key "recsysd-force-destroy": set by recsysd alone; say forceDestroy: true`},
		{"a prefix needs uniform access", bucket.Spec{UniformBucketLevelAccess: new(false), Grants: []bucket.Grant{{Principal: gcp.Principal{Namespace: "recsys", Account: "api"}, Prefix: "models/"}}}, "uniformBucketLevelAccess: false, but the prefix models/ of recsys/api can be granted only with uniform access"},
		{"all at once", bucket.Spec{Location: "mars1", Class: new("fast"), Name: "ab"}, `name: "ab": at least 3 characters
location: "mars1" is neither a region such as us-central1 nor one of us, eu, asia, nam4, eur4, eur5, eur7, eur8, asia1
class: "fast" is not one of standard, nearline, coldline, archive`},
	}
	for _, c := range cases {
		if c.spec.Name == "" {
			c.spec.Name = "acme-data"
		}
		if c.spec.Location == "" {
			c.spec.Location = "us-central1"
		}
		got := ""
		if err := c.spec.Validate(); err != nil {
			got = err.Error()
		}
		if got != c.errs {
			t.Errorf("%s:\n got %s\nwant %s", c.reason, got, c.errs)
		}
	}
}

func TestRetention(t *testing.T) {
	for text, want := range map[string]string{"off": "off", "7d": "7d", "168h": "7d", "1d12h": "36h", "": "error", "7": "error", "-7d": "error", "none": "error", "1.5s": "error"} {
		var r bucket.Retention
		got := "error"
		if err := r.UnmarshalText([]byte(text)); err == nil {
			got = r.String()
		}
		if got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
}

// TestHash: what a write is guarded by is no part of what is wanted.
func TestHash(t *testing.T) {
	cloud := serve(t)
	d := driver(t, cloud, "recsys")
	want := sample("recsys")(0)
	must(t, d.Create(t.Context(), want))
	before := see(t, d, want)
	cloud.EditBucket(want.Name, touch)
	after := see(t, d, want)
	if a, b := resource.Of(before.Spec).Hash, resource.Of(after.Spec).Hash; a != b {
		t.Errorf("a metageneration alone has changed the hash of a live bucket: %s, %s", a, b)
	}
}
