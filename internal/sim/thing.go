package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// thing is one resource that exists.
type thing struct {
	spec        anySpec
	owner       string // the stack whose mark it carries
	unprotected string
	sick        string

	created time.Time
	made    time.Time // takes writes from then on
	idle    time.Time // not busy from then on
	started time.Time // ready from then on
	dying   time.Time // since then, unless zero
	gone    time.Time
}

// anySpec is resource.Spec without Diff, which alone needs the type.
type anySpec interface {
	Ref() resource.Ref
	Needs() []resource.Need
	Lifetime() resource.Lifetime
	Validate() error
}

// state says how the thing is, whether it takes no writes, and what is to be told of it.
func (t *thing) state(now time.Time) (s resource.State, locked bool, detail string) {
	switch {
	case !t.dying.IsZero():
		return resource.Pending, true, "being removed since " + t.dying.Format(time.TimeOnly)
	case now.Before(t.made):
		return resource.Pending, true, "being created since " + t.created.Format(time.TimeOnly)
	case now.Before(t.idle):
		return resource.Busy, false, "being changed"
	case t.sick != "":
		return resource.Broken, false, t.sick
	case now.Before(t.started):
		return resource.Pending, false, "starting"
	}
	return resource.Ready, false, ""
}

func (t *thing) usable(now time.Time) bool {
	s, _, _ := t.state(now)
	return s.Usable()
}

// sweep removes what has had its time.
func (c *Cloud) sweep(now time.Time) {
	for ref, t := range c.things {
		if !t.dying.IsZero() && !now.Before(t.gone) {
			delete(c.things, ref)
		}
	}
}

func (c *Cloud) put(now time.Time, spec anySpec, owner string) {
	if c.things == nil {
		c.things = map[resource.Ref]*thing{}
	}
	d := c.Delays[spec.Ref().Kind]
	made := now.Add(d.Create)
	c.things[spec.Ref()] = &thing{spec: spec, owner: owner, created: now, made: made, idle: made, started: made.Add(d.Start)}
}

// clone copies through JSON, as a spec travels to a cloud and back: what has no JSON form is not kept.
func clone[T any](v T) T {
	p := reflect.New(reflect.TypeOf(v))
	if err := json.Unmarshal(encode(v), p.Interface()); err != nil {
		panic(fmt.Sprintf("sim: a spec that does not come back from JSON: %T: %v", v, err)) // a programming mistake in the kind
	}
	return p.Elem().Interface().(T)
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("sim: a spec that JSON cannot hold: %T: %v", v, err)) // a programming mistake in the kind
	}
	return b
}

// merge lays want over have as an API server does with what is declared: an object key by key, everything else as a whole; what
// want leaves out (null) stays.
func merge[S resource.Spec[S]](want, have S) S {
	merged := decode[S](overlay(encode(want), encode(have)))
	if len(want.Diff(merged)) > 0 {
		return clone(want) // what want leaves out of its JSON is zero, or a map that is one value
	}
	return merged
}

func overlay(want, have json.RawMessage) json.RawMessage {
	var w, h map[string]json.RawMessage
	switch {
	case bytes.Equal(want, []byte("null")):
		return have
	case json.Unmarshal(want, &w) != nil, json.Unmarshal(have, &h) != nil, h == nil:
		return want
	}
	for k, v := range w {
		if old, ok := h[k]; ok {
			v = overlay(v, old)
		}
		h[k] = v
	}
	return encode(h)
}

// mark writes single plain fields, found by their names in JSON, and leaves the rest of have.
func mark[S resource.Spec[S]](want, have S, fields []string) (S, error) {
	var w, h map[string]json.RawMessage
	if json.Unmarshal(encode(want), &w) != nil || json.Unmarshal(encode(have), &h) != nil {
		return have, fmt.Errorf("a mark on %T, which is no object in JSON", want)
	}
	for _, f := range fields {
		delete(h, key(h, f))
		if k := key(w, f); k != "" {
			h[k] = w[k]
		}
	}
	marked := decode[S](encode(h))
	for _, d := range want.Diff(marked) {
		for _, f := range fields {
			if d.Field == f {
				return have, fmt.Errorf("%s of %T cannot be written alone", f, want)
			}
		}
	}
	return marked, nil
}

func key(m map[string]json.RawMessage, field string) string {
	for k := range m {
		if strings.EqualFold(k, field) {
			return k
		}
	}
	return ""
}

func decode[S any](b []byte) S {
	var s S
	if err := json.Unmarshal(b, &s); err != nil {
		panic(fmt.Sprintf("sim: a spec that does not come back from JSON: %T: %v", s, err)) // a programming mistake in the kind
	}
	return s
}
