package desired_test

import (
	"fmt"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/resource"
)

// A rule reaches the resources that its pattern names, of every kind, and none beside them. One that reaches nothing is told with its place.
func TestIgnoreReaches(t *testing.T) {
	const api, web, job, bucket = "Deployment/recsys/api", "Deployment/recsys/web", "Deployment/jobs/api", "bucket/acme-recsys-data"
	cases := []struct{ why, on, reaches string }{
		{"one object by its whole name", api, api},
		{"one in the stack's namespace by its short one", "Deployment/api", api},
		{"one elsewhere by its whole name only", "Deployment/jobs/api", job},
		{"a pattern of names", "Deployment/*", api + " " + web},
		{"every namespace", "Deployment/*/*", job + " " + api + " " + web},
		{"a cloud kind", "bucket/acme-*", bucket},
		{"a kind alone is not enough", "Deploy*/api", api},
		{"nothing", "Deployment/apis", ""},
		{"the stack file's key", "bucket/data", ""},
		{"the case counts", "deployment/api", ""},
	}
	for _, c := range cases {
		s := load(t, desired.Options{External: true}, map[string]string{
			"stack.yaml": fmt.Sprintf(`
buckets: {data: {}}
workloads:
  api: {image: "x:1", cpu: 100m, memory: 64Mi}
  web: {image: "x:1", cpu: 100m, memory: 64Mi}
manifests: [job.yaml]
ignore: [{fields: [spec.replicas, labels.team], on: %q}]
`, c.on),
			"job.yaml": `{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: jobs}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: "x:1", resources: {requests: {cpu: 1, memory: 1Gi}}}]}}}}`,
		})
		var reached []string
		for _, r := range s.Resources {
			if len(r.Ignore) == 2 && r.Ignore[0] == "spec.replicas" && r.Ref != (resource.Ref{}) {
				reached = append(reached, r.Ref.String())
			}
		}
		if got := strings.Join(reached, " "); got != c.reaches {
			t.Errorf("%s: %s reaches %q, want %q", c.why, c.on, got, c.reaches)
		}
		told := strings.Join(s.Notices, "\n")
		if (c.reaches == "") != strings.Contains(told, "ignore[0].on: "+c.on+" fits no resource") {
			t.Errorf("%s: notices %q", c.why, told)
		}
		if c.on == "bucket/data" && !strings.Contains(told, "; there is "+bucket) {
			t.Errorf("%s: it is not said what there is: %s", c.why, told)
		}
	}
}
