package main

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// News that come while nobody has time are one kick, which names each resource once; and a kick without refs, which means everything, comes
// only of news about everything.
func TestInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newInbox()
		ctx, cancel := context.WithCancel(t.Context())
		busy := make(chan struct{})
		var got []reconcile.Kick
		done := make(chan error, 1)
		go func() {
			done <- b.forward(ctx, func(_ context.Context, k reconcile.Kick) bool {
				got = append(got, k)
				<-busy
				return true
			})
		}()
		one, two := resource.Ref{Kind: "Service", Name: "n/one"}, resource.Ref{Kind: "Service", Name: "n/two"}
		b.put("a watch saw a change", one)
		synctest.Wait()
		for range 1000 { // a flapping object
			b.put("a watch saw a change", two)
			b.put("a watch saw a change", one)
		}
		busy <- struct{}{}
		synctest.Wait()
		close(busy)
		synctest.Wait()
		b.full <- struct{}{} // a sign whose news went with the one before
		synctest.Wait()
		b.put("news from Git")
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(got) != 3 || !slices.Equal(got[0].Refs, []resource.Ref{one}) || !slices.Equal(got[1].Refs, []resource.Ref{one, two}) || got[2].Refs != nil {
			t.Errorf("kicks: %+v", got)
		}
	})
}
