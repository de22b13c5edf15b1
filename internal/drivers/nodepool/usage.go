package nodepool

import (
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// Nodes is how many nodes there are: of a wanted pool with an autoscaler between which numbers, Most zero where there is none.
type Nodes struct {
	Least, Expected, Most int64
	Unknown               string
}

const nodesUnknown = "number of nodes unknown"

// Nodes is the size, or what the autoscaler keeps to; how much work there will be nobody knows, so the least is what is expected. A
// live pool has the number that it has now.
func (s Spec) Nodes() Nodes {
	switch {
	case s.Max == nil && s.Size != nil:
		return Nodes{Expected: int64(*s.Size)}
	case s.seen != nil && s.count != nil:
		return Nodes{Expected: *s.count}
	case s.seen != nil, s.Max == nil:
		return Nodes{Unknown: nodesUnknown}
	}
	n := Nodes{Most: int64(*s.Max)}
	if s.Min != nil {
		n.Least = int64(*s.Min)
	}
	n.Expected = n.Least
	return n
}

// What GKE gives a node where the stack says nothing.
const (
	usualDisk     = "pd-balanced"
	usualDiskSize = 100 // GiB
)

// Usage is the machines, their boot disks, and their public addresses unless the nodes are private. Pods cost nothing beside them.
func (s Spec) Usage() []resource.Usage {
	n, region := s.Nodes(), region(s.Location)
	of := func(component, price string, one resource.Amount) resource.Usage {
		u := resource.Usage{Component: component, Price: price, Region: region, Unknown: n.Unknown}
		if u.Unknown != "" {
			return u
		}
		u.Quantity = one.Times(resource.Count(n.Expected))
		if n.Most > 0 {
			u.Least, u.Most = one.Times(resource.Count(n.Least)), one.Times(resource.Count(n.Most))
		}
		return u
	}
	all := make([]resource.Usage, 0, 4)
	if m, ok := shapeOf(s.Machine); ok {
		cpu, memory := m.prices(s.Spot)
		all = append(all, of(resource.ComponentCPU, cpu, m.cpu), of(resource.ComponentMemory, memory, m.memory))
	} else {
		all = append(all, resource.Usage{Component: resource.ComponentMachine, Region: region, Unknown: "the machine type " + s.Machine + " has no known price"})
	}
	sort, size := usualDisk, int64(usualDiskSize)
	if s.Disk.Type != nil && *s.Disk.Type != "" {
		sort = *s.Disk.Type
	}
	if s.Disk.Size != nil && *s.Disk.Size > 0 {
		size = int64(*s.Disk.Size)
	}
	all = append(all, of(resource.ComponentDisk, diskPrice(sort), resource.Count(size)))
	if s.Private {
		return all
	}
	address := "network.external_ip.standard_vm"
	if s.Spot {
		address = "network.external_ip.spot_vm"
	}
	return append(all, of(resource.ComponentAddress, address, resource.Count(1)))
}

// diskPrice is the key of a sort of disk; of one that is not known here its own name, by which it is missing.
func diskPrice(sort string) string {
	switch sort {
	case "pd-standard":
		return "pd.standard"
	case "pd-balanced":
		return "pd.balanced"
	case "pd-ssd":
		return "pd.ssd"
	}
	return sort
}

// region is that of a location.
func region(location string) string {
	location = strings.ToLower(location)
	if zone.MatchString(location) {
		return location[:strings.LastIndexByte(location, '-')]
	}
	return location
}
