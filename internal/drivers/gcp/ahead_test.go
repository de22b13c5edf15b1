package gcp_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

func TestAheadReadsWhatTheLastLookNeeded(t *testing.T) {
	var ahead gcp.Ahead[string]
	var mu sync.Mutex
	var asked []string
	look := func(need ...string) (early []string) {
		asked = nil
		r := ahead.Begin(t.Context(), []string{"a", "b"}, func(_ context.Context, name string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, name)
			return "of " + name, nil
		})
		for _, name := range need {
			if v, err := r.Get(t.Context(), name); v != "of "+name || err != nil {
				t.Errorf("%s: %q %v", name, v, err)
			}
		}
		r.Close()
		slices.Sort(asked)
		return asked
	}
	for _, tt := range []struct {
		why        string
		need, asks []string
	}{
		{"nothing is known to be needed yet", nil, nil},
		{"what is needed is read when it is asked for", []string{"a"}, []string{"a"}},
		{"and once, though it was begun before", []string{"a", "b"}, []string{"a", "b"}},
		{"what is no longer needed was begun in vain", []string{"b"}, []string{"a", "b"}},
		{"once", []string{"b"}, []string{"b"}},
		{"what nobody asks for is waited for by Close", nil, []string{"b"}},
		{"and not begun again", nil, nil},
	} {
		if have := look(tt.need...); !slices.Equal(have, tt.asks) {
			t.Errorf("%s: asked for %q, want %q", tt.why, have, tt.asks)
		}
	}
}

func TestAheadEndsWithWhoeverWaits(t *testing.T) {
	var ahead gcp.Ahead[int]
	hangs := func(ctx context.Context, _ string) (int, error) { <-ctx.Done(); return 0, ctx.Err() }
	first := ahead.Begin(t.Context(), []string{"a"}, func(context.Context, string) (int, error) { return 1, nil })
	if _, err := first.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	first.Close()
	r := ahead.Begin(t.Context(), []string{"a"}, hangs)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever gives up does not wait: %v", err)
	}
	r.Close() // ends the read
}
