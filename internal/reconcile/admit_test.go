package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// dollars is what a stack comes to in these tests: a dollar for each unit of size.
func dollars(s reconcile.Stack) (sum int) {
	for _, r := range s.Resources {
		switch spec := r.Spec.(type) {
		case house:
			sum += spec.Size
		case pod:
			sum += spec.Size
		}
	}
	return sum
}

// purse lets through what comes to at most limit, or to no more than what was wanted before.
type purse struct{ limit int }

func (p *purse) afford(now reconcile.Stack, before *reconcile.Stack) reconcile.Verdict {
	sum := dollars(now)
	switch {
	case sum <= p.limit:
		return reconcile.Verdict{}
	case before == nil:
		return reconcile.Verdict{Over: fmt.Sprintf("$%d of $%d", sum, p.limit), Hold: true}
	case sum <= dollars(*before):
		return reconcile.Verdict{Over: fmt.Sprintf("$%d of $%d, nothing is added", sum, p.limit)}
	}
	return reconcile.Verdict{Over: fmt.Sprintf("$%d of $%d, +$%d", sum, p.limit, sum-dollars(*before)), Hold: true}
}

func sized(name string, size int) resource.Resource { return resource.Of(pod{Name: name, Size: size}) }

// thrifty is a world in which a stack may come to so much.
func thrifty(t *testing.T, limit int, want ...resource.Resource) (*world, *purse) {
	w, p := begin(t, want...), &purse{limit}
	w.Afford = p.afford
	return w, p
}

// again starts a new daemon over the same world, with this much memory.
func (w *world) again(m reconcile.Memory, p *purse) {
	w.start(m)
	w.Afford = p.afford
}

// holds fails unless the pass held exactly these, with the sum that shows why, and wrote nothing.
func holds(t *testing.T, p reconcile.Pass, why string, want map[resource.Ref]plan.Verb) {
	t.Helper()
	if !p.Withheld || p.OverBudget != why {
		t.Errorf("withheld %v because of %q, want %q", p.Withheld, p.OverBudget, why)
	}
	if p.Outcome() != reconcile.Progressing {
		t.Errorf("a pass that holds a commit is %s", p.Outcome())
	}
	want = maps.Clone(want)
	for _, s := range p.Plan.Steps {
		switch held, ok := want[s.Ref]; {
		case ok && (s.Verb != plan.Hold || s.Held != held || s.Why != why):
			t.Errorf("%s: %s of %q because %q; want a hold of %q because %q", s.Ref, s.Verb, s.Held, s.Why, held, why)
		case !ok && s.Verb != plan.Keep:
			t.Errorf("%s: %s: %s; the commit does not touch it", s.Ref, s.Verb, s.Why)
		}
		delete(want, s.Ref)
	}
	for ref := range want {
		t.Errorf("%s: no step", ref)
	}
}

