package terraform

import (
	"fmt"
	"strings"
)

// Google's own choices, which a state holds although nobody made them.
const (
	usualClass      = "STANDARD"
	usualSoftDelete = 7 * 24 * 3600
	usualChannel    = "REGULAR"
)

// bucket is google_storage_bucket.
func bucket(e *entry) {
	e.name("name")
	e.location("location")
	if class, ok := e.text("storage_class"); ok && !(e.filled && class == usualClass) {
		switch class = strings.ToLower(class); class {
		case "standard", "nearline", "coldline", "archive":
			e.fields.set("class", text(class))
		default:
			e.comment("storage_class %s has no counterpart; left alone", class)
		}
	}
	if on, ok := e.asked("uniform_bucket_level_access"); ok {
		e.fields.set("uniformBucketLevelAccess", truth(on))
	}
	if p, ok := e.text("public_access_prevention"); ok && !(e.filled && p == "inherited") {
		e.fields.set("publicAccessPrevention", text(p))
	}
	if v, ok := e.block("versioning"); ok {
		if on, ok := v.asked("enabled"); ok {
			e.fields.set("versioning", truth(on))
		}
	}
	e.softDelete()
	e.lifecycle()
	if force, ok := e.truth("force_destroy"); ok && force {
		e.fields.set("forceDestroy", truth(true))
	}
	if l, ok := e.labels("labels"); ok {
		e.fields.set("labels", texts(l))
	}
	e.unsupported(e.reader, "cors", "website", "retention_policy", "logging", "encryption", "autoclass", "custom_placement_config",
		"requester_pays", "default_event_based_hold", "hierarchical_namespace", "ip_filter", "enable_object_retention")
	if rpo, ok := e.text("rpo"); ok && rpo != "DEFAULT" {
		e.comment("rpo has no counterpart; left alone")
	}
}

func (e *entry) softDelete() {
	p, ok := e.block("soft_delete_policy")
	if !ok {
		return
	}
	seconds, ok := p.number("retention_duration_seconds")
	switch {
	case !ok || e.filled && seconds == usualSoftDelete:
	case seconds == 0:
		e.fields.set("softDelete", text("off"))
	default:
		e.fields.set("softDelete", text(duration(seconds)))
	}
}

// lifecycle takes over all the rules or none: they are one set.
func (e *entry) lifecycle() {
	rules := e.blocks("lifecycle_rule")
	if len(rules) == 0 {
		return
	}
	var list []mapping
	for _, r := range rules {
		rule, why := e.rule(r)
		if why != "" {
			e.comment("%s %s, which has no counterpart; the lifecycle rules are left alone", r.path, why)
			return
		}
		list = append(list, rule)
	}
	e.fields.set("lifecycle", items(list))
}

// rule is one lifecycle rule, or why it cannot be said.
func (e *entry) rule(r *reader) (rule mapping, why string) {
	action, _ := r.block("action")
	switch kind, _ := action.text("type"); kind {
	case "Delete":
		rule.set("action", text("delete"))
	case "SetStorageClass":
		rule.set("action", text("setClass"))
		class, _ := action.text("storage_class")
		rule.set("class", text(strings.ToLower(class)))
	default:
		return rule, fmt.Sprintf("has the action %q", kind)
	}
	when, _ := r.block("condition")
	met := false
	for _, n := range []struct{ from, sendZero, to string }{
		{"age", "send_age_if_zero", "ageDays"}, {"num_newer_versions", "send_num_newer_versions_if_zero", "newerVersions"},
	} {
		zero, _ := when.truth(n.sendZero)
		if v, ok := when.number(n.from); ok && (v != 0 || zero) {
			rule.set(n.to, number(v))
			met = true
		}
	}
	if p, ok := when.texts("matches_prefix"); ok && len(p) > 0 {
		rule.set("prefixes", list(p))
		met = true
	}
	if state, ok := when.text("with_state"); ok && state != "ANY" {
		return rule, "has the condition with_state"
	}
	when.ignore("no_age", "send_days_since_noncurrent_time_if_zero", "send_days_since_custom_time_if_zero")
	if left := when.left(); len(left) > 0 {
		return rule, "has the condition " + left[0][strings.LastIndex(left[0], ".")+1:]
	}
	if !met {
		return rule, "has no condition"
	}
	return rule, ""
}
