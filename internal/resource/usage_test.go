package resource

import "testing"

type sleepy struct{}

func (sleepy) Usage() []Usage {
	return []Usage{{Component: ComponentCPU, Quantity: Count(1), Asleep: Ratio(1, 2)}, {Component: ComponentDisk, Quantity: Count(10)}}
}

func TestUsageOfAnObservation(t *testing.T) {
	for _, c := range []struct {
		why  string
		o    Observation
		want int
	}{
		{"awake, all of it", Observation{State: Ready, live: sleepy{}}, 2},
		{"asleep, the disk alone", Observation{State: Ready, Asleep: true, live: sleepy{}}, 1},
		{"what could not be looked at is not known to cost anything", Observation{State: Unknown, live: sleepy{}}, 0},
		{"what is not there costs nothing", Observation{State: Absent, live: sleepy{}}, 0},
	} {
		u := c.o.Usage()
		if len(u) != c.want || len(u) > 0 && u[len(u)-1].Component != ComponentDisk {
			t.Errorf("%s: %+v", c.why, u)
		}
	}
}
