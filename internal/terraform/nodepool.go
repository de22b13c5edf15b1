package terraform

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// nodePool is google_container_node_pool: a part of its cluster's entry.
func nodePool(e *entry) {
	in, _ := e.text("cluster")
	to := e.named("clusters", path.Base(in))
	switch {
	case to == nil:
		e.refuse("its cluster %s is not among what is taken over", line(path.Base(in)))
		return
	case !to.standard():
		e.refuse("its cluster is an Autopilot one, whose nodes are Google's")
		return
	}
	name, ok := e.text("name")
	if !ok {
		e.refuse("it has no name")
		return
	}
	e.ignore("location", "version", "initial_node_count", "node_count")
	e.pool(to, name)
	if left := e.left(); len(left) > 0 && !e.filled && !e.refused {
		e.comment("left alone, without a counterpart: %s", strings.Join(left, ", "))
		to.pools.head(keyOf(name), e.resource.Address(), e.comments)
	}
}

func (e *entry) standard() bool {
	mode, _ := e.fields.get("mode")
	return mode == "standard"
}

// completeClusters gives Standard clusters without pools of their own resources those that stand in the cluster itself: its node_pool
// blocks, or the one that it begins with. What is still missing is told: GKE has no such cluster without nodes.
func (c *conversion) completeClusters() {
	for _, e := range c.entries["clusters"] {
		if !e.standard() || e.pools != nil {
			continue
		}
		blocks := e.blocks("node_pool")
		for i, r := range blocks {
			if name, ok := r.text("name"); ok {
				inline := &entry{reader: r, conversion: c, resource: e.resource.part(fmt.Sprintf("node_pool[%d]", i))}
				inline.pool(e, name)
			}
		}
		if removed, _ := e.truth("remove_default_node_pool"); len(blocks) == 0 && !e.filled && !removed {
			first := &entry{reader: e.reader, conversion: c, resource: e.resource.part(firstPool)}
			first.pool(e, firstPool)
		}
		if e.pools == nil {
			e.comment("nodePools is missing: a standard cluster has at least one, and none can be read from these files. Write it here before this is used")
			e.notice(e.resource.Place, "%s: none of its node pools can be read from these files; write nodePools, without which recsysd check refuses the stack", e.resource.Address())
		}
	}
}

// firstPool is the pool that GKE makes with a cluster where nobody says which.
const firstPool = "default-pool"

// usualMachine is what GKE takes where nobody says a machine type.
const usualMachine = "e2-medium"

// pool writes the pool that e reads into the entry of its cluster.
func (e *entry) pool(to *entry, name string) {
	key := keyOf(name)
	if key != name {
		e.fields.set("name", text(name))
	}
	config, _ := e.block("node_config")
	if machine, ok := config.text("machine_type"); ok {
		e.fields.set("machine", text(machine))
	} else {
		e.fields.set("machine", text(usualMachine))
		e.comment("nothing says its machine_type, which is %s then", usualMachine)
	}
	e.disk(config)
	if on, ok := config.asked("spot"); ok {
		e.fields.set("spot", truth(on))
	}
	if !e.nodes(to) {
		return
	}
	if l, ok := config.labels("labels"); ok {
		e.fields.set("labels", texts(l))
	}
	e.taints(config)
	e.upgrade()
	if account, ok := config.text("service_account"); ok && account != "default" {
		e.fields.set("serviceAccount", text(account))
	}
	if m, ok := e.block("management"); ok {
		for _, f := range []struct{ from, to string }{{"auto_repair", "autoRepair"}, {"auto_upgrade", "autoUpgrade"}} {
			if on, ok := m.truth(f.from); ok && !(e.filled && on) { // on is what the provider fills in
				e.fields.set(f.to, truth(on))
			}
		}
	}
	if l, ok := config.labels("resource_labels"); ok {
		own := map[string]string{}
		for k, v := range l {
			if !strings.HasPrefix(k, "goog-") { // GKE's own
				own[k] = v
			}
		}
		if len(own) > 0 {
			e.fields.set("resourceLabels", texts(own))
		}
	}
	config.ignore("oauth_scopes", "workload_metadata_config") // recsysd has one answer to both
	e.unsupported(config, "boot_disk_kms_key", "guest_accelerator", "min_cpu_platform", "preemptible", "tags")
	if left := config.left(); len(left) > 0 && !e.filled {
		e.comment("left alone, without a counterpart: %s", strings.Join(left, ", "))
	}
	if to.pools == nil {
		to.pools = &mapping{}
	}
	to.pools.set(key, e.fields.block())
	to.pools.head(key, e.resource.Address(), e.comments)
	to.fields.set("nodePools", to.pools.block())
}

