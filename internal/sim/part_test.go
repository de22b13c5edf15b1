package sim_test

import (
	"errors"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// piece is a box that is part of another.
type piece struct{ box }

func (p piece) Needs() []resource.Need {
	return []resource.Need{{Ref: p.In, In: true, Part: true}}
}

func (p piece) Diff(live piece) []resource.Change { return p.box.Diff(live.box) }

// What is part of something goes with it; what merely lives in it has to go first.
func TestPartsGoAlong(t *testing.T) {
	cloud := &sim.Cloud{}
	boxes, pieces := sim.NewDriver[box](cloud, "ours"), sim.NewDriver[piece](cloud, "ours")
	house := box{Kind: "house", Name: "one"}
	part := piece{box{Kind: "piece", Name: "of-one", In: house.Ref()}}
	if err := errors.Join(boxes.Create(t.Context(), house), pieces.Create(t.Context(), part)); err != nil {
		t.Fatal(err)
	}
	if err := boxes.Delete(t.Context(), house, false); err != nil {
		t.Fatalf("a part is no obstacle: %v", err)
	}
	seen, err := pieces.Observe(t.Context(), []piece{part}, true)
	if err != nil || len(seen.Live) != 0 {
		t.Errorf("it should have gone along: %+v %v", seen, err)
	}
	if r := append(cloud.Refusals(), cloud.Violations()...); len(r) > 0 {
		t.Error(r)
	}
}
