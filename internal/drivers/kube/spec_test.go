package kube

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"recsysd.dev/recsysd/internal/resource"
)

func read(t *testing.T, manifest string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal([]byte(manifest), &m); err != nil {
		t.Fatalf("%v in %s", err, manifest)
	}
	return m
}

func TestNamesAndScope(t *testing.T) {
	d := Definitions{}
	if !d.Learn(read(t, `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: zones.example.com}, spec: {group: example.com, scope: Cluster, names: {kind: Zone}}}`)) {
		t.Fatal("a definition was not learnt")
	}
	if d.Learn(read(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}`)) {
		t.Error("a ConfigMap defines nothing")
	}
	cases := []struct{ manifest, ref, refused string }{
		{`{apiVersion: v1, kind: Service, metadata: {name: x}}`, "Service/ns/x", ""},
		{`{apiVersion: apps/v1, kind: Deployment, metadata: {name: x, namespace: other}}`, "Deployment/other/x", ""},
		{`{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: x}}`, "Service.serving.knative.dev/ns/x", ""},
		{`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}}`, "ClusterRole/x", ""},
		{`{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: x}}`, "StorageClass/x", ""},
		{`{apiVersion: cloud.google.com/v1, kind: ComputeClass, metadata: {name: x}}`, "ComputeClass.cloud.google.com/x", ""},
		{`{apiVersion: example.com/v1, kind: Zone, metadata: {name: x}}`, "Zone.example.com/x", ""},
		{`{apiVersion: v1, kind: Namespace, metadata: {name: x, namespace: ns}}`, "", "a Namespace has no namespace"},
		{`{apiVersion: v1, kind: ConfigMap}`, "", "metadata: missing"},
	}
	for _, c := range cases {
		o, err := d.Place(read(t, c.manifest), "ns")
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: want %q, got %v", c.manifest, c.refused, err)
			}
			continue
		}
		if err != nil || o.Ref().String() != c.ref {
			t.Errorf("%s is %v (%v), want %s", c.manifest, o.Ref(), err, c.ref)
		}
	}
	if o, _ := d.Place(read(t, cases[6].manifest), "ns"); !slices.Contains(o.Needs(), resource.Need{Ref: resource.Ref{Kind: "CustomResourceDefinition", Name: "zones.example.com"}, In: true}) {
		t.Errorf("a custom resource lives in its definition: %v", o.Needs())
	}
}

func TestValidate(t *testing.T) {
	cases := []struct{ why, manifest, says string }{
		{"no kind", `{apiVersion: v1, metadata: {name: x}}`, "kind: missing"},
		{"no version", `{kind: Pod, metadata: {name: x}}`, "apiVersion: missing"},
		{"a name for the server to choose", `{apiVersion: v1, kind: Pod, metadata: {generateName: x-}}`, "metadata.name: missing"},
		{"a name that is a path", `{apiVersion: v1, kind: Pod, metadata: {name: a/b}}`, "may not hold /"},
		{"a list", `{apiVersion: v1, kind: List, metadata: {name: x}, items: []}`, "not an object"},
		{"a label that YAML made a number", `{apiVersion: v1, kind: Pod, metadata: {name: x, labels: {build: 7}}}`, "metadata.labels.build: must be text"},
		{"a namespace with capitals", `{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: NS}}`, "metadata.namespace"},
	}
	for _, c := range cases {
		if err := (Object{Manifest: read(t, c.manifest)}).Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: want %q, got %v", c.why, c.says, err)
		}
	}
	if err := (Object{Manifest: read(t, deploymentYAML), Generate: []string{"x"}}).Validate(); err == nil {
		t.Error("only a Secret has generated keys")
	}
}

func TestNeeds(t *testing.T) {
	o := Object{Cluster: resource.Ref{Kind: "cluster", Name: "c"}, Manifest: read(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: x, namespace: ns}
spec:
  template:
    spec:
      serviceAccountName: sa
      volumes: [{name: a, persistentVolumeClaim: {claimName: disk}}, {name: b, secret: {secretName: s1, optional: true}}]
      containers:
      - name: c
        env: [{name: A, valueFrom: {secretKeyRef: {name: s2, key: k}}}]
        envFrom: [{configMapRef: {name: cm}}]
`)}
	var got []string
	for _, n := range o.Needs() {
		got = append(got, fmt.Sprintf("%v %v", n.Ref, n.In))
	}
	want := []string{"ConfigMap/ns/cm false", "Namespace/ns true", "PersistentVolumeClaim/ns/disk false", "Secret/ns/s2 false", "ServiceAccount/ns/sa false", "cluster/c true"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: what is optional holds nothing up", got, want)
	}
}

func TestNeedsOfAnIngress(t *testing.T) {
	o := Object{Manifest: read(t, `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: x, namespace: ns}
spec:
  tls: [{hosts: [a.example.com], secretName: tls}, {hosts: [b.example.com]}]
  rules: [{http: {paths: [{path: /, backend: {service: {name: web, port: {number: 80}}}}]}}]
`)}
	var got []string
	for _, n := range o.Needs() {
		got = append(got, fmt.Sprintf("%v %v", n.Ref, n.In))
	}
	if want := []string{"Namespace/ns true", "Secret/ns/tls false", "Service/ns/web false"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: without its certificate the load balancer is refused", got, want)
	}
}

