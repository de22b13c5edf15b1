package registry

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Running is an image of the repository that a workload of the stack runs, by tag or digest.
type Running struct {
	Workload           string
	Image, Tag, Digest string
}

func (r Running) String() string {
	if r.Digest != "" {
		return r.Image + "@" + r.Digest
	}
	return r.Image + ":" + r.Tag
}

// What a repository holds changes with pushes, while what the policy deletes goes by days: it is listed this often.
const imagesEvery = time.Hour

// images is what a repository was found to hold.
type images struct {
	found []*artifactregistrypb.DockerImage
	err   error
	at    time.Time
}

// endangered warns of images that run and that the repository's policy would delete. It costs a listing an hour, and only where there is
// such a policy and something runs from there.
func (d *Driver) endangered(ctx context.Context, w, live Spec) []string {
	c := w.Cleanup
	if c == nil || len(w.Running) == 0 || c.DeleteAfter == nil && c.DeleteUntaggedAfter == nil || live.seen == nil {
		return nil
	}
	name := d.name(live)
	d.mu.Lock()
	known, ok := d.images[name]
	d.mu.Unlock()
	if !ok || time.Since(known.at) >= imagesEvery {
		it := d.client.ListDockerImages(ctx, &artifactregistrypb.ListDockerImagesRequest{Parent: name, PageSize: 1000}, gcp.Read()...)
		known = images{at: time.Now()}
		if known.found, known.err = all(ctx, d, it.Next); ctx.Err() != nil {
			return nil
		}
		d.mu.Lock()
		d.images[name] = known
		d.mu.Unlock()
	}
	if known.err != nil {
		return []string{"whether the cleanup would delete an image that runs is not known: " + gcp.Explain("ListDockerImages", known.err).Error()}
	}
	var warnings []string
	for _, r := range w.Running {
		if why := c.deletes(known.found, r, time.Now()); why != "" {
			warnings = append(warnings, fmt.Sprintf("the cleanup would delete %s, which workload %s runs: %s", r, r.Workload, why))
		}
	}
	return warnings
}

// deletes says why the policy would delete what runs; "" if it would not, or if there is no such image.
func (c Cleanup) deletes(found []*artifactregistrypb.DockerImage, r Running, now time.Time) string {
	var versions []*artifactregistrypb.DockerImage // of the image, newest first
	for _, i := range found {
		if imageOf(i) == r.Image {
			versions = append(versions, i)
		}
	}
	slices.SortStableFunc(versions, func(a, b *artifactregistrypb.DockerImage) int {
		return b.GetUploadTime().AsTime().Compare(a.GetUploadTime().AsTime())
	})
	rank := slices.IndexFunc(versions, func(i *artifactregistrypb.DockerImage) bool {
		return r.Digest != "" && digestOf(i) == r.Digest || r.Digest == "" && slices.Contains(i.GetTags(), r.Tag)
	})
	if rank < 0 || c.KeepLast != nil && rank < *c.KeepLast {
		return ""
	}
	at := versions[rank].GetUploadTime().AsTime()
	age := gcp.Duration(now.Sub(at).Truncate(24 * time.Hour))
	beyond := ""
	if c.KeepLast != nil {
		beyond = fmt.Sprintf(", and %d newer ones are there", rank)
	}
	if after := c.DeleteAfter; after != nil && now.Sub(at) > time.Duration(*after) {
		return fmt.Sprintf("it is %s old%s; push it again, or let keepLast or deleteAfter reach further", age, beyond)
	}
	if after := c.DeleteUntaggedAfter; after != nil && len(versions[rank].GetTags()) == 0 && now.Sub(at) > time.Duration(*after) {
		return fmt.Sprintf("it has no tag and is %s old%s; give it a tag", age, beyond)
	}
	return ""
}

// imageOf is the name of an image within its repository; digestOf is its digest. The path holds both, the name with its slashes escaped.
func imageOf(i *artifactregistrypb.DockerImage) string {
	escaped, _, _ := strings.Cut(path.Base(i.GetName()), "@")
	name, err := url.PathUnescape(escaped)
	if err != nil {
		return escaped
	}
	return name
}

func digestOf(i *artifactregistrypb.DockerImage) string {
	_, digest, _ := strings.Cut(path.Base(i.GetName()), "@")
	return digest
}
