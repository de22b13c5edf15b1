package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
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

// faults stands between a driver and the API server.
type faults struct {
	mu        sync.Mutex
	list, get bool
	hang      chan struct{}           // requests have no answer until it is closed
	deny      func(*http.Request) int // an HTTP code to answer with, 0: none
	cut       []context.CancelFunc    // of the watches that run
}

// forbid changes what is forbidden and cuts the watches that run, so that it holds for them too.
func (f *faults) forbid(d *Driver, change func()) {
	f.mu.Lock()
	change()
	cuts := f.cut
	f.cut = nil
	f.mu.Unlock()
	for _, cut := range cuts {
		cut()
	}
	d.mu.Lock()
	s := d.session
	d.mu.Unlock()
	if s == nil || len(cuts) == 0 {
		return
	}
	for _, w := range s.open() { // each notices
		w.mu.Lock()
		outcome, up := w.outcome, w.up
		w.mu.Unlock()
		if up {
			<-outcome
		}
	}
}

func (f *faults) silence(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on {
		f.hang = make(chan struct{})
	} else {
		close(f.hang)
		f.hang = nil
	}
}

func (f *faults) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		f.mu.Lock()
		named := len(segments(req))%2 == 0
		code := 0
		if req.Method == http.MethodGet && len(segments(req)) > 0 && (named && f.get || !named && f.list) {
			code = http.StatusForbidden
		}
		if f.deny != nil && code == 0 {
			code = f.deny(req)
		}
		hang := f.hang
		if req.URL.Query().Get("watch") != "" {
			ctx, cancel := context.WithCancel(req.Context())
			f.cut = append(f.cut, cancel)
			req = req.WithContext(ctx)
		}
		f.mu.Unlock()
		if hang != nil {
			select {
			case <-req.Context().Done():
				return nil, req.Context().Err()
			case <-hang:
				return nil, errors.New("connection reset")
			}
		}
		if code != 0 {
			body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":%d,"message":"User \"x\" cannot do resource","details":{"name":"x"}}`, code)
			return &http.Response{StatusCode: code, Request: req, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(strings.NewReader(body))}, nil
		}
		return next.RoundTrip(req)
	})
}

// segments are those of the path after the group and version: an even number names an object, an odd one a list.
func segments(req *http.Request) []string {
	s := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case s[0] == "api" && len(s) > 2:
		return s[2:]
	case s[0] == "apis" && len(s) > 3:
		return s[3:]
	}
	return nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// world is one test's namespace and drivers.
type world struct {
	*testing.T
	ns       string
	stack    string
	driver   *Driver
	kind     resource.Kind
	faults   *faults
	admin    dynamic.Interface
	requests *counter
	notified chan []resource.Ref
}

type counter struct {
	mu    sync.Mutex
	all   []string
	wrote int
}

func (c *counter) add(_, method, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch method {
	case "apply", "create", "patch", "delete":
		c.wrote++
	}
	c.all = append(c.all, method+" "+code)
}

// writes is the number of writes so far.
func (c *counter) writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrote
}

// take returns the requests since the last take; watches do not count, they are no question.
func (c *counter) take() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.all {
		if !strings.HasPrefix(r, "watch") {
			all = append(all, r)
		}
	}
	c.all = nil
	return all
}

func newWorld(t *testing.T) *world {
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
	w := &world{T: t, ns: ns.GetName(), stack: ns.GetName(), admin: admin}
	w.driver, w.faults, w.requests, w.notified = drive(t, w.stack, kubetest.Recsysd)
	w.kind = resource.NewKind("kube", w.driver)
	return w
}

// drive makes a driver for a stack that reaches the control plane as user, through faults.
func drive(t *testing.T, stack, user string) (*Driver, *faults, *counter, chan []resource.Ref) {
	f, c, n := &faults{}, &counter{}, make(chan []resource.Ref, 1000)
	d := New(t.Context(), Options{
		Stack: stack,
		Access: func(context.Context) (*rest.Config, error) {
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
	return placed(w.T, manifest, w.ns, w.stack)
}

func placed(t *testing.T, manifest, ns, stack string) Object {
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
		if i := st.items[o.Namespace()+"/"+o.Name()]; i != nil {
			return i.version >= number(version)
		}
		return st.gone[o.Namespace()+"/"+o.Name()] >= number(version)
	})
}

func diffText(cs []resource.Change) string {
	var b strings.Builder
	for _, c := range cs {
		fmt.Fprintf(&b, "%s: want %s, have %s (%s) recreate=%v\n", c.Field, c.Want, c.Have, c.Manager, c.Recreate)
	}
	return b.String()
}

// denyApplies lets everything through but real applies.
func denyApplies(req *http.Request) int {
	if req.Method == http.MethodPatch && strings.Contains(req.Header.Get("Content-Type"), "apply-patch") && req.URL.Query().Get("dryRun") == "" {
		return http.StatusServiceUnavailable
	}
	return 0
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
