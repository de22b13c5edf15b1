package desired

import (
	"fmt"
	"reflect"
	"sync"

	"recsysd.dev/recsysd/internal/resource"
)

// Memory keeps, from one reading of a stack to the next, what the files of its manifests came to. A file is known again by its name and
// content, and what was made of it holds as long as all else does that its objects are made with. Only what the last reading used is
// kept, and it is the very objects that the stack has: nothing is held twice, and whoever compares may know an object by its address.
//
// The zero value remembers nothing yet. It is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	files map[fileKey]*keptFile
	place *clusterBilling
}

// fileKey is a file's name and the hash of its content.
type fileKey struct{ name, content string }

// keptFile is what a file came to. It is never changed.
type keptFile struct {
	with    string // what its objects were made with
	objects []keptObject
	secrets []manifest // those of its objects that workloads may name
	notices []string
	rests   bool // something in it follows the stack's schedule
}

type keptObject struct {
	resource resource.Resource
	at       place
	path     string
}

// file is what a file came to at the last reading, or nil.
func (m *Memory) file(key fileKey) *keptFile {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[key]
}

// keep takes what a reading that succeeded has used.
func (m *Memory) keep(files map[fileKey]*keptFile) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files = files
}

// same is the place that was billed for before, if that is equal.
func (m *Memory) same(p *clusterBilling) *clusterBilling {
	if m == nil {
		return p
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !reflect.DeepEqual(m.place, p) {
		m.place = p
	}
	return m.place
}

// with describes everything but the file that an object of a manifest is made with: see addManifests and object.
func (b *builder) with(defined definitions) string {
	w := fmt.Sprintf("%q %q %v %q %v %q", b.file.Name, b.namespace(), b.cluster, b.file.Labels, defined, b.file.Mode)
	if b.file.Protect != nil {
		w += fmt.Sprint(" protect ", *b.file.Protect)
	}
	if s := b.file.Schedule; s != nil {
		asleep, all := b.schedules.manifests.Week()
		awake, until := b.schedules.manifests.At(b.options.Now)
		w += fmt.Sprintf(" schedule %v of %v, %v until %v, then %v", asleep, all, awake, until, b.schedules.manifests.Wakes(b.options.Now))
	}
	return w
}

// recall takes in the objects of a file as they were made before.
func (b *builder) recall(key fileKey, k *keptFile) {
	if k.rests {
		b.rest(b.schedules.manifests) // it holds until its next turn
	}
	for _, o := range k.objects {
		b.add(o.resource, o.at, o.path)
	}
	b.notices = append(b.notices, k.notices...)
	b.used[key] = k
}

// remember notes what a file has come to, if it would come to the same again.
func (b *builder) remember(f manifestFile, with string, made []resource.Resource, notices []string) {
	k := &keptFile{with: with, notices: notices}
	for _, m := range f.objects {
		switch {
		case m.kind() == "CustomResourceDefinition": // others depend on what it says
			return
		case m.tree.get("metadata").get("annotations").get(annotationAwake) != nil: // it has a schedule of its own
			return
		case m.kind() == "Secret":
			k.secrets = append(k.secrets, m)
		}
	}
	for _, r := range made {
		m := f.objects[len(k.objects)]
		k.objects = append(k.objects, keptObject{r, m.at, m.path})
		k.rests = k.rests || r.Rest != nil
	}
	b.used[f.key] = k
}
