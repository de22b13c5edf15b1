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
		c := catalog.Catalog{Every: time.Minute, List: func(context.Context, image.Repository) (map[string][]image.Tag, error) {
			time.Sleep(time.Second) // all the others ask meanwhile
			asked.Add(1)
			return map[string][]image.Tag{"api": {{Name: "1.0.0"}}}, nil
		}}
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
		c := catalog.Catalog{Every: time.Minute, List: func(context.Context, image.Repository) (map[string][]image.Tag, error) {
			asked++
			if fault != nil {
				return map[string][]image.Tag{"api": {}}, fault // half of an answer
			}
			return map[string][]image.Tag{"api": {{Name: "1.0.0"}}}, nil
		}}
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
		time.Sleep(time.Minute)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		fault = context.Canceled
		c.Look(gone, r)
		fault = nil
		if l := c.Look(t.Context(), r); l.Err != nil {
			t.Errorf("another's end is not the registry's: %v", l.Err)
		}
	})
}
