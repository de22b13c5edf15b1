package resourcetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

func (x *trial[S]) unlisted() {
	want, _ := x.make(0)
	x.make(1)
	kind := want.Ref().Kind
	x.ForbidList(true)
	s := x.observe(x.ours, true, want, x.Ours.Spec(2))
	if s.Unlisted[kind] == nil {
		x.Fatalf("the listing of %s failed and the look does not say so: removals would be decided on half the truth", kind)
	}
	o, ok := find(s, want.Ref())
	if !ok || o.State == resource.Unknown || !o.Owned || len(o.Diff) > 0 {
		x.Fatalf("what is named can still be read: %+v", o)
	}
	if _, ok := find(s, x.Ours.Spec(2).Ref()); ok {
		x.Fatal("what is named, absent and can be read is absent")
	}
	if err := x.ours.Create(x.Context(), resource.Of(x.Ours.Spec(2))); err != nil {
		x.Fatalf("writes need no listing: %v", err)
	}
	x.Settle()
	x.ForbidList(false)
	if s := x.observe(x.ours, true); len(s.Unlisted) > 0 || len(s.Found) != 3 {
		x.Fatalf("listing works again, and of three this is seen: %+v", s)
	}
}

func (x *trial[S]) unknown() {
	want, _ := x.make(0)
	x.ForbidList(true)
	x.ForbidGet(true)
	for _, list := range []bool{false, true} {
		sight, err := x.ours.Observe(x.Context(), resources([]S{want}), list)
		if err != nil {
			continue // nothing of this kind is known: as good
		}
		o, ok := find(sight, want.Ref())
		if !ok {
			x.Fatalf("it could not be read and is reported as absent: it would be created a second time (list %v)", list)
		}
		if o.State != resource.Unknown || o.Detail == "" {
			x.Fatalf("it could not be read: State should be Unknown and Detail the reason (list %v): %+v", list, o)
		}
		if o.Diff != nil {
			x.Fatalf("it could not be read and differs all the same: %s", text(o.Diff))
		}
	}
	x.ForbidGet(false)
	x.ForbidList(false)
	x.inSync(x.ours, want)
}

// answerLost does every write twice with the same knowledge, as after a timeout: the caller cannot know that the first
// one has arrived. The second may be an error, but not one that ends the retries, and the next look must find all well.
func (x *trial[S]) answerLost() {
	again := func(what string, write func() error) {
		x.Helper()
		if err := write(); err != nil {
			x.Fatalf("%s: %v", what, err)
		}
		x.Settle()
		if err := write(); errors.Is(err, resource.ErrRejected) || errors.Is(err, resource.ErrUnavailable) {
			x.Fatalf("%s a second time should succeed or be worth a retry: %v", what, err)
		}
		x.Settle()
	}
	want := x.Ours.Spec(0)
	again("create", func() error { return x.ours.Create(x.Context(), resource.Of(want)) })
	if x.Staged {
		x.converge(x.ours, want)
	}
	x.inSync(x.ours, want)

	edited := x.Edits[0].Do(x.Ours.Spec(0))
	o := x.see(x.ours, edited)
	again("update", func() error { return x.ours.Update(x.Context(), resource.Of(edited), o, o.Diff) })
	o = x.inSync(x.ours, edited)
	if o.Lifetime == resource.Permanent {
		return
	}

	again("delete", func() error { return x.ours.Delete(x.Context(), o, false) })
	x.remove(x.ours, edited)
}

