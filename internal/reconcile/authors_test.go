package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// recorder is a driver whose provider keeps a record of who changed what.
type recorder struct {
	resource.Driver[pod]
	asked  []time.Time   // how far back, of every question
	during resource.Span // of the last
	who    func(since time.Time) (resource.Author, error)
}

func (r *recorder) Who(_ context.Context, _ pod, during resource.Span) (resource.Author, error) {
	r.asked, r.during = append(r.asked, during.From), during
	return r.who(during.From)
}

// recorded is a world with one pod of size 1, in sync, whose changes are on record.
func recorded(t *testing.T) (*world, *recorder) {
	w := begin(t, resource.Of(pod{Name: "api", Size: 1}))
	rec := &recorder{Driver: sim.NewDriver[pod](w.cloud, "mine"), who: func(time.Time) (resource.Author, error) { return resource.Author{}, nil }}
	w.Kinds[1] = resource.NewKind[pod]("pod", rec)
	w.settle()
	w.pass()
	return w, rec
}

func TestWhoMadeTheDrift(t *testing.T) {
	api := aPod("api")
	in("it is asked about drift that is new, back to the last look, and names who is on record in all that tells of it", t, func(t *testing.T) {
		w, rec := recorded(t)
		looked := w.last().Start
		if len(rec.asked) > 0 {
			t.Errorf("asked %d times about what is in sync", len(rec.asked))
		}
		at := time.Now().Add(30 * time.Second)
		rec.who = func(time.Time) (resource.Author, error) {
			return resource.Author{Name: "alice@example.com", At: at}, nil
		}
		time.Sleep(time.Minute)
		w.resize("api", 9)
		p := w.pass()
		if len(rec.asked) != 1 || rec.asked[0].After(looked) || looked.Sub(rec.asked[0]) > 10*time.Second {
			t.Errorf("asked back to %v, last looked at %s", rec.asked, looked)
		}
		if c := p.Repairs()[api].Fields; len(c) != 1 || c[0].Manager != "alice@example.com" || !c[0].At.Equal(at) {
			t.Errorf("the repair says %+v", c)
		}
		if c := step(p, api).Drift; len(c) != 1 || c[0].Manager != "alice@example.com" || p.Named[api].Name != "alice@example.com" {
			t.Errorf("the step says %+v, the pass %v", c, p.Named)
		}
		for range 20 {
			time.Sleep(time.Minute)
			w.pass()
		}
		if len(rec.asked) != 1 {
			t.Errorf("asked %d times, although there was an answer", len(rec.asked))
		}
	})
	in("drift that is left keeps its author, and another field is another question", t, func(t *testing.T) {
		w, rec := recorded(t)
		w.Settings.Observe = true
		rec.who = func(time.Time) (resource.Author, error) { return resource.Author{Name: "alice"}, nil }
		w.resize("api", 9)
		w.pass()
		time.Sleep(time.Minute)
		if d := w.pass().Drift()[api]; d.Fields[0].Manager != "alice" || d.Done != reconcile.DoneLeft {
			t.Errorf("a later pass says %+v", d)
		}
		rec.who = func(time.Time) (resource.Author, error) { return resource.Author{Name: "bob"}, nil }
		w.resize("api", 12)
		w.pass()
		if d := w.pass().Drift()[api]; d.Fields[0].Manager != "bob" || len(rec.asked) != 2 {
			t.Errorf("set anew it says %+v, after %d questions", d, len(rec.asked))
		}
	})
	in("an answer that comes late is heard, for a while", t, func(t *testing.T) {
		w, rec := recorded(t)
		w.resize("api", 9)
		if p := w.pass(); len(p.Corrected) != 1 || len(p.Named) != 0 {
			t.Errorf("corrected %v, named %v", p.Corrected, p.Named)
		}
		rec.who = func(time.Time) (resource.Author, error) { return resource.Author{Name: "alice"}, nil }
		time.Sleep(20 * time.Second)
		p := w.pass()
		if p.Named[api].Name != "alice" || p.Repairs()[api].Fields[0].Manager != "alice" {
			t.Errorf("named %v, repairs %+v", p.Named, p.Repairs())
		}
	})
	in("whoever changes the resource after the drift was seen has not made it, however late the answer comes", t, func(t *testing.T) {
		w, rec := recorded(t)
		w.Settings.Observe = true
		w.resize("api", 9)
		seen := w.pass().End
		for range 3 {
			time.Sleep(time.Minute)
			w.pass()
		}
		if len(rec.asked) < 3 || rec.during.To.Sub(seen) > 2*time.Second || rec.during.To.Before(seen) {
			t.Errorf("asked %d times, at last about the time until %s; the drift was seen at %s", len(rec.asked), rec.during.To, seen)
		}
	})
	in("without an answer it is asked less and less often, and at last not at all; that is no failure", t, func(t *testing.T) {
		w, rec := recorded(t)
		rec.who = func(time.Time) (resource.Author, error) { return resource.Author{}, errors.New("403") }
		w.Settings.Observe = true
		w.resize("api", 9)
		for range 3600 / 2 {
			if p := w.pass(); p.Outcome() == reconcile.Failed || p.Err != nil {
				t.Fatalf("the pass failed: %s", account(p))
			}
			time.Sleep(2 * time.Second)
		}
		if n := len(rec.asked); n < 3 || n > 10 {
			t.Errorf("asked %d times within an hour", n)
		}
	})
	in("one that does not answer holds up nothing for long", t, func(t *testing.T) {
		w, rec := recorded(t)
		w.Kinds[1] = resource.NewKind[pod]("pod", hanging{rec})
		w.resize("api", 9)
		began := time.Now()
		if p := w.pass(); len(p.Corrected) != 1 || time.Since(began) > 5*time.Second {
			t.Errorf("corrected %v after %s", p.Corrected, time.Since(began))
		}
	})
	in("what made one drift is not taken for what made the next, however soon that is", t, func(t *testing.T) {
		w, rec := recorded(t)
		at := time.Now().Add(time.Millisecond)
		rec.who = func(time.Time) (resource.Author, error) { return resource.Author{Name: "alice", At: at}, nil }
		for range 2 {
			time.Sleep(2 * time.Millisecond)
			w.resize("api", 9)
			w.Settings.MinGap = 0
			w.pass()
		}
		if len(rec.asked) != 2 || !rec.asked[1].After(at) {
			t.Errorf("asked back to %v, the last answer was of %s", rec.asked, at)
		}
	})
	in("a commit is no drift: nobody is asked", t, func(t *testing.T) {
		w, rec := recorded(t)
		w.git.push(resource.Of(pod{Name: "api", Size: 4}))
		w.settle()
		if len(rec.asked) > 0 {
			t.Errorf("asked %d times", len(rec.asked))
		}
	})
	in("who fights for a field is named", t, func(t *testing.T) {
		w, rec := recorded(t)
		rec.who = func(time.Time) (resource.Author, error) { return resource.Author{Name: "alice"}, nil }
		for range 6 {
			w.resize("api", 9)
			w.pass()
			time.Sleep(5 * time.Second)
		}
		p := w.pass()
		if d := p.Drift()[api]; d.Done != reconcile.DoneFought || d.Why != "alice" {
			t.Errorf("it was %s: %q", d.Done, d.Why)
		}
	})
}

// hanging never answers who it was.
type hanging struct{ *recorder }

func (hanging) Who(ctx context.Context, _ pod, _ resource.Span) (resource.Author, error) {
	<-ctx.Done()
	return resource.Author{}, ctx.Err()
}
