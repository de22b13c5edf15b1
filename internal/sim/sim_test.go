package sim_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// world is a cloud with one stack's drivers, and short words for what the tests do to it.
type world struct {
	*testing.T
	*sim.Cloud
	driver *sim.Driver[box]
}

func newWorld(t *testing.T, delays map[string]sim.Delay) world {
	cloud := &sim.Cloud{Delays: delays}
	return world{t, cloud, sim.NewDriver[box](cloud, "mine")}
}

func (w world) see(b box) (resource.Live[box], bool) {
	w.Helper()
	seen, err := w.driver.Observe(w.Context(), []box{b}, false)
	if err != nil {
		w.Fatal(err)
	}
	if len(seen.Live) == 0 {
		return resource.Live[box]{}, false
	}
	return seen.Live[0], true
}

func (w world) create(b box) error { return w.driver.Create(w.Context(), b) }

// update as the engine does: look, decide, write.
func (w world) update(b box) error {
	w.Helper()
	live, _ := w.see(b)
	return w.driver.Update(w.Context(), b, live.Spec, b.Diff(live.Spec))
}

func (w world) remove(b box, replace bool) error {
	w.Helper()
	live, _ := w.see(b)
	return w.driver.Delete(w.Context(), live.Spec, replace)
}

func (w world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// refused checks the error and that the refusal is, or is not, laid to the caller's charge.
func (w world) refused(why string, err error, is error, charged int) {
	w.Helper()
	if err == nil {
		w.Fatalf("%s: and the cloud did it", why)
	}
	for _, class := range []error{resource.ErrRejected, resource.ErrUnavailable} {
		if got := errors.Is(err, class); got != (class == is) {
			w.Fatalf("%s: the error should be of class %v: %v", why, is, err)
		}
	}
	if got := len(w.Refusals()); got != charged {
		w.Fatalf("%s: %d refusals should be on record: %q", why, charged, w.Refusals())
	}
}

func (w world) state(b box, state resource.State, locked bool, detail string) {
	w.Helper()
	l, ok := w.see(b)
	if !ok {
		w.Fatalf("%v is not there", b.Ref())
	}
	if l.State != state || l.Locked != locked || !strings.HasPrefix(l.Detail, detail) {
		w.Fatalf("%v should be %v, locked %v, %q, and is %v, locked %v, %q", b.Ref(), state, locked, detail, l.State, l.Locked, l.Detail)
	}
}

func TestTheCloudTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]sim.Delay{"vm": {Create: 10 * time.Minute, Update: time.Minute, Delete: 5 * time.Minute, Start: 30 * time.Second}})
		vm := box{Kind: "vm", Name: "a"}
		w.ok(w.create(vm))
		w.state(vm, resource.Pending, true, "being created since 00:00:00")
		w.refused("no write to what is being created", w.update(box{Kind: "vm", Name: "a", Size: 2}), nil, 1)
		w.refused("no removal of what is being created", w.remove(vm, false), nil, 2)
		time.Sleep(10 * time.Minute)
		w.state(vm, resource.Pending, false, "starting")
		vm.Size = 2
		w.ok(w.update(vm)) // a rollout takes a new spec
		w.state(vm, resource.Busy, false, "being changed")
		w.refused("no write to what is being changed", w.update(box{Kind: "vm", Name: "a", Size: 3}), nil, 3)
		time.Sleep(time.Minute)
		w.state(vm, resource.Pending, false, "starting")
		time.Sleep(30 * time.Second)
		w.state(vm, resource.Ready, false, "")
		w.ok(w.remove(vm, false))
		w.state(vm, resource.Pending, true, "being removed since 00:11:30")
		w.refused("the name is taken until it is gone", w.create(vm), nil, 3)
		time.Sleep(5 * time.Minute)
		if _, ok := w.see(vm); ok {
			t.Fatal("it was removed five minutes ago")
		}
	})
}

func TestWhatCloudsRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]sim.Delay{"net": {Create: time.Minute}})
		net := box{Kind: "net", Name: "n"}
		vm := box{Kind: "vm", Name: "v", In: net.Ref(), Place: "here"}
		app := box{Kind: "app", Name: "x", On: []resource.Ref{vm.Ref()}}

		w.refused("nothing is made in what is absent", w.create(vm), resource.ErrUnavailable, 1)
		w.ok(w.create(net))
		w.refused("nor in what is not ready", w.create(vm), resource.ErrUnavailable, 2)
		time.Sleep(time.Minute)
		w.ok(w.create(vm))
		w.ok(w.create(app))
		w.refused("nor twice", w.create(vm), nil, 2)
		w.refused("nor what is invalid", w.create(box{Kind: "vm", Name: "bad", Size: -1}), resource.ErrRejected, 2)

		w.refused("what is immutable stays", w.update(box{Kind: "vm", Name: "v", In: net.Ref(), Place: "there"}), resource.ErrRejected, 3)
		live, _ := w.see(vm)
		w.refused("also if the difference is kept from the cloud", w.driver.Update(t.Context(), box{Kind: "vm", Name: "v", In: net.Ref(), Place: "there"},
			live.Spec, []resource.Change{{Field: "size"}}), resource.ErrRejected, 4)
		w.refused("nothing invalid is written", w.update(box{Kind: "app", Name: "x", Size: -1}), resource.ErrRejected, 4)
		w.refused("nor what is absent", w.update(box{Kind: "app", Name: "none", Size: 1}), nil, 4)

		w.refused("nothing goes while something lives in it", w.remove(net, true), nil, 5)
		w.refused("nor while something stands on it", w.remove(vm, false), nil, 6)
		w.ok(w.remove(vm, true)) // unless another of its name is to follow
		w.ok(w.remove(app, false))

		w.ok(w.Put(box{Kind: "vm", Name: "alien", In: net.Ref()}, ""))
		w.refused("nor while another's lives in it, which the caller does not see", w.remove(net, false), nil, 6)
		w.ok(w.Remove(box{Kind: "vm", Name: "alien"}.Ref()))
		w.ok(w.remove(net, false))
		if things := w.Things(); len(things) > 0 {
			t.Fatalf("all was removed, and this is left: %v", things)
		}
	})
}

