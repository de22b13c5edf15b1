package main

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/gitwrite"
	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/reconcile"
)

// behind is a writer of a stack whose only tag is behind its policy.
func behind(t *testing.T, push string) *writeBack {
	t.Helper()
	policy, err := image.Versions("^1.0")
	if err != nil {
		t.Fatal(err)
	}
	return &writeBack{
		stack: config.Stack{Git: config.Git{Branch: "main"}}, git: gitwrite.Config{Push: push}, log: zap.NewNop(),
		due: make(chan struct{}, 1), missing: map[string]time.Time{},
		followed: []desired.Followed{{Workload: "api", Image: "recsys-api", Tag: "v1.0.1", Choice: image.Choice{
			Policy: policy, Path: "images/recsys-api", Known: true, Tags: []image.Tag{{Name: "v1.0.1"}, {Name: "v1.0.2"}},
		}}},
	}
}

// asks reports whether a pass of now has something written.
func (w *writeBack) asks() bool {
	w.passed(reconcile.Pass{Attempted: "1a2b3c", End: time.Now()})
	select {
	case <-w.due:
		return true
	default:
		return false
	}
}

func TestAProposalIsLookedForAgain(t *testing.T) {
	for _, c := range []struct {
		push  string
		again bool
		why   string
	}{
		{"image-updates", true, "nobody tells when a branch of proposals is deleted"},
		{"main", false, "what is pushed to the followed branch comes back with the next pass"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := behind(t, c.push)
			if !w.asks() {
				t.Fatalf("%s: a tag that is behind is not written", c.push)
			}
			w.account(w.wanted, nil)
			time.Sleep(lookAgain - time.Second)
			if w.asks() {
				t.Errorf("%s: it is written twice", c.push)
			}
			time.Sleep(time.Second)
			if w.asks() != c.again {
				t.Errorf("%s: looked at again after %v: %v, want %v: %s", c.push, lookAgain, !c.again, c.again, c.why)
			}
		})
	}
}

func TestWhetherTagsCanBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		says := func(w *writeBack, wantUp, wantOn bool, why string) {
			t.Helper()
			if up, on := w.up(); up != wantUp || on != wantOn {
				t.Errorf("%s: up %v, on %v, want %v, %v", why, up, on, wantUp, wantOn)
			}
		}
		says(nil, false, false, "nobody writes")
		w := behind(t, "main")
		w.asks()
		says(w, true, true, "nothing has been tried yet")
		w.account(w.wanted, errors.New("the branch is protected"))
		says(w, false, true, "it failed")
		w.asks()
		says(w, false, true, "a pass alone mends nothing")
		w.account(w.wanted, nil)
		says(w, true, true, "it went well")
		w.account(w.wanted, errors.New("the branch is protected"))
		w.followed = nil
		w.asks()
		says(w, true, true, "a person has written the tag: there is nothing that would fail")
	})
}
