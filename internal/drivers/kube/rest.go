package kube

import (
	"context"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"recsysd.dev/recsysd/internal/resource"
)

// Annotations of sleep. The first is part of the sleeping form and declared with it. The others are a person's word: written by restManager,
// never from a manifest, and never compared.
const (
	AnnotationAsleep      = "recsysd.dev/asleep"       // "true" on what sleeps
	AnnotationAwakeUntil  = "recsysd.dev/awake-until"  // a time as RFC 3339: awake until then, whatever the schedule says
	AnnotationAsleepUntil = "recsysd.dev/asleep-until" // the same for sleep; or untilWoken
)

// untilWoken stands where a person has named no end.
const untilWoken = "woken"

// restManager is the field manager of a person's word.
const restManager = "recsysd-wake"

// sleepers are the kinds that can sleep, with the field by which they do. An autoscaler needs none: Kubernetes leaves it idle while its
// target has no replicas.
var sleepers = map[schema.GroupKind]setting{
	{Group: "apps", Kind: "Deployment"}:  {"replicas", int64(0)},
	{Group: "apps", Kind: "StatefulSet"}: {"replicas", int64(0)},
	{Group: "batch", Kind: "CronJob"}:    {"suspend", true},
}

// setting is a field of spec and its value.
type setting struct {
	field string
	value any
}

var (
	_ resource.Sleeper[Object] = Object{}
	_ resource.Waker[Object]   = (*Driver)(nil)
)

// Rest is what is wanted of the object; nil if it is of a kind that never sleeps.
func (o Object) Rest() *resource.Rest {
	if _, sleeps := sleepers[o.GVK().GroupKind()]; !sleeps {
		return nil
	}
	return &resource.Rest{Asleep: o.Asleep, Until: o.Until, Wakes: o.Wakes, ByHand: o.byHand}
}

// WithRest is the object asking for something else. Its manifest stays the one of what is awake.
func (o Object) WithRest(r resource.Rest) Object {
	if o.Rest() != nil {
		o.Asleep, o.Until, o.Wakes, o.byHand = r.Asleep, r.Until, r.Wakes, r.ByHand
	}
	return o
}

// formed is what of the manifest is wanted now: itself or, of what is to sleep, the same without pods. The manifest is not changed.
func (o Object) formed() map[string]any {
	if !o.Asleep {
		return o.Manifest
	}
	m, meta, spec := maps.Clone(o.Manifest), maps.Clone(object(o.Manifest, "metadata")), maps.Clone(object(o.Manifest, "spec"))
	if meta == nil {
		meta = map[string]any{}
	}
	if spec == nil {
		spec = map[string]any{}
	}
	notes := maps.Clone(object(meta, "annotations"))
	if notes == nil {
		notes = map[string]any{}
	}
	off := sleepers[o.GVK().GroupKind()]
	notes[AnnotationAsleep], spec[off.field] = "true", off.value
	meta["annotations"], m["metadata"], m["spec"] = notes, meta, spec
	return m
}

// heeding is a wanted object as it is wanted where a live one carries a person's word.
func (o Object) heeding(live *unstructured.Unstructured, now time.Time) Object {
	r := o.Rest()
	if r == nil {
		return o
	}
	return o.WithRest(r.Heed(word(live.GetAnnotations(), now), now))
}

// word is what a person has said on an object. A time that cannot be read says nothing. Of two words, which only a hand beside
// recsysd's can have left, the one that holds longer counts.
func word(notes map[string]string, now time.Time) resource.Rest {
	said := func(key string, asleep bool) resource.Rest {
		if asleep && notes[key] == untilWoken {
			return resource.Rest{Asleep: true, ByHand: true}
		}
		until, err := time.Parse(time.RFC3339, notes[key])
		if err != nil || !now.Before(until) {
			return resource.Rest{}
		}
		return resource.Rest{Asleep: asleep, Until: until, ByHand: true}
	}
	wake, sleep := said(AnnotationAwakeUntil, false), said(AnnotationAsleepUntil, true)
	if wake.ByHand && !(sleep.ByHand && (sleep.Until.IsZero() || sleep.Until.After(wake.Until))) {
		return wake
	}
	return sleep
}

// SetRest implements resource.Waker: it annotates the live object, at the version that was looked at or a later one of the same object.
func (d *Driver) SetRest(ctx context.Context, live Object, by resource.Rest) error {
	s, m, err := d.way(ctx, live)
	if err != nil {
		return err
	}
	if live.seen == nil {
		return fmt.Errorf("%s was not looked at", live)
	}
	notes := map[string]any{AnnotationAwakeUntil: nil, AnnotationAsleepUntil: nil}
	if by.ByHand {
		until := by.Until.UTC().Format(time.RFC3339)
		switch {
		case by.Asleep && by.Until.IsZero():
			notes[AnnotationAsleepUntil] = untilWoken
		case by.Asleep:
			notes[AnnotationAsleepUntil] = until
		default:
			notes[AnnotationAwakeUntil] = until
		}
	}
	decided := live.seen.item.object
	d.writing(s, m, live)
	now, err := s.guarded(ctx, m, decided, func(ctx context.Context, now *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return s.mark(ctx, m, now, map[string]any{"annotations": notes}, restManager)
	}, func(fresh *item) bool {
		return fresh.object.GetUID() == decided.GetUID() && !fresh.leaving
	})
	doing := "waking"
	if by.Asleep {
		doing = "putting to sleep"
	}
	return d.written(s, m, live, now, err, doing)
}

// sameWord reports whether two versions of an object carry the same word of a person.
func sameWord(a, b *unstructured.Unstructured) bool {
	for _, key := range []string{AnnotationAwakeUntil, AnnotationAsleepUntil} {
		if a.GetAnnotations()[key] != b.GetAnnotations()[key] {
			return false
		}
	}
	return true
}
