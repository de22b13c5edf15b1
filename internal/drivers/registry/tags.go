package registry

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/image"
)

// Bounds of a listing of images. Most repositories are one page.
const (
	tagsPage  = 1000 // the most that Google gives
	maxImages = 50_000
)

// Tags lists the tags of a repository, by image. A repository that is not there holds none. Manifests without a tag, such as those of
// the architectures of an image, are left out. It is all or an error: half a listing would look like one from which tags have vanished.
func (d *Driver) Tags(ctx context.Context, r image.Repository) (map[string][]image.Tag, error) {
	in := Spec{Name: r.Name, Location: r.Location}
	parent := "projects/" + r.Project + "/locations/" + r.Location + "/repositories/" + r.Name
	it := d.client.ListDockerImages(ctx, &artifactregistrypb.ListDockerImagesRequest{Parent: parent, PageSize: tagsPage}, gcp.Read()...)
	seen := 0
	next := func() (*artifactregistrypb.DockerImage, error) {
		if seen++; seen > maxImages {
			return nil, fmt.Errorf("%s holds more than %d images; a clean-up policy would help", r.Name, maxImages)
		}
		return it.Next()
	}
	found, err := all(ctx, d, next)
	switch {
	case gcp.IsNotFound(err):
		return map[string][]image.Tag{}, nil
	case err != nil:
		return nil, gcp.Explain("ListDockerImages", err)
	}
	_, path, _ := strings.Cut(in.Path(r.Project), "/") // without the host, which a repository of gcr.io has its own of
	tags := map[string][]image.Tag{}
	for _, pb := range found {
		_, uri, _ := strings.Cut(pb.GetUri(), "/")
		name, digest, ok := strings.Cut(strings.TrimPrefix(uri, path+"/"), "@")
		if !ok || name == uri {
			continue
		}
		for _, t := range pb.GetTags() {
			tags[name] = append(tags[name], image.Tag{Name: t, Digest: digest, Uploaded: pb.GetUploadTime().AsTime()})
		}
	}
	return tags, nil
}