func TestLifetime(t *testing.T) {
	cases := []struct {
		manifest string
		want     resource.Lifetime
	}{
		{`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}}`, resource.Disposable},
		{`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}}`, resource.Stateful},
		{`{apiVersion: v1, kind: Namespace, metadata: {name: x}}`, resource.Stateful},
		{`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x}}`, resource.Stateful},
		{`{apiVersion: v1, kind: Secret, metadata: {name: x}}`, resource.Disposable},
		{`{apiVersion: v1, kind: Secret, metadata: {name: x, annotations: {recsysd.dev/generated: password}}}`, resource.Stateful},
		{`{apiVersion: example.com/v1, kind: Database, metadata: {name: x, annotations: {recsysd.dev/protect: "true"}}}`, resource.Stateful},
	}
	for _, c := range cases {
		if got := (Object{Manifest: read(t, c.manifest)}).Lifetime(); got != c.want {
			t.Errorf("%s: %v, want %v", c.manifest, got, c.want)
		}
	}
}

// Without the server's help only what is declared is compared, in whatever order and spelling.
func TestDiffOfDeclared(t *testing.T) {
	want := Object{Manifest: read(t, deploymentYAML)}
	live := Object{Manifest: read(t, strings.NewReplacer(
		`{name: MODE, value: fast}, {name: LEVEL, value: info}`, `{name: LEVEL, value: info}, {name: MODE, value: slow}, {name: MORE}`,
		`cpu: "0.5"`, `cpu: 500m`, `{containerPort: 8000}`, `{containerPort: 8000, protocol: TCP}`).Replace(deploymentYAML))}
	d := want.Diff(live)
	if len(d) != 1 || d[0].Field != "spec.template.spec.containers[api].env[MODE].value" || d[0].Want != "fast" || d[0].Have != "slow" {
		t.Errorf("want the value of MODE alone, got\n%s", diffText(d))
	}
	if d := want.Diff(want); len(d) > 0 {
		t.Errorf("an object differs from itself in\n%s", diffText(d))
	}
}

func TestErrorsSayWhatHappensNext(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	status := func(code int32, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: "Failure", Code: code, Message: message, Details: &metav1.StatusDetails{Name: "x", Kind: "pods"}}}
	}
	ending := status(403, "because it is being terminated")
	ending.(*apierrors.StatusError).ErrStatus.Details.Causes = []metav1.StatusCause{{Type: "NamespaceTerminating"}}
	gone := apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "ns")
	gone.ErrStatus.Details.Kind = "namespaces"
	cases := []struct {
		why  string
		err  error
		want error // nil: retry
	}{
		{"a right is missing and may be given", status(403, `pods "x" is forbidden: User "me" cannot patch resource "pods" in API group ""`), nil},
		{"a quota may have room later", status(403, `pods "x" is forbidden: exceeded quota: q`), nil},
		{"Autopilot refuses", status(403, `admission webhook "warden" denied the request: GKE Warden rejected: autogke-disallow-privilege`), resource.ErrRejected},
		{"pod security refuses", status(403, `pods "x" is forbidden: violates PodSecurity "restricted:latest"`), resource.ErrRejected},
		{"a policy refuses with a code of its own", status(409, `ValidatingAdmissionPolicy 'p' with binding 'b' denied the request: no`), resource.ErrRejected},
		{"a webhook is away", status(500, `failed calling webhook "w": connection refused`), nil},
		{"a field that the schema lacks", status(500, `failed to create typed patch object (ns/x; apps/v1, Kind=Deployment): .spec.x: field not declared in schema`), resource.ErrRejected},
		{"the namespace is not there", gone, resource.ErrUnavailable},
		{"the namespace is on its way out", ending, resource.ErrUnavailable},
		{"somebody was faster", apierrors.NewConflict(pods, "x", errors.New("again")), nil},
		{"too many requests", apierrors.NewTooManyRequests("later", 1), nil},
		{"the connection was lost", errors.New("connection reset"), nil},
	}
	for _, c := range cases {
		err := translate(c.err, Object{Manifest: read(t, deploymentYAML)})
		if c.want != nil && !errors.Is(err, c.want) || c.want == nil && (errors.Is(err, resource.ErrRejected) || errors.Is(err, resource.ErrUnavailable)) || err == nil {
			t.Errorf("%s: want %v, got %v", c.why, c.want, err)
		}
	}
}

func TestImmutable(t *testing.T) {
	invalid := func(messages ...string) error {
		s := metav1.Status{Code: 422, Details: &metav1.StatusDetails{}}
		for _, m := range messages {
			s.Details.Causes = append(s.Details.Causes, metav1.StatusCause{Field: "spec", Message: m})
		}
		return &apierrors.StatusError{ErrStatus: s}
	}
	cases := []struct {
		err  error
		only bool
	}{
		{invalid(`Invalid value: {}: field is immutable`), true},
		{invalid(`Forbidden: updates to statefulset spec for fields other than 'replicas', 'template' are forbidden`), true},
		{invalid(`Invalid value: "": may not change once set`), true},
		{invalid(`Forbidden: pod updates may not change fields other than image`), true},
		{invalid(`Invalid value: "b": cannot change roleRef`), true},
		{invalid(`field is immutable`, `Required value`), false},
		{invalid(`Invalid value: 80000: must be between 1 and 65535, inclusive`), false},
		{invalid(`must be no more than 63 characters`), false},
		{invalid(), false},
		{errors.New("field is immutable"), false},
	}
	for _, c := range cases {
		if _, only := immutable(c.err); only != c.only {
			t.Errorf("%v: immutable alone: %v, want %v", c.err, only, c.only)
		}
	}
}
