package resource

import (
	"context"
	"reflect"
	"sync"
)

// eye looks for a Kind, and knows again what it saw.
type eye[S Spec[S]] struct {
	driver Driver[S]

	mu      sync.Mutex
	asked   *question[S] // of the last look with list; nil: it came to nothing, or to nobody knows what
	last    Sight        // that, unless the driver can tell by itself whether another would come to the same
	stamp   uint64       // of it
	looking int          // looks with list that are under way
	mixed   bool         // more than one was: what the driver would compare with is not known
}

// question is what a driver is asked for. Neither it nor the slice of resources that it is for is ever changed: the same slice wants the same.
type question[S any] struct {
	first  *Resource
	n      int
	specs  []S
	wanted map[Ref]*Resource
}

// ask makes the question for what the driver owns of want.
func ask[S Spec[S]](want []Resource) *question[S] {
	q := &question[S]{n: len(want), specs: make([]S, 0, len(want)), wanted: make(map[Ref]*Resource, len(want))}
	for i := range want {
		r := &want[i]
		if s, ok := r.Spec.(S); ok {
			q.specs = append(q.specs, leaving(s, r.Ignore))
			q.wanted[r.Ref] = r
		}
	}
	if q.n > 0 {
		q.first = &want[0]
	}
	return q
}

// is reports whether q is for want. A nil one is for nothing.
func (q *question[S]) is(want []Resource) bool {
	return q != nil && q.n == len(want) && (q.n == 0 || q.first == &want[0])
}

// look is Kind.Observe.
func (e *eye[S]) look(ctx context.Context, want []Resource, list bool) (Sight, error) {
	if !list {
		return e.see(ctx, ask[S](want), false)
	}
	q := e.begin(want)
	sight, err := e.see(ctx, q, true)
	return e.end(q, sight, err)
}

// again is Kind.Again.
func (e *eye[S]) again(ctx context.Context, want []Resource) (Sight, error) {
	if driver, tells := e.driver.(Steady[S]); tells {
		e.mu.Lock()
		q, stamp, known := e.asked, e.stamp, e.asked.is(want) && e.looking == 0
		e.mu.Unlock()
		if known && driver.AsBefore(ctx, q.specs) {
			return Sight{Stamp: stamp, Spared: true}, nil
		}
	}
	return e.look(ctx, want, true)
}

// begin is before a look with list. It returns the question, which is the same as last time if the same is wanted.
func (e *eye[S]) begin(want []Resource) *question[S] {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mixed = e.mixed || e.looking > 0
	e.looking++
	if e.asked.is(want) {
		return e.asked
	}
	return ask[S](want)
}

// end is after it, and stamps what it came to.
func (e *eye[S]) end(q *question[S], sight Sight, err error) (Sight, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.looking--
	_, tells := e.driver.(Steady[S])
	switch {
	case err != nil || e.mixed:
		e.asked, e.last = nil, Sight{}
		e.mixed = e.looking > 0
		return sight, err
	case tells:
		e.asked = q
		e.stamp++
	case e.asked != q || !reflect.DeepEqual(e.last, sight):
		e.asked, e.last = q, sight
		e.stamp++
	}
	sight.Stamp = e.stamp
	return sight, nil
}

// see asks the driver, and makes of its answer what the engine sees.
func (e *eye[S]) see(ctx context.Context, q *question[S], list bool) (Sight, error) {
	seen, err := e.driver.Observe(ctx, q.specs, list)
	if err != nil {
		return Sight{}, err
	}
	sight := Sight{Unlisted: seen.Unlisted, Notices: seen.Notices, Found: make([]Observation, 0, len(seen.Live))}
	for i := range seen.Live {
		l := &seen.Live[i]
		sight.Found = append(sight.Found, observation(l, q.wanted[l.Spec.Ref()]))
	}
	return sight, nil
}
