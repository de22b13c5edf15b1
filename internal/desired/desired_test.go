package desired_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/resource"
)

const head = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: recsys
project: acme
region: us-central1
`

// load reads a stack of the given files; stack.yaml gets the head in front.
func load(t *testing.T, o desired.Options, files map[string]string) *desired.Stack {
	t.Helper()
	tree := fstest.MapFS{}
	for name, text := range files {
		if name == "stack.yaml" {
			text = head + text
		}
		tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	s, err := desired.Load(tree, "stack.yaml", o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func find(t *testing.T, s *desired.Stack, ref string) resource.Resource {
	t.Helper()
	for _, r := range s.Resources {
		if r.Ref.String() == ref {
			return r
		}
	}
	t.Fatalf("no %s in the stack", ref)
	return resource.Resource{}
}

func refs(s *desired.Stack) (all []string) {
	for _, r := range s.Resources {
		all = append(all, r.Ref.String())
	}
	return all
}

func TestDefaultsOfTheCloud(t *testing.T) {
	s := load(t, desired.Options{}, map[string]string{"stack.yaml": `
labels: {team: ml, tier: one}
protect: false
clusters: {main: {}}
buckets:
  data: {labels: {tier: two}, protect: true}
  logs:
registries: {images: {location: europe}}
`})
	c := find(t, s, "cluster/acme-recsys-main").Spec.(cluster.Spec)
	if c.Location != "us-central1" || c.ReleaseChannel != nil {
		t.Errorf("a cluster takes the stack's region, and nothing that was not said: %+v", c)
	}
	data := find(t, s, "bucket/acme-recsys-data")
	want := map[string]string{"team": "ml", "tier": "two", "managed-by": "recsysd", "recsysd-stack": "recsys", "recsysd-namespace": "recsys"}
	if got := data.Spec.(bucket.Spec).Labels; !reflect.DeepEqual(got, want) {
		t.Errorf("labels: own over common, and the owner's marks: got %v, want %v", got, want)
	}
	if !data.Protect || find(t, s, "bucket/acme-recsys-logs").Protect {
		t.Error("an entry's protect wins over the stack's, which is the default for the rest")
	}
	if data.Entry != "buckets.data" || data.Pos != "stack.yaml:11:3" {
		t.Errorf("entry and place: %q %q", data.Entry, data.Pos)
	}
	find(t, s, "registry/acme-recsys-images")
	if slices.Contains(refs(s), "Namespace/recsys") {
		t.Error("a stack without objects has no namespace")
	}
}

func TestHandling(t *testing.T) {
	s := load(t, desired.Options{}, map[string]string{"stack.yaml": `
clusters: {shared: {name: theirs, mode: observe}}
workloads:
  db: {image: "x:1", port: 1, cpu: 1, memory: 1Gi, disk: {size: 1Gi, mount: /data}, protect: false, adopt: true, suspend: moving house}
  web: {image: "x:1", cpu: 1, memory: 1Gi, protect: true}
manifests: [m.yaml]
`, "m.yaml": `
apiVersion: v1
kind: ConfigMap
metadata:
  name: c
  annotations: {recsysd.dev/suspend: not now, recsysd.dev/mode: observe, recsysd.dev/adopt: "true", own: stays}
`})
	c := find(t, s, "cluster/theirs")
	if !c.Observe || !c.Foreign || len(c.Spec.(cluster.Spec).Labels) != 0 || c.Spec.(cluster.Spec).Mode != "" {
		t.Errorf("a cluster that is only looked at claims no label: %+v", c)
	}
	for _, ref := range []string{"StatefulSet/recsys/db", "PersistentVolumeClaim/recsys/db-data", "NetworkPolicy/recsys/db", "ServiceAccount/recsys/db", "Service/recsys/db"} {
		r := find(t, s, ref)
		if r.Protect || !r.Adopt || r.Suspend != "moving house" || r.Entry != "workloads.db" {
			t.Errorf("%s: what a workload says holds for all its objects: %+v", ref, r)
		}
	}
	if !find(t, s, "PersistentVolumeClaim/recsys/db-data").InheritsFirst || find(t, s, "StatefulSet/recsys/db").InheritsFirst {
		t.Error("the claim alone inherits first")
	}
	if r := find(t, s, "Deployment/recsys/web"); r.Lifetime != resource.Stateful || !r.Protect {
		t.Error("protect: true makes any object one that does not go")
	}
	m := find(t, s, "ConfigMap/recsys/c")
	if !m.Observe || !m.Adopt || m.Suspend != "not now" || !strings.HasPrefix(m.Entry, "manifests.") {
		t.Errorf("a manifest says it by annotations: %+v", m)
	}
	meta := m.Spec.(kube.Object).Manifest["metadata"].(map[string]any)
	if got := meta["annotations"]; !reflect.DeepEqual(got, map[string]any{"own": "stays"}) {
		t.Errorf("handling is not part of the object: %v", got)
	}
}

func TestWholeStackObserved(t *testing.T) {
	s := load(t, desired.Options{}, map[string]string{"stack.yaml": `
mode: observe
buckets: {a: {}, b: {mode: apply}}
`})
	a, b := find(t, s, "bucket/acme-recsys-a"), find(t, s, "bucket/acme-recsys-b")
	if !a.Observe || b.Observe || a.Foreign {
		t.Error("mode: observe of the stack holds for what does not say otherwise")
	}
	if a.Spec.(bucket.Spec).Labels["recsysd-stack"] != "recsys" {
		t.Error("a stack that observes keeps its marks, or it would call them drift when it applies again")
	}
}

func TestVariables(t *testing.T) {
	s := load(t, desired.Options{Environment: "prod"}, map[string]string{"stack.yaml": `
