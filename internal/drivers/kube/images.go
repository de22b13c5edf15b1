package kube

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/resource"
)

// noteImage begins the annotation that says which tag was chosen for a container, and when that was uploaded. It is the memory that
// keeps a vanished tag from rolling anything back: it lives and dies with the object. Like AnnotationApplied it is never compared.
const noteImage = "recsysd.dev/image."

// chosen remembers what was chosen for objects whose images have a policy: only to know it between a removal and the creation
// that follows, and to find the same manifest for the same choice.
type chosen struct {
	mu   sync.Mutex
	last map[resource.Ref]choice
}

type choice struct {
	from     map[string]any // the manifest that was given, and
	picks    string         // what was picked for it
	manifest map[string]any // is this
	tags     map[string]image.Tag
}

// settled is what want comes to with its images chosen.
type settled struct {
	Object
	missing string   // why there is an image that nothing is known of: then it cannot be written
	notices []string // what runs although the registry does not have it
}

// settle chooses the images of want, where live is the object as it is or nil. Whoever compares or writes want asks here first, so that
// plan, drift and write are of one mind.
func (d *Driver) settle(want Object, live map[string]any) (settled, error) {
	s := settled{Object: want}
	if len(want.Images) == 0 {
		return s, nil
	}
	ref := want.Ref()
	d.chosen.mu.Lock()
	defer d.chosen.mu.Unlock()
	before := d.chosen.last[ref]
	picks := make(map[string]image.Tag, len(want.Images))
	var text strings.Builder
	for _, container := range slices.Sorted(maps.Keys(want.Images)) {
		c := want.Images[container]
		running, err := d.running(container, c, live, before)
		if err != nil {
			return s, err
		}
		tag, vanished, ok := c.Pick(running)
		switch {
		case !ok:
			s.missing = c.Missing()
			continue
		case vanished:
			s.notices = append(s.notices, fmt.Sprintf("%s runs and is not in the registry any more; it stays until a newer one that matches %s is pushed", image.Reference{Path: c.Path, Tag: tag.Name}, c.Policy))
		case !c.Known && c.Trouble != "":
			s.notices = append(s.notices, fmt.Sprintf("%s stays as it is: the tags of its registry are not known: %s", image.Reference{Path: c.Path, Tag: tag.Name}, c.Trouble))
		}
		picks[container] = tag
		fmt.Fprintf(&text, "%s=%s\n", container, tag.Note(c.Path))
	}
	if s.missing != "" {
		return s, nil
	}
	if text.String() != before.picks || reflect.ValueOf(want.Manifest).Pointer() != reflect.ValueOf(before.from).Pointer() {
		before = choice{want.Manifest, text.String(), pinned(want, picks), picks}
		if d.chosen.last == nil {
			d.chosen.last = map[resource.Ref]choice{}
		}
		d.chosen.last[ref] = before
	}
	s.Manifest = before.manifest
	return s, nil
}

// keep forgets all but the objects of want.
func (c *chosen) keep(want []Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.last) == 0 {
		return
	}
	wanted := make(map[resource.Ref]bool, len(want))
	for _, o := range want {
		wanted[o.Ref()] = true
	}
	maps.DeleteFunc(c.last, func(ref resource.Ref, _ choice) bool { return !wanted[ref] })
}

// running is the tag that was chosen before: as the live object notes it, or where it has no note yet, the one that it runs. What a
// hand has put there is neither. Without a live object it is what this process remembers.
func (d *Driver) running(container string, c image.Choice, live map[string]any, before choice) (*image.Tag, error) {
	if live == nil {
		tag, ok := before.tags[container]
		if !ok || image.ParseReference(reference(before.manifest, container)).Path != c.Path {
			return nil, nil
		}
		return &tag, nil
	}
	owners, err := owners(live)
	if err != nil {
		return nil, err
	}
	ours := applied(owners)
	key := noteImage + container
	if note := text(live, "metadata", "annotations", key); ours.Has(fieldpath.MakePathOrDie("metadata", "annotations", key)) {
		if tag, ok := image.ParseNote(note, c.Path); ok {
			return &tag, nil
		}
	}
	runs := image.ParseReference(reference(live, container))
	if runs.Path != c.Path || runs.Tag == "" || made(live) && !covers(ours, imagePath(live, container)) {
		return nil, nil
	}
	// When it was uploaded is not known; it was before it was written here.
	return &image.Tag{Name: runs.Tag, Digest: runs.Digest, Uploaded: lastWrite(live)}, nil
}

