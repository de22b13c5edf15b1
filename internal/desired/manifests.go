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

// manifestFile is one file or folder that manifests names.
type manifestFile struct {
	name, at string // at: the pattern that names it
	objects  []manifest
	key      fileKey   // zero: it is read anew each time
	kept     *keptFile // what it came to before, instead of objects
}

func (f manifestFile) count() int {
	if f.kept != nil {
		return len(f.kept.objects)
	}
	return len(f.objects)
}

// secrets are the objects that workloads may name, and perhaps others.
func (f manifestFile) secrets() []manifest {
	if f.kept != nil {
		return f.kept.secrets
	}
	return f.objects
}

// readManifests reads every object that manifests names, in the order of the list.
func (b *builder) readManifests() []manifestFile {
	var all []manifestFile
	seen := map[string]bool{}
	objects := 0
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
			f := b.readManifest(name, at)
			all = append(all, f)
			if objects += f.count(); objects > maxObjects {
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
func (b *builder) readManifest(name, at string) manifestFile {
	f := manifestFile{name: name, at: at}
	info, err := b.tree.lstat(name)
	if err != nil {
		b.p.add(b.at(at), at, "%s: %v", name, err)
		return f
	}
	if info.IsDir() {
		f.objects = b.kustomize(name, at)
		return f
	}
	if slices.Contains(kustomizationNames, path.Base(name)) {
		b.p.add(b.at(at), at, "%s: a kustomization is used by naming its folder, %q", name, path.Dir(name))
		return f
	}
	if hashed, ok := info.(interface{ ContentHash() string }); ok {
		f.key = fileKey{name, hashed.ContentHash()}
		f.kept = b.options.Memory.file(f.key)
	}
	size := info.Size()
	if f.kept == nil {
		size = b.readObjects(&f)
	}
	if b.manifestBytes += int(size); b.manifestBytes > maxManifestBytes {
		b.p.add(b.at("manifests"), "manifests", "more than %d MiB in all", maxManifestBytes>>20)
		return manifestFile{}
	}
	return f
}

// readObjects reads a file that is not remembered.
func (b *builder) readObjects(f *manifestFile) (size int64) {
	data, err := b.tree.read(f.name)
	if err != nil {
		b.p.add(b.at(f.at), f.at, "%s: %v", f.name, err)
		return 0
	}
	docs, ok := parse(f.name, data, &b.p)
	if !ok {
		return int64(len(data))
	}
	f.kept = nil
	for _, doc := range docs {
		f.objects = append(f.objects, b.split(doc, "")...)
	}
	if len(f.objects) == 0 {
		b.notice(place{file: f.name}, "no object in this file")
		f.key = fileKey{}
	}
	return int64(len(data))
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
func (b *builder) addManifests(all []manifestFile) {
	defined := definitions{}
	plain := make([][]map[string]any, len(all))
	objects := 0
	for i, f := range all {
		plain[i] = b.plain(f, defined)
		objects += f.count()
	}
	b.resources = slices.Grow(b.resources, objects)
	with := b.with(defined)
	for i, f := range all {
		if f.kept != nil && f.kept.with == with {
			b.recall(f.key, f.kept)
			continue
		}
		if f.kept != nil { // what it is made with has changed
			b.readObjects(&f)
			plain[i] = b.plain(f, defined)
		}
		mistakes, made, notices := len(b.p.list), len(b.resources), len(b.notices)
		for j, m := range f.objects {
			b.addManifest(m, plain[i][j], defined)
		}
		if f.key != (fileKey{}) && len(b.p.list) == mistakes && len(b.resources)-made == len(f.objects) {
			b.remember(f, with, b.resources[made:], slices.Clone(b.notices[notices:]))
		}
	}
}

// plain is what the objects of a file are to the API server. Definitions among them are learned.
func (b *builder) plain(f manifestFile, defined definitions) []map[string]any {
	all := make([]map[string]any, len(f.objects))
	for i, m := range f.objects {
		all[i], _ = m.tree.plain(&b.p, m.path).(map[string]any)
		defined.Learn(all[i])
	}
	return all
}

func (b *builder) addManifest(m manifest, plain map[string]any, defined definitions) {
	if !b.checkManifest(m) {
		return
	}
	b.tellPlainSecret(m)
	h := b.annotations(m, plain)
	delete(plain, "status")
	meta := plain["metadata"].(map[string]any)
	if meta["creationTimestamp"] == nil {
		delete(meta, "creationTimestamp")
	}
	o, err := defined.Place(plain, b.namespace())
	if err != nil {
		b.validation(err, m)
		return
	}
	o.Cluster = b.cluster
	if err := o.Validate(); err != nil {
		b.validation(err, m)
		return
	}
	sum := sha256.Sum256([]byte(o.Ref().String()))
	at := b.manifestSchedule(m, o)
	from := origin{entry: "manifests." + hex.EncodeToString(sum[:5]), path: m.path, at: m.at, handling: h, schedule: at}
	b.add(b.object(o, from), m.at, m.path)
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