func TestACommitThatIsTooMuchIsHeldAsAWhole(t *testing.T) {
	in("what it adds, changes and removes is held, and goes through when the limit is raised", t, func(t *testing.T) {
		w, purse := thrifty(t, 80, sized("api", 30), sized("db", 30), sized("old", 10))
		w.settle()
		first := w.last().Applied
		before := w.cloud.Writes()
		over := w.git.push(sized("api", 90), sized("db", 30), sized("cache", 5))
		p := w.pass()
		holds(t, p, "$125 of $80, +$55", map[resource.Ref]plan.Verb{aPod("api"): plan.Update, aPod("cache"): plan.Create, aPod("old"): plan.Delete})
		if d := step(p, aPod("api")).Drift; len(d) != 1 || d[0].Field != "size" || d[0].Want != "90" || d[0].Have != "30" {
			t.Errorf("what is held of the API is not shown: %+v", d)
		}
		if p.Attempted != over || p.Applied != first || w.git.kept != first {
			t.Errorf("attempted %.12s, applied %.12s, kept %.12s; want %.12s and twice %.12s", p.Attempted, p.Applied, w.git.kept, over, first)
		}
		for range 3 {
			w.pass()
		}
		if n := w.cloud.Writes() - before; n != 0 {
			t.Errorf("%d writes while the commit was held", n)
		}
		purse.limit = 125
		if p := w.settle(); p.Withheld || p.OverBudget != "" || p.Applied != over || w.git.kept != over {
			t.Errorf("it comes to the limit exactly and is not through: %s", account(p))
		}
	})
	in("drift, sleep and removals of the commit before go on meanwhile", t, func(t *testing.T) {
		w, _ := thrifty(t, 80, sized("api", 30), sized("db", 30))
		w.settle()
		w.git.push(sized("api", 90), sized("db", 30))
		w.pass()
		w.resize("api", 7)
		w.resize("db", 3)
		time.Sleep(time.Minute)
		p := w.pass()
		for _, name := range []string{"api", "db"} {
			if s := step(p, aPod(name)); s.Verb != plan.Update || result(p, aPod(name)).Outcome != plan.OK || s.Drift[0].Want != "30" {
				t.Errorf("the drift of %s is not put back to what was wanted before:\n%s", name, account(p))
			}
		}
		if len(p.Corrected) != 2 {
			t.Errorf("corrected %v", p.Corrected)
		}
		holds(t, w.pass(), "$120 of $80, +$60", map[resource.Ref]plan.Verb{aPod("api"): plan.Update})
	})
	in("pods that the commit changes still fall asleep and wake, in the form before it", t, func(t *testing.T) {
		w, _ := thrifty(t, 80, sized("api", 30))
		asleep, until := false, time.Now().Add(time.Hour)
		w.git.night = func(time.Time) (bool, time.Time) { return asleep, until }
		w.settle()
		w.git.push(sized("api", 90))
		holds(t, w.pass(), "$90 of $80, +$60", map[resource.Ref]plan.Verb{aPod("api"): plan.Update})
		for range 2 {
			time.Sleep(time.Until(until))
			asleep, until = !asleep, until.Add(time.Hour)
			p := w.pass()
			if s := step(p, aPod("api")); s.Verb != plan.Update || result(p, aPod("api")).Outcome != plan.OK {
				t.Fatalf("asleep %v was not reached:\n%s", asleep, account(p))
			}
			time.Sleep(time.Minute)
			if p = w.pass(); p.Seen[0].Asleep != asleep || p.Seen[0].Diff != nil {
				t.Errorf("asleep %v, want %v; differs in %v", p.Seen[0].Asleep, asleep, p.Seen[0].Diff)
			}
			holds(t, p, "$90 of $80, +$60", map[resource.Ref]plan.Verb{aPod("api"): plan.Update})
		}
	})
	in("a person's word to look again does not let it through", t, func(t *testing.T) {
		w, _ := thrifty(t, 80, sized("api", 30))
		w.settle()
		w.git.push(sized("api", 90))
		before := w.cloud.Writes()
		p := w.Pass(t.Context(), reconcile.Kick{Why: "sync", Retry: true, MaxDeletes: 10})
		holds(t, p, "$90 of $80, +$60", map[resource.Ref]plan.Verb{aPod("api"): plan.Update})
		p = w.Pass(t.Context(), reconcile.Kick{Why: "a watch", Refs: []resource.Ref{aPod("api")}})
		holds(t, p, "$90 of $80, +$60", map[resource.Ref]plan.Verb{aPod("api"): plan.Update})
		if n := w.cloud.Writes() - before; n != 0 {
			t.Errorf("%d writes", n)
		}
	})
	in("a removal that was due before is not made if the commit that is held wants the thing back", t, func(t *testing.T) {
		w, _ := thrifty(t, 80, sized("api", 30), sized("old", 10))
		w.settle()
		w.git.push(sized("api", 30)) // old is to go
		w.fail("delete", aPod("old"), errors.New("500: try again"))
		w.pass()
		w.cloud.SetFault(nil)
		w.git.push(sized("api", 90), sized("old", 10))
		time.Sleep(time.Hour)
		holds(t, w.pass(), "$100 of $80, +$70", map[resource.Ref]plan.Verb{aPod("api"): plan.Update, aPod("old"): plan.Create})
	})
}

func TestWhoeverIsOverTheBudgetCanComeDown(t *testing.T) {
	for _, c := range []struct {
		reason string
		now    []resource.Resource
		held   bool
	}{
		{"less than before goes through, although it is still too much", []resource.Resource{sized("api", 50), sized("db", 50)}, false},
		{"as much as before adds nothing: a new image is no matter of money", []resource.Resource{sized("api", 30), sized("db", 90)}, false},
		{"more is held", []resource.Resource{sized("api", 60), sized("db", 61)}, true},
		{"more is held as a whole, with the part of it that is less", []resource.Resource{sized("api", 20), sized("db", 101)}, true},
	} {
		in(c.reason, t, func(t *testing.T) {
			w, purse := thrifty(t, 200, sized("api", 60), sized("db", 60))
			w.settle()
			purse.limit = 80 // somebody has lowered it since
			if p := w.pass(); p.Withheld || !p.Converged() || p.OverBudget == "" {
				t.Fatalf("what exists is over the budget now, which is told and no more:\n%s", account(p))
			}
			w.git.push(c.now...)
			before := w.cloud.Writes()
			p := w.pass()
			if p.Withheld != c.held || c.held != (w.cloud.Writes() == before) {
				t.Errorf("held %v with %d writes:\n%s", p.Withheld, w.cloud.Writes()-before, account(p))
			}
			if !c.held {
				w.settle()
			}
		})
	}
	in("half-way down it goes on, also after a restart: what was let through stays so", t, func(t *testing.T) {
		w, purse := thrifty(t, 200, sized("api", 60), sized("db", 60))
		w.settle()
		purse.limit = 80
		w.git.push(sized("api", 10), sized("db", 90)) // 100
		w.fail("update", aPod("db"), errors.New("500: try again"))
		w.pass()
		w.cloud.SetFault(nil)
		w.again(w.memory, purse)
		time.Sleep(time.Hour)
		if p := w.settle(); p.Withheld {
			t.Error(account(p))
		}
	})
}

