package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// nights is a world whose pods sleep from the 12th hour of every day to the 24th, counted from its beginning.
func nights(t *testing.T, want ...resource.Resource) *world {
	w := begin(t, want...)
	began := time.Now()
	w.git.night = func(now time.Time) (bool, time.Time) {
		half := int(now.Sub(began) / (12 * time.Hour))
		return half%2 == 1, began.Add(time.Duration(half+1) * 12 * time.Hour)
	}
	return w
}

// asleep are the pods that sleep now, in order of their names.
func (w *world) asleep() string {
	var names []string
	for _, t := range w.cloud.Things() {
		if p, ok := t.Spec.(pod); ok && p.Form.Asleep {
			names = append(names, p.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestSleep(t *testing.T) {
	in("the stack is read again when its time has come and not before, and a turn is no drift", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "db", Size: 1}), resource.Of(pod{Name: "api", Size: 1, On: "db"}))
		w.Settings.Interval = 7 * time.Hour // so that no pass falls on a turn by chance
		w.cloud.Delays["pod"] = sim.Delay{Start: 20 * time.Second}
		began := time.Now()
		w.run(nil, 48*time.Hour+time.Minute)
		if loads := w.git.loads; loads != 5 { // at the start, and four turns
			t.Errorf("read %d times in two days", loads)
		}
		turned := map[resource.Ref][]time.Duration{}
		for _, p := range w.passes {
			if len(p.Drift())+len(p.Detected)+len(p.Corrected)+len(p.Unexplained) > 0 {
				t.Errorf("a turn is taken for drift: %v %v %v\n%s", p.Detected, p.Corrected, p.Unexplained, account(p))
			}
			for i, s := range p.Plan.Steps {
				if s.Turn != "" && p.Results[i].Outcome == plan.OK {
					turned[s.Ref] = append(turned[s.Ref], p.Start.Sub(began).Truncate(time.Second))
				}
			}
		}
		for _, ref := range []resource.Ref{aPod("db"), aPod("api")} {
			if len(turned[ref]) != 4 {
				t.Fatalf("%s turned at %v", ref, turned[ref])
			}
		}
		db, api := turned[aPod("db")], turned[aPod("api")]
		for i, hour := range []time.Duration{12, 24, 36, 48} {
			first, second := api[i], db[i] // in the evening what stands on others
			if i%2 == 1 {
				first, second = db[i], api[i]
			}
			if first != hour*time.Hour || second < first+20*time.Second {
				t.Errorf("at hour %d the first turned at %s and the second at %s: it has to wait until the first is through", hour, first, second)
			}
		}
		if got, want := w.cloud.Writes(), 2+8; got != want {
			t.Errorf("%d writes in two days, want %d", got, want)
		}
	})
	in("a scale in the night is drift, and put back", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "a"}))
		w.run(nil, 13*time.Hour)
		w.cloud.Edit(aPod("a"), func(s any) any { p := s.(pod); p.Size = 3; return p })
		p := w.pass()
		if !slices.Equal(p.Detected, []resource.Ref{aPod("a")}) || !slices.Equal(p.Corrected, p.Detected) || w.asleep() != "a" {
			t.Errorf("detected %v, corrected %v: %s", p.Detected, p.Corrected, account(p))
		}
	})
	in("a start at night makes what is absent asleep, and wakes nothing, with its memory or without", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "a"}), resource.Of(pod{Name: "b", On: "a"}))
		time.Sleep(13 * time.Hour)
		w.settle()
		if w.asleep() != "a b" || w.cloud.Writes() != 2 {
			t.Fatalf("%q are asleep after %d writes", w.asleep(), w.cloud.Writes())
		}
		for _, m := range []reconcile.Memory{w.memory, {}} {
			w.start(m)
			if p := w.pass(); !p.Converged() || w.cloud.Writes() != 2 || len(p.Drift()) > 0 {
				t.Errorf("after a restart: %s", account(p))
			}
		}
	})
	in("a start in the evening without a memory: to fall asleep is still no drift", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "a"}))
		w.settle()
		time.Sleep(12 * time.Hour)
		w.start(reconcile.Memory{})
		if p := w.pass(); len(p.Detected) > 0 || w.asleep() != "a" {
			t.Errorf("detected %v: %s", p.Detected, account(p))
		}
	})
	in("killed in the evening before anything was written down, and started by day: to wake is no drift, and keeps its order", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "db"}), resource.Of(pod{Name: "api", On: "db"}))
		w.cloud.Delays["pod"] = sim.Delay{Start: 20 * time.Second}
		w.settle()
		awake := w.memory
		time.Sleep(12 * time.Hour)
		w.settle()
		time.Sleep(12 * time.Hour)
		w.start(awake)
		p := w.pass()
		if len(p.Detected)+len(p.Drift()) > 0 || result(p, aPod("db")).Outcome != plan.OK || result(p, aPod("api")).Outcome != plan.Waiting {
			t.Errorf("detected %v: %s", p.Detected, account(p))
		}
		w.settle()
	})
	in("removed at night by a hand: drift, made again asleep", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "a"}))
		w.run(nil, 13*time.Hour)
		w.cloud.Remove(aPod("a"))
		if p := w.pass(); !slices.Equal(p.Detected, []resource.Ref{aPod("a")}) || w.asleep() != "a" {
			t.Errorf("detected %v: %s", p.Detected, account(p))
		}
	})
	in("refused in the evening is not refused in the morning", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.fail(sim.Update, aPod("a"), fmt.Errorf("422: %w", resource.ErrRejected))
		time.Sleep(12 * time.Hour)
		if p := w.pass(); result(p, aPod("a")).Outcome != plan.Rejected {
			t.Fatal(account(p))
		}
		time.Sleep(12 * time.Hour)
		if p := w.pass(); !p.Converged() {
			t.Errorf("it is awake, as it should be: %s", account(p))
		}
	})
}

