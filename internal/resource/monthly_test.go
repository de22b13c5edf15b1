package resource_test

import (
	"slices"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

func TestMeasured(t *testing.T) {
	const cpu, memory, storage = resource.ComponentCPU, resource.ComponentMemory, resource.ComponentStorage
	use := func(component, price string, n int64) resource.Usage {
		return resource.Usage{Component: component, Price: price, Region: "us-central1", Quantity: resource.Count(n)}
	}
	expected := use(storage, "standard", 5)
	expected.Estimated = true
	unsaid := resource.Usage{Component: storage, Price: "standard", Region: "us-central1", Unknown: "size unknown"}
	nodes := resource.Usage{Component: cpu, Unknown: "number of nodes unknown"}
	type usages = []resource.Usage
	for _, c := range []struct {
		why                string
		wanted, live, want usages
	}{
		{"what the stack file says stands", usages{use(cpu, "vcpu", 1)}, usages{use(cpu, "vcpu", 9)}, usages{use(cpu, "vcpu", 1)}},
		{"what it only expects gives way to what is stored, in each class", usages{expected},
			usages{use(storage, "nearline", 7), use(storage, "standard", 2)}, usages{use(storage, "nearline", 7), use(storage, "standard", 2)}},
		{"what is unknown does too", usages{unsaid}, usages{use(storage, "standard", 2)}, usages{use(storage, "standard", 2)}},
		{"what is seen to be unknown changes nothing", usages{expected}, usages{unsaid}, usages{expected}},
		{"pods on nodes whose number is known by now have memory as well as CPU", usages{nodes},
			usages{use(cpu, "vcpu", 3), use(memory, "memory", 6)}, usages{use(cpu, "vcpu", 3), use(memory, "memory", 6)}},
		{"but none that the stack file has said itself", usages{nodes, use(memory, "memory", 1)},
			usages{use(cpu, "vcpu", 3), use(memory, "memory", 6)}, usages{use(cpu, "vcpu", 3), use(memory, "memory", 1)}},
	} {
		if got := resource.Measured(c.wanted, c.live); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", c.why, got, c.want)
		}
	}
}