vars: {tag: v1, full: "${name}-${tag}-${environment}", n: 3}
clusters: {main: {}}
workloads:
  api: {image: "x:${tag}", cpu: 1, memory: 1Gi, replicas: "${n}", env: {A: "${full}", B: "$${tag} $x", C: "$(OTHER)"}}
`, "environments/prod.yaml": "vars: {tag: v2}\nname: recsys-prod\n"})
	if s.Name != "recsys-prod" {
		t.Errorf("the identity is the name after the overlay: %q", s.Name)
	}
	text := string(describe(t, find(t, s, "Deployment/recsys-prod/api")))
	for _, want := range []string{"image: x:v2", "value: recsys-prod-v2-prod", "value: ${tag} $x", "value: $(OTHER)", "replicas: 3"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestOverlay(t *testing.T) {
	s := load(t, desired.Options{Environment: "prod"}, map[string]string{"stack.yaml": `
buckets:
  data: {versioning: false, lifecycle: [{action: delete, ageDays: 1}], labels: {a: b}}
  scratch: {}
`, "environments/prod.yaml": `
buckets:
  data: {versioning: true, lifecycle: [], labels: {c: d}}
  scratch: null
  more: {class: coldline}
`})
	if got := refs(s); !slices.Equal(got, []string{"bucket/acme-recsys-data", "bucket/acme-recsys-more"}) {
		t.Errorf("null removes, a new key adds: %v", got)
	}
	r := find(t, s, "bucket/acme-recsys-data")
	spec := r.Spec.(bucket.Spec)
	if !*spec.Versioning || len(spec.Lifecycle) != 0 || spec.Lifecycle == nil || spec.Labels["a"] != "b" || spec.Labels["c"] != "d" {
		t.Errorf("values and lists are replaced, mappings merged: %+v", spec)
	}
	if pos := find(t, s, "bucket/acme-recsys-more").Pos; pos != "environments/prod.yaml:5:3" {
		t.Errorf("what the overlay adds stands in the overlay: %s", pos)
	}
}

func TestGrants(t *testing.T) {
	s := load(t, desired.Options{}, map[string]string{"stack.yaml": `
namespace: ml
clusters: {main: {}}
buckets: {data: {}, other: {}}
workloads:
  a: {image: "x:1", cpu: 1, memory: 1Gi, storage: [{bucket: data, access: read}, {bucket: data, prefix: out/, access: write}]}
  b: {image: "x:1", cpu: 1, memory: 1Gi, storage: [{bucket: data, access: admin}]}
`})
	spec := find(t, s, "bucket/acme-recsys-data").Spec.(bucket.Spec)
	want := []bucket.Grant{
		{Principal: gcp.Principal{Namespace: "ml", Account: "a"}, Role: "roles/storage.objectViewer"},
		{Principal: gcp.Principal{Namespace: "ml", Account: "a"}, Role: "roles/storage.objectUser", Prefix: "out/"},
		{Principal: gcp.Principal{Namespace: "ml", Account: "b"}, Role: "roles/storage.objectAdmin"},
	}
	if !reflect.DeepEqual(spec.Grants, want) || spec.Namespace != "ml" {
		t.Errorf("grants of namespace %q: %+v", spec.Namespace, spec.Grants)
	}
	if other := find(t, s, "bucket/acme-recsys-other").Spec.(bucket.Spec); other.Namespace != "ml" || other.Grants != nil {
		t.Errorf("a bucket that nobody uses still knows whose grants are ours: %+v", other)
	}
	if n := find(t, s, "Deployment/ml/b").Needs; !slices.Contains(n, resource.Need{Ref: resource.Ref{Kind: "bucket", Name: "acme-recsys-data"}}) {
		t.Errorf("pods come after the bucket that they use: %v", n)
	}
}

func TestWhereObjectsGo(t *testing.T) {
	const work = "workloads: {api: {image: \"x:1\", cpu: 1, memory: 1Gi}}\n"
	in := func(s *desired.Stack) resource.Ref {
		return find(t, s, "Deployment/recsys/api").Spec.(kube.Object).Cluster
	}
	for _, c := range []struct {
		reason string
		o      desired.Options
		stack  string
		want   string
	}{
		{"the only cluster", desired.Options{}, "clusters: {main: {}}\n" + work, "acme-recsys-main"},
		{"the one that is named", desired.Options{}, "clusters: {a: {}, b: {}}\ncluster: b\n" + work, "acme-recsys-b"},
		{"a kubeconfig, though there is a cluster", desired.Options{External: true}, "clusters: {main: {}}\n" + work, ""},
		{"a kubeconfig, without a cluster", desired.Options{External: true}, work, ""},
		{"nowhere yet: the stack is only looked at", desired.Options{Offline: true}, work, ""},
	} {
		if got := in(load(t, c.o, map[string]string{"stack.yaml": c.stack})); got.Name != c.want {
			t.Errorf("%s: got %v", c.reason, got)
		}
	}
}

func TestLatestIsNoticed(t *testing.T) {
	s := load(t, desired.Options{Offline: true}, map[string]string{"stack.yaml": "workloads: {api: {image: \"x:latest\", cpu: 1, memory: 1Gi}}\n"})
	if len(s.Notices) != 1 || !strings.HasPrefix(s.Notices[0], "stack.yaml:6:26: x:latest moves") {
		t.Errorf("notices: %q", s.Notices)
	}
}
