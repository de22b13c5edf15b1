package terraform

import (
	"strconv"
	"strings"
	"time"
)

// registry is google_artifact_registry_repository.
func registry(e *entry) {
	if mode, ok := e.text("mode"); ok && mode != "STANDARD_REPOSITORY" {
		e.refuse("a %s; only standard ones are managed", strings.ToLower(strings.ReplaceAll(mode, "_", " ")))
		return
	}
	e.name("repository_id")
	e.location("location")
	if f, ok := e.text("format"); ok {
		e.fields.set("format", text(strings.ToLower(f)))
	}
	if d, ok := e.text("description"); ok {
		e.fields.set("description", text(d))
	}
	e.cleanup()
	if docker, ok := e.block("docker_config"); ok {
		if on, ok := docker.asked("immutable_tags"); ok {
			e.fields.set("immutableTags", truth(on))
		}
	}
	if s, ok := e.block("vulnerability_scanning_config"); ok {
		switch v, _ := s.text("enablement_config"); {
		case v == "DISABLED":
			e.fields.set("scanning", text("disabled"))
		case v == "INHERITED" && !e.filled:
			e.fields.set("scanning", text("inherited"))
		}
	}
	if l, ok := e.labels("labels"); ok {
		e.fields.set("labels", texts(l))
	}
	e.unsupported(e.reader, "kms_key_name", "maven_config", "remote_repository_config", "virtual_repository_config")
}

// cleanup takes over all the policies or none: they are one set.
func (e *entry) cleanup() {
	policies := e.blocks("cleanup_policies")
	dryRun, _ := e.truth("cleanup_policy_dry_run")
	if len(policies) == 0 {
		if dryRun {
			e.comment("cleanup_policy_dry_run says nothing without policies; left alone")
		}
		return
	}
	var out mapping
	for _, p := range policies {
		key, value := cleanupPolicy(p)
		if _, twice := out.get(key); key == "" || twice {
			e.comment("%s has no counterpart; the cleanup policies are left alone", p.path)
			return
		}
		out.set(key, value)
	}
	if dryRun {
		out.set("dryRun", truth(true))
	}
	e.fields.set("cleanup", out.node())
}

// cleanupPolicy is what one policy is called in a stack file, and its value; "" if it cannot be said.
func cleanupPolicy(p *reader) (string, *node) {
	action, _ := p.text("action")
	newest, keeps := p.block("most_recent_versions")
	when, removes := p.block("condition")
	p.ignore("id")
	switch n, ok := newest.number("keep_count"); {
	case action == "KEEP" && keeps && ok && len(newest.left()) == 0 && !removes:
		return "keepLast", number(n)
	case action != "DELETE" || keeps || !removes:
		return "", nil
	}
	age, ok := when.text("older_than")
	seconds, fine := span(age)
	tags, said := when.text("tag_state")
	if !ok || !fine || len(when.left()) > 0 {
		return "", nil
	}
	switch {
	case tags == "UNTAGGED":
		return "deleteUntaggedAfter", text(duration(seconds))
	case tags == "ANY" || !said || tags == "TAG_STATE_UNSPECIFIED":
		return "deleteAfter", text(duration(seconds))
	}
	return "", nil
}

// span reads a length of time such as 2592000s, 720h or 30d.
func span(s string) (seconds int64, ok bool) {
	if days, found := strings.CutSuffix(s, "d"); found {
		n, err := strconv.ParseInt(days, 10, 32)
		return n * 24 * 3600, err == nil && n > 0
	}
	d, err := time.ParseDuration(s)
	return int64(d / time.Second), err == nil && d >= time.Second && d%time.Second == 0
}

// duration writes a length of time as a stack file has it.
func duration(seconds int64) string {
	const day = 24 * 3600
	switch {
	case seconds%day == 0:
		return strconv.FormatInt(seconds/day, 10) + "d"
	case seconds%3600 == 0:
		return strconv.FormatInt(seconds/3600, 10) + "h"
	}
	return strconv.FormatInt(seconds, 10) + "s"
}
