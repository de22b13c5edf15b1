package kube

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// scaled is the Deployment of the tests with a line for its replicas, "" for none, and an image.
func (w *world) scaled(replicas, image string, floor int64) Object {
	w.Helper()
	text := strings.Replace(deploymentYAML, "  replicas: 2\n", replicas, 1)
	o := w.object(strings.ReplaceAll(text, "api:v1", "api:"+image))
	o.Floor = floor
	return o
}

// history records every number of replicas that an object is ever given, from now on.
func (w *world) history(o Object) (numbers func() []int64) {
	w.Helper()
	stream, err := w.client(o).Watch(w.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + o.Name()})
	if err != nil {
		w.Fatal(err)
	}
	return func() (seen []int64) {
		// What the server has written before the object's current version has been sent before an event of a later one.
		u, err := w.client(o).Patch(w.Context(), o.Name(), "application/merge-patch+json", []byte(`{"metadata":{"annotations":{"example.test/end":"1"}}}`), metav1.PatchOptions{FieldManager: "test"})
		if err != nil {
			w.Fatal(err)
		}
		defer stream.Stop()
		for e := range stream.ResultChan() {
			now, ok := e.Object.(*unstructured.Unstructured)
			if !ok {
				w.Fatalf("unexpected %v", e)
			}
			if n := count(now.Object, -1, "spec", "replicas"); len(seen) == 0 || seen[len(seen)-1] != n {
				seen = append(seen, n)
			}
			if number(now.GetResourceVersion()) >= number(u.GetResourceVersion()) {
				return seen
			}
		}
		w.Fatal("the watch has ended")
		return nil
	}
}

// scale writes through the scale subresource, as the autoscaler's controller and kubectl scale do.
func (w *world) scale(o Object, manager string, n int) {
	w.Helper()
	w.hand(o, manager, fmt.Sprintf(`{"spec":{"replicas":%d}}`, n), "scale")
}

// managersOfReplicas are those that own the number, sorted.
func (w *world) managersOfReplicas(o Object) (names []string) {
	w.Helper()
	all, err := owners(w.live(o))
	if err != nil {
		w.Fatal(err)
	}
	for _, owner := range all {
		if owner.fields.Has(replicasPath) {
			names = append(names, owner.name)
		}
	}
	slices.Sort(names)
	return names
}

// written are the driver's writes since mark, but for those that were refused for their version and done anew.
func (w *world) written(mark int64) ([]kubetest.Request, error) {
	writes, err := control.Writes(kubetest.Recsysd, mark)
	return slices.DeleteFunc(writes, func(r kubetest.Request) bool { return r.Code == 409 }), err
}

// From a fixed number to an autoscaler's and back: at no moment does anything but the number that is wanted, or was there, run.
func TestReplicasAreHandedOver(t *testing.T) {
	w := newWorld(t)
	fixed := w.scaled("  replicas: 3\n", "v1", 0)
	w.create(fixed)
	numbers := w.history(fixed)

	left := w.scaled("", "v2", 1)
	o := w.see(left)
	if len(o.Diff) != 1 || !strings.HasSuffix(o.Diff[0].Field, ".image") {
		t.Errorf("the image alone changes; that replicas fall to 1 would be a false alarm:\n%s", diffText(o.Diff))
	}
	mark := control.Mark()
	w.update(left, o)
	writes, err := w.written(mark)
	if err != nil || len(writes) != 2 {
		t.Errorf("the number is handed over once, then all is applied: %v, %v", writes, err)
	}
	if got := w.managersOfReplicas(left); !slices.Equal(got, []string{handoverManager}) {
		t.Errorf("the number is owned by %v", got)
	}

	w.scale(left, "kube-controller-manager", 4)
	if o = w.settled(left); len(o.Diff) > 0 {
		t.Errorf("an autoscaler that scales is no drift:\n%s", diffText(o.Diff))
	}
	w.scale(left, "kubectl", 5)
	if o = w.see(left); len(o.Diff) > 0 {
		t.Errorf("nor is a hand's scale between its bounds:\n%s", diffText(o.Diff))
	}
	newer := w.scaled("", "v3", 1)
	mark = control.Mark()
	w.update(newer, w.see(newer))
	if writes, err := w.written(mark); err != nil || len(writes) != 1 {
		t.Errorf("a number that is not ours is handed over to nobody: %v, %v", writes, err)
	}

	back := w.scaled("  replicas: 2\n", "v3", 0)
	if o = w.see(back); len(o.Diff) != 1 || o.Diff[0].Field != "spec.replicas" || o.Diff[0].Have != "5" {
		t.Errorf("back to a fixed number: %s", diffText(o.Diff))
	}
	w.update(back, o)
	if o = w.see(back); len(o.Diff) > 0 {
		t.Errorf("after that nothing differs:\n%s", diffText(o.Diff))
	}
	if got := numbers(); !slices.Equal(got, []int64{3, 4, 5, 2}) {
		t.Errorf("the replicas went through %v", got)
	}
}

