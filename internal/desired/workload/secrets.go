package workload

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// annotationSecret is kube.AnnotationSecret: this room builds plain manifests and imports no driver.
const annotationSecret = "secret.recsysd.dev/"

// UsedSecrets are the names of the Secrets that the pods read, as variables or as files, each once and sorted.
func (w Workload) UsedSecrets() []string {
	used := map[string]bool{}
	for _, e := range w.Env {
		if e.Text == nil && e.Secret != "" {
			used[e.Secret] = true
		}
	}
	for name := range w.Secrets {
		used[name] = true
	}
	return slices.Sorted(maps.Keys(used))
}

// validateSecrets judges where Secrets are seen as files: what is mounted there is read-only, so nothing else can be in it.
func (w Workload) validateSecrets(bad func(field, format string, args ...any)) {
	taken := map[string]string{}
	if w.Disk != nil {
		taken[path.Clean(w.Disk.Mount)] = "the disk"
	}
	for _, name := range slices.Sorted(maps.Keys(w.Secrets)) {
		folder := w.Secrets[name]
		if !strings.HasPrefix(folder, "/") || path.Clean(folder) != folder || folder == "/" {
			bad("secrets."+name, "%q must be a folder such as /etc/secrets/%s", folder, name)
			continue
		}
		for _, other := range slices.Sorted(maps.Keys(taken)) {
			switch {
			case other == folder:
				bad("secrets."+name, "%s is where %s is", folder, taken[other])
			case within(folder, other) && taken[other] != "the disk", within(other, folder):
				bad("secrets."+name, "%s and %s, where %s is, lie within one another", folder, other, taken[other])
			}
		}
		taken[folder] = "secret " + name
	}
}

func within(inner, outer string) bool { return strings.HasPrefix(inner, outer+"/") }

// secretVolumes are the Secrets that the pods read as files. Without a user of its own the image decides who reads them, which the
// files must then allow; with one, Kubernetes gives them to its group.
func (w Workload) secretVolumes() list {
	mode := int64(0o444)
	if w.User != nil {
		mode = 0o400
	}
	var volumes list
	for _, name := range slices.Sorted(maps.Keys(w.Secrets)) {
		volumes = append(volumes, object{"name": secretVolume(name), "secret": object{"secretName": name, "defaultMode": mode}})
	}
	return volumes
}

func (w Workload) secretMounts() list {
	var mounts list
	for _, name := range slices.Sorted(maps.Keys(w.Secrets)) {
		mounts = append(mounts, object{"name": secretVolume(name), "mountPath": w.Secrets[name], "readOnly": true})
	}
	return mounts
}

// secretVolume is the name of a Secret's volume: a label of DNS, which the name of a Secret need not be.
func secretVolume(name string) string {
	name = strings.ReplaceAll(name, ".", "-")
	return "secret-" + strings.TrimRight(name[:min(len(name), 50)], "-")
}

// secretNotes name the making of each Secret that the pods read: pods keep what they started with, so another making replaces them.
// One that is not known now is null.
func (s Setting) secretNotes() object {
	notes := object{}
	for name, revision := range s.Secrets {
		notes[annotationSecret+name] = nil
		if revision != "" {
			notes[annotationSecret+name] = revision
		}
	}
	return notes
}
