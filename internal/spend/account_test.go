package spend_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/history"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
	"recsysd.dev/recsysd/internal/spend"
)

// pass makes one pass of a daemon that is started for it alone.
func (w *world) pass() *reconcile.Reconciler {
	w.t.Helper()
	r := w.engine()
	r.Pass(w.t.Context(), reconcile.Kick{})
	return r
}

// spent is the counter at this moment.
func (w *world) spent(why, want string) {
	w.t.Helper()
	if got := w.account.At(time.Now()).Spent.String(); got != want {
		w.t.Errorf("%s: $%s spent, by hand $%s", why, got, want)
	}
}

// blind has nothing of the kind answer, or lets it answer again.
func (w *world) blind(op sim.Op, name string) {
	w.cloud.SetFault(func(c sim.Call) sim.Fault {
		if c.Op == op && (name == "" || c.Ref.Name == name) {
			return sim.Fault{Err: errors.New("host is down")}
		}
		return sim.Fault{}
	})
}

func TestWhatCannotBeSeenKeepsItsRate(t *testing.T) {
	for _, c := range []struct {
		why  string
		make func(w *world)
	}{
		{"a driver that does not answer", func(w *world) { w.blind(sim.Observe, "") }},
		{"one resource that cannot be read", func(w *world) {
			w.cloud.SetFault(func(c sim.Call) sim.Fault {
				if c.Op == sim.List || c.Op == sim.Get && c.Ref.Name == "api" {
					return sim.Fault{Err: errors.New("forbidden")}
				}
				return sim.Fault{}
			})
		}},
		{"what is no longer wanted, and cannot be listed", func(w *world) {
			w.things = w.things[1:]
			w.commit += "1"
			w.blind(sim.List, "")
		}},
		{"no revision to go by", func(w *world) {
			w.load = func(context.Context, reconcile.Revision, time.Time) (reconcile.Stack, error) {
				return reconcile.Stack{}, errors.New("not a stack")
			}
		}},
	} {
		for _, restart := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, thing{Name: "api", CPU: 2}, thing{Name: "web", CPU: 1})
				r := w.pass()
				time.Sleep(10 * time.Hour)
				w.spent(c.why, "3.00")
				c.make(w)
				r.Load = w.load
				if restart { // what was known of each is in the file
					r = w.engine()
				}
				r.Pass(t.Context(), reconcile.Kick{})
				time.Sleep(10 * time.Hour)
				w.spent(c.why+": unknown is not free", "6.00")
				r.Pass(t.Context(), reconcile.Kick{})
				time.Sleep(10 * time.Hour)
				w.spent(c.why+", again", "9.00")
			})
		}
	}
}

func TestWhatCouldNotBeListedAndIsGoneByTheNextLookCostsNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // before 8 o'clock, when the stack is read again and all is reckoned anew
		w := newWorld(t, thing{Name: "api", CPU: 2}, thing{Name: "web", CPU: 1})
		r := w.pass()
		time.Sleep(2 * time.Hour)
		w.things, w.commit = w.things[1:], w.commit+"1"
		w.blind(sim.List, "")
		r.Pass(t.Context(), reconcile.Kick{})
		time.Sleep(2 * time.Hour)
		w.spent("api may still be there", "1.20")
		w.cloud.SetFault(nil)
		r.Pass(t.Context(), reconcile.Kick{}) // finds api and removes it: afterwards all is as the pass before saw it
		time.Sleep(2 * time.Hour)
		w.spent("api is gone", "1.40")
	})
}

func TestWhatIsGoneCostsNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, thing{Name: "api", CPU: 2}, thing{Name: "web", CPU: 1})
		r := w.pass()
		time.Sleep(10 * time.Hour)
		r.Destroy = true
		r.Pass(t.Context(), reconcile.Kick{})
		w.spent("until it was taken down", "3.00")
		time.Sleep(1000 * time.Hour)
		w.spent("a destroyed stack stays at what it has cost", "3.00")
		if f := w.account.At(time.Now()); f.Now.Sign() != 0 || len(f.Live.Resources) != 0 {
			t.Errorf("it still costs %s a month", f.Now)
		}
	})
}

func TestAnotherBookCountsFromTheNextPassOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, thing{Name: "api", CPU: 1})
		r := w.pass()
		time.Sleep(10 * time.Hour)
		w.book = bookOf(t, strings.Replace(prices, "usd: 0.1,", "usd: 0.2,", 1))
		r.Pass(t.Context(), reconcile.Kick{})
		time.Sleep(10 * time.Hour)
		w.spent("10 hours at 0.1, 10 at 0.2", "3.00")
		w.book = nil
		r.Pass(t.Context(), reconcile.Kick{})
		time.Sleep(10 * time.Hour)
		w.spent("without a book the last rate goes on", "5.00")
	})
}

func TestAPassThatFindsNothingNewWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, thing{Name: "api", CPU: 1})
		r := w.pass()
		for range 1000 {
			time.Sleep(time.Minute)
			r.Pass(t.Context(), reconcile.Kick{})
		}
		if w.writes != 1 {
			t.Errorf("the file was written %d times", w.writes)
		}
		if err := os.Remove(w.path()); err != nil {
			t.Fatal(err)
		}
		w.things[0].CPU = 2
		w.commit += "1"
		r.Pass(t.Context(), reconcile.Kick{})
		if w.file() == nil {
			t.Error("another rate was not written")
		}
	})
}

