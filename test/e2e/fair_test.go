package e2e_test

import (
	"fmt"
	"testing"
	"time"
)

// One stack whose every call hangs, and one whose every call fails, delay no other; and what hangs ends within its time limits: when its
// settings change, when it leaves the configuration, and when the daemon stops. The bounds are wide: what is to be noticed is a wait for the
// limit of a call, not a busy machine.
func TestStacksInTroubleDelayNoOther(t *testing.T) {
	f := newFleet(t, "e2e-fair", 6)
	hanging, failing := f.stray("e2e-fair-hangs"), f.stray("e2e-fair-fails")
	all := append([]*member{hanging, failing}, f.members...)
	f.configureFleet(all...)
	f.start()
	f.settle(all...)
	f.hang(hanging)
	f.fail(failing)

	took := f.pushes("in company", 3, f.members...)
	if longest := took[len(took)-1]; longest > fleetTimeout/2 {
		t.Errorf("a commit of a stack that is well took %s to its write; all: %s", longest, took)
	}
	limit := 2*fleetTimeout + 5*time.Second // a look, the steps that have begun, and a slow machine
	gone := func(m *member) func() error {
		return func() error {
			n, err := f.metric("recsysd_last_pass_timestamp_seconds", `stack="`+m.name+`"`)
			if err == nil && n != 0 {
				err = fmt.Errorf("%s is still there", m.name)
			}
			return err
		}
	}
	began := time.Now()
	f.configureFleet(append([]*member{failing}, f.members...)...)
	f.within(limit, "the stack that hangs leaves", gone(hanging))
	t.Logf("it left after %s", time.Since(began))
	took = f.pushes("without it", 1, f.members...)
	if longest := took[len(took)-1]; longest > fleetTimeout/2 {
		t.Errorf("after a reload a commit took %s to its write", longest)
	}

	// Back again, and hanging from its first call on.
	caught := hanging.caught()
	f.configureFleet(all...)
	select {
	case <-caught:
	case <-time.After(limit):
		t.Fatal("the stack that hangs did not come back")
	}
	began = time.Now()
	if err := f.stop(); err != nil || time.Since(began) > limit {
		t.Errorf("the daemon took %s to stop: %v", time.Since(began), err)
	}

	hanging.proxy.Refuse(nil)
	hanging.git.Misbehave(nil)
	failing.proxy.Refuse(nil)
	failing.git.Misbehave(nil)
	f.start()
	f.settle(all...)
}
