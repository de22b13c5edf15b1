package gcptest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	artifactregistry "cloud.google.com/go/artifactregistry/apiv1"
	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"google.golang.org/api/iterator"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

// Both protocols list every manifest, a tag is on one image at a time, and an index brings manifests without tags along.
func TestImages(t *testing.T) {
	for _, protocol := range []string{"grpc", "rest"} {
		t.Run(protocol, func(t *testing.T) {
			srv := gcptest.Start(t)
			srv.AddRepository("us-central1", "one", &artifactregistrypb.Repository{Format: artifactregistrypb.Repository_DOCKER})
			srv.AddRepository("us-central1", "wheels", &artifactregistrypb.Repository{Format: artifactregistrypb.Repository_PYTHON})
			list := imageLister(t, srv, protocol)

			day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
			first := srv.PushImage("one", "api", day, "v1", "latest")
			second := srv.PushImage("one", "api", day.Add(time.Hour), "v2", "latest")
			srv.PushIndex("one", "team/web", day, "v1")
			tagged := func() string {
				images, err := list("one", 0)
				if err != nil {
					t.Fatal(err)
				}
				var lines []string
				for _, i := range images {
					name, _, _ := strings.Cut(strings.TrimPrefix(i.GetUri(), "us-central1-docker.pkg.dev/acme/one/"), "@")
					lines = append(lines, name+" "+strings.Join(i.GetTags(), ","))
				}
				return strings.Join(slices.Sorted(slices.Values(lines)), "\n")
			}
			want := func(why, lines string) {
				t.Helper()
				if got := tagged(); got != lines {
					t.Errorf("%s:\n%s\nwant:\n%s", why, got, lines)
				}
			}
			want("a tag moves with a push", "api v1\napi v2,latest\nteam/web \nteam/web \nteam/web v1")
			srv.MoveTag("one", "api", "latest", first)
			want("a tag is moved back", "api v1,latest\napi v2\nteam/web \nteam/web \nteam/web v1")
			srv.Untag("one", "api", "v2")
			want("a tag is taken off, the image stays", "api \napi v1,latest\nteam/web \nteam/web \nteam/web v1")
			srv.RemoveImages("one", "api", "v1")
			srv.RemoveImages("one", "team/web")
			want("images are removed", "api ")
			if images, _ := list("one", 0); !strings.HasSuffix(images[0].GetName(), "/dockerImages/api@"+second) {
				t.Errorf("the image that is left is %s, want %s", images[0].GetName(), second)
			}

			for n := range 9 {
				srv.PushImage("one", "many", day.Add(time.Duration(n)*time.Minute), fmt.Sprint("t", n))
			}
			srv.Forget()
			if images, err := list("one", 4); err != nil || len(images) != 10 || srv.Count("ListDockerImages") != 3 {
				t.Errorf("10 images, 4 a page: got %d in %d calls, %v", len(images), srv.Count("ListDockerImages"), err)
			}
			if _, err := list("wheels", 0); err == nil || !strings.Contains(err.Error(), "not of format DOCKER") {
				t.Errorf("images of a Python repository: %v", err)
			}
			if _, err := list("two", 0); !gcp.IsNotFound(err) {
				t.Errorf("images of no repository: %v", err)
			}
		})
	}
}

func imageLister(t *testing.T, srv *gcptest.Server, protocol string) func(repository string, page int32) ([]*artifactregistrypb.DockerImage, error) {
	config, open := srv.Config(), artifactregistry.NewClient
	options := config.GRPC
	if protocol == "rest" {
		config, open = srv.RESTConfig(), artifactregistry.NewRESTClient
		options = config.HTTP
	}
	opts, err := options(t.Context(), gcp.ArtifactRegistry)
	if err != nil {
		t.Fatal(err)
	}
	c, err := open(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return func(repository string, page int32) (all []*artifactregistrypb.DockerImage, err error) {
		it := c.ListDockerImages(t.Context(), &artifactregistrypb.ListDockerImagesRequest{Parent: place + "/repositories/" + repository, PageSize: page}, gcp.Read()...)
		for {
			i, err := it.Next()
			if errors.Is(err, iterator.Done) {
				return all, nil
			}
			if err != nil {
				return nil, err
			}
			all = append(all, i)
		}
	}
}
