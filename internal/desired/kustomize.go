package desired

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomize builds the folder with kustomize's own library: from the tree alone, without plugins, network or programs.
func (b *builder) kustomize(folder, at string) []manifest {
	file := b.tree.kustomization(folder)
	if file == "" {
		b.p.add(b.at(at), at, "%s: a folder without a kustomization.yaml; to take its files, write %q", folder, path.Join(folder, "*.yaml"))
		return nil
	}
	whole := place{file: file}
	before := len(b.p.list)
	seen := &treeFS{tree: b.tree, p: &b.p}
	out, err := build(seen, folder)
	if len(b.p.list) > before { // what a kustomization may not say, at its place
		return nil
	}
	if err != nil {
		b.p.add(whole, "", "%s", seen.silence(strings.TrimSpace(err.Error())))
		return nil
	}
	if len(out) > maxBuilt {
		b.p.add(whole, "", "makes more than %d MiB of objects", maxBuilt>>20)
		return nil
	}
	docs, ok := parse(file, out, &b.p)
	if !ok {
		return nil
	}
	var all []manifest
	for _, doc := range docs {
		for _, m := range b.split(doc, "") {
			relocate(m.tree, whole)
			m.at = whole
			m.path = m.kind() + "/" + m.name()
			all = append(all, m)
		}
	}
	return all
}

// relocate puts everything in v at one place: what kustomize made stands in no file.
func relocate(v *value, at place) {
	v.at = at
	for _, item := range v.items {
		relocate(item, at)
	}
	for _, f := range v.fields {
		f.at = at
		relocate(f.value, at)
	}
}

// building is held while kustomize works: it keeps its schema in variables of its own that are not safe to share.
var building sync.Mutex

// build runs kustomize. A panic of it is a mistake in the input that it did not foresee, and becomes an error.
func build(tree filesys.FileSystem, folder string) (out []byte, err error) {
	building.Lock()
	defer building.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("kustomize cannot build this: %v", r)
		}
	}()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(tree, "/"+folder)
	if err != nil {
		return nil, err
	}
	return built.AsYaml()
}

// maxBuilt bounds what kustomize may read, and what it may make, in bytes.
const maxBuilt = 16 << 20

var (
	errReadOnly = errors.New("a revision is read only")
	errRefused  = errors.New("refused")
)

// treeFS is the tree as kustomize wants to see it: with absolute paths, read only, and bounded. Every kustomization is vetted when
// it is read, so that nothing in it leads out of the tree.
type treeFS struct {
	tree files
	p    *problems // takes what is found in kustomizations: kustomize itself would not pass it on
	read int

	secretFiles []string // that a secretGenerator reads
	secrets     []string // texts that may be its values
}

func (t *treeFS) name(p string) string {
	if p = strings.TrimPrefix(path.Clean("/"+p), "/"); p != "" {
		return p
	}
	return "."
}

func (t *treeFS) stat(p string) (fs.FileInfo, error) { return t.tree.lstat(t.name(p)) }

func (t *treeFS) Create(string) (filesys.File, error)  { return nil, errReadOnly }
func (t *treeFS) Mkdir(string) error                   { return errReadOnly }
func (t *treeFS) MkdirAll(string) error                { return errReadOnly }
func (t *treeFS) RemoveAll(string) error               { return errReadOnly }
func (t *treeFS) WriteFile(string, []byte) error       { return errReadOnly }
func (t *treeFS) Open(string) (filesys.File, error)    { return nil, errReadOnly }
func (t *treeFS) Walk(string, filepath.WalkFunc) error { return errReadOnly }

func (t *treeFS) IsDir(p string) bool {
	info, err := t.stat(p)
	return err == nil && info.IsDir()
}

func (t *treeFS) Exists(p string) bool {
	_, err := t.stat(p)
	return err == nil
}

func (t *treeFS) CleanedAbs(p string) (filesys.ConfirmedDir, string, error) {
	info, err := t.stat(p)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", p, err)
	}
	clean := path.Clean("/" + p)
	if info.IsDir() {
		return filesys.ConfirmedDir(clean), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(clean)), path.Base(clean), nil
}

func (t *treeFS) ReadDir(p string) ([]string, error) {
	if _, err := t.stat(p); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(t.tree, t.name(p))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (t *treeFS) Glob(pattern string) ([]string, error) {
	found, err := fs.Glob(t.tree, t.name(pattern))
	for i, f := range found {
		found[i] = "/" + f
	}
	return found, err
}

func (t *treeFS) ReadFile(p string) ([]byte, error) {
	data, err := t.tree.read(t.name(p))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name(p), err)
	}
	if t.read += len(data); t.read > maxBuilt {
		return nil, fmt.Errorf("the kustomization reads more than %d MiB", maxBuilt>>20)
	}
	if slices.Contains(t.secretFiles, t.name(p)) {
		t.secrets = append(t.secrets, strings.Split(string(data), "\n")...)
	}
	if slices.Contains(kustomizationNames, path.Base(p)) && !t.vet(t.name(p), data) || !t.vetPlugins(t.name(p), data) {
		return nil, errRefused
	}
	return data, nil
}

