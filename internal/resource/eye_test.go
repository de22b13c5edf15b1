package resource

import (
	"context"
	"errors"
	"testing"
)

// gauge is a driver that sees what it is told to.
type gauge struct {
	live  []Live[sleepy]
	err   error
	looks int
}

func (g *gauge) Observe(context.Context, []sleepy, bool) (Seen[sleepy], error) {
	g.looks++
	return Seen[sleepy]{Live: g.live}, g.err
}
func (*gauge) Create(context.Context, sleepy) error                   { return nil }
func (*gauge) Update(context.Context, sleepy, sleepy, []Change) error { return nil }
func (*gauge) Delete(context.Context, sleepy, bool) error             { return nil }

// steadyGauge can tell without a look.
type steadyGauge struct {
	gauge
	still bool
	asked []sleepy
}

func (g *steadyGauge) AsBefore(_ context.Context, want []sleepy) bool {
	g.asked = want
	return g.still
}

func TestStamps(t *testing.T) {
	want := []Resource{Of(sleepy{})}
	g := &gauge{live: []Live[sleepy]{{State: Ready, Version: "1"}}}
	k := NewKind("gauge", g)
	stamp := func(want []Resource, err error) uint64 {
		t.Helper()
		s, got := k.Observe(t.Context(), want, true)
		if !errors.Is(got, err) {
			t.Fatal(got)
		}
		return s.Stamp
	}
	first := stamp(want, nil)
	if again := stamp(want, nil); first == 0 || again != first {
		t.Errorf("the same bears the stamps %d and %d", first, again)
	}
	if s, err := k.Observe(t.Context(), want, false); err != nil || s.Stamp != 0 {
		t.Errorf("a look at what is named alone bears the stamp %d: %v", s.Stamp, err)
	}
	g.live[0].Version = "2"
	second := stamp(want, nil)
	if second == first {
		t.Error("what has changed bears the same stamp")
	}
	if other := stamp([]Resource{Of(sleepy{})}, nil); other == second {
		t.Error("what was asked for something else bears the same stamp")
	}
	g.err = errors.New("away")
	if s := stamp(want, g.err); s != 0 {
		t.Errorf("a look that failed bears the stamp %d", s)
	}
	g.err = nil
	if s := stamp(want, nil); s == first || s == second || s == 0 {
		t.Errorf("a look after one that failed bears the stamp %d, as one before it", s)
	}
}

func TestAgain(t *testing.T) {
	want := []Resource{Of(sleepy{})}
	g := &steadyGauge{gauge: gauge{live: []Live[sleepy]{{State: Ready, Version: "1"}}}, still: true}
	k := NewKind("gauge", g)
	look := func(want []Resource) Sight {
		t.Helper()
		s, err := k.Again(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := look(want)
	if first.Spared || g.looks != 1 || len(first.Found) != 1 {
		t.Errorf("the first look was spared: %+v, %d looks", first, g.looks)
	}
	if s := look(want); !s.Spared || s.Stamp != first.Stamp || g.looks != 1 || len(g.asked) != 1 {
		t.Errorf("the second was not: %+v, %d looks", s, g.looks)
	}
	if s := look([]Resource{Of(sleepy{})}); s.Spared || s.Stamp == first.Stamp {
		t.Errorf("a look for something else was spared: %+v", s)
	}
	whole := look(want)
	g.still = false
	if s := look(want); s.Spared || s.Stamp == whole.Stamp || len(s.Found) != 1 {
		t.Errorf("a look at what may have changed was spared: %+v", s)
	}
	g.still, g.err = true, errors.New("away")
	if _, err := k.Observe(t.Context(), want, true); err == nil {
		t.Fatal("it did not fail")
	}
	if _, err := k.Again(t.Context(), want); err == nil {
		t.Error("after a look that failed, one was spared")
	}
}
