package kube

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// looks remembers how each wanted object was last found. As long as neither the live object nor what is wanted has changed, and the API
// server need not be asked again, the next look comes to the same. A manifest is known again by its address, which cannot pass to
// another as long as it is held here.
type looks struct {
	mu   sync.Mutex
	last map[uintptr]*looked
	turn int // of whole looks
}

type looked struct {
	want  Object
	key   string // in the watch's store
	watch *watch
	live  *item
	until time.Time
	dry   *prediction
	found *resource.Live[Object]
	turn  int // when it last was asked for
}

func address(o *Object) uintptr { return reflect.ValueOf(o.Manifest).Pointer() }

// again is how want was last found, if that holds; nil if it is to be looked at.
func (s *looks) again(want *Object, now time.Time) *looked {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last[address(want)]
	if last == nil || !now.Before(last.until) || !last.want.asks(want) {
		return nil
	}
	last.turn = s.turn
	return last
}

// asks reports whether two wanted objects of one manifest want the same.
func (o *Object) asks(p *Object) bool {
	return o.Asleep == p.Asleep && o.Until.Equal(p.Until) && o.Wakes.Equal(p.Wakes) && o.IfAbsent == p.IfAbsent && o.Floor == p.Floor &&
		o.Source == p.Source && o.Awaits == p.Awaits && o.Definition == p.Definition && o.Cluster == p.Cluster && o.Billing == p.Billing &&
		o.byHand == p.byHand && slices.Equal(o.Generate, p.Generate) && slices.Equal(o.leave, p.leave)
}

// note remembers a look, unless the next one might come to something else although nothing has changed: where time has a say in it, or
// the tags of a registry, or the pods of what is not ready. It returns what is found: what was found before, if that says the same.
func (s *looks) note(want *Object, w *watch, live *item, found *resource.Live[Object], p *prediction) *resource.Live[Object] {
	notes := live.object.GetAnnotations()
	timed := notes[AnnotationAwakeUntil] != "" || notes[AnnotationAsleepUntil] != ""
	byPods := found.State == resource.Pending || found.State != live.state
	if p.until.IsZero() || byPods || timed || len(want.Images) > 0 || want.seen != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.last, address(want))
		return found
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[uintptr]*looked{}
	}
	last := s.last[address(want)]
	if last != nil && last.watch == w && last.live == live && last.want.asks(want) && last.dry.says(p) &&
		last.found.State == found.State && last.found.Detail == found.Detail {
		found = last.found
	}
	s.last[address(want)] = &looked{*want, key(live.object), w, live, p.until, p, found, s.turn}
	return found
}

// of is the last look at a wanted object; nil if it is not remembered.
func (s *looks) of(want *Object) *looked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[address(want)]
}

// says reports whether two answers to the same question are the same.
func (p *prediction) says(q *prediction) bool {
	a, b := *p, *q
	a.until, b.until = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}

// whole ends a look at everything that is wanted: what was not asked for in it is forgotten.
func (s *looks) whole() {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.last, func(_ uintptr, l *looked) bool { return l.turn != s.turn })
	s.turn++
}