// Keys of a kustomization whose entries are paths, and keys that run or fetch something.
var (
	kustomizePaths   = []string{"resources", "bases", "components", "crds", "configurations", "generators", "transformers", "validators"}
	kustomizeRefused = []string{"helmCharts", "helmChartInflationGenerator", "helmGlobals", "openapi"}
)

// vet refuses a kustomization that names what is not in the tree: kustomize would fetch it from the network, with git or by HTTP.
func (t *treeFS) vet(name string, data []byte) bool {
	before := len(t.p.list)
	docs, ok := parse(name, data, t.p)
	if !ok {
		return false
	}
	for _, doc := range docs {
		for _, key := range kustomizeRefused {
			if v := doc.get(key); v != nil {
				t.p.add(v.at, key, "not supported: a stack is built from its repository alone")
			}
		}
		for _, key := range kustomizePaths {
			if v := doc.get(key); v != nil {
				t.vetEntries(v, key, path.Dir(name))
			}
		}
		t.hear(doc.get("secretGenerator"), path.Dir(name))
		for _, key := range []string{"patches", "patchesStrategicMerge", "patchesJson6902", "replacements", "configMapGenerator", "secretGenerator"} {
			vetPaths(doc.get(key), key, t.p)
		}
	}
	return len(t.p.list) == before
}

// vetPlugins refuses addresses in the settings of kustomize's own generators and transformers, which stand in files like any other.
func (t *treeFS) vetPlugins(name string, data []byte) bool {
	if !bytes.Contains(data, []byte("builtin")) {
		return true
	}
	docs, ok := parse(name, data, &problems{})
	if !ok {
		return true // whatever it is, it is no settings
	}
	before := len(t.p.list)
	for _, doc := range docs {
		if version := doc.get("apiVersion"); version != nil && version.text == "builtin" {
			vetPaths(doc, "", t.p)
		}
	}
	return len(t.p.list) == before
}

// hear notes what a secretGenerator makes values from: kustomize quotes in its errors what it cannot use.
func (t *treeFS) hear(generators *value, folder string) {
	if generators == nil {
		return
	}
	for _, g := range generators.items {
		for _, key := range []string{"literals", "envs", "env", "files"} {
			v := g.get(key)
			if v == nil {
				continue
			}
			for _, item := range append(v.items, v) {
				if key == "literals" {
					t.secrets = append(t.secrets, item.text)
				} else if _, file, named := strings.Cut(item.text, "="); named {
					t.secretFiles = append(t.secretFiles, path.Join(folder, file))
				} else {
					t.secretFiles = append(t.secretFiles, path.Join(folder, item.text))
				}
			}
		}
	}
}

// silence takes out of an error what a secretGenerator makes values from.
func (t *treeFS) silence(text string) string {
	for _, s := range t.secrets {
		_, value, _ := strings.Cut(s, "=")
		for _, quoted := range []string{s, value} {
			if quoted = strings.TrimSpace(quoted); len(quoted) > 3 {
				text = strings.ReplaceAll(text, quoted, "(secret)")
			}
		}
	}
	return text
}

// vetEntries refuses entries that are not in the tree. What looks like a remote is refused even if it is: kustomize looks at the
// name alone.
func (t *treeFS) vetEntries(v *value, key, folder string) {
	for i, item := range v.items {
		if strings.Contains(item.text, ":") || strings.Contains(item.text, "github.com") || !t.Exists(path.Join(folder, item.text)) {
			t.p.add(item.at, indexed(key, i), "%q is not in the repository; nothing is fetched from elsewhere", item.text)
		}
	}
}

// vetPaths refuses addresses where a path of a file is expected.
func vetPaths(v *value, at string, p *problems) {
	if v == nil {
		return
	}
	if v.kind == scalar && !strings.Contains(v.text, "\n") && strings.Contains(v.text, "://") && !strings.HasPrefix(v.text, "{") {
		p.add(v.at, at, "%q is not in the repository; nothing is fetched from elsewhere", v.text)
	}
	for i, item := range v.items {
		vetPaths(item, indexed(at, i), p)
	}
	for _, f := range v.fields {
		if f.key == "path" || f.key == "files" || f.key == "envs" || f.key == "env" || f.value.kind != scalar && f.key != "literals" {
			vetPaths(f.value, joined(at, f.key), p)
		}
	}
}
