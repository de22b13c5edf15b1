package sim_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/sim"
)

func TestFaults(t *testing.T) {
	w := newWorld(t, nil)
	lost := errors.New("connection reset")
	b := box{Kind: "db", Name: "a"}
	w.SetFault(func(c sim.Call) sim.Fault { return sim.Fault{Err: lost, After: c.N == 1} })
	for n, there := range []bool{false, true} {
		if err := w.create(b); !errors.Is(err, lost) {
			t.Fatalf("call %d should fail: %v", n, err)
		}
		if got := len(w.Things()) == 1; got != there {
			t.Fatalf("after call %d it should exist: %v", n, there)
		}
	}
	if w.Calls(sim.Create) != 2 || w.Writes() != 2 {
		t.Errorf("both calls have reached the cloud: %d, %d", w.Calls(sim.Create), w.Writes())
	}

	count := func(seed uint64) (bad, after int) {
		f := sim.OneIn(4, seed, lost)
		for n := range 4000 {
			if x := f(sim.Call{Op: sim.Get, Ref: b.Ref(), N: n}); x.Err != nil {
				bad++
				if x.After {
					after++
				}
			}
		}
		return bad, after
	}
	bad, after := count(1)
	if bad < 900 || bad > 1100 || after < bad*2/5 || after > bad*3/5 {
		t.Errorf("of 4000 calls about 1000 should fail, half of them after their effect: %d, %d", bad, after)
	}
	if again, _ := count(1); again != bad {
		t.Error("the same seed should give the same faults")
	}
}

func TestEveryWriteIsAccountedFor(t *testing.T) {
	var log []string
	w := newWorld(t, nil)
	w.OnWrite = func(x sim.Write) {
		log = append(log, fmt.Sprintf("%s %v owner=%q unprotected=%q replace=%v err=%v", x.Op, x.Ref, x.Owner, x.Unprotected, x.Replace, x.Err))
	}
	b := box{Kind: "db", Name: "a"}
	w.ok(w.create(b))
	w.create(b)
	w.ok(w.remove(b, true))
	want := []string{
		`create db/a owner="" unprotected="" replace=false err=<nil>`,
		`create db/a owner="mine" unprotected="" replace=false err=create db/a: it exists already`,
		`delete db/a owner="mine" unprotected="" replace=true err=<nil>`,
	}
	if got := strings.Join(log, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the account should be\n%s\nand is\n%s", strings.Join(want, "\n"), got)
	}
}
