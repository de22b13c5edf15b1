package kube

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource/resourcetest"
)

// The contract of every driver, on three kinds that differ in what the API server makes of them.
func TestContract(t *testing.T) {
	t.Run("Job", func(t *testing.T) {
		resourcetest.Run(t, func(t *testing.T) resourcetest.Harness[Object] {
			return harness(t, `
apiVersion: batch/v1
kind: Job
metadata: {name: NAME, labels: {team: ml}}
spec:
  parallelism: 1
  completions: 2
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "busybox:1"}]
`, []resourcetest.Edit[Object]{
				{Field: "spec.parallelism", Do: set(int64(3), "spec", "parallelism")},
				{Field: "metadata.labels.team", Do: set("search", "metadata", "labels", "team")},
				{Field: "metadata.annotations.note", Do: set("x", "metadata", "annotations", "note")},
			}, []resourcetest.Edit[Object]{
				{Field: "spec.completions", Do: set(int64(5), "spec", "completions")},
			}, resourcetest.Edit[Object]{Field: "spec.parallelism"}, `{"spec":{"parallelism":7}}`)
		})
	})
	t.Run("PersistentVolumeClaim", func(t *testing.T) {
		resourcetest.Run(t, func(t *testing.T) resourcetest.Harness[Object] {
			return harness(t, `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: NAME, labels: {team: ml}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: standard
  resources: {requests: {storage: 1Gi}}
`, []resourcetest.Edit[Object]{
				{Field: "metadata.labels.team", Do: set("search", "metadata", "labels", "team")},
			}, []resourcetest.Edit[Object]{
				{Field: "spec.storageClassName", Do: set("immediate", "spec", "storageClassName")},
				{Field: "spec.accessModes", Do: set([]any{"ReadOnlyMany"}, "spec", "accessModes")},
			}, resourcetest.Edit[Object]{Field: "metadata.labels.team"}, `{"metadata":{"labels":{"team":"other"}}}`)
		})
	})
	t.Run("Secret with a generated key", func(t *testing.T) {
		resourcetest.Run(t, func(t *testing.T) resourcetest.Harness[Object] {
			h := harness(t, `
apiVersion: v1
kind: Secret
metadata: {name: NAME}
type: Opaque
stringData: {user: postgres}
`, []resourcetest.Edit[Object]{
				{Field: "data.user", Do: set("other", "stringData", "user")},
			}, []resourcetest.Edit[Object]{
				{Field: "type", Do: set("example.com/other", "type")},
			}, resourcetest.Edit[Object]{Field: "data.user"}, `{"stringData":{"user":"mallory"}}`)
			for _, s := range []*resourcetest.Stack[Object]{&h.Ours, &h.Other} {
				plain := s.Spec
				s.Spec = func(n int) Object {
					o := plain(n)
					o.Generate = []string{"password"}
					return o
				}
			}
			return h
		})
	})
}

func harness(t *testing.T, manifest string, edits, recreates []resourcetest.Edit[Object], foreign resourcetest.Edit[Object], patch string) resourcetest.Harness[Object] {
	w := newWorld(t)
	other, otherFaults, otherRequests, _ := drive(t, w.stack+"-b", kubetest.Recsysd2)
	spec := func(stack string) func(int) Object {
		return func(n int) Object {
			return placed(t, replaceName(manifest, fmt.Sprintf("sample-%d", n)), w.ns, stack)
		}
	}
	both := func(change func(*faults)) {
		w.faults.forbid(w.driver, func() { change(w.faults) })
		otherFaults.forbid(other, func() { change(otherFaults) })
	}
	return resourcetest.Harness[Object]{
		Ours:      resourcetest.Stack[Object]{Driver: w.driver, Spec: spec(w.stack)},
		Other:     resourcetest.Stack[Object]{Driver: other, Spec: spec(w.stack + "-b")},
		Edits:     edits,
		Recreates: recreates,
		Foreign: resourcetest.Foreign[Object]{Field: foreign.Field, Do: func(t *testing.T, o Object) {
			w.hand(o, "kubectl-edit", patch)
		}},
		Writes:     func() int { return w.requests.writes() + otherRequests.writes() },
		Settle:     func() { settle(w, spec(w.stack)(0), w.driver, other) },
		ForbidList: func(on bool) { both(func(f *faults) { f.list = on }) },
		ForbidGet:  func(on bool) { both(func(f *faults) { f.get = on }) },
		Hang:       func(on bool) { w.faults.silence(on); otherFaults.silence(on) },
		Guarded:    true,
	}
}

// settle waits until nothing of the sample's kind is on its way out and the drivers' watches show what there is.
func settle(w *world, sample Object, drivers ...*Driver) {
	w.Helper()
	w.until("the watches show what there is", func() bool {
		l, err := w.client(sample).List(w.Context(), metav1.ListOptions{})
		if err != nil {
			w.Fatal(err)
		}
		for _, d := range drivers {
			there := map[string]uint64{}
			for _, u := range l.Items {
				if u.GetDeletionTimestamp() != nil {
					return false
				}
				if u.GetLabels()[LabelStack] == d.o.Stack {
					there[key(&u)] = number(u.GetResourceVersion())
				}
			}
			d.mu.Lock()
			s := d.link
			d.mu.Unlock()
			if s == nil {
				continue
			}
			for _, watch := range s.open() {
				if watch.gvk != sample.GVK() {
					continue
				}
				watch.mu.Lock()
				up := watch.up
				watch.mu.Unlock()
				known := map[string]uint64{}
				for _, i := range watch.store.all() {
					if i.object.GetNamespace() == w.ns {
						known[key(i.object)] = i.version
					}
				}
				if up && !maps.Equal(there, known) {
					return false
				}
			}
		}
		return true
	})
}

func replaceName(manifest, name string) string {
	return strings.ReplaceAll(manifest, "NAME", name)
}

// set returns an edit of one field; the manifest it is given is fresh.
func set(v any, path ...string) func(Object) Object {
	return func(o Object) Object {
		m := o.Manifest
		for _, p := range path[:len(path)-1] {
			next, ok := m[p].(map[string]any)
			if !ok {
				next = map[string]any{}
				m[p] = next
			}
			m = next
		}
		m[path[len(path)-1]] = v
		return o
	}
}
