package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/image"
)

// Over both protocols: every page, every tag with its digest and its time, images with a slash in their name, no manifest without a tag.
func TestTags(t *testing.T) {
	for name, config := range map[string]func(*gcptest.Server) gcp.Config{"grpc": (*gcptest.Server).Config, "rest": (*gcptest.Server).RESTConfig} {
		t.Run(name, func(t *testing.T) {
			srv := gcptest.Start(t)
			d := open(t, config(srv), "recsys")
			r := image.Repository{Project: "acme", Location: "us-central1", Name: "images"}
			if tags, err := d.Tags(t.Context(), r); err != nil || tags == nil || len(tags) != 0 {
				t.Errorf("a repository that is not there yet holds nothing, and that is known: %v, %v", tags, err)
			}
			srv.AddRepository("us-central1", "images", &artifactregistrypb.Repository{Format: artifactregistrypb.Repository_DOCKER})
			day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
			for n := range 7 {
				srv.PushImage("images", "api", day.Add(time.Duration(n)*time.Hour), fmt.Sprint("1.0.", n), "latest")
			}
			index := srv.PushIndex("images", "team/web", day, "main-1", "1.0.0")
			srv.SetPageSize(3)
			srv.Forget()
			tags, err := d.Tags(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if n := srv.Count("ListDockerImages"); n != 4 {
				t.Errorf("10 manifests, 3 a page, in %d calls", n)
			}
			if len(tags) != 2 || len(tags["api"]) != 8 || len(tags["team/web"]) != 2 {
				t.Errorf("got %v", tags)
			}
			for _, tag := range tags["team/web"] {
				if tag.Digest != index || !tag.Uploaded.Equal(day) {
					t.Errorf("%+v is not that of the index %s at %s", tag, index, day)
				}
			}
		})
	}
}

// A listing that breaks off in the middle is no listing.
func TestHalfAListing(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "recsys")
	srv.AddRepository("us-central1", "images", &artifactregistrypb.Repository{Format: artifactregistrypb.Repository_DOCKER})
	for n := range 4 {
		srv.PushImage("images", "api", time.Date(2026, 11, 1, n, 0, 0, 0, time.UTC), fmt.Sprint("1.0.", n))
	}
	srv.SetPageSize(2)
	pages := 0
	srv.OnCall(func(c gcptest.Call, phase gcptest.Phase) {
		if c.Method == "ListDockerImages" && phase == gcptest.After {
			if pages++; pages == 1 {
				srv.Fail("ListDockerImages", codes.PermissionDenied, "no longer allowed", gcptest.Forever)
			}
		}
	})
	tags, err := d.Tags(t.Context(), image.Repository{Project: "acme", Location: "us-central1", Name: "images"})
	if err == nil || tags != nil || !strings.Contains(err.Error(), "no longer allowed") {
		t.Errorf("half a listing passes for one: %v, %v", tags, err)
	}
	if pages != 1 {
		t.Errorf("%d pages were given", pages)
	}
}
