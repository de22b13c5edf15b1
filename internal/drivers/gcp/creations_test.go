package gcp_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

func TestCreationsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c gcp.Creations
		attempt := func() {
			c.Begin("x", "spec", gcp.Creation{Operation: "op", Location: "here", Began: time.Now()})
			if _, ok := c.Begun("x", "HERE"); !ok {
				t.Fatal("it was begun")
			}
			if _, ok := c.Begun("x", "there"); ok {
				t.Error("the one there was not")
			}
			c.Fail("x", "no\ncapacity")
			c.Fail("x", "told twice")
		}
		// Each failure in a row doubles the pause, up to half an hour.
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			attempt()
			time.Sleep(pause*time.Minute - time.Second)
			if err := c.Ready("x", "spec"); err == nil || !strings.Contains(err.Error(), "no capacity") {
				t.Errorf("pause of %d minutes: too early, and the reason should be told: %v", pause, err)
			}
			if err := c.Ready("x", "another spec"); err != nil {
				t.Errorf("another spec is another matter: %v", err)
			}
			if err := c.Ready("y", "spec"); err != nil {
				t.Errorf("another name as well: %v", err)
			}
			time.Sleep(2 * time.Second)
			if err := c.Ready("x", "spec"); err != nil {
				t.Errorf("pause of %d minutes: over: %v", pause, err)
			}
		}
		c.Forget("x")
		attempt()
		time.Sleep(time.Minute)
		if err := c.Ready("x", "spec"); err != nil {
			t.Errorf("a success ends the row: %v", err)
		}
	})
}