// Zero switches an autoscaler off, so it is put back, whoever set it; and what slept wakes with what it needs at once.
func TestReplicasComeBackFromZero(t *testing.T) {
	for _, c := range []struct {
		why   string
		zero  func(w *world, o Object)
		want  string
		floor int64
	}{
		{"recsysd itself had it sleep", func(w *world, o Object) {
			asleep := w.scaled("  replicas: 0\n", "v1", 0)
			w.update(asleep, w.see(asleep))
		}, "2", 2},
		{"recsysd itself had it sleep, and nothing scales it", func(w *world, o Object) {
			asleep := w.scaled("  replicas: 0\n", "v1", 0)
			w.update(asleep, w.see(asleep))
		}, "1", 0},
		{"a hand scaled it to nothing", func(w *world, o Object) { w.scale(o, "kubectl", 0) }, "2", 2},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t)
			awake := w.scaled("", "v1", c.floor)
			w.create(awake)
			if n := count(w.live(awake), 0, "spec", "replicas"); n != max(c.floor, 1) {
				t.Errorf("it begins with %d", n)
			}
			c.zero(w, awake)
			numbers := w.history(awake)
			o := w.see(awake)
			if len(o.Diff) != 1 || o.Diff[0].Field != "spec.replicas" || o.Diff[0].Want != c.want || o.Diff[0].Have != "0" {
				t.Fatalf("none at all is a difference:\n%s", diffText(o.Diff))
			}
			w.update(awake, o)
			if o = w.settled(awake); len(o.Diff) > 0 {
				t.Errorf("after that nothing differs:\n%s", diffText(o.Diff))
			}
			if got := fmt.Sprint(numbers()); got != "[0 "+c.want+"]" {
				t.Errorf("the replicas went through %s, want 0 and then %s", got, c.want)
			}
		})
	}
}

// A daemon that dies between handing over and applying has lost nothing: the next one goes on.
func TestHandOverCutInHalf(t *testing.T) {
	w := newWorld(t)
	w.create(w.scaled("  replicas: 3\n", "v1", 0))
	left := w.scaled("", "v2", 1)
	o := w.see(left)
	s, m, err := w.driver.way(t.Context(), left)
	if err != nil {
		t.Fatal(err)
	}
	manifest, _ := declared(left)
	after, err := s.handOver(t.Context(), m, left, manifest, o.Resource().Spec.(Object).seen.item.object)
	if err != nil {
		t.Fatal(err)
	}
	w.caughtUp(left, after.GetResourceVersion())
	o = w.see(left)
	if len(o.Diff) != 1 || !strings.HasSuffix(o.Diff[0].Field, ".image") {
		t.Errorf("half-way the image alone differs:\n%s", diffText(o.Diff))
	}
	w.update(left, o)
	if n := count(w.live(left), 0, "spec", "replicas"); n != 3 {
		t.Errorf("%d replicas are left of 3", n)
	}
}
