package nodepool

import (
	"slices"
	"strconv"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// shape is what a predefined machine type has. Google bills the two apart, so the price of a type is that of its parts.
type shape struct {
	family string
	cpu    resource.Amount // vCPUs
	memory resource.Amount // GiB
}

// shapeOf reads the types of E2 and N2, the families with known prices. Custom types have prices of their own.
func shapeOf(name string) (m shape, ok bool) {
	switch name { // shared cores are billed as a part of one
	case "e2-micro":
		return shape{"e2", resource.Ratio(1, 4), resource.Count(1)}, true
	case "e2-small":
		return shape{"e2", resource.Ratio(1, 2), resource.Count(2)}, true
	case "e2-medium":
		return shape{"e2", resource.Count(1), resource.Count(4)}, true
	}
	parts := strings.Split(name, "-")
	if len(parts) != 3 {
		return m, false
	}
	n, err := strconv.ParseInt(parts[2], 10, 64)
	sizes, perCPU := family(parts[0], parts[1])
	if err != nil || !slices.Contains(sizes, n) || strconv.FormatInt(n, 10) != parts[2] {
		return m, false
	}
	memory := n * perCPU
	if name == "n2-highmem-128" {
		memory = 864
	}
	return shape{parts[0], resource.Count(n), resource.Count(memory)}, true
}

// family is the numbers of vCPUs that there are of a sort, and the GiB of memory to each.
func family(name, sort string) (sizes []int64, perCPU int64) {
	switch name + "-" + sort {
	case "e2-standard":
		return []int64{2, 4, 8, 16, 32}, 4
	case "e2-highmem":
		return []int64{2, 4, 8, 16}, 8
	case "e2-highcpu":
		return []int64{2, 4, 8, 16, 32}, 1
	case "n2-standard":
		return []int64{2, 4, 8, 16, 32, 48, 64, 80, 96, 128}, 4
	case "n2-highmem":
		return []int64{2, 4, 8, 16, 32, 48, 64, 80, 96, 128}, 8
	case "n2-highcpu":
		return []int64{2, 4, 8, 16, 32, 48, 64, 80, 96}, 1
	}
	return nil, 0
}

// prices are the keys of the machine's parts.
func (m shape) prices(spot bool) (cpu, memory string) {
	switch {
	case m.family == "e2" && !spot:
		return "gce.e2.regular.vcpu", "gce.e2.regular.memory"
	case m.family == "e2":
		return "gce.e2.spot.vcpu", "gce.e2.spot.memory"
	case !spot:
		return "gce.n2.regular.vcpu", "gce.n2.regular.memory"
	}
	return "gce.n2.spot.vcpu", "gce.n2.spot.memory"
}
