package desired

import (
	"slices"
	"strings"
)

// completeNetworks gives every subnet what it leaves out, its name and its region, and every cluster the names of what it stands on, in
// place of the keys under which the stack file has them. It works on the tree, so that no kind needs to know of keys.
func (b *builder) completeNetworks() {
	for _, n := range entriesOf(b.top.get("networks")) {
		for _, s := range entriesOf(n.value.get("subnets")) {
			if !entryKey.MatchString(s.key) {
				b.p.unreadable(s.at, joined(joined(joined("networks", n.key), "subnets"), s.key), "a key is lower-case letters, digits and '-', beginning with a letter, at most 50")
			}
			s.value.imply("name", n.value.get("name").text+"-"+s.key, s.at)
			s.value.imply("region", b.top.get("region").text, s.at)
		}
	}
	for _, c := range entriesOf(b.top.get("clusters")) {
		b.placeCluster(c.value, joined("clusters", c.key))
	}
}

// entriesOf are the fields of a mapping that are mappings themselves. What is left empty becomes one.
func entriesOf(section *value) []*field {
	if section == nil || section.kind != mapping {
		return nil
	}
	var entries []*field
	for _, f := range section.fields {
		if f.value.null() {
			f.value = &value{at: f.at, kind: mapping}
		}
		if f.value.kind == mapping {
			entries = append(entries, f)
		}
	}
	return entries
}

// placeCluster puts names in the place of the keys network, subnet, podRange and serviceRange of a cluster.
func (b *builder) placeCluster(c *value, path string) {
	network := b.named(c, path, "network", b.top.get("networks"), "networks")
	if network == nil {
		return
	}
	networkKey := c.get("network").text
	subnets := network.value.get("subnets")
	place := joined(joined("networks", networkKey), "subnets")
	at := regionOf(c.get("location").text)
	if c.get("subnet") == nil && !b.chooseSubnet(c, path, networkKey, subnets, at) {
		return
	}
	subnet := b.named(c, path, "subnet", subnets, place)
	b.warnOfNoNAT(c, path, network)
	rename(c.field("network"), network)
	if subnet == nil {
		return
	}
	subnetKey := c.get("subnet").text
	if r := subnet.value.get("region"); r.kind == scalar && regionOf(r.text) != at {
		b.p.add(c.field("subnet").value.at, joined(path, "subnet"), "%s is in %s and the cluster in %s", subnetKey, r.text, c.get("location").text)
	}
	ranges := subnet.value.get("secondaryRanges")
	pods := b.named(c, path, "podRange", ranges, joined(joined(place, subnetKey), "secondaryRanges"))
	services := b.named(c, path, "serviceRange", ranges, joined(joined(place, subnetKey), "secondaryRanges"))
	if pods != nil && pods == services {
		b.p.add(c.get("serviceRange").at, joined(path, "serviceRange"), "%s is the range of the pods already; services need one of their own", services.key)
	}
	rename(c.field("subnet"), subnet)
}

// named is the field of section that a cluster names under key; nil if it names none, or wrongly, which is reported.
func (b *builder) named(c *value, path, key string, section *value, where string) *field {
	v := c.get(key)
	if v == nil || v.kind != scalar || v.null() {
		return nil
	}
	var keys []string
	if section != nil && section.kind == mapping {
		if f := section.field(v.text); f != nil {
			return f
		}
		keys = section.keys()
	}
	what := key
	if key == "podRange" || key == "serviceRange" {
		what = "range"
	}
	b.p.add(v.at, joined(path, key), "no %s %q in %s%s", what, v.text, where, suggest(v.text, keys))
	return nil
}

// chooseSubnet takes the only subnet of the network in the cluster's region.
func (b *builder) chooseSubnet(c *value, path, network string, subnets *value, region string) bool {
	var near []string
	for _, s := range entriesOf(subnets) {
		if r := s.value.get("region"); r.kind == scalar && regionOf(r.text) == region {
			near = append(near, s.key)
		}
	}
	at := c.field("network").value.at
	switch len(near) {
	case 1:
		c.imply("subnet", near[0], at)
		return true
	case 0:
		b.p.add(at, joined(path, "network"), "%s has no subnet in %s", network, region)
	default:
		slices.Sort(near)
		b.p.add(at, joined(path, "subnet"), "missing; %s has several subnets in %s: %s", network, region, strings.Join(near, ", "))
	}
	return false
}

// rename puts the name that an entry has in the place of its key.
func rename(f, entry *field) {
	name := *entry.value.get("name")
	name.at = f.value.at
	f.value = &name
}

// warnOfNoNAT tells of private nodes that nothing leads out of their network.
func (b *builder) warnOfNoNAT(c *value, path string, network *field) {
	private, nat, mode := c.get("privateNodes"), network.value.get("nat"), network.value.get("mode")
	if private == nil || private.text != "true" || mode != nil && mode.text == observed {
		return
	}
	if nat == nil || nat.text == "false" {
		b.notice(private.at, joined(path, "privateNodes")+": network "+network.key+" has no nat, so the nodes reach Google alone: images from elsewhere, such as Docker Hub, cannot be pulled")
	}
}

// regionOf is the region of a location.
func regionOf(location string) string {
	if m := zone.FindStringSubmatch(location); m != nil {
		return m[1]
	}
	return location
}
