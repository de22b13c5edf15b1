package gcptest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// dockerImage is one manifest in a repository: what a digest names. A tag is at most on one manifest of an image.
type dockerImage struct {
	name     string // of the image, such as recsys-api or team/recsys-api
	digest   string
	tags     []string
	uploaded time.Time
	updated  time.Time
	index    bool // for several architectures; the manifests of these stand beside it, without tags
}

// Sizes of a page of images: Google's own default, and the most that it gives whatever is asked.
const (
	imagePage    = 100
	maxImagePage = 1000
)

// ListDockerImages lists every manifest of a repository, tagged or not.
func (a *artifacts) ListDockerImages(ctx context.Context, q *artifactregistrypb.ListDockerImagesRequest) (*artifactregistrypb.ListDockerImagesResponse, error) {
	out := &artifactregistrypb.ListDockerImagesResponse{}
	err := a.call(ctx, "ListDockerImages", q.GetParent(), false, func() error {
		found, err := a.find(q.GetParent())
		if err != nil {
			return err
		}
		if found.pb.GetFormat() != artifactregistrypb.Repository_DOCKER {
			return status.Errorf(codes.FailedPrecondition, "repository %s is not of format DOCKER", path.Base(q.GetParent()))
		}
		if q.GetPageSize() < 0 {
			return status.Error(codes.InvalidArgument, "page_size must not be negative")
		}
		size := min(int(q.GetPageSize()), maxImagePage)
		if size == 0 {
			size = imagePage
		}
		if a.s.pageSize > 0 {
			size = a.s.pageSize
		}
		// A token is where the page before ended: what is pushed or removed between two pages moves none of the others.
		rest := found.images
		if from := q.GetPageToken(); from != "" {
			rest = slices.DeleteFunc(slices.Clone(rest), func(i *dockerImage) bool { return i.key() <= from })
		}
		for n, i := range rest {
			if n == size {
				out.NextPageToken = rest[n-1].key()
				return nil
			}
			out.DockerImages = append(out.DockerImages, i.pb(found.pb))
		}
		return nil
	})
	return out, err
}

// key orders the images of a repository.
func (i *dockerImage) key() string { return i.name + "@" + i.digest }

func (i *dockerImage) pb(r *artifactregistrypb.Repository) *artifactregistrypb.DockerImage {
	media := "application/vnd.oci.image.manifest.v1+json"
	if i.index {
		media = "application/vnd.oci.image.index.v1+json"
	}
	return &artifactregistrypb.DockerImage{
		Name: r.GetName() + "/dockerImages/" + url.PathEscape(i.name) + "@" + i.digest, Uri: r.GetRegistryUri() + "/" + i.key(),
		Tags: slices.Clone(i.tags), MediaType: media, ImageSizeBytes: 1 << 20,
		UploadTime: timestamppb.New(i.uploaded), UpdateTime: timestamppb.New(i.updated),
	}
}

// PushImage puts an image into a repository, by its short name, as a push at that time does, and moves the tags to it. It returns the
// image's digest. Pushing the same image at the same time again adds tags to it.
func (s *Server) PushImage(repository, image string, at time.Time, tags ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.push(repository, &dockerImage{name: image, uploaded: at}, tags)
}

// PushIndex does the same with an image for two architectures: an index that has the tags, and a manifest without tags for each.
func (s *Server) PushIndex(repository, image string, at time.Time, tags ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range 2 {
		s.push(repository, &dockerImage{name: image, uploaded: at.Add(-time.Duration(n+1) * time.Second)}, nil)
	}
	return s.push(repository, &dockerImage{name: image, uploaded: at, index: true}, tags)
}

func (s *Server) push(repository string, i *dockerImage, tags []string) string {
	r := s.repositoryNamed(repository)
	sum := sha256.Sum256([]byte(fmt.Sprint(i.name, i.uploaded.UnixNano(), i.index)))
	i.digest, i.updated = "sha256:"+hex.EncodeToString(sum[:]), i.uploaded
	at, known := slices.BinarySearchFunc(r.images, i, func(a, b *dockerImage) int { return strings.Compare(a.key(), b.key()) })
	if !known {
		r.images = slices.Insert(r.images, at, i)
	}
	for _, t := range tags {
		r.untag(i.name, t)
		r.images[at].tags = append(r.images[at].tags, t)
	}
	return i.digest
}

// MoveTag puts a tag on the image of a digest, wherever it was before.
func (s *Server) MoveTag(repository, image, tag, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repositoryNamed(repository)
	r.untag(image, tag)
	for _, i := range r.images {
		if i.name == image && i.digest == digest {
			i.tags, i.updated = append(i.tags, tag), time.Now()
		}
	}
}

// Untag takes a tag off; the image stays.
func (s *Server) Untag(repository, image, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repositoryNamed(repository).untag(image, tag)
}

func (r *repository) untag(image, tag string) {
	for _, i := range r.images {
		if i.name == image {
			i.tags = slices.DeleteFunc(i.tags, func(t string) bool { return t == tag })
		}
	}
}

// RemoveImages removes every image that has one of the tags, as a clean-up does; without tags, all of that name.
func (s *Server) RemoveImages(repository, image string, tags ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repositoryNamed(repository)
	r.images = slices.DeleteFunc(r.images, func(i *dockerImage) bool {
		return i.name == image && (len(tags) == 0 || slices.ContainsFunc(i.tags, func(t string) bool { return slices.Contains(tags, t) }))
	})
}

// repositoryNamed panics where a test names a repository that is not there.
func (s *Server) repositoryNamed(name string) *repository {
	s.settle(time.Now())
	for id, r := range s.repos {
		if path.Base(id) == name {
			return r
		}
	}
	panic("gcptest: there is no repository " + strconv.Quote(name))
}
