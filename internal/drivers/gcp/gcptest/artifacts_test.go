package gcptest_test

import (
	"testing"

	artifactregistry "cloud.google.com/go/artifactregistry/apiv1"
	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

func TestRepositories(t *testing.T) {
	srv := gcptest.Start(t)
	opts, err := srv.Config().GRPC(t.Context(), gcp.ArtifactRegistry)
	if err != nil {
		t.Fatal(err)
	}
	c, err := artifactregistry.NewClient(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	create := func(parent, id string, r *artifactregistrypb.Repository) error {
		_, err := c.CreateRepository(t.Context(), &artifactregistrypb.CreateRepositoryRequest{Parent: parent, RepositoryId: id, Repository: r}, gcp.Write()...)
		return err
	}
	update := func(r *artifactregistrypb.Repository, paths ...string) error {
		r.Name = place + "/repositories/one"
		_, err := c.UpdateRepository(t.Context(), &artifactregistrypb.UpdateRepositoryRequest{Repository: r, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}, gcp.Write()...)
		return err
	}
	get := func() error {
		_, err := c.GetRepository(t.Context(), &artifactregistrypb.GetRepositoryRequest{Name: place + "/repositories/one"}, gcp.Read()...)
		return err
	}
	docker := func() *artifactregistrypb.Repository {
		return &artifactregistrypb.Repository{Format: artifactregistrypb.Repository_DOCKER}
	}
	bare := &artifactregistrypb.Repository{CleanupPolicies: map[string]*artifactregistrypb.CleanupPolicy{"x": {Action: artifactregistrypb.CleanupPolicy_DELETE}}}

	srv.SetDelay(gcptest.Never)
	steps := []struct {
		why  string
		call func() error
		code codes.Code
	}{
		{"a name with a capital", func() error { return create(place, "One", docker()) }, codes.InvalidArgument},
		{"no format", func() error { return create(place, "one", &artifactregistrypb.Repository{}) }, codes.InvalidArgument},
		{"a place that is none", func() error { return create("projects/acme/locations/moon", "one", docker()) }, codes.PermissionDenied},
		{"a good one", func() error { return create(place, "one", docker()) }, codes.OK},
		{"it is not there before its operation ends", get, codes.NotFound},
		{"and cannot be made twice meanwhile", func() error { return create(place, "one", docker()) }, codes.AlreadyExists},
		{"time passes", func() error { srv.Settle(); return nil }, codes.OK},
		{"now it is there", get, codes.OK},
		{"no listing spans locations", func() error {
			_, err := c.ListRepositories(t.Context(), &artifactregistrypb.ListRepositoriesRequest{Parent: "projects/acme/locations/-"}, gcp.Read()...).Next()
			return err
		}, codes.PermissionDenied},
		{"an update without a mask", func() error { return update(docker()) }, codes.InvalidArgument},
		{"an immutable field", func() error { return update(docker(), "format") }, codes.InvalidArgument},
		{"a policy without a condition", func() error { return update(bare, "cleanup_policies") }, codes.InvalidArgument},
		{"a mutable field", func() error { return update(&artifactregistrypb.Repository{Description: "x"}, "description") }, codes.OK},
	}
	for _, s := range steps {
		if err := s.call(); gcp.Code(err) != s.code {
			t.Errorf("%s: want %v, have %v", s.why, s.code, err)
		}
	}
	if pb := srv.Repository("one"); pb.Description != "x" || pb.Format != artifactregistrypb.Repository_DOCKER || pb.RegistryUri == "" {
		t.Errorf("only what the mask names should change: %v", pb)
	}
}
