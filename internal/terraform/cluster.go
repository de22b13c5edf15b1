package terraform

import (
	"slices"
	"strings"
	"time"
)

// cluster is google_container_cluster.
func cluster(e *entry) {
	e.name("name")
	e.location("location")
	if on, ok := e.truth("enable_autopilot"); ok && on {
		e.fields.set("mode", text("autopilot"))
	} else {
		e.fields.set("mode", text("standard"))
	}
	if r, ok := e.block("release_channel"); ok {
		channel, ok := r.text("channel")
		switch {
		case !ok || e.filled && channel == usualChannel:
		case channel == "UNSPECIFIED":
			e.comment("release_channel UNSPECIFIED has no counterpart; left alone")
		default:
			e.fields.set("releaseChannel", text(strings.ToLower(channel)))
		}
	}
	e.maintenance()
	e.place()
	e.authorizedNetworks()
	if c, ok := e.block("control_plane_endpoints_config"); ok {
		if dns, ok := c.block("dns_endpoint_config"); ok {
			if on, ok := dns.asked("allow_external_traffic"); ok {
				e.fields.set("dnsEndpoint", truth(on))
			}
		}
	}
	if p, ok := e.block("private_cluster_config"); ok {
		if on, ok := p.asked("enable_private_nodes"); ok {
			e.fields.set("privateNodes", truth(on))
		}
		if on, ok := p.asked("enable_private_endpoint"); ok && on {
			e.comment("private_cluster_config.enable_private_endpoint has no counterpart; left alone")
		}
	}
	if l, ok := e.labels("resource_labels"); ok {
		e.fields.set("labels", texts(l))
	}
	e.ignore("deletion_protection", "remove_default_node_pool", "allow_net_admin", "networking_mode", "enable_autopilot",
		"node_pool", "node_config", "initial_node_count", "node_locations") // see completeClusters
	e.unsupported(e.reader, "database_encryption", "binary_authorization", "notification_config", "enable_kubernetes_alpha")
}

// maintenance takes over the window; a state has the block even where nobody asked for one.
func (e *entry) maintenance() {
	p, ok := e.block("maintenance_policy")
	if !ok {
		return
	}
	if daily, ok := p.block("daily_maintenance_window"); ok {
		if start, ok := daily.text("start_time"); ok {
			var w mapping
			w.set("start", text(start))
			w.set("duration", text("4h")) // what a daily window always is
			e.fields.set("maintenanceWindow", w.node())
		}
	}
	if recurring, ok := p.block("recurring_window"); ok {
		if w, ok := window(recurring); ok {
			e.fields.set("maintenanceWindow", w.node())
		} else {
			e.comment("%s has no counterpart; left alone", recurring.path)
		}
	}
	if len(p.blocks("maintenance_exclusion")) > 0 {
		e.comment("maintenance_policy.maintenance_exclusion has no counterpart; left alone")
	}
}

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// window is a recurring window that is open every day, or on days of the week.
func window(r *reader) (w mapping, ok bool) {
	from, _ := r.text("start_time")
	to, _ := r.text("end_time")
	start, err := time.Parse(time.RFC3339, from)
	end, err2 := time.Parse(time.RFC3339, to)
	if err != nil || err2 != nil {
		return w, false
	}
	w.set("start", text(start.UTC().Format("15:04")))
	w.set("duration", text(end.Sub(start).String()))
	if d := end.Sub(start); d%time.Hour == 0 {
		w.set("duration", text(duration(int64(d/time.Second))))
		if d == 24*time.Hour {
			w.set("duration", text("24h"))
		}
	}
	recurrence, _ := r.text("recurrence")
	var days []string
	for part := range strings.SplitSeq(recurrence, ";") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "FREQ":
			if value != "DAILY" && value != "WEEKLY" {
				return w, false
			}
		case "BYDAY":
			for day := range strings.SplitSeq(strings.ToLower(value), ",") {
				i := slices.IndexFunc(weekdays, func(w string) bool { return strings.HasPrefix(w, day) && len(day) == 2 })
				if i < 0 {
					return w, false
				}
				days = append(days, weekdays[i])
			}
		default:
			return w, false
		}
	}
	if len(days) == 0 && !strings.Contains(recurrence, "FREQ=DAILY") {
		return w, false
	}
	if len(days) > 0 && len(days) < len(weekdays) {
		w.set("days", list(days))
	}
	return w, true
}

func (e *entry) authorizedNetworks() {
	config, ok := e.block("master_authorized_networks_config")
	if !ok {
		return
	}
	networks := []mapping{}
	for _, b := range config.blocks("cidr_blocks") {
		cidr, ok := b.text("cidr_block")
		if !ok {
			e.comment("master_authorized_networks_config is not known as a whole; left alone")
			return
		}
		var n mapping
		n.set("cidr", text(cidr))
		if name, ok := b.text("display_name"); ok && name != "" {
			n.set("name", text(name))
		}
		networks = append(networks, n)
	}
	e.fields.set("authorizedNetworks", items(networks))
	if on, ok := config.asked("gcp_public_cidrs_access_enabled"); ok && on {
		e.comment("master_authorized_networks_config.gcp_public_cidrs_access_enabled has no counterpart; left alone")
	}
}
