package terraform

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// gateway is a Cloud NAT on its way into the entry of its network, or the router that it is in.
type gateway struct {
	*entry
	name, router, region string // of a NAT
	network              string // of a router
	used                 bool   // a router that a NAT is in
}

// router is google_compute_router. It is nothing by itself: its NAT is looked at when everything is read.
func router(e *entry) {
	if name, ok := e.text("name"); ok {
		in, _ := e.text("network")
		e.routers[name] = &gateway{entry: e, network: path.Base(in)}
	}
}

// routerNAT is google_compute_router_nat: a part of its network's entry.
func routerNAT(e *entry) {
	name, _ := e.text("name")
	in, _ := e.text("router")
	region, ok := e.text("region")
	if !ok {
		region = e.identity.Region
	}
	e.gateways = append(e.gateways, gateway{entry: e, name: name, router: path.Base(in), region: path.Base(region)})
}

// completeNetworks says nat: true where that is what there is: all ranges, in every region with a subnet, by the names that recsysd
// gives. Any other kind is told and left alone, since nat would ask for a second one.
func (c *conversion) completeNetworks() {
	byNetwork := map[*entry][]gateway{}
	for _, g := range c.gateways {
		var to *entry
		if r := c.routers[g.router]; r != nil {
			r.used = true
			to = c.named("networks", r.network)
		}
		if to == nil {
			g.refuse("its router %s is not of a network that is taken over", line(g.router))
			continue
		}
		byNetwork[to] = append(byNetwork[to], g)
	}
	for _, name := range slices.Sorted(maps.Keys(c.routers)) {
		if r := c.routers[name]; !r.used {
			r.refuse("only a router that does Cloud NAT is a part of its network")
		}
	}
	for _, to := range c.entries["networks"] {
		all := byNetwork[to]
		if len(all) == 0 {
			continue
		}
		settings, why := all[0].settings(), ""
		for _, g := range all {
			if why == "" {
				why = g.unlike(to)
			}
			if !slices.Equal(keysAndValues(g.settings()), keysAndValues(settings)) && why == "" {
				why = "its settings are not the same in every region"
			}
		}
		if missing := to.without(all); why == "" && len(missing) > 0 {
			why = "there is none in " + strings.Join(missing, ", ") + ", where the network has a subnet too"
		}
		switch {
		case why != "":
			for _, g := range all {
				to.comment("%s is left alone: %s", g.resource.Address(), why)
			}
		case len(settings.content) > 0:
			to.fields.set("nat", settings.node())
		default:
			to.fields.set("nat", truth(true))
		}
	}
}

// unlike says what keeps nat: true from meaning this one; "" if nothing does.
func (g gateway) unlike(to *entry) string {
	network, _ := to.fields.get("name")
	sources, _ := g.text("source_subnetwork_ip_ranges_to_nat")
	addresses, _ := g.text("nat_ip_allocate_option")
	kind, _ := g.text("type")
	switch own := network + "-nat"; {
	case sources != "ALL_SUBNETWORKS_ALL_IP_RANGES":
		return "nat is for all ranges of all subnets"
	case addresses != "AUTO_ONLY":
		return "nat has addresses that Google allocates"
	case kind != "" && kind != "PUBLIC":
		return "nat leads to the internet"
	case g.name != own || g.router != own:
		return "nat is called " + own + ", in a router of that name. To have recsysd keep it, say nat: true when this one is gone; there cannot be both"
	}
	return ""
}

var natFilters = map[string]string{"ERRORS_ONLY": "errors", "TRANSLATIONS_ONLY": "translations", "ALL": "all"}

// settings are those of the stack file.
func (g gateway) settings() mapping {
	var m mapping
	if n, ok := g.number("min_ports_per_vm"); ok && n > 0 {
		m.set("minPortsPerVm", number(n))
	}
	if logs, ok := g.block("log_config"); ok {
		filter, _ := logs.text("filter")
		if on, ok := logs.asked("enable"); ok && !on {
			m.set("logs", text("none"))
		} else if ok && natFilters[filter] != "" {
			m.set("logs", text(natFilters[filter]))
		}
	}
	return m
}

func keysAndValues(m mapping) (all []string) {
	for _, n := range m.content {
		all = append(all, n.Value)
	}
	return all
}

// without are the regions of a network's subnets that have none of these.
func (e *entry) without(all []gateway) (missing []string) {
	if e.subnets == nil {
		return nil
	}
	for i := 1; i < len(e.subnets.content); i += 2 {
		subnet := mapping{e.subnets.content[i].Content}
		region, ok := subnet.get("region")
		if !ok {
			region = e.identity.Region
		}
		if !slices.ContainsFunc(all, func(g gateway) bool { return g.region == region }) && !slices.Contains(missing, region) {
			missing = append(missing, region)
		}
	}
	return missing
}