func TestAStateThatCannotBeReadIsSetAside(t *testing.T) {
	for _, c := range []struct{ why, text string }{
		{"cut off", `{"since":"2000-01-01T00:00:00Z","at":"2000-01-01T00:00:00Z","usd":"1`},
		{"nothing", ``},
		{"not an object", `[]`},
		{"a sum below nothing", `{"since":"2000-01-01T00:00:00Z","at":"2000-01-01T00:00:00Z","usd":"-1","savedUsd":"0","monthUsd":"0"}`},
		{"a sum that is none", `{"since":"2000-01-01T00:00:00Z","at":"2000-01-01T00:00:00Z","usd":"1e9","savedUsd":"0","monthUsd":"0"}`},
		{"without a sum", `{"since":"2000-01-01T00:00:00Z","at":"2000-01-01T00:00:00Z"}`},
		{"it ends before it begins", `{"since":"2000-01-02T00:00:00Z","at":"2000-01-01T00:00:00Z","usd":"1","savedUsd":"0","monthUsd":"0"}`},
		{"a resource that is none", `{"since":"2000-01-01T00:00:00Z","at":"2000-01-01T00:00:00Z","usd":"1","savedUsd":"0","monthUsd":"0","resources":{"api":{"usdPerMonth":"1","savedUsdPerMonth":"0"}}}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, thing{Name: "api", CPU: 1})
			w.pass()
			if err := os.WriteFile(w.path(), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			store, memory, err := history.Open(w.dir, "recsys")
			if err != nil || len(memory.InSync) != 1 {
				t.Fatalf("%s: it costs other state too: %v %+v", c.why, err, memory)
			}
			w.account, err = store.Account()
			if err == nil || !strings.Contains(err.Error(), "set aside") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", c.why, err)
			}
			w.spent(c.why+": it begins anew", "0.00")
			if aside, err := os.ReadFile(w.path() + ".unreadable"); err != nil || string(aside) != c.text {
				t.Errorf("%s: %q %v", c.why, aside, err)
			}
			w.pass()
			time.Sleep(10 * time.Hour)
			w.spent(c.why+": and goes on", "1.00")
		})
	}
}

// What cannot be read at the moment, for a reason that is not in the file, is not written over either.
func TestAStateThatCannotBeOpenedIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, thing{Name: "api", CPU: 1})
		w.pass()
		if err := errors.Join(os.Remove(w.path()), os.Mkdir(w.path(), 0o700)); err != nil {
			t.Fatal(err)
		}
		store, _, err := history.Open(w.dir, "recsys")
		if err != nil {
			t.Fatal(err)
		}
		if w.account, err = store.Account(); err == nil || !strings.Contains(err.Error(), "set aside") {
			t.Errorf("%v", err)
		}
		if aside, err := os.Stat(w.path() + ".unreadable"); err != nil || !aside.IsDir() {
			t.Errorf("it is gone: %v", err)
		}
	})
}

func TestABudgetIsToldOfOnceInAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, thing{Name: "api", CPU: 1}) // 74.40 in January
		w.budget = &resource.Budget{Monthly: resource.Count(100), WarnAt: []int{50, 80, 100}}
		tells := func(why string, want ...string) {
			t.Helper()
			w.pass() // each in another life
			w.pass()
			if !slices.Equal(w.news, want) {
				t.Errorf("%s:\n got %q\nwant %q", why, w.news, want)
			}
			w.news = nil
		}
		lasts := func(why, want string) {
			t.Helper()
			if got := w.account.At(time.Now()).Notice(); got != want {
				t.Errorf("%s:\n got %q\nwant %q", why, got, want)
			}
		}
		half := "January 2000 will have come to $74.40, more than 50 % of the budget of $100.00"
		tells("744 hours at 0.1", half)
		lasts("for as long as it is so", half)
		time.Sleep(24 * time.Hour)
		tells("not again")

		grow := func(cpu int64) { w.things[0].CPU = cpu; w.commit += "1" }
		grow(2) // 24 h × 0.1 + 720 h × 0.2
		tells("two thresholds at once are one line, of the higher", "January 2000 will have come to $146.40, more than 100 % of the budget of $100.00")
		grow(1)
		tells("less is no news")
		lasts("but it is another notice", half)
		grow(2)
		tells("nor is what was told before")

		w.budget = &resource.Budget{Monthly: resource.Ratio(1464, 10), WarnAt: []int{50, 80, 100}}
		w.commit += "1"
		tells("of another sum, anew; what is equal is not above", "January 2000 will have come to $146.40, more than 80 % of the budget of $146.40")
		until(time.February, 1, 0, 0)
		tells("in another month, anew", "February 2000 will have come to $139.20, more than 80 % of the budget of $146.40")
		w.budget = nil
		w.commit += "1"
		tells("no budget, no news")
		lasts("and no notice", "")
	})
}

func TestFiguresBeforeTheFirstPass(t *testing.T) {
	var a spend.Account
	if f := a.At(time.Now()); f != (spend.Figures{}) {
		t.Errorf("%+v", f)
	}
	if err := a.Save(func([]byte) error { t.Error("nothing is known, and that is written"); return nil }); err != nil {
		t.Error(err)
	}
}

func TestASaveThatFailedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, thing{Name: "api", CPU: 1})
		p := w.engine().Pass(t.Context(), reconcile.Kick{})
		w.account = &spend.Account{}
		w.account.Pass(w.book, p)
		full := errors.New("no space left")
		if err := w.account.Save(func([]byte) error { return full }); !errors.Is(err, full) {
			t.Errorf("it is said to be written: %v", err)
		}
		written := false
		if err := w.account.Save(func([]byte) error { written = true; return nil }); err != nil || !written {
			t.Errorf("it is not written again: %v", err)
		}
	})
}
