package gke

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Each answer serves each reader once, and nobody after a write or when it is old.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[int]
		reads := 0
		get := func(reader string) int {
			t.Helper()
			n, err := s.get(t.Context(), reader, func(context.Context) int { reads++; return reads })
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, step := range []struct {
			reader string
			want   int
			before func()
			why    string
		}{
			{"cluster", 1, func() {}, "there is nothing yet"},
			{"nodepool", 1, func() {}, "the other kind of the same pass"},
			{"nodepool", 2, func() {}, "the next pass, begun by the other kind"},
			{"cluster", 2, func() {}, "and joined"},
			{"cluster", 3, func() {}, "a look of its own"},
			{"nodepool", 4, s.forget, "something was written since"},
			{"cluster", 5, func() { time.Sleep(shareable) }, "what was read has grown old"},
		} {
			step.before()
			if got := get(step.reader); got != step.want {
				t.Errorf("%s: %s: want reading %d, have %d", step.reader, step.why, step.want, got)
			}
		}
	})
}

// Side by side there is one request. Who waits for it waits no longer than its own context, and asks itself if the other gave up.
func TestSharedSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s shared[string]
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answers := make(chan string, 2)
		go func() {
			n, _ := s.get(hurried, "cluster", func(ctx context.Context) string { <-ctx.Done(); return "nothing" })
			answers <- n
		}()
		synctest.Wait()
		go func() {
			n, err := s.get(t.Context(), "nodepool", func(context.Context) string { return "all" })
			if err != nil {
				t.Error(err)
			}
			answers <- n
		}()
		impatient, cancelToo := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancelToo()
		if _, err := s.get(impatient, "third", func(context.Context) string { t.Error("one is under way"); return "" }); err == nil {
			t.Error("it should give up with its own context")
		}
		if a, b := <-answers, <-answers; a+b != "nothingall" && a+b != "allnothing" {
			t.Errorf("who waited should have asked itself: %q %q", a, b)
		}
	})
}
