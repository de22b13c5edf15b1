package desired_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/resource"
)

const widget = `apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
`

func definition(scope string) string {
	return `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com, creationTimestamp: null}
spec:
  group: example.com
  scope: ` + scope + `
  names: {kind: Widget, plural: widgets}
  versions: []
status: {acceptedNames: {kind: ""}}
`
}

func TestManifestsArePlaced(t *testing.T) {
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
	for _, c := range []struct {
		reason string
		files  map[string]string
		want   []string // references, without the cluster
	}{
		{"an object without a namespace goes to the stack's, which is made", map[string]string{"a.yaml": config},
			[]string{"ConfigMap/recsys/c", "Namespace/recsys"}},
		{"a namespace of the manifest's own is not made", map[string]string{"a.yaml": strings.Replace(config, "name: c", "name: c, namespace: other", 1)},
			[]string{"ConfigMap/other/c"}},
		{"the stack's namespace may be declared", map[string]string{"a.yaml": config + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: recsys, labels: {x: y}}\n"},
			[]string{"ConfigMap/recsys/c", "Namespace/recsys"}},
		{"a List is its items, and empty documents are nothing", map[string]string{"a.yaml": "---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: y}}\n"},
			[]string{"ConfigMap/recsys/x", "ConfigMap/recsys/y", "Namespace/recsys"}},
		{"a kind that nothing is known of has a namespace", map[string]string{"a.yaml": widget},
			[]string{"Namespace/recsys", "Widget.example.com/recsys/one"}},
		{"its definition in another file says otherwise", map[string]string{"a.yaml": widget, "b.yaml": definition("Cluster")},
			[]string{"CustomResourceDefinition/widgets.example.com", "Widget.example.com/one"}},
		{"JSON is YAML", map[string]string{"a.json": `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}`},
			[]string{"ConfigMap/recsys/c", "Namespace/recsys"}},
	} {
		c.files["stack.yaml"] = "clusters: {main: {}}\nmanifests: [\"[ab].*\", \"a.*\"]\n" // named twice is taken once
		got := refs(load(t, desired.Options{}, c.files))
		got = slices.DeleteFunc(got, func(r string) bool { return strings.HasPrefix(r, "cluster/") })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.reason, got, c.want)
		}
	}
}

func TestDeclaredNamespaceIsOurs(t *testing.T) {
	s := load(t, desired.Options{}, map[string]string{
		"stack.yaml": "clusters: {main: {}}\nnamespace: ml\nmanifests: [ns.yaml]\n",
		"ns.yaml":    "apiVersion: v1\nkind: Namespace\nmetadata: {name: ml}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
	})
	if find(t, s, "Namespace/ml").Spec.(kube.Object).IfAbsent {
		t.Error("a namespace that a manifest declares is an object like any other")
	}
	if !find(t, example(t), "Namespace/recsys").Spec.(kube.Object).IfAbsent {
		t.Error("a namespace that nobody declares is used as it is, if it exists")
	}
}

func TestCustomResourceLivesInItsDefinition(t *testing.T) {
	s := load(t, desired.Options{}, map[string]string{
		"stack.yaml": "clusters: {main: {}}\nmanifests: [a.yaml]\n",
		"a.yaml":     widget + "---\n" + definition("Namespaced"),
	})
	need := resource.Need{Ref: resource.Ref{Kind: "CustomResourceDefinition", Name: "widgets.example.com"}, In: true}
	if r := find(t, s, "Widget.example.com/recsys/one"); !slices.Contains(r.Needs, need) {
		t.Errorf("needs: %v", r.Needs)
	}
	m := find(t, s, "CustomResourceDefinition/widgets.example.com").Spec.(kube.Object).Manifest
	if m["status"] != nil {
		t.Error("a status is the cluster's own, and left out")
	}
	if _, ok := m["metadata"].(map[string]any)["creationTimestamp"]; ok {
		t.Error("generators write creationTimestamp: null; it is left out")
	}
}

func TestScalarsOfManifests(t *testing.T) {
	s := load(t, desired.Options{}, map[string]string{
		"stack.yaml": "clusters: {main: {}}\nvars: {x: y}\nmanifests: [a.yaml]\n",
		"a.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: c}
int: 3
octal: 0644
float: 1.5
text: "3"
version: 1.2.3
date: 2024-01-02
no: no
truth: true
nothing: null
vars: ${x}
block: |
  a
  b
`,
	})
	got := find(t, s, "ConfigMap/recsys/c").Spec.(kube.Object).Manifest
	for key, want := range map[string]any{
		"int": int64(3), "octal": int64(420), "float": 1.5, "text": "3", "version": "1.2.3", "date": "2024-01-02",
		"no": "no", "truth": true, "nothing": nil, "vars": "${x}", "block": "a\nb\n",
	} {
		if got[key] != want {
			t.Errorf("%s: got %#v, want %#v; manifests are taken as they are", key, got[key], want)
		}
	}
}

func TestManifestSecretsServeWorkloads(t *testing.T) {
	s := load(t, desired.Options{}, map[string]string{
		"stack.yaml": `
clusters: {main: {}}
workloads: {api: {image: "x:1", cpu: 1, memory: 1Gi, env: {A: {secret: s, key: a}, B: {secret: s, key: b}}}}
manifests: [s.yaml]
`,
		"s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aGVsbG8=}\nstringData: {b: hush}\n",
	})
	need := resource.Need{Ref: resource.Ref{Kind: "Secret", Name: "recsys/s"}}
	if r := find(t, s, "Deployment/recsys/api"); !slices.Contains(r.Needs, need) {
		t.Errorf("needs: %v", r.Needs)
	}
}

var kustomized = map[string]string{
	"stack.yaml": "clusters: {main: {}}\nmanifests: [k8s/prod]\n",
	"k8s/base/kustomization.yaml": `
resources: [web.yaml]
configMapGenerator:
- name: settings
  files: [settings.ini]
`,
	"k8s/base/settings.ini": "level = high\n",
	"k8s/base/web.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1.27
        envFrom: [{configMapRef: {name: settings}}]
        resources: {requests: {cpu: 50m, memory: 64Mi}}
`,
	"k8s/prod/kustomization.yaml": `
resources: [../base]
namePrefix: prod-
images: [{name: nginx, newTag: "1.28"}]
patches:
- path: replicas.yaml
`,
	"k8s/prod/replicas.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n",
}

func TestKustomize(t *testing.T) {
	s := load(t, desired.Options{}, kustomized)
	r := find(t, s, "Deployment/recsys/prod-web")
	text := string(describe(t, r))
	for _, want := range []string{"image: nginx:1.28", "replicas: 3", "name: prod-settings-"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if r.Pos != "k8s/prod/kustomization.yaml:1:1" {
		t.Errorf("what kustomize makes stands at its kustomization: %s", r.Pos)
	}
	if !slices.ContainsFunc(r.Needs, func(n resource.Need) bool {
		return strings.HasPrefix(n.Ref.String(), "ConfigMap/recsys/prod-settings-")
	}) {
		t.Errorf("the generated ConfigMap comes first: %v", r.Needs)
	}
}

// TestKustomizeSideBySide: a daemon has several stacks, and the library keeps its schema in globals.
func TestKustomizeSideBySide(t *testing.T) {
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { load(t, desired.Options{}, kustomized) })
	}
	group.Wait()
}