func (x *trial[S]) guarded() {
	if !x.Guarded {
		return // the provider offers nothing to guard a write with
	}
	x.make(0)
	want := x.Edits[0].Do(x.Ours.Spec(0))
	old := x.see(x.ours, want)
	x.Foreign.Do(x.T, x.Ours.Spec(0))
	x.Settle()
	now := x.see(x.ours, want)
	err := x.ours.Update(x.Context(), resource.Of(want), old, old.Diff)
	if err == nil {
		x.Fatal("it has changed since the look on which this update was decided, and the update went through")
	}
	if errors.Is(err, resource.ErrRejected) || errors.Is(err, resource.ErrUnavailable) {
		x.Fatalf("another look makes it good, so this is to be retried: %v", err)
	}
	x.Settle()
	if o := x.see(x.ours, want); o.Version != now.Version {
		x.Fatal("the update was refused and has changed something all the same")
	}
	x.converge(x.ours, want)
}

func (x *trial[S]) cancelled() {
	want, o := x.make(0)
	edited := x.Edits[0].Do(x.Ours.Spec(0))
	drift := x.see(x.ours, edited).Diff
	calls := map[string]func(context.Context) error{
		"observe": func(ctx context.Context) error {
			_, err := x.ours.Observe(ctx, resources([]S{want}), true)
			return err
		},
		"create": func(ctx context.Context) error { return x.ours.Create(ctx, resource.Of(x.Ours.Spec(1))) },
		"update": func(ctx context.Context) error { return x.ours.Update(ctx, resource.Of(edited), o, drift) },
		"delete": func(ctx context.Context) error { return x.ours.Delete(ctx, o, false) },
	}
	done, cancel := context.WithCancel(x.Context())
	cancel()
	for name, call := range calls {
		x.returns(name+" with a context that is done", done, call)
	}
	x.Settle()
	if x.Hang == nil {
		return
	}
	x.Hang(true)
	for name, call := range calls {
		ctx, cancel := context.WithTimeout(x.Context(), 50*time.Millisecond)
		if err := x.returns(name+" without an answer", ctx, call); err == nil && name != "observe" {
			x.Errorf("%s got no answer and reports success", name)
		}
		cancel()
	}
	x.Hang(false)
	x.Settle()
}

// returns fails unless call returns long before a person would give up on it. In a synctest bubble that costs no time.
func (x *trial[S]) returns(what string, ctx context.Context, call func(context.Context) error) error {
	x.Helper()
	answer := make(chan error, 1)
	go func() { answer <- call(ctx) }()
	select {
	case err := <-answer:
		return err
	case <-time.After(10 * time.Second):
		x.Fatalf("%s did not return within 10 s", what)
		return nil
	}
}

func (x *trial[S]) sideBySide() {
	all := func(what string, do func(n int) error) {
		x.Helper()
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				if err := do(n); err != nil {
					x.Errorf("%s of sample %d beside seven others: %v", what, n, err)
				}
			})
			wg.Go(func() {
				if _, err := x.ours.Observe(x.Context(), resources([]S{x.Ours.Spec(n)}), n%2 == 0); err != nil {
					x.Errorf("observe beside %s: %v", what, err)
				}
			})
		}
		wg.Wait()
		x.Settle()
		if x.Failed() {
			x.FailNow()
		}
	}
	all("create", func(n int) error { return x.ours.Create(x.Context(), resource.Of(x.Ours.Spec(n))) })
	for n := 0; x.Staged && n < 8; n++ {
		x.converge(x.ours, x.Ours.Spec(n))
	}
	edited := func(n int) S { return x.Edits[0].Do(x.Ours.Spec(n)) }
	all("update", func(n int) error {
		sight, err := x.ours.Observe(x.Context(), resources([]S{edited(n)}), false)
		if err != nil {
			return err
		}
		o, ok := find(sight, edited(n).Ref())
		if !ok {
			return errors.New("not seen")
		}
		return x.ours.Update(x.Context(), resource.Of(edited(n)), o, o.Diff)
	})
	var live [8]resource.Observation
	for n := range live {
		live[n] = x.converge(x.ours, edited(n))
	}
	if live[0].Lifetime == resource.Permanent {
		return
	}
	all("delete", func(n int) error { return x.ours.Delete(x.Context(), live[n], false) })
	for n := range live {
		x.remove(x.ours, edited(n))
	}
}
