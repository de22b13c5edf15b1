package desired

import (
	"cmp"
	"fmt"
	"strings"

	"recsysd.dev/recsysd/internal/desired/workload"
	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/resource"
)

// Followed is a workload whose tag stands in Git and follows a policy.
type Followed struct {
	Workload string // its name
	Image    string // its name within the registry
	Tag      string // that Git names
	Choice   image.Choice
}

// image is the full reference of a workload's image, and the registry of the stack that it comes from. What a policy leaves to the
// live world goes to b.chosen.
func (b *builder) image(i workload.Image, path string) (string, *resource.Ref) {
	if i.Reference != "" {
		b.checkMoving(b.at(path+".image"), i.Reference)
		return i.Reference, nil
	}
	e := b.file.Cloud.Registries[i.Registry]
	if e == nil {
		if at := path + ".image.registry"; i.Registry != "" {
			b.p.add(b.at(at), at, "no registry %q in registries%s", i.Registry, suggest(i.Registry, sortedKeys(b.file.Cloud.Registries)))
		}
		return "", nil
	}
	if format := e.Spec.Format; format != "" && format != "docker" {
		b.p.add(b.at(path+".image.registry"), path+".image.registry", "registry %q holds %s packages, not images", i.Registry, format)
		return "", nil
	}
	r := image.Reference{Path: e.Spec.Path(b.file.Project) + "/" + i.Name, Tag: i.Tag}
	if choice := b.choice(i, path, r.Path, image.Repository{Project: b.file.Project, Location: e.Spec.Location, Name: e.Spec.Name}); choice != nil {
		r = image.Reference{Path: r.Path}
		if best, _, ok := choice.Pick(nil); ok {
			r = best.At(r.Path)
		}
	}
	if r.Tag == i.Tag {
		b.checkMoving(b.at(path+".image.tag"), r.String())
	}
	ref := e.Spec.Ref()
	return r.String(), &ref
}

// choice is what the live world decides of an image; nil where Git names the tag that runs.
func (b *builder) choice(i workload.Image, path, full string, from image.Repository) *image.Choice {
	policy, err := i.Choice()
	if policy == nil || err != nil {
		return nil
	}
	at := path + ".image.policy"
	if i.Newest != "" {
		at = path + ".image.newest"
	}
	choice := image.Choice{Policy: *policy, Path: full, Place: b.at(at).String() + ": " + at}
	if b.options.Images != nil {
		l := b.options.Images(from)
		choice.Tags, choice.Known = l.Tags[i.Name], l.Known()
		if l.Err != nil {
			choice.Trouble = l.Err.Error()
		}
		if !l.Until.IsZero() {
			b.holdsUntil(l.Until)
		}
	}
	tag := path + ".image.tag"
	switch {
	case b.options.WriteBack && i.Tag == "":
		b.p.add(b.at(path+".image"), tag, "missing; new tags are written into Git (imageUpdates.push), so Git names the one to begin with")
		return nil
	case b.options.WriteBack:
		b.follow(strings.TrimPrefix(path, "workloads."), i, choice)
		return nil
	case i.Tag != "" && !b.options.Offline:
		b.p.add(b.at(tag), tag, "the policy finds the tag; remove one of the two")
		return nil
	case i.Tag != "":
		return nil
	}
	b.chosen[path] = &choice
	return &choice
}

// follow takes down a tag that is to be kept up in Git, unless its workload is to be left alone.
func (b *builder) follow(name string, i workload.Image, choice image.Choice) {
	if h := b.file.Workloads[name].Handling; h.Suspend == "" && cmp.Or(h.Mode, b.file.Mode) != observed {
		b.followed = append(b.followed, Followed{Workload: name, Image: i.Name, Tag: i.Tag, Choice: choice})
	}
}

// imagesOf is the choice for every container that runs the workload's image.
func imagesOf(manifest map[string]any, reference string, choice *image.Choice) map[string]image.Choice {
	if choice == nil {
		return nil
	}
	images := map[string]image.Choice{}
	for container, runs := range containersOf(manifest) {
		if runs == reference {
			images[container] = *choice
		}
	}
	return images
}

// checkMoving tells of a tag that is known to move.
func (b *builder) checkMoving(at place, reference string) {
	if strings.HasSuffix(reference, ":latest") {
		b.notice(at, fmt.Sprintf("%s moves without a commit, and what runs then depends on when a pod started", reference))
	}
}