func TestSleepWithoutAStack(t *testing.T) {
	in("the newest revision is invalid: the last good one falls asleep on time all the same", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.git.push()
		w.run(nil, 12*time.Hour+time.Minute)
		if p := w.last(); w.asleep() != "a" || p.Outcome() != reconcile.Invalid {
			t.Error(account(p))
		}
	})
	in("a stack that cannot be read again stays as it was: nothing wakes, drift is put back, and nothing spins", t, func(t *testing.T) {
		for _, invalid := range []bool{false, true} {
			w := nights(t, resource.Of(pod{Name: "a"}))
			time.Sleep(13 * time.Hour)
			w.settle()
			if invalid {
				w.git.push()
			}
			w.git.stale = errors.New("unknown time zone")
			loads, passes := w.git.loads, len(w.passes)
			w.run(nil, 12*time.Hour)
			w.resize("a", 3)
			p := w.pass()
			if w.asleep() != "a" || p.Outcome() != reconcile.Invalid || !errors.Is(p.StackErr, w.git.stale) || p.Err != nil || len(p.Corrected) != 1 {
				t.Errorf("invalid=%v: asleep %q, corrected %v: %s", invalid, w.asleep(), p.Corrected, account(p))
			}
			if n := len(w.passes) - passes; n > 12*60*10/9+10 || w.git.loads-loads > 2*n {
				t.Errorf("invalid=%v: %d passes and %d readings in 12 hours", invalid, n, w.git.loads-loads)
			}
			w.git.stale = nil
			time.Sleep(time.Minute)
			if p := w.pass(); w.asleep() != "" {
				t.Errorf("invalid=%v: it can be read again, and does not wake: %s", invalid, account(p))
			}
		}
	})
}

