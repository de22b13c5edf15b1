package desired_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"recsysd.dev/recsysd/internal/desired"
)

// TestSameness: what is one principal to Google is told, with what to change; what is not is not.
func TestSameness(t *testing.T) {
	const stack = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: prod
project: acme
region: us-central1
namespace: recsys
clusters: {primary: {}}
buckets: {data: {}}
workloads:
  api: {image: "nginx:1.27", cpu: 100m, memory: 64Mi, storage: [{bucket: data, access: read}]}
`
	cases := []struct {
		reason, overlay string
		same            bool
	}{
		{"another cluster of the project is no other identity", "name: staging", true},
		{"another namespace is", "name: staging\nnamespace: staging", false},
		{"another project is", "name: staging\nproject: acme-staging", false},
		{"where nobody is given anything, nothing is shared", "name: staging\nworkloads: {api: {storage: []}}", false},
		{"one that is no stack has nothing to say", "name: staging\nnonsense: 1", false},
	}
	for _, c := range cases {
		tree := fstest.MapFS{"stack.yaml": {Data: []byte(stack)}, "environments/staging.yaml": {Data: []byte(c.overlay)}}
		s, err := desired.Load(tree, "stack.yaml", desired.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, o := range desired.Neighbours(tree, "stack.yaml", desired.Options{}) {
			if n := desired.Sameness(s, o); n != "" {
				told = append(told, n)
			}
			if n := desired.Namesakes(s, o); n != "" {
				t.Errorf("%s: %s", c.reason, n)
			}
		}
		text := strings.Join(told, "\n")
		if (len(told) == 1 && strings.Contains(text, "prod and staging") && strings.Contains(text, "recsys/api") && strings.Contains(text, "another namespace")) != c.same || len(told) > 1 {
			t.Errorf("%s: %q", c.reason, text)
		}
	}
}

// Two environments of one name in one project would remove each other's resources; in two projects they never meet.
func TestNamesakes(t *testing.T) {
	const stack = "apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: prod\nproject: acme\nregion: us-central1\nbuckets: {data: {}}\n"
	for overlay, want := range map[string]bool{"labels: {env: staging}": true, "name: staging": false, "project: acme-staging": false} {
		tree := fstest.MapFS{"stack.yaml": {Data: []byte(stack)}, "environments/staging.yaml": {Data: []byte(overlay)}}
		s, err := desired.Load(tree, "stack.yaml", desired.Options{})
		if err != nil {
			t.Fatal(err)
		}
		others := desired.Neighbours(tree, "stack.yaml", desired.Options{})
		if len(others) != 1 {
			t.Fatalf("%s: %d environments are read", overlay, len(others))
		}
		if n := desired.Namesakes(s, others[0]); strings.Contains(n, "called prod in project acme") != want {
			t.Errorf("%s: %q", overlay, n)
		}
	}
}

// The account that makes a workload's backups is given a bucket as well.
func TestSamenessOfBackups(t *testing.T) {
	const stack = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: prod
project: acme
region: us-central1
namespace: recsys
clusters: {primary: {}}
buckets: {data: {}}
secrets: {db: {generate: [password]}}
workloads:
  db:
    image: postgres:16
    user: 999
    port: 5432
    cpu: 100m
    memory: 256Mi
    env: {POSTGRES_PASSWORD: {secret: db, key: password}, PGDATA: /data/pg}
    disk: {size: 1Gi, mount: /data}
    backup: {schedule: "0 3 * * *", bucket: data, keep: 7}
`
	tree := fstest.MapFS{"stack.yaml": {Data: []byte(stack)}, "environments/staging.yaml": {Data: []byte("name: staging")}}
	s, err := desired.Load(tree, "stack.yaml", desired.Options{})
	if err != nil {
		t.Fatal(err)
	}
	others := desired.Neighbours(tree, "stack.yaml", desired.Options{})
	if len(others) != 1 || !strings.Contains(desired.Sameness(s, others[0]), "recsys/db-backup") {
		t.Errorf("of %d others: %q", len(others), desired.Sameness(s, others[0]))
	}
}
