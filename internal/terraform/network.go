package terraform

import (
	"path"
	"slices"
	"strings"
)

// network is google_compute_network. Its subnets follow: see subnetwork.
func network(e *entry) {
	if auto, ok := e.truth("auto_create_subnetworks"); !ok && !e.filled || ok && auto {
		e.refuse("it makes its subnets by itself (auto_create_subnetworks), and only custom ones are managed")
		return
	}
	e.name("name")
	if r, ok := e.text("routing_mode"); ok && !(e.filled && r == "REGIONAL") {
		e.fields.set("routing", text(strings.ToLower(r)))
	}
	if mtu, ok := e.number("mtu"); ok && mtu != 0 && !(e.filled && mtu == 1460) {
		e.fields.set("mtu", number(mtu))
	}
	e.ignore("description", "delete_default_routes_on_create")
}

// subnetwork is google_compute_subnetwork: a part of its network's entry.
func subnetwork(e *entry) {
	in, _ := e.text("network")
	to := e.named("networks", path.Base(in))
	if to == nil {
		e.refuse("its network %s is not among what is taken over", line(path.Base(in)))
		return
	}
	told := len(e.notices)
	name, named := e.text("name")
	addresses, ranged := e.text("ip_cidr_range")
	if !named || !ranged {
		if len(e.notices) == told {
			e.refuse("it has no name or no ip_cidr_range")
		}
		return
	}
	var s mapping
	s.set("name", text(name))
	if region, ok := e.text("region"); ok && path.Base(region) != e.identity.Region {
		s.set("region", text(path.Base(region)))
	}
	s.set("range", text(addresses))
	if ranges, ok := e.secondaryRanges(); ok {
		s.set("secondaryRanges", ranges)
	}
	if on, ok := e.truth("private_ip_google_access"); ok {
		s.set("privateGoogleAccess", truth(on))
	}
	if logs := e.blocks("log_config"); len(logs) > 0 {
		s.set("flowLogs", truth(true))
	}
	if to.subnets == nil {
		to.subnets = &mapping{}
	}
	key := keyOf(strings.ReplaceAll(e.resource.Module+".", "module.", "") + e.resource.Name + "." + e.resource.Key)
	to.subnets.set(key, s.node())
	to.fields.set("subnets", to.subnets.block())
}

// secondaryRanges takes over all of them or none: when present they are a set. GKE's own are not counted in it.
func (e *entry) secondaryRanges() (*node, bool) {
	var out mapping
	for _, r := range e.blocks("secondary_ip_range") {
		name, named := r.text("range_name")
		addresses, ranged := r.text("ip_cidr_range")
		if !named || !ranged {
			return nil, false
		}
		if !strings.HasPrefix(name, "gke-") {
			out.set(name, text(addresses))
		}
	}
	return out.node(), len(out.content) > 0
}

// named is the entry of a section by the resource's own name.
func (c *conversion) named(section, name string) *entry {
	i := slices.IndexFunc(c.entries[section], func(e *entry) bool {
		n, _ := e.fields.get("name")
		return n == name && name != ""
	})
	if i < 0 {
		return nil
	}
	return c.entries[section][i]
}

// usualNetwork is the one that every project has, and that a cluster is in where nobody says otherwise.
const usualNetwork = "default"

// place names the network, subnet and ranges of a cluster by their keys.
func (e *entry) place() {
	in, ok := e.text("network")
	if !ok || path.Base(in) == usualNetwork {
		e.ignore("subnetwork", "ip_allocation_policy")
		return
	}
	to := e.named("networks", path.Base(in))
	if to == nil {
		e.notice(e.resource.Place, "%s: its network %s is not among what is taken over; import that too, or the plan holds the cluster as being elsewhere", e.resource.Address(), path.Base(in))
		return
	}
	e.fields.set("network", text(to.key))
	if s, ok := e.text("subnetwork"); ok && to.subnets != nil {
		for i := 0; i < len(to.subnets.content); i += 2 {
			subnet := mapping{to.subnets.content[i+1].Content}
			if name, _ := subnet.get("name"); name == path.Base(s) {
				e.fields.set("subnet", text(to.subnets.content[i].Value))
			}
		}
	}
	policy, _ := e.block("ip_allocation_policy")
	for _, r := range []struct{ from, to string }{{"cluster_secondary_range_name", "podRange"}, {"services_secondary_range_name", "serviceRange"}} {
		if name, ok := policy.text(r.from); ok && name != "" && !strings.HasPrefix(name, "gke-") {
			e.fields.set(r.to, text(name))
		}
	}
}