// say has a person say that a pod sleeps, or is awake, for a while.
func (w *world) say(name string, asleep bool, d time.Duration) {
	w.t.Helper()
	by := resource.Rest{Asleep: asleep, Until: time.Now().Add(d), ByHand: true}
	if err := w.SetRest(w.t.Context(), w.wanted(name), by); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wanted(name string) resource.Resource {
	for _, r := range w.last().Want {
		if r.Ref == aPod(name) {
			return r
		}
	}
	return resource.Resource{Ref: aPod(name)}
}

func TestByHand(t *testing.T) {
	in("woken for an hour in the night: awake at once, asleep an hour later without being asked, never drift", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "a"}))
		w.Settings.Interval = 7 * time.Hour
		w.run(nil, 13*time.Hour)
		w.say("a", false, time.Hour)
		kick := make(chan reconcile.Kick, 1)
		kick <- reconcile.Kick{Why: "wake"}
		began := time.Now()
		w.run(kick, time.Minute)
		if w.asleep() != "" {
			t.Fatal("it was woken and sleeps")
		}
		w.start(w.memory) // the word is on the resource: no memory of the daemon's holds it
		w.Settings.Interval = 7 * time.Hour
		w.run(nil, 58*time.Minute)
		if w.asleep() != "" {
			t.Fatal("it was woken for an hour and sleeps before that is over")
		}
		w.run(nil, 2*time.Minute)
		if w.asleep() != "a" {
			t.Fatalf("it was woken for an hour and is awake after %s", time.Since(began))
		}
		for _, p := range w.passes {
			if len(p.Drift())+len(p.Detected)+len(p.Unexplained) > 0 {
				t.Errorf("taken for drift: %v %v: %s", p.Detected, p.Unexplained, account(p))
			}
		}
	})
	in("put to sleep in the day, over the schedule's night and into the next day", t, func(t *testing.T) {
		w := nights(t, resource.Of(pod{Name: "a"}))
		w.settle()
		w.say("a", true, 26*time.Hour)
		w.run(nil, 25*time.Hour+50*time.Minute)
		if w.asleep() != "a" {
			t.Error("it was put to sleep and is awake")
		}
		w.run(nil, 20*time.Minute)
		if w.asleep() != "" {
			t.Error("its time is over, its schedule says awake, and it sleeps")
		}
	})
	in("what may not be written takes no word", t, func(t *testing.T) {
		observed, suspended := resource.Of(pod{Name: "observed"}), resource.Of(pod{Name: "suspended"})
		observed.Observe, suspended.Suspend = true, "for a test"
		w := begin(t, observed, suspended, resource.Of(pod{Name: "foreign"}), resource.Of(house{Name: "h"}), resource.Of(pod{Name: "gone", In: "nowhere"}))
		w.cloud.Put(pod{Name: "foreign"}, "theirs")
		w.cloud.Put(pod{Name: "observed"}, "mine")
		w.pass()
		for name, want := range map[string]string{
			"observed": "its mode is observe", "suspended": "is suspended: for a test", "foreign": "is not ours", "gone": "does not exist",
		} {
			err := w.SetRest(t.Context(), w.wanted(name), resource.Rest{Asleep: true, ByHand: true})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		err := w.SetRest(t.Context(), resource.Of(house{Name: "h"}), resource.Rest{Asleep: true, ByHand: true})
		if err == nil || !strings.Contains(err.Error(), "neither sleeps nor wakes") {
			t.Errorf("a house: %v", err)
		}
		if w.cloud.Calls(sim.Note) > 0 {
			t.Error("a word was left nevertheless")
		}
	})
}

// A person's word may come at any moment of a pass. The race detector is the judge.
func TestAWordBesideAPass(t *testing.T) {
	in("beside passes that note what is in sync", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "api", Size: 1}))
		w.settle()
		api := w.wanted("api")
		var done atomic.Bool
		var passes sync.WaitGroup
		passes.Go(func() {
			defer done.Store(true)
			for range 200 {
				w.pass() // which notes that it is in sync
			}
		})
		for !done.Load() {
			if err := w.SetRest(t.Context(), api, resource.Rest{ByHand: true, Until: time.Now().Add(time.Hour)}); err != nil {
				t.Error(err)
			}
		}
		passes.Wait()
	})
}

// TestChangesWait: a commit reaches what is stood on first, and goes no further while that does not come up.
func TestChangesWait(t *testing.T) {
	in("a rollout that fails stops what stands on it, until the next commit mends it", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "db"}), resource.Of(pod{Name: "api", On: "db"}), resource.Of(pod{Name: "web"}))
		w.settle()
		w.cloud.Delays["pod"] = sim.Delay{Start: time.Minute}
		w.git.push(resource.Of(pod{Name: "db", Size: 2}), resource.Of(pod{Name: "api", Size: 2, On: "db"}), resource.Of(pod{Name: "web", Size: 2}))
		p := w.pass()
		if result(p, aPod("db")).Outcome != plan.OK || result(p, aPod("web")).Outcome != plan.OK || result(p, aPod("api")).Outcome != plan.Waiting {
			t.Fatalf("the first pass: %s", account(p))
		}
		w.cloud.Break(aPod("db"), "crash loop")
		time.Sleep(time.Hour)
		if p = w.pass(); result(p, aPod("api")).Outcome != plan.Waiting || len(p.Drift()) > 0 {
			t.Fatalf("the database crashes: %s", account(p))
		}
		w.git.push(resource.Of(pod{Name: "db", Size: 3}), resource.Of(pod{Name: "api", Size: 2, On: "db"}), resource.Of(pod{Name: "web", Size: 2}))
		w.settle()
	})
	in("drift is put back although what the resource stands on is broken", t, func(t *testing.T) {
		w := begin(t, resource.Of(pod{Name: "db"}), resource.Of(pod{Name: "api", On: "db"}))
		w.settle()
		w.cloud.Break(aPod("db"), "crash loop")
		w.resize("api", 7)
		time.Sleep(time.Minute)
		if p := w.pass(); !slices.Equal(p.Corrected, []resource.Ref{aPod("api")}) {
			t.Error(account(p))
		}
	})
}
