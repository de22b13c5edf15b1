package catalog_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/image/catalog"
)

func TestOneListingPerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		c := catalog.New(t.Context(), func(context.Context, image.Repository) (map[string][]image.Tag, error) {
			time.Sleep(time.Second) // all the others ask meanwhile
			asked.Add(1)
			return map[string][]image.Tag{"api": {{Name: "1.0.0"}}}, nil
		}, time.Minute, 2*time.Second)
		defer c.Close()
		one, two := image.Repository{Name: "one"}, image.Repository{Name: "two"}
		for interval := range 3 {
			var asking sync.WaitGroup
			for range 8 {
				asking.Go(func() {
					if l := c.Look(t.Context(), one); !l.Known() || len(l.Tags["api"]) != 1 {
						t.Errorf("not known: %+v", l)
					}
				})
			}
			asking.Wait()
			if n := asked.Load(); n != int32(interval+1) {
				t.Fatalf("%d listings in %d intervals", n, interval+1)
			}
			time.Sleep(time.Minute)
		}
		c.Look(t.Context(), two)
		if n := asked.Load(); n != 4 {
			t.Errorf("another repository is another listing: %d", n)
		}
	})
}

func TestTroubleKeepsWhatWasKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fault error
		asked := 0
		c := catalog.New(t.Context(), func(context.Context, image.Repository) (map[string][]image.Tag, error) {
			asked++
			if fault != nil {
				return map[string][]image.Tag{"api": {}}, fault // half of an answer
			}
			return map[string][]image.Tag{"api": {{Name: "1.0.0"}}}, nil
		}, time.Minute, 0)
		defer c.Close()
		r := image.Repository{Name: "one"}
		fault = errors.New("permission denied")
		if l := c.Look(t.Context(), r); l.Known() || l.Err == nil {
			t.Errorf("nothing was ever known: %+v", l)
		}
		c.Look(t.Context(), r)
		if asked != 1 {
			t.Errorf("a listing that failed is tried again in the next interval, and was %d times", asked)
		}
		fault = nil
		time.Sleep(time.Minute)
		if l := c.Look(t.Context(), r); !l.Known() || l.Err != nil || time.Until(l.Until) != time.Minute {
			t.Errorf("now it is known, for a minute: %+v", l)
		}
		fault = errors.New("away")
		time.Sleep(time.Minute)
		if l := c.Look(t.Context(), r); len(l.Tags["api"]) != 1 || l.Err == nil {
			t.Errorf("what was known stays, with the reason: %+v", l)
		}
		// Somebody who gives up takes nothing away from the others.
		fault = nil
		time.Sleep(time.Minute)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		c.Look(gone, r)
		if l := c.Look(t.Context(), r); l.Err != nil {
			t.Errorf("another's end is not the registry's: %v", l.Err)
		}
	})
}

// A registry that hangs keeps whoever asks for a moment, once in an interval, and takes nothing from what is known.
func TestARegistryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, takes := 0, 20*time.Second
		c := catalog.New(t.Context(), func(ctx context.Context, _ image.Repository) (map[string][]image.Tag, error) {
			asked++
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(takes):
				return map[string][]image.Tag{"api": {{Name: "1.0.0"}}}, nil
			}
		}, time.Minute, 2*time.Second)
		r := image.Repository{Name: "one"}
		look := func(known bool, waits time.Duration) image.Listing {
			t.Helper()
			began := time.Now()
			l := c.Look(t.Context(), r)
			if waited := time.Since(began); l.Known() != known || waited != waits {
				t.Errorf("known %t after %s, want %t after %s", l.Known(), waited, known, waits)
			}
			return l
		}
		if l := look(false, 2*time.Second); l.Err == nil || time.Until(l.Until) != 5*time.Second {
			t.Errorf("nothing is known, which is worth asking again soon: %+v", l)
		}
		look(false, 0)
		time.Sleep(takes)
		if l := look(true, 0); l.Err != nil || asked != 1 {
			t.Errorf("%d listings, %v", asked, l.Err)
		}
		time.Sleep(time.Minute)
		takes = time.Hour
		if l := look(true, 2*time.Second); l.Err != nil || len(l.Tags["api"]) != 1 {
			t.Errorf("what is known stays: %+v", l)
		}
		if err := c.Close(); err != nil { // and the bubble would not end with a listing that goes on
			t.Error(err)
		}
	})
}
