package kube

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

// asked closes the driver and returns how its stack's ConfigMaps were followed since the mark, from the API server's audit log, which
// tells of a stream when it has ended: "list", "fill" for a stream that begins with everything, "resume" for one that does not.
func (w *world) asked(mark int64, want int) []string {
	w.Helper()
	w.driver.Close()
	var all []string
	w.until(fmt.Sprintf("%d lists and streams are accounted for, not %v", want, all), func() bool {
		requests, err := control.Requests(kubetest.Recsysd, mark)
		if err != nil {
			w.Fatal(err)
		}
		all = nil
		for _, r := range requests {
			switch {
			case r.Resource != "configmaps" || !strings.Contains(r.URI, w.stack) || r.Name != "":
			case r.Verb == "list":
				all = append(all, "list")
			case strings.Contains(r.URI, "sendInitialEvents=true"):
				all = append(all, "fill")
			default:
				all = append(all, "resume")
			}
		}
		return len(all) >= want
	})
	return all
}

const configMapYAML = `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}`

// A stream that is lost is taken up where it was: nothing is listed, and what happened meanwhile is seen.
func TestResume(t *testing.T) {
	w := newWorld(t)
	mark := control.Mark()
	a := w.object(configMapYAML)
	w.create(a)
	w.observe(true, a)
	for n := range 3 {
		w.faults.forbid(w.driver, func() {}) // cut, and nothing else
		w.kubectl("patch", "configmap", "a", "-p", fmt.Sprintf(`{"data":{"k":"edit %d"}}`, n))
		if d := w.see(a).Diff; len(d) != 1 || d[0].Have != fmt.Sprint("edit ", n) {
			t.Errorf("after cut %d: %s", n, diffText(d))
		}
	}
	if got := w.asked(mark, 4); !slices.Equal(got, []string{"fill", "resume", "resume", "resume"}) {
		t.Errorf("the server was asked %v", got)
	}
}

// Where the server has forgotten what happened since, everything is read once more, in one request; what is as it was is not told of.
func TestGap(t *testing.T) {
	w := newWorld(t)
	mark := control.Mark()
	a, b, c := w.object(configMapYAML), w.object(strings.Replace(configMapYAML, "name: a", "name: b", 1)), w.object(strings.Replace(configMapYAML, "name: a", "name: c", 1))
	for _, o := range []Object{a, b, c} {
		w.create(o)
	}
	w.observe(true, a, b, c)
	gone := true
	w.faults.forbid(w.driver, func() {
		w.faults.deny = func(req *http.Request) int {
			if q := req.URL.Query(); gone && q.Get("watch") != "" && q.Get("resourceVersion") != "" {
				gone = false
				return http.StatusGone
			}
			return 0
		}
	})
	w.kubectl("patch", "configmap", "a", "-p", `{"data":{"k":"edited"}}`)
	w.kubectl("delete", "configmap", "b")
	told := map[resource.Ref]bool{}
	w.until("the edit and the removal are told of", func() bool {
		for len(w.notified) > 0 {
			for _, ref := range <-w.notified {
				told[ref] = true
			}
		}
		return told[a.Ref()] && told[b.Ref()]
	})
	if told[c.Ref()] {
		t.Errorf("%s has not changed", c)
	}
	if s := w.observe(true, a, b, c); len(s.Found) != 2 || len(s.Found[0].Diff) != 1 {
		t.Errorf("seen after the gap: %+v", s.Found)
	}
	got := w.asked(mark, 2)
	if n := len(got); n != 2 || got[0] != "fill" || got[1] != "fill" {
		t.Errorf("the server was asked %v; a gap costs one", got)
	}
}

// A server that does not send over a watch what there is, as older ones do not, is listed and followed from there.
func TestFilledByList(t *testing.T) {
	w := newWorld(t)
	mark := control.Mark()
	w.faults.deny = func(req *http.Request) int {
		if req.URL.Query().Get("sendInitialEvents") != "" {
			return http.StatusUnprocessableEntity
		}
		return 0
	}
	a := w.object(configMapYAML)
	w.create(a)
	w.observe(true, a)
	w.hand(a, "kubectl-edit", `{"data":{"k":"edited"}}`)
	if refs := <-w.notified; !slices.Equal(refs, []resource.Ref{a.Ref()}) {
		t.Errorf("the edit tells of %v", refs)
	}
	if got := w.asked(mark, 2); !slices.Equal(got, []string{"list", "resume"}) {
		t.Errorf("the server was asked %v", got)
	}
}

// Where a kind may be listed but not watched, a whole look lists it, once; a look at one object reads that; and a notice says so.
func TestWatchRefused(t *testing.T) {
	w := newWorld(t)
	f, c := &faults{}, &counter{}
	f.deny = func(req *http.Request) int {
		if req.URL.Query().Get("watch") != "" {
			return http.StatusForbidden
		}
		return 0
	}
	w.driver = New(t.Context(), Options{Stack: w.stack, Requests: c.add, Access: func(context.Context, string) (*rest.Config, error) {
		config := control.Config(kubetest.Recsysd)
		config.Wrap(f.wrap)
		return config, nil
	}})
	t.Cleanup(w.driver.Close)
	w.kind, w.faults, w.requests = resource.NewKind("kube", w.driver), f, c
	a, b := w.object(configMapYAML), w.object(strings.Replace(configMapYAML, "name: a", "name: b", 1))
	w.create(a)
	w.create(b)
	s := w.observe(true, a)
	if len(s.Found) != 2 || len(s.Unlisted) > 0 {
		t.Errorf("what is there is found, wanted or not: %+v", s)
	}
	if !slices.ContainsFunc(s.Notices, func(n string) bool { return strings.HasPrefix(n, "not watched") && strings.HasSuffix(n, "ConfigMap") }) {
		t.Errorf("notices: %q", s.Notices)
	}
	w.kubectl("patch", "configmap", "a", "-p", `{"data":{"k":"edited"}}`)
	w.requests.take()
	if s = w.observe(true, a); len(s.Found[0].Diff) != 1 {
		t.Errorf("the edit is not seen: %+v", s.Found)
	}
	if got := w.requests.take(); len(got) != 2 || got[0] != "get 200" || got[1] != "dry-run 200" {
		t.Errorf("a whole look lists the kind and asks about what has changed; it has made %v", got)
	}
	w.observe(false, a)
	if got := w.requests.take(); !slices.Equal(got, []string{"get 200"}) {
		t.Errorf("a look at one object reads that; it has made %v", got)
	}
}

// What an apply would change is asked again in time although nothing is seen to change, and not of all objects at once.
func TestVerdictsAge(t *testing.T) {
	v := &verdicts{}
	now := time.Now()
	const n = 1000
	ref := func(i int) resource.Ref { return resource.Ref{Kind: "ConfigMap", Name: fmt.Sprint(i)} }
	for i := range n {
		v.put(ref(i), "q", "q", &prediction{}, time.Hour)
	}
	last := 0
	for minute := 0; minute <= 60; minute += 6 {
		old := 0
		for i := range n {
			if v.get(ref(i), "q", "q", now.Add(time.Duration(minute)*time.Minute)) == nil {
				old++
			}
		}
		if minute < 30 && old > 0 || minute >= 60 && old < n || old-last > n*35/100 {
			t.Errorf("after %d minutes %d of %d are asked again, six minutes before it was %d", minute, old, n, last)
		}
		last = old
	}
}
