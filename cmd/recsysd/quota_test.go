package main

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/resource"
)

// cloudHalf is a stack's resources in Google Cloud as they are wanted, there already, and looked at once by kinds that were made after that.
type cloudHalf struct {
	testing.TB
	google *gcptest.Server
	kinds  []resource.Kind
	want   []resource.Resource
}

func newCloudHalf(t *testing.T, folder, environment, name string) *cloudHalf {
	t.Helper()
	stack, err := desired.Load(os.DirFS(folder), "stack.yaml", desired.Options{Environment: environment, Project: "acme", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	h := &cloudHalf{TB: t, google: gcptest.Start(t), want: stack.Resources}
	h.open(name)
	h.build()
	h.open(name)
	h.look(t.Context())
	return h
}

// open makes the kinds, as after a restart.
func (h *cloudHalf) open(stack string) {
	h.Helper()
	c := h.google.Config()
	c.Limits, c.Caller = gcp.NewLimits(), stack
	set, err := drivers.Kinds(h.Context(), drivers.Config{Stack: stack, GCP: c})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := set.Close(); err != nil {
			h.Error(err)
		}
	})
	h.kinds = nil
	for _, k := range set.Kinds {
		if k.Name != "kube" {
			h.kinds = append(h.kinds, k)
		}
	}
}

// look is that of a pass: all kinds side by side.
func (h *cloudHalf) look(ctx context.Context) map[resource.Ref]resource.Observation {
	h.Helper()
	var mu sync.Mutex
	seen := map[resource.Ref]resource.Observation{}
	var looking sync.WaitGroup
	for _, k := range h.kinds {
		looking.Go(func() {
			sight, err := k.Observe(ctx, h.of(k), true)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || len(sight.Unlisted) > 0 {
				h.Errorf("%s: %v %v", k.Name, err, sight.Unlisted)
			}
			for _, o := range sight.Found {
				seen[o.Ref] = o
			}
		})
	}
	looking.Wait()
	return seen
}

func (h *cloudHalf) of(k resource.Kind) (ours []resource.Resource) {
	for _, w := range h.want {
		if k.Owns(w) {
			ours = append(ours, w)
		}
	}
	return ours
}

// build makes what is wanted, in as many rounds as it takes.
func (h *cloudHalf) build() {
	h.Helper()
	for range 10 {
		seen, due := h.look(h.Context()), 0
		for _, k := range h.kinds {
			for _, w := range h.of(k) {
				o, there := seen[w.Ref]
				var err error
				if !there {
					err = k.Create(h.Context(), w)
				} else if len(o.Diff) > 0 {
					err = k.Update(h.Context(), w, o, o.Diff)
				}
				if !there || len(o.Diff) > 0 || err != nil {
					due++ // what others stand on comes with the next round
				}
			}
		}
		if due == 0 {
			return
		}
		h.google.Settle()
	}
	h.Fatal("it is not there after ten rounds")
}

// asked is what a quiet look asks of each service. What is asked beside the passes, once an hour, is no part of it.
func (h *cloudHalf) asked() map[string]int {
	h.google.Forget()
	h.look(h.Context())
	n := map[string]int{}
	for _, c := range h.google.Calls() {
		if c.Service != gcp.Monitoring {
			n[c.Service]++
		}
	}
	return n
}

// The table in docs/operations.md tells how much of Google's quotas a stack takes.
func TestQuotaUseIsAsDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|[^|]*\\| ([\\d,]+) \\| ([\\d,]+) \\| ([\\d,]+) \\| ([\\d,]+) \\|[^|]*\\| ([\\d,]+|–) \\| ([\\d,]+) \\|$")
	number := func(s string) int {
		n, err := strconv.Atoi(strings.ReplaceAll(strings.ReplaceAll(s, ",", ""), "–", "0"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	example, team := newCloudHalf(t, "../../examples", "", "recsys").asked(), newCloudHalf(t, "../../examples/team", "production", "recsys-production").asked()
	told := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(docs), -1) {
		service := m[1]
		told[service] = true
		for i, want := range []int{example[service], 60 * example[service], team[service], 60 * team[service]} {
			if have := number(m[i+2]); have != want {
				t.Errorf("%s, column %d: the table says %d, and it is %d", service, i+3, have, want)
			}
		}
		if q := gcp.QuotaOf(service); number(m[6]) != q.Google || number(m[7]) != q.Own {
			t.Errorf("%s: the table says %s and %s, the program goes by %+v", service, m[6], m[7], q)
		}
	}
	if len(told) != 10 {
		t.Errorf("the table has rows for %d services", len(told))
	}
	for _, asked := range []map[string]int{example, team} {
		for service, n := range asked {
			if !told[service] {
				t.Errorf("%s is asked %d times in a pass, and is not in the table", service, n)
			}
		}
	}
}

// A look takes as long as its slowest request: none waits for another. Here each is answered when all of them have come.
func TestAllReadsOfAPassAreSideBySide(t *testing.T) {
	h := newCloudHalf(t, "../../examples/team", "production", "recsys-production")
	all := 0
	for _, n := range h.asked() {
		all += n
	}
	var mu sync.Mutex
	var came []string
	together := make(chan struct{})
	h.google.OnCall(func(c gcptest.Call, phase gcptest.Phase) {
		if phase != gcptest.Before || c.Service == gcp.Monitoring {
			return
		}
		mu.Lock()
		came = append(came, c.Method)
		if len(came) == all {
			close(together)
		}
		mu.Unlock()
		select {
		case <-together:
		case <-time.After(8 * time.Second):
		}
	})
	h.look(t.Context())
	select {
	case <-together:
	default:
		t.Errorf("of %d requests, those that came before any was answered are %q", all, came)
	}
}

// A service that asks not to be called blinds its own kind, which says why, and is not called; what the other services have is seen.
func TestAPauseBlindsItsKindAlone(t *testing.T) {
	h := newCloudHalf(t, "../../examples", "", "recsys")
	h.google.Throttle("storage.buckets.list", time.Hour, 1)
	for range 2 {
		h.google.Forget()
		for _, k := range h.kinds {
			sight, err := k.Observe(t.Context(), h.of(k), true)
			if err != nil {
				t.Errorf("%s: %v", k.Name, err)
			}
			if why := sight.Unlisted[k.Name]; (why != nil) != (k.Name == "bucket") {
				t.Errorf("%s: could not be listed: %v", k.Name, why)
			}
			for _, o := range sight.Found {
				if unknown := strings.Contains(o.Detail, "storage is not called now: not before") && strings.Contains(o.Detail, "it asked for that"); (o.State == resource.Unknown) != (k.Name == "bucket") || unknown != (k.Name == "bucket") {
					t.Errorf("%s: %v %q", o.Ref, o.State, o.Detail)
				}
			}
		}
	}
	for _, c := range h.google.Calls() {
		if c.Service == gcp.Storage {
			t.Errorf("%s was sent in the pause", c.Method)
		}
	}
}
