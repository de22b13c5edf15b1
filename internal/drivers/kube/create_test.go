package kube

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

// What is new costs one request, and that nothing of it differs is not only said: a dry-run of each, once asked for, finds the same.
func TestANewObjectCostsOneRequest(t *testing.T) {
	w := newWorld(t)
	all := ordinary(w)
	w.observe(true, all...)
	for _, o := range all {
		w.requests.take()
		if err := w.kind.Create(t.Context(), resource.Of(o)); err != nil {
			t.Fatal(err)
		}
		w.see(o)
		got := slices.DeleteFunc(w.requests.take(), func(r string) bool { return r == "get 200" }) // of pods that are awaited
		want := []string{"apply 201"}
		if o.GVK().Kind == "Secret" { // it bears no hash of what was declared
			want = append(want, "dry-run 200")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s took %v, want %v", o, got, want)
		}
	}
	w.driver.mu.Lock()
	s := w.driver.link
	w.driver.mu.Unlock()
	foreseen := len(s.verdict.last)
	s.verdict.last, s.looks.last = nil, nil
	for _, o := range w.observe(true, all...).Found {
		if len(o.Diff) > 0 {
			t.Errorf("%s was said to be as declared, and a dry-run finds\n%s", o.Ref, diffText(o.Diff))
		}
	}
	if dry := slices.DeleteFunc(w.requests.take(), func(r string) bool { return r != "dry-run 200" }); foreseen < len(all) || len(dry) < len(all) {
		t.Errorf("of %d objects %d were foreseen and %d asked about", len(all), foreseen, len(dry))
	}
}

// What admission makes of a new object other than declared is asked about, as ever.
func TestWhatAdmissionChangesIsNotForeseen(t *testing.T) {
	w := newWorld(t)
	remove, err := control.Webhook(t.Context(), "stamp-"+w.ns, "", []string{"configmaps"}, func(a kubetest.Admission) error {
		if data := object(a.Object, "data"); text(a.Object, "metadata", "namespace") == w.ns && data["a"] != nil {
			data["a"] = "as admission has it"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	o := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}`)
	w.observe(true, o)
	w.requests.take()
	if seen := w.create(o); len(seen.Diff) > 0 {
		t.Errorf("what admission makes anew each time is no difference:\n%s", diffText(seen.Diff))
	}
	if got := w.requests.take(); !slices.Contains(got, "dry-run 200") {
		t.Errorf("it took %v, and nobody has asked", got)
	}
}

// Whoever has the name keeps it: a create never touches what is there, not even where both say the same, nor where many come at once.
func TestCreateNeverTakesOver(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ reason, theirs string }{
		{"it says the same", `{"data":{"a":"b"}}`},
		{"it says something else", `{"data":{"a":"c"}}`},
		{"it says something besides", `{"data":{"z":"z"}}`},
	} {
		name := strings.ReplaceAll(c.reason, " ", "-")
		w.kubectl("create", "configmap", name)
		w.kubectl("patch", "configmap", name, "--type=merge", "-p", c.theirs)
		ours := w.object(fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {a: b}}`, name))
		before := w.live(ours)
		if err := w.kind.Create(t.Context(), resource.Of(ours)); err == nil || !strings.Contains(err.Error(), "it exists") {
			t.Errorf("%s: %v", c.reason, err)
		}
		if after := w.live(ours); text(after, "metadata", "resourceVersion") != text(before, "metadata", "resourceVersion") {
			t.Errorf("%s, and was written: %v", c.reason, after)
		}
	}
	var all sync.WaitGroup
	errs := make([]error, 16)
	for n := range errs {
		o := w.object(fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: contended}, data: {k%d: v}}`, n)) // no field in common
		all.Go(func() { errs[n] = w.kind.Create(t.Context(), resource.Of(o)) })
	}
	all.Wait()
	if won := len(slices.DeleteFunc(errs, func(err error) bool { return err != nil })); won != 1 {
		t.Errorf("%d of 16 have made the one object", won)
	}
	if data := w.kubectl("get", "configmap", "contended", "-o", "jsonpath={.data}"); strings.Count(data, `":"`) != 1 {
		t.Errorf("it is a mixture: %s", data)
	}
}

// Whoever serves a kind without knowing what the version means is applied to as it was before.
func TestCreateWhereTheVersionIsNotUnderstood(t *testing.T) {
	w := newWorld(t)
	refused := 0
	w.faults.deny = func(req *http.Request) int {
		if denyApplies(req) != 0 && refused == 0 {
			refused++
			return http.StatusConflict
		}
		return 0
	}
	o := w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}`)
	w.create(o)
	if got := w.requests.take(); refused != 1 || !slices.Equal(got[len(got)-3:], []string{"apply 409", "get 404", "apply 201"}) {
		t.Errorf("it took %v", got)
	}
}

