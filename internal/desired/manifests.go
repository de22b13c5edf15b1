package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Bounds of what manifests may name.
const (
	maxManifestFiles = 500
	maxManifestBytes = 16 << 20 // of all files
	maxObjects       = 20_000
)

// manifest is one object of a manifest's file, or of what kustomize made.
type manifest struct {
	tree *value
	at   place
	path string // before the paths of mistakes; "" in a file, where the place says enough
}

// text is a scalar of the object, or "".
func (m manifest) text(keys ...string) string {
	v := m.tree
	for _, k := range keys {
		v = v.get(k)
	}
	if v == nil || v.kind != scalar || v.null() {
		return ""
	}
	return v.text
}

func (m manifest) kind() string { return m.text("kind") }
func (m manifest) name() string { return m.text("metadata", "name") }
func (m manifest) namespace(or string) string {
	if ns := m.text("metadata", "namespace"); ns != "" {
		return ns
	}
	return or
}

// readManifests reads every object that manifests names, in the order of the list.
func (b *builder) readManifests() []manifest {
	var all []manifest
	seen := map[string]bool{}
	for i, pattern := range b.file.Manifests {
		at := indexed("manifests", i)
		names := b.match(pattern, at)
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			if len(seen) > maxManifestFiles {
				b.p.add(b.at(at), at, "more than %d files", maxManifestFiles)
				return all
			}
			all = append(all, b.readManifest(name, at)...)
			if len(all) > maxObjects {
				b.p.add(b.at(at), at, "more than %d objects", maxObjects)
				return nil
			}
		}
	}
	return all
}

// match lists the files and kustomized folders that a pattern names, as paths in the tree.
func (b *builder) match(pattern, at string) []string {
	place := b.at(at)
	full := path.Join(path.Dir(b.path), pattern)
	switch {
	case strings.TrimSpace(pattern) == "":
		b.p.add(place, at, "has no value")
		return nil
	case path.IsAbs(pattern):
		b.p.add(place, at, "%q must be a path from the stack file's folder", pattern)
		return nil
	case !strings.ContainsAny(pattern, `*?[\`):
		return []string{full}
	case strings.Contains(pattern, "**"):
		b.p.add(place, at, "%q: ** is not supported; name each folder", pattern)
		return nil
	}
	found, err := fs.Glob(b.tree, full)
	if err != nil {
		b.p.add(place, at, "%q is not a pattern such as k8s/*.yaml", pattern)
		return nil
	}
	found = slices.DeleteFunc(found, func(name string) bool {
		info, err := b.tree.lstat(name)
		return err == nil && (info.IsDir() && b.tree.kustomization(name) == "" || !info.IsDir() && !isYAML(name))
	})
	if len(found) == 0 {
		b.p.add(place, at, "%q fits no file", pattern)
	}
	return found
}

func isYAML(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name))
}

// readManifest reads the objects of one file or folder, which pattern names at the path at.
func (b *builder) readManifest(name, at string) []manifest {
	info, err := b.tree.lstat(name)
	if err != nil {
		b.p.add(b.at(at), at, "%s: %v", name, err)
		return nil
	}
	if info.IsDir() {
		return b.kustomize(name, at)
	}
	if slices.Contains(kustomizationNames, path.Base(name)) {
		b.p.add(b.at(at), at, "%s: a kustomization is used by naming its folder, %q", name, path.Dir(name))
		return nil
	}
	data, err := b.tree.read(name)
	if err != nil {
		b.p.add(b.at(at), at, "%s: %v", name, err)
		return nil
	}
	if b.manifestBytes += len(data); b.manifestBytes > maxManifestBytes {
		b.p.add(b.at("manifests"), "manifests", "more than %d MiB in all", maxManifestBytes>>20)
		return nil
	}
	docs, ok := parse(name, data, &b.p)
	if !ok {
		return nil
	}
	var all []manifest
	for _, doc := range docs {
		all = append(all, b.split(doc, "")...)
	}
	if len(all) == 0 {
		b.notice(place{file: name}, "no object in this file")
	}
	return all
}

// split makes manifests of one document: none of an empty one, several of a List.
func (b *builder) split(doc *value, path string) []manifest {
	if doc.null() {
		return nil
	}
	if doc.kind != mapping {
		b.p.add(doc.at, path, "must be a Kubernetes object, not %s", doc.name())
		return nil
	}
	m := manifest{tree: doc, at: doc.at, path: path}
	items := doc.get("items")
	if m.kind() != "List" || items == nil || items.kind != list {
		return []manifest{m}
	}
	var all []manifest
	for _, item := range items.items {
		all = append(all, b.split(item, path)...)
	}
	return all
}

// addManifests takes in the objects of the manifests. Definitions among them come first: they say where instances may be.
func (b *builder) addManifests(manifests []manifest) {
	plain := make([]map[string]any, len(manifests))
	defined := definitions{}
	for i, m := range manifests {
		plain[i], _ = m.tree.plain(&b.p, m.path).(map[string]any)
		defined.Learn(plain[i])
	}
	for i, m := range manifests {
		if !b.checkManifest(m) {
			continue
		}
		b.tellPlainSecret(m)
		h := b.annotations(m, plain[i])
		delete(plain[i], "status")
		meta := plain[i]["metadata"].(map[string]any)
		if meta["creationTimestamp"] == nil {
			delete(meta, "creationTimestamp")
		}
		o, err := defined.Place(plain[i], b.namespace())
		if err != nil {
			b.validation(err, m)
			continue
		}
		o.Cluster = b.cluster
		if err := o.Validate(); err != nil {
			b.validation(err, m)
			continue
		}
		sum := sha256.Sum256([]byte(o.Ref().String()))
		at := b.manifestSchedule(m, o)
		from := origin{entry: "manifests." + hex.EncodeToString(sum[:5]), path: m.path, at: m.at, handling: h, schedule: at}
		b.add(b.object(o, from), m.at, m.path)
	}
}

// validation reports what is wrong with an object in itself, at the places of its file.
func (b *builder) validation(err error, m manifest) {
	places := map[string]place{m.path: m.at}
	locate(m.tree, m.path, m.at, places)
	b.p.addValidation(err, m.path, places)
}

// locate notes the place of everything in v, by path.
func locate(v *value, path string, at place, places map[string]place) {
	places[path] = at
	if v.kind == scalar {
		places[path] = v.at
	}
	for i, item := range v.items {
		locate(item, indexed(path, i), item.at, places)
	}
	for _, f := range v.fields {
		locate(f.value, joined(path, f.key), f.at, places)
	}
}
