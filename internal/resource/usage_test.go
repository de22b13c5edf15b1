package resource

import (
	"slices"
	"testing"
)

// sleepy has a CPU that its schedule takes away, and a disk that stays.
type sleepy struct{ Asleep, Free bool }

var bill = []Usage{{Component: ComponentCPU, Quantity: Count(1), Asleep: Ratio(1, 2)}, {Component: ComponentDisk, Quantity: Count(10)}}

func (sleepy) Ref() Ref             { return Ref{Kind: "Sleepy", Name: "x"} }
func (sleepy) Needs() []Need        { return nil }
func (sleepy) Lifetime() Lifetime   { return Disposable }
func (sleepy) Validate() error      { return nil }
func (sleepy) Diff(sleepy) []Change { return nil }
func (s sleepy) Rest() *Rest        { return &Rest{Asleep: s.Asleep} }
func (s sleepy) Usage() []Usage {
	if s.Free {
		return nil
	}
	return bill // the same slice each time, as a kind may give it
}

func TestUsageOfAnObservation(t *testing.T) {
	was := slices.Clone(bill)
	for _, c := range []struct {
		why  string
		live Live[sleepy]
		want []Usage
	}{
		{"awake, all of it", Live[sleepy]{State: Ready}, was},
		{"asleep, the disk alone", Live[sleepy]{Spec: sleepy{Asleep: true}, State: Ready}, was[1:]},
		{"on its way, all of it: it is there", Live[sleepy]{State: Pending}, was},
		{"what is free costs nothing", Live[sleepy]{Spec: sleepy{Free: true}, State: Ready}, nil},
		{"what could not be looked at is not known to cost anything", Live[sleepy]{State: Unknown}, nil},
		{"what is not there costs nothing", Live[sleepy]{State: Absent}, nil},
	} {
		o := observation(&c.live, nil)
		if got := o.Usage(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v", c.why, got)
		}
		if !slices.Equal(bill, was) {
			t.Fatalf("%s: the kind's own slice was changed: %+v", c.why, bill)
		}
		if n := testing.AllocsPerRun(100, func() { o.Usage() }); n > 0 {
			t.Errorf("%s: to ask again allocates %v times", c.why, n)
		}
	}
}
