package sim_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// box is the tests' settings struct: it can be any Ref.Kind, live in another, stand on others, and hold what is not to be lost.
type box struct {
	Kind, Name string
	In         resource.Ref   // zero: in nothing
	On         []resource.Ref // in order of creation
	Size       int            // plain: always compared
	Colour     *string        // nil: not ours
	Place      string         // cannot be changed
	Force      bool           // a mark
	Labels     map[string]string
	Keeps      bool          // is stateful
	Form       resource.Rest `json:"-"`
}

func (b box) Ref() resource.Ref { return resource.Ref{Kind: b.Kind, Name: b.Name} }

func (b box) Needs() []resource.Need {
	var ns []resource.Need
	if b.In != (resource.Ref{}) {
		ns = append(ns, resource.Need{Ref: b.In, In: true})
	}
	for _, r := range b.On {
		ns = append(ns, resource.Need{Ref: r})
	}
	return ns
}

func (b box) Lifetime() resource.Lifetime {
	if b.Keeps {
		return resource.Stateful
	}
	return resource.Disposable
}

func (b box) Validate() error {
	if b.Size < 0 {
		return errors.New("size: below 0")
	}
	return nil
}

func (b box) Usage() []resource.Usage { return nil }

// Rest: an app can sleep.
func (b box) Rest() *resource.Rest {
	if b.Kind != "app" {
		return nil
	}
	return &b.Form
}

func (b box) WithRest(r resource.Rest) box {
	if b.Kind == "app" {
		b.Form = r
	}
	return b
}

// Diff leaves Keeps out: it is what the thing is, no setting of it. A changed In or Place makes another thing.
func (b box) Diff(live box) []resource.Change {
	var cs []resource.Change
	differ := func(field string, want, have any, c resource.Change) {
		if c.Field, c.Want, c.Have = field, fmt.Sprint(want), fmt.Sprint(have); c.Want != c.Have {
			cs = append(cs, c)
		}
	}
	differ("asleep", b.Form.Asleep, live.Form.Asleep, resource.Change{})
	differ("size", b.Size, live.Size, resource.Change{})
	differ("place", b.Place, live.Place, resource.Change{Recreate: true})
	differ("on", b.On, live.On, resource.Change{})
	differ("in", b.In, live.In, resource.Change{Recreate: true})
	differ("force", b.Force, live.Force, resource.Change{Mark: true})
	if b.Colour != nil {
		have := "none"
		if live.Colour != nil {
			have = *live.Colour
		}
		differ("colour", *b.Colour, have, resource.Change{})
	}
	for _, k := range slices.Sorted(maps.Keys(b.Labels)) {
		differ("labels."+k, b.Labels[k], live.Labels[k], resource.Change{})
	}
	slices.SortFunc(cs, func(x, y resource.Change) int { return cmp.Compare(x.Field, y.Field) })
	return cs
}

// String is the box on one line of a failing test.
func (b box) String() string {
	s := fmt.Sprintf("{in %v on %v size %d place %s force %v", b.In, b.On, b.Size, b.Place, b.Force)
	if b.Form.Asleep {
		s += " asleep"
	}
	if b.Colour != nil {
		s += " colour " + *b.Colour
	}
	return s + "}"
}

// site is a box that another driver looks after, and that others live in.
type site struct{ box }

func (s site) Diff(live site) []resource.Change { return s.box.Diff(live.box) }
