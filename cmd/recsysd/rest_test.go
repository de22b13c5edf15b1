package main

import (
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// resting is a workload's Deployment that is awake by now and that its schedule next wakes then, if it has one.
func resting(name string, wakes time.Time, uses ...string) resource.Resource {
	r := resource.Resource{Ref: resource.Ref{Kind: "Deployment", Name: name}, Entry: "workloads." + name, Rest: &resource.Rest{Wakes: wakes}}
	for _, u := range uses {
		r.Needs = append(r.Needs, resource.Need{Ref: resource.Ref{Kind: "Deployment", Name: u}})
	}
	return r
}

func TestHowLongASleepByHandHolds(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	morning, noon := now.Add(18*time.Hour), now.Add(24*time.Hour)
	never := time.Time{}
	for _, c := range []struct {
		reason   string
		mlflow   time.Time // when the schedule of what is named wakes it
		api      time.Time // and of what uses it
		length   time.Duration
		ml, user time.Time // until when they sleep; zero: for good
	}{
		{"what has no schedule wakes with what it was put to sleep for", morning, never, 0, morning, morning},
		{"what has one goes by it", morning, noon, 0, morning, noon},
		{"where nothing has one, both sleep until they are woken", never, never, 0, never, never},
		{"a time that is said is everybody's", morning, never, time.Hour, now.Add(time.Hour), now.Add(time.Hour)},
	} {
		last := reconcile.Pass{Want: []resource.Resource{resting("mlflow", c.mlflow), resting("api", c.api, "mlflow"), resting("redis", never)}}
		words, err := restOrder(last, control.Rest{Workload: "mlflow", Asleep: true, For: c.length}, now)
		if err != nil || len(words) != 2 {
			t.Errorf("%s: what uses it, and it: %v %v", c.reason, words, err)
			continue
		}
		if words[0].of.Ref.Name != "api" || !words[0].by.Until.Equal(c.user) || !words[1].by.Until.Equal(c.ml) {
			t.Errorf("%s: api until %s, mlflow until %s; want %s and %s", c.reason, words[0].by.Until, words[1].by.Until, c.user, c.ml)
		}
	}
}

// Nothing is noted on what is awake anyway: it would read as if it slept afterwards.
func TestWhatIsAwakeForEverNeedsNoWaking(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	api := resting("api", time.Time{})
	order := control.Rest{Workload: "api", For: time.Hour}
	if words, err := restOrder(reconcile.Pass{Want: []resource.Resource{api}}, order, now); err != nil || len(words) != 0 {
		t.Errorf("awake for ever: %v, %v", words, err)
	}
	api.Rest.Until = now.Add(8 * time.Hour)
	words, err := restOrder(reconcile.Pass{Want: []resource.Resource{api}}, order, now)
	if err != nil || len(words) != 1 || !words[0].by.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("awake until the evening: %v, %v", words, err)
	}
}

// What was ordered is told in the zone of the schedule, as status tells it.
func TestAnOrderIsToldInTheZoneOfItsSchedule(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	w := word{of: resting("api", now.Add(19*time.Hour).In(berlin)), by: resource.Rest{Asleep: true, ByHand: true, Until: now.Add(time.Hour)}}
	if got := w.says(now); got != "asleep until Wed 2026-11-25 14:00 CET, by hand" {
		t.Error(got)
	}
}
