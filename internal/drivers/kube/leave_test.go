package kube

import (
	"fmt"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

// A field under an ignore rule is neither compared nor written, whoever holds it, while everything else of its object is kept as declared.
func TestLeftAlone(t *testing.T) {
	const image, env = "spec.template.spec.containers[api].image", "spec.template.spec.containers[api].env"
	cases := []struct {
		why   string
		field string
		hand  []string
		path  []string // where the field is, for jsonpath
		want  string   // what has to stay
	}{
		{"a number that another holds", "spec.replicas", []string{"scale", "deployment/api", "--replicas=3"}, []string{"{.spec.replicas}"}, "3"},
		{"an image", image, []string{"set", "image", "deployment/api", "api=example.test/api:theirs"}, []string{"{..image}"}, "example.test/api:theirs"},
		{"an added variable", env + "[DEBUG]", []string{"set", "env", "deployment/api", "DEBUG=1"}, []string{`{..env[?(@.name=="DEBUG")].value}`}, "1"},
		{"a removed variable stays removed", env + "[LEVEL]", []string{"set", "env", "deployment/api", "LEVEL-"}, []string{`{..env[?(@.name=="LEVEL")].value}`}, ""},
		{"all that stands below", "spec.template.spec", []string{"set", "image", "deployment/api", "api=example.test/api:below"}, []string{"{..image}"}, "example.test/api:below"},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t)
			api := w.object(deploymentYAML)
			w.create(api)
			w.kubectl(c.hand...)
			r := resource.Of(api)
			r.Ignore = []string{c.field}
			look := func() resource.Observation {
				t.Helper()
				s, err := w.kind.Observe(t.Context(), []resource.Resource{r}, false)
				if err != nil || len(s.Found) != 1 {
					t.Fatal(s, err)
				}
				return s.Found[0]
			}
			w.drifted(api, firstDiff(w, api))
			if d := look().Diff; len(d) > 0 {
				t.Errorf("it is compared:\n%s", diffText(d))
			}
			// Another field is put back, and this one has to outlive the apply.
			w.hand(api, "kubectl-edit", `{"spec":{"minReadySeconds":7}}`)
			o := look()
			if len(o.Diff) != 1 || o.Diff[0].Field != "spec.minReadySeconds" {
				t.Fatalf("got\n%s", diffText(o.Diff))
			}
			if err := w.kind.Update(t.Context(), r, o, o.Diff); err != nil {
				t.Fatal(err)
			}
			if got := w.kubectl("get", "deployment", "api", "-o", "jsonpath="+c.path[0]); got != c.want {
				t.Errorf("after the repair of another field it is %q, want %q", got, c.want)
			}
			if d := look().Diff; len(d) > 0 {
				t.Errorf("after the repair it differs in\n%s", diffText(d))
			}
			// The other moves it once more: still nobody's business, even though we may own it now.
			w.kubectl("scale", "deployment/api", "--replicas=5")
			if c.field == "spec.replicas" {
				if d := look().Diff; len(d) > 0 {
					t.Errorf("moved once more, it differs in\n%s", diffText(d))
				}
			}
		})
	}
}

func firstDiff(w *world, o Object) (field string) {
	w.until("it differs", func() bool {
		if d := w.see(o).Diff; len(d) > 0 {
			field = d[0].Field
		}
		return field != ""
	})
	return field
}

// A field that is fought over is seen and not written; the rest of the object is.
func TestFoughtFieldIsNotWritten(t *testing.T) {
	w := newWorld(t)
	api := w.object(deploymentYAML)
	w.create(api)
	w.hand(api, "rival", `{"spec":{"replicas":9}}`)
	w.hand(api, "kubectl-edit", `{"spec":{"minReadySeconds":7}}`)
	d := w.drifted(api, "spec.minReadySeconds")
	if len(d) != 2 {
		t.Fatalf("got\n%s", diffText(d))
	}
	r := resource.Of(api)
	r.Ignore = []string{"spec.replicas"} // as the engine says it for this write alone
	if err := w.kind.Update(t.Context(), r, w.see(api), d[:1]); err != nil {
		t.Fatal(err)
	}
	o := w.see(api)
	if len(o.Diff) != 1 || o.Diff[0].Field != "spec.replicas" || o.Diff[0].Have != "9" {
		t.Errorf("want the fought field alone, as it was; got\n%s", diffText(o.Diff))
	}
	if got := fmt.Sprint(value(w.live(api), "spec", "replicas")); got != "9" {
		t.Errorf("spec.replicas is %s", got)
	}
}

// What is ignored and declared no longer stays: to let go of a field that nobody else holds would remove it.
func TestLeftAloneAndNotDeclared(t *testing.T) {
	w := newWorld(t)
	api := w.object(deploymentYAML)
	api.Manifest["metadata"].(map[string]any)["annotations"] = map[string]any{"example.test/lb": "internal"}
	w.create(api)
	plain := w.object(deploymentYAML)
	r := resource.Of(plain)
	r.Ignore = []string{"metadata.annotations[example.test/lb]"}
	w.hand(plain, "kubectl-edit", `{"spec":{"minReadySeconds":7}}`)
	s, err := w.kind.Observe(t.Context(), []resource.Resource{r}, false)
	if err != nil || len(s.Found) != 1 || len(s.Found[0].Diff) != 1 {
		t.Fatal(s.Found, err)
	}
	if err := w.kind.Update(t.Context(), r, s.Found[0], s.Found[0].Diff); err != nil {
		t.Fatal(err)
	}
	if got := text(w.live(plain), "metadata", "annotations", "example.test/lb"); got != "internal" {
		t.Errorf("the annotation is %q", got)
	}
}
