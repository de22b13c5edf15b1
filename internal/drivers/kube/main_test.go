package kube

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

// control is the real control plane that all tests of this package share; each works in a namespace of its own.
var control *kubetest.Cluster

func TestMain(m *testing.M) {
	var err error
	if control, err = kubetest.Boot(context.Background(), kubetest.Options{Full: true}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	control.Stop()
	os.Exit(code)
}

// world is one test's namespace and drivers.
type world struct {
	testing.TB
	ns       string
	stack    string
	driver   *Driver
	kind     resource.Kind
	faults   *faults
	admin    dynamic.Interface
	requests *counter
	notified chan []resource.Ref
}

func newWorld(t testing.TB) *world {
	t.Helper()
	admin, err := dynamic.NewForConfig(control.Config(kubetest.Admin))
	if err != nil {
		t.Fatal(err)
	}
	ns, err := admin.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Create(t.Context(),
		&unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace",
			"metadata": map[string]any{"generateName": "t-"}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, ns: ns.GetName(), stack: ns.GetName(), admin: admin}
	w.driver, w.faults, w.requests, w.notified = drive(t, w.stack, kubetest.Recsysd)
	w.kind = resource.NewKind("kube", w.driver)
	return w
}

// drive makes a driver for a stack that reaches the control plane as user, through faults.
func drive(t testing.TB, stack, user string) (*Driver, *faults, *counter, chan []resource.Ref) {
	f, c, n := &faults{}, &counter{}, make(chan []resource.Ref, 1000)
	d := New(t.Context(), Options{
		Stack: stack,
		Access: func(context.Context, string) (*rest.Config, error) {
			config := control.Config(user)
			config.Wrap(f.wrap)
			return config, nil
		},
		UndoManagers: []string{"intern"}, RetryListing: time.Nanosecond,
		Requests: c.add, Notify: func(refs []resource.Ref) { n <- refs },
	})
	t.Cleanup(d.Close)
	return d, f, c, n
}

// object reads a manifest and places it in the world's namespace, with the labels that the stack puts on it.
func (w *world) object(manifest string) Object {
	w.Helper()
	return placed(w.TB, manifest, w.ns, w.stack)
}

func placed(t testing.TB, manifest, ns, stack string) Object {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal([]byte(manifest), &m); err != nil {
		t.Fatal(err)
	}
	meta, _ := m["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	if labels == nil {
		labels = map[string]any{}
		meta["labels"] = labels
	}
	labels[LabelStack], labels[LabelEntry] = stack, "manifests.test"
	o, err := Definitions{}.Place(m, ns)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (w *world) observe(list bool, want ...Object) resource.Sight {
	w.Helper()
	var rs []resource.Resource
	for _, o := range want {
		rs = append(rs, resource.Of(o))
	}
	before := w.requests.writes()
	s, err := w.kind.Observe(w.Context(), rs, list)
	if err != nil {
		w.Fatalf("observe: %v", err)
	}
	if n := w.requests.writes() - before; n > 0 {
		w.Fatalf("observe has made %d writes", n)
	}
	return s
}

// see returns the observation of one object, which must exist.
func (w *world) see(want Object) resource.Observation {
	w.Helper()
	for _, o := range w.observe(false, want).Found {
		if o.Ref == want.Ref() {
			return o
		}
	}
	w.Fatalf("%s is not seen", want)
	panic("unreachable")
}

func (w *world) create(want Object) resource.Observation {
	w.Helper()
	if err := w.kind.Create(w.Context(), resource.Of(want)); err != nil {
		w.Fatalf("create: %v", err)
	}
	if want.GVK().Kind == "Ingress" { // there is no controller here that gives it an address
		w.hand(want, "glbc", `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.9"}]}}}`, "status")
	}
	return w.settled(want)
}

// update repairs what o shows.
func (w *world) update(want Object, o resource.Observation) {
	w.Helper()
	if err := w.kind.Update(w.Context(), resource.Of(want), o, o.Diff); err != nil {
		w.Fatalf("update: %v", err)
	}
}

// until polls, because a controller or a watch needs its moment.
func (w *world) until(what string, done func() bool) {
	w.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("after 20 s still not so: %s", what)
		}
	}
}

// settled waits until an object's controllers are through with it and returns the look at it.
func (w *world) settled(want Object) (o resource.Observation) {
	w.Helper()
	w.until(want.String()+" is ready", func() bool {
		o = w.see(want)
		return o.State != resource.Pending
	})
	return o
}

// live reads an object behind the driver's back; nil if it is absent.
func (w *world) live(o Object) map[string]any {
	w.Helper()
	u, err := w.client(o).Get(w.Context(), o.Name(), metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return u.Object
}

func (w *world) client(o Object) dynamic.ResourceInterface {
	w.Helper()
	s, err := w.driver.reach(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	m, ok, err := s.kinds.find(w.Context(), o.GVK(), time.Now())
	if err != nil || !ok {
		w.Fatalf("kind of %s: %v %v", o, ok, err)
	}
	if m.namespaced {
		return w.admin.Resource(m.gvr).Namespace(o.Namespace())
	}
	return w.admin.Resource(m.gvr)
}

// hand merges a patch into an object as another field manager, and waits until the driver's watch shows it.
func (w *world) hand(o Object, manager, patch string, subresource ...string) {
	w.Helper()
	u, err := w.client(o).Patch(w.Context(), o.Name(), types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager}, subresource...)
	if err != nil {
		w.Fatalf("as %s: %v", manager, err)
	}
	w.caughtUp(o, u.GetResourceVersion())
}

func (w *world) kubectl(args ...string) string {
	w.Helper()
	out, err := control.Kubectl(w.Context(), kubetest.Admin, append([]string{"-n", w.ns}, args...)...)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// caughtUp waits until the watch has passed a version of o, if there is a watch.
func (w *world) caughtUp(o Object, version string) {
	w.Helper()
	s, err := w.driver.reach(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	m, _, _ := s.kinds.find(w.Context(), o.GVK(), time.Now())
	w.until("the watch has passed version "+version, func() bool {
		st := &s.watch(m).store
		st.mu.Lock()
		defer st.mu.Unlock()
		i := st.items[o.Namespace()+"/"+o.Name()]
		return i == nil || i.version >= number(version) // without the label it is dropped
	})
}

func diffText(cs []resource.Change) string {
	var b strings.Builder
	for _, c := range cs {
		fmt.Fprintf(&b, "%s: want %s, have %s (%s) recreate=%v\n", c.Field, c.Want, c.Have, c.Manager, c.Recreate)
	}
	return b.String()
}

// ssa applies an image with force, as kubectl apply --server-side --force-conflicts does.
func (w *world) ssa(o Object, manager, image string) {
	w.Helper()
	body := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":%q},"spec":{"template":{"spec":{"containers":[{"name":"api","image":%q}]}}}}`, o.Name(), image)
	force := true
	u, err := w.client(o).Patch(w.Context(), o.Name(), types.ApplyPatchType, []byte(body), metav1.PatchOptions{FieldManager: manager, Force: &force})
	if err != nil {
		w.Fatal(err)
	}
	w.caughtUp(o, u.GetResourceVersion())
}