// Of many absent objects one list tells; those of others are looked at, and what may not be listed is asked one by one.
func TestAbsentObjectsAreOneList(t *testing.T) {
	w := newWorld(t)
	var all []Object
	for n := range 30 {
		all = append(all, w.object(fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c-%d}, data: {a: b}}`, n)))
	}
	w.kubectl("create", "configmap", "c-7", "--from-literal=a=theirs")
	w.kubectl("create", "configmap", "another")
	w.observe(true, all[0])
	for _, c := range []struct {
		reason   string
		some     []Object
		requests int
	}{
		{"a list, a look at what is there, and the two dry-runs of what a hand has made", all, 4},
		{"of a few, each is asked for", all[:3], 3},
		{"a list alone", all[10:], 1},
	} {
		w.requests.take()
		found := w.observe(false, c.some...).Found
		if got := w.requests.take(); len(got) != c.requests {
			t.Errorf("%s: %v", c.reason, got)
		}
		for _, o := range found {
			if o.Ref.Name != w.ns+"/c-7" || o.Owned {
				t.Errorf("%s: %s is seen, owned %v", c.reason, o.Ref, o.Owned)
			}
		}
		if theirs := len(c.some) == len(all); theirs != (len(found) == 1) {
			t.Errorf("%s: %d are seen", c.reason, len(found))
		}
	}
	w.faults.mu.Lock()
	w.faults.list = true
	w.faults.mu.Unlock()
	w.requests.take()
	if found := w.observe(false, all...).Found; len(found) != 1 {
		t.Errorf("without a list %d are seen", len(found))
	}
	if got := w.requests.take(); len(got) < len(all) {
		t.Errorf("what may not be listed is not absent: %v", got)
	}
}

// What a controller notes for itself costs no request, and is no news; what a hand does is both, and so is what takes a field of ours.
func TestWhatOthersKeepForThemselves(t *testing.T) {
	w := newWorld(t)
	o := w.object(strings.Replace(deploymentYAML, "replicas: 2", "replicas: 0", 1))
	w.observe(true, o)
	w.requests.take()
	if err := w.kind.Create(t.Context(), resource.Of(o)); err != nil {
		t.Fatal(err)
	}
	w.until("its controller has noted the revision", func() bool {
		seen := w.see(o)
		return seen.State == resource.Ready && strings.Contains(fmt.Sprint(w.driver.link.watch(mappingOf(t, w, o)).store.get(w.ns, "api").plain), "deployment.kubernetes.io/revision")
	})
	if got := w.requests.take(); slices.Contains(got, "dry-run 200") || slices.Contains(got, "get 200") {
		t.Errorf("a new Deployment of no pods took %v", got)
	}
	for _, c := range []struct {
		reason, manager, patch string
		asked                  bool
		drift                  int
	}{
		{"a controller's own annotation", "some-controller", `{"metadata":{"annotations":{"example.test/seen":"1"}}}`, false, 0},
		{"the same, changed", "some-controller", `{"metadata":{"annotations":{"example.test/seen":"2"}}}`, false, 0},
		{"and taken away", "some-controller", `{"metadata":{"annotations":{"example.test/seen":null}}}`, false, 0},
		{"how many there are to be is ours", "some-controller", `{"spec":{"replicas":1}}`, true, 1},
		{"and put back by them", "some-controller", `{"spec":{"replicas":0}}`, true, 0},
		{"a hand's annotation", "kubectl-edit", `{"metadata":{"annotations":{"example.test/hand":"1"}}}`, true, 1},
	} {
		w.requests.take()
		w.hand(o, c.manager, c.patch)
		seen := w.see(o)
		if asked := slices.Contains(w.requests.take(), "dry-run 200"); asked != c.asked {
			t.Errorf("%s: asked about it %v", c.reason, asked)
		}
		if len(seen.Diff) != c.drift {
			t.Errorf("%s:\n%s", c.reason, diffText(seen.Diff))
		}
		s := w.driver.link
		s.verdict.last, s.looks.last = nil, nil
		if again := w.see(o); len(again.Diff) != c.drift {
			t.Errorf("%s: once asked anew:\n%s", c.reason, diffText(again.Diff))
		}
	}

	service := w.object(serviceYAML)
	w.create(service)
	for len(w.notified) > 0 {
		<-w.notified
	}
	w.hand(service, "some-controller", `{"metadata":{"annotations":{"example.test/seen":"1"}}}`)
	w.hand(service, "kubectl-edit", `{"metadata":{"annotations":{"example.test/hand":"1"}}}`)
	if refs := <-w.notified; len(w.notified) > 0 || len(refs) != 1 {
		t.Errorf("of two edits the hand's alone is news: %v and %d more", refs, len(w.notified))
	}
}

func mappingOf(t *testing.T, w *world, o Object) mapping {
	t.Helper()
	m, ok, err := w.driver.link.kinds.find(t.Context(), o.GVK(), time.Now())
	if err != nil || !ok {
		t.Fatalf("kind of %s: %v %v", o, ok, err)
	}
	return m
}
