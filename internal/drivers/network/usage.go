package network

import (
	"maps"
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// Machines are those without public addresses that the stack has in one region of the network, and which reach the internet through its
// Cloud NAT. Most zero: nothing but Expected.
type Machines struct {
	Least, Expected, Most int64
	Unknown               string
}

// portsOfAddress are those that Cloud NAT gives out of one address, for each protocol.
const portsOfAddress = 64512

// Usage is Cloud NAT: in every region a gateway, by the machines behind it, and as many addresses as their ports take. Networks and
// subnets themselves are free. What passes through is not counted.
func (s Spec) Usage() []resource.Usage {
	gateways := s.gateways()
	var all []resource.Usage
	for _, at := range slices.Sorted(maps.Keys(gateways)) {
		g := gateways[at]
		if g.Foreign != "" || g.Bare {
			continue
		}
		m, ok := s.Behind[at]
		if !ok {
			m.Unknown = "number of machines behind it unknown"
		}
		ports := int64(max(g.MinPortsPerVM, 1))
		machines := func(n int64) resource.Amount { return resource.Count(n) }
		addresses := func(n int64) resource.Amount {
			return resource.Count(max(1, (n*ports+portsOfAddress-1)/portsOfAddress))
		}
		for _, part := range []struct {
			component, price string
			of               func(int64) resource.Amount
		}{
			{resource.ComponentNAT, "network.nat.gateway_vm", machines},
			{resource.ComponentAddress, "network.nat.ip", addresses},
		} {
			u := resource.Usage{Component: part.component, Price: part.price, Region: at, Unknown: m.Unknown}
			if m.Unknown == "" {
				u.Quantity = part.of(m.Expected)
			}
			if m.Unknown == "" && m.Most > 0 {
				u.Least, u.Most = part.of(m.Least), part.of(m.Most)
			}
			all = append(all, u)
		}
	}
	return all
}