func TestABudgetAfterARestart(t *testing.T) {
	why := map[resource.Ref]plan.Verb{aPod("api"): plan.Update}
	in("a restart remembers what was let through, and holds as before", t, func(t *testing.T) {
		w, purse := thrifty(t, 80, sized("api", 30), sized("db", 30))
		w.settle()
		w.git.push(sized("api", 90), sized("db", 30))
		w.pass()
		w.again(w.memory, purse)
		w.resize("db", 3)
		p := w.pass()
		if s := step(p, aPod("db")); s.Verb != plan.Update {
			t.Errorf("drift is not put back: %s", account(p))
		}
		holds(t, w.pass(), "$120 of $80, +$60", why)
	})
	in("without any memory nothing that exists is touched, not even drift", t, func(t *testing.T) {
		w, purse := thrifty(t, 80, sized("api", 30), sized("db", 30), sized("old", 1))
		w.settle()
		w.git.push(sized("api", 90), sized("db", 30), sized("new", 1))
		w.git.kept = ""
		w.again(reconcile.Memory{}, purse)
		w.resize("db", 3)
		before := w.cloud.Writes()
		all := map[resource.Ref]plan.Verb{aPod("api"): plan.Update, aPod("db"): plan.Update, aPod("old"): plan.Delete, aPod("new"): plan.Create}
		for range 3 {
			p := w.pass()
			holds(t, p, "$121 of $80", all)
		}
		if n := w.cloud.Writes() - before; n != 0 || w.git.kept != "" {
			t.Errorf("%d writes, kept %q", n, w.git.kept)
		}
		purse.limit = 200
		w.settle()
	})
	in("the first stack of all is held too", t, func(t *testing.T) {
		w, _ := thrifty(t, 80, sized("api", 90))
		holds(t, w.pass(), "$90 of $80", map[resource.Ref]plan.Verb{aPod("api"): plan.Create})
		w.git.push(sized("api", 80))
		w.settle()
	})
	in("what was let through before and cannot be read any more is not known, and that is told", t, func(t *testing.T) {
		w, purse := thrifty(t, 80, sized("api", 30))
		w.settle()
		w.git.stacks[w.git.kept] = nil
		w.git.push(sized("api", 90))
		w.again(w.memory, purse)
		p := w.pass()
		holds(t, p, "$90 of $80", why)
		if len(p.Plan.Notices) != 1 || p.Plan.Notices[0] != "what was wanted before could not be read: "+errInvalid.Error() {
			t.Errorf("notices: %q", p.Plan.Notices)
		}
	})
	in("a stack that turns invalid while another is held goes on with the one let through", t, func(t *testing.T) {
		w, _ := thrifty(t, 80, sized("api", 30))
		w.settle()
		w.git.push(sized("api", 90))
		w.pass()
		w.git.push()
		w.git.stacks[w.git.newest] = nil
		before := w.cloud.Writes()
		if p := w.pass(); p.Outcome() != reconcile.Invalid || p.Withheld || w.cloud.Writes() != before {
			t.Error(account(p))
		}
	})
	in("a preview beside a file compares with what is kept in Git", t, func(t *testing.T) {
		w, _ := thrifty(t, 80, sized("api", 90))
		w.Before = func(context.Context, time.Time) (reconcile.Revision, reconcile.Stack, bool, error) {
			return reconcile.Revision{Commit: "kept", Tree: fs.FS(fstest.MapFS{})}, reconcile.Stack{Resources: []resource.Resource{sized("api", 95)}}, true, nil
		}
		if p := w.Preview(t.Context()); p.Withheld || p.OverBudget != "$90 of $80, nothing is added" {
			t.Error(p.OverBudget, account(p))
		}
	})
}
