package sim_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/resource/resourcetest"
	"recsysd.dev/recsysd/internal/sim"
)

func TestTheSimulatorKeepsTheContract(t *testing.T) {
	resourcetest.Run(t, func(*testing.T) resourcetest.Harness[box] { h, _ := harness(); return h })
}

func harness() (resourcetest.Harness[box], *sim.Cloud) {
	cloud := &sim.Cloud{}
	stack := func(name string) resourcetest.Stack[box] {
		return resourcetest.Stack[box]{Driver: sim.NewDriver[box](cloud, name), Spec: func(n int) box {
			red := "red"
			return box{Kind: "box", Name: fmt.Sprint("sample-", n), Size: 3, Colour: &red, Place: "here", Keeps: true,
				Labels: map[string]string{"stack": name}}
		}}
	}
	forbidden := map[sim.Op]bool{}
	forbid := func(op sim.Op) func(bool) {
		return func(on bool) {
			forbidden[op] = on
			now := maps.Clone(forbidden)
			cloud.SetFault(func(c sim.Call) sim.Fault {
				if now[c.Op] {
					return sim.Fault{Err: errors.New("403 forbidden")}
				}
				return sim.Fault{}
			})
		}
	}
	return resourcetest.Harness[box]{
		Ours: stack("ours"), Other: stack("other"),
		Edits: []resourcetest.Edit[box]{
			{Field: "size", Do: func(b box) box { b.Size = 0; return b }},
			{Field: "colour", Do: func(b box) box { blue := "blue"; b.Colour = &blue; return b }},
			{Field: "force", Do: func(b box) box { b.Force = true; return b }},
			{Field: "labels.stack", Do: func(b box) box { b.Labels["stack"] = "renamed"; return b }},
			{Field: "labels.team", Do: func(b box) box { b.Labels["team"] = "ml"; return b }},
		},
		Recreates: []resourcetest.Edit[box]{{Field: "place", Do: func(b box) box { b.Place = "there"; return b }}},
		Foreign: resourcetest.Foreign[box]{Field: "size", Do: func(t *testing.T, b box) {
			edit(t, cloud, b.Ref(), func(b *box) { b.Size = 99 })
		}},
		Writes:     cloud.Writes,
		Settle:     func() {},
		ForbidList: forbid(sim.List),
		ForbidGet:  forbid(sim.Get),
		Hang: func(on bool) {
			cloud.SetFault(func(sim.Call) sim.Fault { return sim.Fault{Hang: on} })
		},
		Guarded: true,
	}, cloud
}

func edit(t *testing.T, cloud *sim.Cloud, ref resource.Ref, change func(*box)) {
	t.Helper()
	err := cloud.Edit(ref, func(spec any) any {
		b := spec.(box)
		change(&b)
		return b
	})
	if err != nil {
		t.Fatal(err)
	}
}
