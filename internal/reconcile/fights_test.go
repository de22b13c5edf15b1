package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// rounds has a rival set the size again before each of so many passes, a few seconds apart, and says which of them wrote.
func (w *world) rounds(n int) (wrote int) {
	w.t.Helper()
	for range n {
		time.Sleep(5 * time.Second)
		w.resize("a", 9)
		if result(w.pass(), aPod("a")).Outcome == plan.OK {
			wrote++
		}
	}
	return wrote
}

func TestFights(t *testing.T) {
	fought := func(t *testing.T, p reconcile.Pass) {
		t.Helper()
		s := step(p, aPod("a"))
		if s.Verb != plan.Hold || s.Held != plan.Update || len(s.Drift) != 1 || !strings.Contains(s.Why, "ignore: [{fields: [size], on: pod/a}]") {
			t.Errorf("it is not left alone, or not with the rule that ends it: %s %s", s.Verb, s.Why)
		}
		if f := p.Fights()[aPod("a")]; len(f) != 1 || f[0].Field != "size" || len(p.Drift()[aPod("a")].Fields) != 1 || p.Converged() {
			t.Errorf("fights %+v, drift %+v, outcome %s", f, p.Drift(), p.Outcome())
		}
	}
	in("a field is put back three times, and then left alone", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		if n := w.rounds(3); n != 3 {
			t.Fatalf("put back %d times", n)
		}
		time.Sleep(5 * time.Second)
		w.resize("a", 9)
		p := w.pass()
		fought(t, p)
		if fmt.Sprint(p.Fought) != "[pod/a]" {
			t.Errorf("that it begins is told of %v", p.Fought)
		}
		if n := w.rounds(20); n != 0 {
			t.Errorf("written %d times while it is left alone", n)
		}
		if p := w.last(); len(p.Fought) != 0 {
			t.Error("that it has begun is told again")
		}
		fought(t, w.last())
	})
	in("what is put back now and then is no fight", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		for range 20 {
			time.Sleep(6 * time.Minute)
			if n := w.rounds(1); n != 1 {
				t.Fatal("it was not put back")
			}
		}
	})
	in("after ten quiet minutes there is one more try, and no more if the rival is still there", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.rounds(4)
		time.Sleep(9 * time.Minute)
		fought(t, w.pass())
		time.Sleep(2 * time.Minute)
		if r := result(w.pass(), aPod("a")); r.Outcome != plan.OK {
			t.Errorf("no try: %+v", r)
		}
		if n := w.rounds(5); n != 0 {
			t.Errorf("%d more tries", n)
		}
		fought(t, w.last())
		time.Sleep(11 * time.Minute)
		if p := w.settle(); len(p.Fights()) != 0 {
			t.Errorf("the rival is gone: %+v", p.Fights())
		}
	})
	in("a rival that goes on moving the field is left alone for as long", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.rounds(4)
		for n := range 12 {
			time.Sleep(5 * time.Minute)
			w.resize("a", 100+n)
			fought(t, w.pass())
		}
	})
	in("the rival itself puts the field right: there is one more try when it differs again", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.rounds(4)
		w.resize("a", 0)
		if p := w.pass(); !p.Converged() || len(p.Fights()) != 0 {
			t.Errorf("as it should be, and still: %s", account(p))
		}
		if n := w.rounds(4); n != 1 {
			t.Errorf("%d tries", n)
		}
	})
	in("a person who asks for a pass, and a commit that changes the field, begin anew", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.rounds(4)
		if p := w.Pass(t.Context(), reconcile.Kick{Why: "sync", Retry: true}); result(p, aPod("a")).Outcome != plan.OK {
			t.Errorf("sync did not put it back:\n%s", account(p))
		}
		if n := w.rounds(4); n != 2 {
			t.Errorf("%d tries after the first", n)
		}
		w.git.push(resource.Of(pod{Name: "a", Size: 2}))
		if n := w.rounds(5); n != 3 {
			t.Errorf("%d tries for what the new commit says", n)
		}
	})
	in("a restart does not begin it anew", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.rounds(4)
		w.start(w.memory)
		if n := w.rounds(5); n != 0 {
			t.Errorf("written %d times", n)
		}
		fought(t, w.last())
	})
	in("the rule that is printed ends it", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.rounds(4)
		r := resource.Of(pod{Name: "a"})
		r.Ignore = []string{"size"}
		w.git.push(r)
		if p := w.pass(); !p.Converged() || len(p.Drift())+len(p.Fights()) != 0 {
			t.Errorf("with the rule:\n%s", account(p))
		}
	})
}

// A value that is not shown, as a Secret's, looks like any other: that it is another one is told by who asks for it and by when it was set.
func TestFightOverWhatIsNotShown(t *testing.T) {
	set := func(w *world, to int) {
		w.edit("a", func(p pod) pod { p.Size, p.Set = to, time.Now(); return p })
	}
	rounds := func(w *world, n int) (wrote int) {
		for range n {
			time.Sleep(5 * time.Second)
			set(w, 9)
			if result(w.pass(), aPod("a")).Outcome == plan.OK {
				wrote++
			}
		}
		return wrote
	}
	in("a commit of another value begins anew, though it looks the same", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a", Sealed: true}))
		w.settle()
		if n := rounds(w, 10); n != 3 {
			t.Fatalf("put back %d times", n)
		}
		w.start(w.memory)
		if n := rounds(w, 5); n != 0 {
			t.Errorf("put back %d times after a restart", n)
		}
		w.git.push(resource.Of(pod{Name: "a", Sealed: true, Size: 2}))
		if r := result(w.pass(), aPod("a")); r.Outcome != plan.OK {
			t.Errorf("the commit's own value is held for the fight over the one before: %+v", r)
		}
		if n := rounds(w, 5); n != 2 {
			t.Errorf("put back %d times after the commit's own write", n)
		}
	})
	in("a rival that goes on is left alone for as long; one that has stopped is not", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "a", Sealed: true}))
		w.settle()
		rounds(w, 4)
		for n := range 12 {
			time.Sleep(5 * time.Minute)
			set(w, 100+n)
			if r := result(w.pass(), aPod("a")); r.Outcome == plan.OK {
				t.Errorf("put back after %d minutes, while the rival goes on", 5*(n+1))
			}
		}
		time.Sleep(11 * time.Minute)
		if r := result(w.pass(), aPod("a")); r.Outcome != plan.OK {
			t.Errorf("the rival has stopped, and it is not put back: %+v", r)
		}
	})
}
