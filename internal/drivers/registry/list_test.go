package registry_test

import (
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/resource"
)

// There is no listing of all locations at once, so one that is no longer wanted has to be looked for.
func TestListingFindsEveryLocation(t *testing.T) {
	near, far := sample("ours"), sample("ours")
	far.Name, far.Location = "left-over", "europe-west1"
	srv, d := converged(t, near)
	create(t, d, far)
	srv.AddRepository("asia", "foreign", &artifactregistrypb.Repository{Format: artifactregistrypb.Repository_DOCKER})
	srv.Settle()

	restarted := open(t, srv.Config(), "ours")
	names := func() []string {
		seen, err := restarted.Observe(t.Context(), []registry.Spec{near}, true)
		if err != nil || len(seen.Unlisted) > 0 || len(seen.Notices) > 0 {
			t.Fatalf("%+v %v", seen, err)
		}
		var names []string
		for _, l := range seen.Live {
			names = append(names, l.Spec.Name)
		}
		return names
	}
	for range 2 {
		if got := names(); !slices.Equal(got, []string{"acme-recsys", "left-over"}) {
			t.Errorf("ours should be found wherever it is, and nobody else's: %v", got)
		}
	}
	srv.Forget()
	names()
	if n := srv.Count("ListRepositories"); n != 2 || srv.Count("ListLocations") != 0 {
		t.Errorf("afterwards only where ours is known to be should be listed: %v", srv.Calls())
	}
}

func TestListingPages(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	for n := range 5 {
		create(t, d, sampler("ours")(n))
	}
	srv.Settle()
	seen, err := d.Observe(t.Context(), nil, true)
	if err != nil || len(seen.Live) != 5 {
		t.Errorf("all pages should be read: %d of 5, %v", len(seen.Live), err)
	}
}

func TestListingInPart(t *testing.T) {
	want := sample("ours")
	srv, _ := converged(t, want)
	d := open(t, srv.Config(), "ours")
	srv.Forbid("ListLocations")
	seen, err := d.Observe(t.Context(), []registry.Spec{want}, true)
	if err != nil || len(seen.Live) != 1 || len(seen.Unlisted) > 0 {
		t.Errorf("that other locations are not known does not concern what is: %+v %v", seen, err)
	}
	if len(seen.Notices) != 1 || !strings.Contains(seen.Notices[0], "ListLocations") {
		t.Errorf("it should be told: %v", seen.Notices)
	}
	srv.Forget()
	if _, err := d.Observe(t.Context(), []registry.Spec{want}, true); err != nil || srv.Count("ListLocations") != 0 {
		t.Errorf("and not be tried at every pass: %v %v", srv.Calls(), err)
	}
}

func TestOneRegistryThatCannotBeRead(t *testing.T) {
	a := sample("ours")
	srv, d := converged(t, a)
	b := sample("ours")
	b.Name, b.Location = "elsewhere", "mars-north1"
	seen, err := d.Observe(t.Context(), []registry.Spec{a, b}, true)
	if err != nil || len(seen.Live) != 2 || seen.Live[0].State != resource.Ready || seen.Live[1].State != resource.Unknown || seen.Live[1].Detail == "" {
		t.Errorf("one that cannot be read should not hide the other: %+v %v", seen, err)
	}
	srv.Fail("GetRepository", codes.Unavailable, "for a moment", 2)
	if l := see(t, d, a); l.State != resource.Ready {
		t.Errorf("a service that is away for a moment is asked again: %+v", l)
	}
}
