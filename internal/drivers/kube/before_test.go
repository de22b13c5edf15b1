package kube

import (
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// A look at everything that is as before is spared: nothing is asked, and only what has changed, or was asked too long ago, is looked at.
func TestAsBefore(t *testing.T) {
	w := newWorld(t)
	a := w.object(configMapYAML)
	b := w.object(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: b}, spec: {replicas: 0, selector: {matchLabels: {app: b}},
		template: {metadata: {labels: {app: b}}, spec: {containers: [{name: c, image: "nginx:1.29"}]}}}}`)
	w.create(a)
	w.create(b)
	want := []resource.Resource{resource.Of(a), resource.Of(b)}
	look := func() (spared bool, requests int) {
		t.Helper()
		w.requests.take()
		s, err := w.kind.Again(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		return s.Spared, len(w.requests.take())
	}
	quiet := func(after string) {
		t.Helper()
		w.until("a look is spared after "+after, func() bool { spared, _ := look(); return spared })
		if spared, n := look(); !spared || n != 0 {
			t.Errorf("after %s a look takes %d requests, spared: %v", after, n, spared)
		}
	}
	quiet("the start")

	w.kubectl("patch", "configmap", "a", "-p", `{"data":{"k":"by hand"}}`)
	w.until("an edit is seen", func() bool { spared, _ := look(); return !spared })
	for _, o := range w.observe(true, a, b).Found {
		if o.Ref == a.Ref() {
			w.update(a, o)
		}
	}
	quiet("a repair")

	w.kubectl("create", "configmap", "c", "--from-literal", "k=v")
	w.kubectl("label", "configmap", "c", LabelStack+"="+w.stack)
	w.until("something new with the stack's label is seen", func() bool { spared, _ := look(); return !spared })
	quiet("that")

	w.kubectl("delete", "configmap", "a")
	w.until("what is gone is missed", func() bool { spared, _ := look(); return !spared })
	if spared, _ := look(); spared {
		t.Error("a look at what is not there is spared")
	}
	w.create(a)
	quiet("it is back")

	other := []resource.Resource{resource.Of(a)}
	if s, err := w.kind.Again(t.Context(), other); err != nil || s.Spared {
		t.Errorf("a look for something else is spared: %v", err)
	}
	if spared, _ := look(); spared {
		t.Error("a look is spared though the last was for something else")
	}
	quiet("a look for something else")

	w.faults.forbid(w.driver, func() {}) // the watches are cut, and nothing else
	quiet("the watches are back")
}

// An answer of the API server that is too old is asked for again, and that alone; if it is the same, the look is spared still.
func TestAnOldAnswerIsAskedForAgain(t *testing.T) {
	w := newWorld(t)
	a := w.object(configMapYAML)
	b := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {k: v}}`)
	w.create(a)
	w.create(b)
	want := []resource.Resource{resource.Of(a), resource.Of(b)}
	w.until("a look is spared", func() bool {
		s, err := w.kind.Again(t.Context(), want)
		return err == nil && s.Spared
	})
	first, err := w.kind.Again(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	old := w.driver.before.looks[0]
	for range 2 {
		past := time.Now().Add(-time.Second)
		w.driver.before.looks[0].until, w.driver.before.until = past, past
		w.driver.link.verdict.last[a.Ref()].answer.until = past
		w.requests.take()
		s, err := w.kind.Again(t.Context(), want)
		if err != nil || !s.Spared || s.Stamp != first.Stamp {
			t.Errorf("spared: %v, stamp %d, first %d: %v", s.Spared, s.Stamp, first.Stamp, err)
		}
		if n := len(w.requests.take()); n != 1 {
			t.Errorf("%d requests for one old answer", n)
		}
	}
	if now := w.driver.before.looks[0]; now.found != old.found || !now.until.After(time.Now()) || !w.driver.before.until.After(time.Now()) {
		t.Errorf("until %s and %s", now.until, w.driver.before.until)
	}
}