// diskTypes are those that the stack file has a word for.
var diskTypes = []string{"pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"}

func (e *entry) disk(config *reader) {
	var disk mapping
	if size, ok := config.number("disk_size_gb"); ok && size > 0 {
		disk.set("size", text(fmt.Sprintf("%dGi", size)))
	}
	if sort, ok := config.text("disk_type"); ok {
		if slices.Contains(diskTypes, sort) {
			disk.set("type", text(sort))
		} else {
			e.comment("%s %s has no counterpart; left alone", config.at("disk_type"), sort)
		}
	}
	if len(disk.content) > 0 {
		e.fields.set("disk", disk.node())
	}
}

var zoneOK = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+-[a-z]$`)

// usualZones is in how many zones of a region GKE puts nodes where nobody names them.
const usualZones = 3

// zones are where the nodes are; none if nothing says it.
func (e *entry) zones(to *entry) []string {
	for _, r := range []*reader{e.reader, to.reader} {
		if zones, ok := r.texts("node_locations"); ok && len(zones) > 0 {
			slices.Sort(zones)
			if at, zonal := to.fields.get("location"); r == to.reader && zonal && zoneOK.MatchString(at) {
				zones = append([]string{at}, zones...) // a cluster's own zone does not stand in its list
			}
			return slices.Compact(zones)
		}
	}
	if at, ok := to.fields.get("location"); ok && zoneOK.MatchString(at) {
		return []string{at}
	}
	return nil
}

// nodes takes over how many there are. Terraform counts those of each zone, the stack file those of all. It reports whether that is known.
func (e *entry) nodes(to *entry) bool {
	zones := e.zones(to)
	said := len(zones) > 0 && !e.filled
	times := int64(len(zones))
	if a, ok := e.block("autoscaling"); ok {
		least, most, total := e.bounds(a)
		switch {
		case most == 0:
			e.refuse("its autoscaling has no highest number of nodes that is known")
			return false
		case !total && times == 0:
			times = usualZones
			e.comment("min and max are for %d zones, the usual number, since nothing names them", usualZones)
		case total:
			times = 1
		}
		e.fields.set("min", number(least*times))
		e.fields.set("max", number(most*times))
	} else {
		count, ok := e.number("node_count")
		if !ok {
			count, ok = e.number("initial_node_count")
		}
		switch {
		case !ok || count == 0:
			e.refuse("neither autoscaling nor node_count says how many nodes it has")
			return false
		case times == 0:
			e.refuse("its node_count is for each zone, and node_locations does not say which those are; say it, or import the state")
			return false
		}
		e.fields.set("size", number(count*times))
		said = true // a size stands beside its zones
	}
	if said {
		e.fields.set("zones", list(zones))
	}
	return true
}

// bounds are an autoscaler's, in each zone or in all of them together.
func (e *entry) bounds(a *reader) (least, most int64, total bool) {
	least, _ = a.number("min_node_count")
	most, _ = a.number("max_node_count")
	if n, ok := a.number("total_max_node_count"); ok && n > 0 {
		least, _ = a.number("total_min_node_count")
		return least, n, true
	}
	return least, most, false
}

var taintEffects = map[string]string{"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}

// taints takes over all of them or none: when present they are a set.
func (e *entry) taints(config *reader) {
	var all []mapping
	for _, b := range config.blocks("taint") {
		var taint mapping
		key, keyed := b.text("key")
		effect, _ := b.text("effect")
		if !keyed || taintEffects[effect] == "" {
			e.comment("%s is not known as a whole; the taints are left alone", b.path)
			return
		}
		taint.set("key", text(key))
		if value, ok := b.text("value"); ok && value != "" {
			taint.set("value", text(value))
		}
		taint.set("effect", text(taintEffects[effect]))
		all = append(all, taint)
	}
	if len(all) > 0 {
		e.fields.set("taints", items(all))
	}
}

func (e *entry) upgrade() {
	u, ok := e.block("upgrade_settings")
	if !ok {
		return
	}
	if strategy, ok := u.text("strategy"); ok && strategy != "SURGE" {
		e.comment("upgrade_settings.strategy %s has no counterpart; left alone", strategy)
		return
	}
	var out mapping
	for _, f := range []struct{ from, to string }{{"max_surge", "maxSurge"}, {"max_unavailable", "maxUnavailable"}} {
		if n, ok := u.number(f.from); ok {
			out.set(f.to, number(n))
		}
	}
	if len(out.content) > 0 {
		e.fields.set("upgrade", out.node())
	}
}
