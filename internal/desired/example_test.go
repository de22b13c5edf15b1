package desired_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/resource"
)

func example(t *testing.T) *desired.Stack {
	t.Helper()
	s, err := desired.Load(os.DirFS("../../examples"), "stack.yaml", desired.Options{Project: "acme", Name: "recsys"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestExample compares what the example becomes with testdata/golden, one file for each resource, so that a change of any object
// is seen in review.
func TestExample(t *testing.T) {
	s := example(t)
	if len(s.Notices) > 0 {
		t.Errorf("the example should have nothing to be noticed: %q", s.Notices)
	}
	want := map[string]bool{}
	for _, r := range s.Resources {
		name := filepath.Join("testdata/golden", strings.NewReplacer("/", "_").Replace(r.Ref.String())+".yaml")
		want[name] = true
		got := describe(t, r)
		if *update {
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		golden, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("%s is new: %v", r.Ref, err)
		} else if string(golden) != string(got) {
			t.Errorf("%s has changed; got:\n%s", r.Ref, got)
		}
	}
	have, _ := filepath.Glob("testdata/golden/*.yaml")
	for _, name := range have {
		if !want[name] {
			t.Errorf("%s: no such resource any longer", name)
		}
	}
}

// describe is a resource as YAML, in a fixed order.
func describe(t *testing.T, r resource.Resource) []byte {
	t.Helper()
	var spec any
	data, err := json.Marshal(r.Spec)
	if err == nil {
		err = json.Unmarshal(data, &spec)
	}
	if err != nil {
		t.Fatal(err)
	}
	needs := []string{}
	for _, n := range r.Needs {
		text := "after " + n.Ref.String()
		if n.In {
			text = "in " + n.Ref.String()
		}
		needs = append(needs, text)
	}
	out, err := yaml.Dump(map[string]any{"entry": r.Entry, "needs": needs, "protect": r.Protect, "inheritsFirst": r.InheritsFirst, "spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestExampleNamesOnlyItsOwn looks up whatever a pod of the example would not start without.
func TestExampleNamesOnlyItsOwn(t *testing.T) {
	s := example(t)
	have := refs(s)
	pods := 0
	for _, r := range s.Resources {
		for _, n := range r.Needs {
			if !slices.Contains(have, n.Ref.String()) {
				t.Errorf("%s needs %s, which the stack does not have", r.Ref, n.Ref)
			}
		}
		if r.Ref.Kind != "Deployment" && r.Ref.Kind != "StatefulSet" {
			continue
		}
		pods++
		text := string(describe(t, r))
		for _, part := range []string{"serviceAccountName: ", "Namespace/recsys", "ServiceAccount/recsys/"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q in\n%s", r.Ref, part, text)
			}
		}
	}
	if pods != 4 {
		t.Errorf("%d workloads; the system has four: API, PostgreSQL, MLflow and Redis", pods)
	}
}

func TestSameInputSameStack(t *testing.T) {
	if a, b := example(t), example(t); !reflect.DeepEqual(a, b) {
		t.Error("two readings of the example differ")
	}
}