func TestWhatTheEngineMustNeverAskFor(t *testing.T) {
	cases := []struct {
		why  string
		do   func(w world) error
		want string
	}{
		{"the removal of another's", func(w world) error {
			w.ok(w.Put(box{Kind: "db", Name: "a"}, "theirs"))
			return w.remove(box{Kind: "db", Name: "a"}, false)
		}, `stack mine: delete db/a: it belongs to "theirs"`},
		{"the removal of what is protected", func(w world) error {
			w.ok(w.create(box{Kind: "db", Name: "a", Keeps: true}))
			return w.remove(box{Kind: "db", Name: "a"}, false)
		}, "stack mine: delete db/a: it is protected"},
		{"an update of nothing", func(w world) error {
			w.ok(w.create(box{Kind: "db", Name: "a"}))
			return w.update(box{Kind: "db", Name: "a"})
		}, "stack mine: update db/a: there is nothing to change"},
		{"but not the removal of what is marked", func(w world) error {
			db := box{Kind: "db", Name: "a", Keeps: true}
			w.ok(w.create(db))
			live, _ := w.see(db)
			w.ok(w.driver.Update(w.Context(), db, live.Spec, []resource.Change{{Field: resource.FieldUnprotected, Want: "0123", Mark: true}}))
			return w.remove(db, false)
		}, ""},
		{"nor an update that takes over", func(w world) error {
			w.ok(w.Put(box{Kind: "db", Name: "a"}, ""))
			return w.update(box{Kind: "db", Name: "a"})
		}, ""},
	}
	for _, c := range cases {
		w := newWorld(t, nil)
		w.ok(c.do(w)) // a cloud does it: it is the engine that must know
		if got := strings.Join(w.Violations(), "; "); got != c.want {
			t.Errorf("%s: on record should be %q and is %q", c.why, c.want, got)
		}
	}
}

func TestAnUpdateLeavesWhatIsNotDeclared(t *testing.T) {
	w := newWorld(t, nil)
	b := box{Kind: "db", Name: "a", Size: 1, Labels: map[string]string{"ours": "1"}}
	w.ok(w.create(b))
	green := "green"
	edit(t, w.Cloud, b.Ref(), func(b *box) { b.Size, b.Colour, b.Labels = 9, &green, map[string]string{"theirs": "2"} })
	w.ok(w.update(b))
	l, _ := w.see(b)
	if l.Spec.Size != 1 || l.Spec.Labels["ours"] != "1" {
		t.Errorf("what is declared should be put back: %+v", l.Spec)
	}
	if l.Spec.Colour == nil || *l.Spec.Colour != "green" || l.Spec.Labels["theirs"] != "2" {
		t.Errorf("what is not declared should be left as it was: %+v", l.Spec)
	}
}

func TestNobodyHoldsTheCloudsOwnCopy(t *testing.T) {
	w := newWorld(t, nil)
	b := box{Kind: "db", Name: "a", Labels: map[string]string{"k": "v"}}
	w.ok(w.create(b))
	b.Labels["k"] = "changed by the caller"
	l, _ := w.see(b)
	l.Spec.Labels["k"] = "changed by an observer"
	w.Things()[0].Spec.(box).Labels["k"] = "changed by an onlooker"
	if l, _ := w.see(b); l.Spec.Labels["k"] != "v" {
		t.Errorf("the cloud should hold what it was given: %+v", l.Spec)
	}
}

func TestTheForeignHand(t *testing.T) {
	w := newWorld(t, nil)
	net := box{Kind: "net", Name: "n"}
	vm := box{Kind: "vm", Name: "v", In: net.Ref()}
	w.ok(w.create(net))
	w.ok(w.create(vm))
	w.ok(w.Break(vm.Ref(), "image not found"))
	w.state(vm, resource.Broken, false, "image not found")
	vm.Size = 1
	w.ok(w.update(vm))
	w.state(vm, resource.Ready, false, "")
	w.ok(w.Relabel(vm.Ref(), ""))
	if l, _ := w.see(vm); l.Owned {
		t.Error("its mark was taken, and it is still called ours")
	}
	before := w.Writes()
	w.ok(w.Remove(net.Ref()))
	if things := w.Things(); len(things) > 0 {
		t.Errorf("what lives in a thing goes with it: %v", things)
	}
	if w.Writes() != before {
		t.Error("what a foreign hand does is no call")
	}
	if err := w.Edit(vm.Ref(), func(s any) any { return s }); err == nil {
		t.Error("there is nothing to edit")
	}
}