// lastWrite is when somebody last changed more than the status of an object.
func lastWrite(live map[string]any) (last time.Time) {
	for _, e := range objects(list(live, "metadata", "managedFields")) {
		at, err := time.Parse(time.RFC3339, text(e, "time"))
		if err == nil && text(e, "subresource") == "" && at.After(last) {
			last = at
		}
	}
	return last
}

// pinned is the manifest of want with the images chosen, and what was chosen noted.
func pinned(want Object, picks map[string]image.Tag) map[string]any {
	m := normal(want.Manifest)
	meta := object(m, "metadata")
	notes := object(meta, "annotations")
	if notes == nil {
		notes = map[string]any{}
		meta["annotations"] = notes
	}
	for container, tag := range picks {
		path := want.Images[container].Path
		for _, c := range containers(m) {
			if c["name"] == container {
				c["image"] = tag.At(path).String()
			}
		}
		notes[noteImage+container] = tag.Note(path)
	}
	return m
}

// podPaths are where the kinds that run pods describe them.
var podPaths = [][]string{{"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}, {"spec"}}

// containers are those of whatever kind of object has any.
func containers(m map[string]any) []map[string]any {
	for _, path := range podPaths {
		if pod := object(m, path...); pod["containers"] != nil {
			return append(objects(list(pod, "initContainers")), objects(list(pod, "containers"))...)
		}
	}
	return nil
}

// Containers are the names of the containers of an object's pods, with the references of their images.
func Containers(manifest map[string]any) map[string]string {
	all := map[string]string{}
	for _, c := range containers(manifest) {
		all[text(c, "name")] = text(c, "image")
	}
	return all
}

// reference is the image of a container; "": there is no such container.
func reference(m map[string]any, container string) string { return Containers(m)[container] }

// imagePath is the field of a container's image.
func imagePath(m map[string]any, container string) fieldpath.Path {
	for _, path := range podPaths {
		pod := object(m, path...)
		for _, kind := range []string{"initContainers", "containers"} {
			for _, c := range objects(list(pod, kind)) {
				if c["name"] == container {
					var p fieldpath.Path
					for _, step := range append(slices.Clone(path), kind) {
						p = append(p, fieldpath.FieldNameElement(step))
					}
					return append(p, fieldpath.PathElement{Key: fieldpath.KeyByFields("name", container)}, fieldpath.FieldNameElement("image"))
				}
			}
		}
	}
	return nil
}

// unknown is the prediction for an object whose image is not known: the difference is told, and nothing is written.
func (s settled) unknown(live map[string]any) *prediction {
	p := &prediction{missing: s.missing}
	for container, c := range s.Images {
		p.changes = append(p.changes, resource.Change{
			Field: pathText(imagePath(s.Manifest, container)), Have: reference(live, container), Want: image.Reference{Path: c.Path}.String() + ": a tag that matches " + c.Policy.String(),
		})
	}
	slices.SortFunc(p.changes, func(a, b resource.Change) int { return strings.Compare(a.Field, b.Field) })
	return p
}

// writable settles want for a write, which waits as long as an image is not known.
func (d *Driver) writable(want Object, live map[string]any) (Object, error) {
	s, err := d.settle(want, live)
	if err == nil && s.missing != "" {
		err = fmt.Errorf("%w: %s", resource.ErrUnavailable, s.missing)
	}
	return s.Object, err
}
