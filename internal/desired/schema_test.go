package desired_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
	"golang.org/x/tools/txtar"

	"recsysd.dev/recsysd/internal/desired"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(desired.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("stack.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("stack.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaAcceptsTheExample(t *testing.T) {
	data, err := os.ReadFile("../../examples/stack.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Load(data, &doc); err != nil {
		t.Fatal(err)
	}
	if err := compiled(t).Validate(doc); err != nil {
		t.Error(err)
	}
}

func TestSchemaAcceptsVariablesAnywhere(t *testing.T) {
	for _, stack := range []string{
		"buckets: {data: {versioning: \"${v}\", class: \"${c}\", softDelete: \"${d}\"}}\n",
		"workloads: {a: {image: \"${i}\", cpu: \"${c}\", memory: \"${m}\", replicas: \"${n}\", port: \"${p}\"}}\n",
		"buckets: {data: }\n",
		"workloads: {a: {image: {registry: r, name: n, tag: 1.10}, cpu: 1, memory: 1Gi, env: {A: 8080, B: true, C: {secret: s, key: k}}}}\n",
		"clusters: {a: {mode: observe}, b: {mode: autopilot}}\n",
	} {
		var doc any
		if err := yaml.Load([]byte(head+stack), &doc); err != nil {
			t.Fatal(err)
		}
		if err := compiled(t).Validate(doc); err != nil {
			t.Errorf("%s%v", stack, err)
		}
	}
}

// beyondSchema are the mistakes that a schema cannot express, each with the reason. All others it must find.
var beyondSchema = map[string]string{
	"image-policy-range":        "the inside of a text",
	"image-policy-impossible":   "the inside of a text",
	"image-newest-regexp":       "the inside of a text",
	"image-policy-and-newest":   "several values at once",
	"image-policy-foreign":      "several values at once",
	"image-tag-with-policy":     "the configuration says otherwise",
	"image-write-back":          "the configuration says otherwise",
	"bad-name":                  "names of Google are judged by the kinds",
	"bucket-name":               "names of Google are judged by the kinds",
	"cluster-name":              "names of Google are judged by the kinds",
	"registry-name":             "names of Google are judged by the kinds",
	"label-case":                "labels of Google are judged by the kinds",
	"label-reserved":            "labels are free but for a few",
	"cluster-network":           "several values at once",
	"network-overlap":           "several values at once",
	"cluster-standard":          "several values at once",
	"bucket-duplicate":          "several values at once",
	"circle":                    "several values at once",
	"circle-of-one":             "several values at once",
	"dangling-bucket":           "several values at once",
	"dangling-cluster":          "several values at once",
	"dangling-registry":         "several values at once",
	"dangling-secret":           "several values at once",
	"dangling-uses":             "several values at once",
	"uses-without-port":         "several values at once",
	"health-without-port":       "several values at once",
	"replicas-with-disk":        "several values at once",
	"replicas-range":            "the size of a number",
	"replicas-min-above-max":    "several values at once",
	"replicas-by-nothing":       "several values at once",
	"replicas-range-with-disk":  "several values at once",
	"no-cluster":                "several values at once",
	"two-clusters":              "several values at once",
	"cpu-cores":                 "the size of an amount",
	"memory-bare":               "the size of an amount",
	"root":                      "the size of a number",
	"image-without-tag":         "the inside of a text",
	"estimate":                  "the inside of a text",
	"env-both":                  "the inside of a text",
	"suspend-without-reason":    "the inside of a text",
	"secret-without-keys":       "the inside of a text",
	"pools-in-autopilot":        "several values at once",
	"pool-declared-twice":       "several values at once",
	"subnet-without-network":    "several values at once",
	"budget-forms":              "how a value is written",
	"empty-stack":               "nothing is wrong in it",
	"other-name":                "the configuration says otherwise",
	"other-project":             "the configuration says otherwise",
	"merge-key":                 "merged before the schema sees it",
	"yaml-tag":                  "how a value is written",
	"vars-builtin":              "variables",
	"vars-circle":               "variables",
	"vars-laughs":               "variables",
	"vars-open":                 "variables",
	"vars-unknown":              "variables",
	"secret-sources":            "several values at once",
	"secret-unknown-key":        "several values at once",
	"secret-mounts":             "several values at once",
	"secret-file-outside":       "what is in another file",
	"secret-key-unreadable":     "what is in another file",
	"secret-other-key":          "what is in another file",
	"access-prefix":             "several values at once",
	"access-role":               "what Google has",
	"cleanup-running":           "several values at once",
	"readers":                   "what Google has",
	"secret-plain-file":         "what is in another file",
	"secret-sops-changed":       "what is in another file",
	"secret-without-key":        "what is in another file",
	"expose-host":               "the inside of a text",
	"expose-health":             "several values at once",
	"expose-certificate":        "several values at once",
	"expose-certificate-secret": "several values at once",
	"backup-of-nothing":         "several values at once",
	"schedule-zone":             "what machines know",
	"schedule-windows":          "a form of its own",
	"schedule-one-window":       "a form of its own",
	"schedule-overlap":          "several values at once",
}

func TestSchemaRejectsBadStacks(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no bad stacks: %v", err)
	}
	s := compiled(t)
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tree, o, want := unpack(a)
		name = strings.TrimSuffix(filepath.Base(name), ".txtar")
		if !strings.HasPrefix(want, "stack.yaml:") || strings.Contains(want, " manifests[") || o.Environment != "" || tree["stack.yaml"] == nil {
			continue // the mistake is in another file
		}
		var doc any
		if err := yaml.Load(tree["stack.yaml"].Data, &doc); err != nil {
			continue // not YAML at all
		}
		err = s.Validate(doc)
		reason, beyond := beyondSchema[name]
		switch {
		case err == nil && !beyond:
			t.Errorf("%s: the schema should find this", name)
		case err != nil && beyond:
			t.Errorf("%s: the schema does find this (%v); it is said not to: %s", name, err, reason)
		}
	}
}
