package desired

import (
	"encoding/base64"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/desired/workload"
)

// checkManifest judges an object by what the API server would accept but a stack should not hold. It reports whether the object
// is one at all.
func (b *builder) checkManifest(m manifest) bool {
	bad := func(at place, path, format string, args ...any) { b.p.add(at, joined(m.path, path), format, args...) }
	for _, key := range []string{"apiVersion", "kind"} {
		if m.text(key) == "" {
			bad(m.at, key, "missing; is this a Kubernetes object?")
			return false
		}
	}
	if sops := m.tree.get("sops"); sops != nil {
		bad(sops.at, "sops", "manifests are not decrypted; name the file as fromFile of an entry of secrets, with its keys and values alone")
		return false
	}
	meta := m.tree.get("metadata")
	switch {
	case meta == nil || meta.kind != mapping:
		bad(m.at, "metadata", "missing")
		return false
	case meta.get("generateName") != nil:
		bad(meta.get("generateName").at, "metadata.generateName", "an object of a stack has a fixed name; use metadata.name")
		return false
	case m.name() == "":
		bad(meta.at, "metadata.name", "missing")
		return false
	}
	for _, key := range []string{"uid", "resourceVersion", "managedFields", "generation", "selfLink"} {
		if v := meta.get(key); v != nil {
			bad(v.at, "metadata."+key, "given by the cluster; remove it from the manifest")
		}
	}
	for _, key := range []string{"labels", "annotations"} {
		if v := meta.get(key); v != nil {
			if v.kind != mapping && !v.null() {
				bad(v.at, "metadata."+key, "must be a mapping, not %s", v.name())
				return false
			}
			for _, f := range v.fields {
				if f.value.kind != scalar || f.value.tag != "!!str" {
					bad(f.value.at, "metadata."+key+"."+f.key, "must be text; put it in quotes")
				}
			}
		}
	}
	for _, key := range []string{labelStack, labelEntry} {
		if v := meta.get("labels").get(key); v != nil {
			bad(v.at, "metadata.labels."+key, "set by recsysd alone")
		}
	}
	m.checkPod(bad)
	m.checkSecret(bad)
	return true
}

// checkSecret wants texts for values, as the API server does, and repeats none.
func (m manifest) checkSecret(bad func(at place, path, format string, args ...any)) {
	if m.kind() != "Secret" || m.text("apiVersion") != "v1" {
		return
	}
	for _, part := range []string{"data", "stringData"} {
		for _, f := range m.tree.get(part).all() {
			encoded := part == "data"
			switch {
			case f.value.null():
			case f.value.kind != scalar || f.value.tag != "!!str":
				bad(f.value.at, part+"."+f.key, "must be text; put it in quotes")
			case encoded && !isBase64(f.value.text):
				bad(f.value.at, part+"."+f.key, "is not base64; a value as it is belongs into stringData")
			}
		}
	}
}

func isBase64(text string) bool {
	_, err := base64.StdEncoding.DecodeString(text)
	return err == nil
}

// checkPod judges the pod that an object starts, if it does.
func (m manifest) checkPod(bad func(at place, path, format string, args ...any)) {
	group, _, _ := strings.Cut(m.text("apiVersion"), "/")
	var steps []string
	switch kind := m.kind(); {
	case group == "v1" && kind == "Pod":
		steps = []string{"spec"}
	case group == "batch" && kind == "CronJob":
		steps = []string{"spec", "jobTemplate", "spec", "template", "spec"}
	case group == "apps", group == "batch", group == "v1" && kind == "ReplicationController":
		steps = []string{"spec", "template", "spec"}
	default:
		return
	}
	if ttl := m.tree.get("spec").get("ttlSecondsAfterFinished"); group == "batch" && m.kind() == "Job" && ttl != nil {
		bad(ttl.at, "spec.ttlSecondsAfterFinished", "the Job would be removed when it is through, and run again at the next pass; leave it out, or use a CronJob")
	}
	spec, path := m.tree, strings.Join(steps, ".")
	for _, step := range steps {
		spec = spec.get(step)
	}
	for _, key := range []string{"initContainers", "containers"} {
		containers := spec.get(key)
		if containers == nil {
			continue
		}
		for i, c := range containers.items {
			checkContainer(c, indexed(path+"."+key, i), bad)
		}
	}
}

// checkContainer wants a version of the image, and of each resource a request, for which a limit stands in.
func checkContainer(c *value, path string, bad func(at place, path, format string, args ...any)) {
	if image := c.get("image"); image != nil && image.kind == scalar {
		if err := workload.CheckReference(image.text); err != nil {
			bad(image.at, path+".image", "%v", err)
		}
	}
	resources := c.get("resources")
	var lacking []string
	for _, key := range []string{"cpu", "memory"} {
		if resources.get("requests").get(key) == nil && resources.get("limits").get(key) == nil {
			lacking = append(lacking, key)
		}
	}
	if len(lacking) > 0 {
		at := c.at
		if resources != nil {
			at = resources.at
		}
		bad(at, path+".resources.requests", "no %s; what a pod reserves is what it costs, and on Autopilot saying nothing costs most", strings.Join(lacking, " and "))
	}
}

// annotations takes from an object what its recsysd.dev annotations say about its handling.
func (b *builder) annotations(m manifest, plain map[string]any) (h handling) {
	meta, _ := plain["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	have := m.tree.get("metadata").get("annotations")
	if have == nil {
		return h
	}
	const prefix = "recsysd.dev/"
	known := []string{prefix + "protect", prefix + "adopt", prefix + "suspend", prefix + "mode", annotationAwake}
	for _, f := range have.fields {
		if !strings.HasPrefix(f.key, prefix) {
			continue
		}
		path := joined(m.path, "metadata.annotations."+f.key)
		choose := func(choices ...string) {
			if !slices.Contains(choices, f.value.text) {
				b.p.add(f.value.at, path, "%q is not one of %s", f.value.text, strings.Join(choices, ", "))
			}
		}
		switch f.key {
		case annotationProtect:
			choose("true", "false")
			protect := f.value.text == "true"
			h.Protect = &protect
		case prefix + "adopt":
			choose("true", "false")
			h.Adopt = f.value.text == "true"
		case prefix + "suspend":
			h.Suspend = f.value.text
		case prefix + "mode":
			choose("apply", "observe")
			h.Mode = f.value.text
		case annotationAwake: // judged with the schedule that it is part of
		case annotationUnprotected, annotationGenerated, annotationApplied, annotationAsleep, annotationAwakeUntil, annotationAsleepUntil:
			b.p.add(f.at, path, "written by recsysd alone; it is never taken from a manifest")
		default:
			b.p.add(f.at, path, "unknown annotation%s", suggest(f.key, known))
		}
		delete(annotations, f.key)
	}
	return h
}
