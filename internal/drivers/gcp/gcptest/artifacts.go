package gcptest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/iam/apiv1/iampb"
	locationpb "google.golang.org/genproto/googleapis/cloud/location"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// artifacts is Artifact Registry's API: creation and removal take time, updates do not; a repository is not there before its
// creation ends; nothing guards an update against another.
type artifacts struct {
	artifactregistrypb.UnimplementedArtifactRegistryServer
	s *Server
}

type repository struct {
	policy *iampb.Policy // nil: nobody was given access yet
	pb     *artifactregistrypb.Repository
	images []*dockerImage // by name and digest
}

var repositoryIDs = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// locations are those that the service has.
var locations = []string{"asia", "europe", "europe-west1", "us", "us-central1", "us-east1"}

// pageSize is small, so that nobody gets away with reading only the first page.
const pageSize = 2

func (s *Server) serveArtifacts(mux *http.ServeMux) {
	a := &artifacts{s: s}
	artifactregistrypb.RegisterArtifactRegistryServer(s.grpc, a)
	registerOperations(s.grpc, a)
	locationpb.RegisterLocationsServer(s.grpc, &artifactLocations{a: a})
	a.serveREST(mux)
}

func (a *artifacts) call(ctx context.Context, method, target string, write bool, act func() error) error {
	return a.s.serve(ctx, Call{Service: gcp.ArtifactRegistry, Method: method, Target: path.Base(target), Write: write, full: target}, act)
}

// at refuses places that are not there; a wildcard is none.
func (a *artifacts) at(parent string) error {
	if err := a.s.inProject(parent); err != nil {
		return err
	}
	if l := path.Base(parent); !slices.Contains(locations, l) {
		return status.Errorf(codes.PermissionDenied, "Location %s is not found or access is unauthorized.", l)
	}
	return nil
}

func (a *artifacts) ListRepositories(ctx context.Context, q *artifactregistrypb.ListRepositoriesRequest) (*artifactregistrypb.ListRepositoriesResponse, error) {
	out := &artifactregistrypb.ListRepositoriesResponse{}
	err := a.call(ctx, "ListRepositories", "", false, func() error {
		if err := a.at(q.GetParent()); err != nil {
			return err
		}
		skip, _ := strconv.Atoi(q.GetPageToken()) // a token that is no number is the beginning
		for i, name := range slices.Sorted(maps.Keys(a.s.reposIn(q.GetParent()))) {
			if i < skip {
				continue
			}
			if i == skip+pageSize {
				out.NextPageToken = strconv.Itoa(i)
				return nil
			}
			out.Repositories = append(out.Repositories, proto.CloneOf(a.s.repos[name].pb))
		}
		return nil
	})
	return out, err
}

func (s *Server) reposIn(parent string) map[string]*repository {
	in := map[string]*repository{}
	for name, r := range s.repos {
		if strings.HasPrefix(name, parent+"/repositories/") {
			in[name] = r
		}
	}
	return in
}

func (a *artifacts) GetRepository(ctx context.Context, q *artifactregistrypb.GetRepositoryRequest) (*artifactregistrypb.Repository, error) {
	var out *artifactregistrypb.Repository
	err := a.call(ctx, "GetRepository", q.GetName(), false, func() error {
		found, err := a.find(q.GetName())
		if err == nil {
			out = proto.CloneOf(found.pb)
		}
		return err
	})
	return out, err
}

func (a *artifacts) find(name string) (*repository, error) {
	if err := a.at(path.Dir(path.Dir(name))); err != nil {
		return nil, err
	}
	found, ok := a.s.repos[name]
	if !ok {
		return nil, status.Error(codes.NotFound, "Requested entity was not found.")
	}
	return found, nil
}

func (a *artifacts) UpdateRepository(ctx context.Context, q *artifactregistrypb.UpdateRepositoryRequest) (*artifactregistrypb.Repository, error) {
	var out *artifactregistrypb.Repository
	name := q.GetRepository().GetName()
	err := a.call(ctx, "UpdateRepository", name, true, func() error {
		found, err := a.find(name)
		if err != nil {
			return err
		}
		if a.s.repoBusy(name) {
			return status.Errorf(codes.FailedPrecondition, "The repository %s is being deleted.", path.Base(name))
		}
		if len(q.GetUpdateMask().GetPaths()) == 0 {
			return status.Error(codes.InvalidArgument, "update_mask is required")
		}
		next := proto.CloneOf(found.pb)
		for _, p := range q.GetUpdateMask().GetPaths() {
			if err := applyPath(next, q.GetRepository(), p); err != nil {
				return err
			}
		}
		if err := checkRepository(next); err != nil {
			return err
		}
		fillRepository(next)
		next.UpdateTime = timestamppb.Now()
		found.pb = next
		out = proto.CloneOf(next)
		return nil
	})
	return out, err
}

// applyPath copies one field under a mask. What the service never changes it refuses.
func applyPath(to, from *artifactregistrypb.Repository, p string) error {
	switch p {
	case "description":
		to.Description = from.GetDescription()
	case "labels":
		to.Labels = from.GetLabels()
	case "cleanup_policies":
		to.CleanupPolicies = from.GetCleanupPolicies()
	case "cleanup_policy_dry_run":
		to.CleanupPolicyDryRun = from.GetCleanupPolicyDryRun()
	case "vulnerability_scanning_config", "vulnerability_scanning_config.enablement_config":
		to.VulnerabilityScanningConfig = proto.CloneOf(from.GetVulnerabilityScanningConfig())
	case "docker_config", "docker_config.immutable_tags":
		if to.Format != artifactregistrypb.Repository_DOCKER {
			return status.Error(codes.InvalidArgument, "docker_config is only valid for repositories of format DOCKER")
		}
		to.FormatConfig = &artifactregistrypb.Repository_DockerConfig{DockerConfig: proto.CloneOf(from.GetDockerConfig())}
	default:
		return status.Errorf(codes.InvalidArgument, "update_mask: the field %q is immutable or unknown", p)
	}
	return nil
}

// checkRepository refuses what Artifact Registry refuses.
func checkRepository(r *artifactregistrypb.Repository) error {
	if err := checkLabels(r.GetLabels()); err != nil {
		return err
	}
	for id, p := range r.GetCleanupPolicies() {
		bad := func(what string) error {
			return status.Errorf(codes.InvalidArgument, "cleanup policy %q: %s", id, what)
		}
		keep := p.GetAction() == artifactregistrypb.CleanupPolicy_KEEP
		switch {
		case p.GetId() != "" && p.GetId() != id:
			return bad("its id is another than its key")
		case p.GetAction() == artifactregistrypb.CleanupPolicy_ACTION_UNSPECIFIED:
			return bad("no action")
		case p.GetMostRecentVersions() != nil && !keep:
			return bad("most_recent_versions is only for KEEP")
		case p.GetMostRecentVersions() == nil && p.GetCondition() == nil:
			return bad("no condition")
		case p.GetMostRecentVersions() != nil && p.GetMostRecentVersions().GetKeepCount() < 1:
			return bad("keep_count must be positive")
		}
	}
	return nil
}

// fillRepository makes of a repository what the service would store.
func fillRepository(r *artifactregistrypb.Repository) {
	for id, p := range r.GetCleanupPolicies() {
		p.Id = id
		if c := p.GetCondition(); c != nil && c.TagState == nil {
			c.TagState = artifactregistrypb.CleanupPolicyCondition_ANY.Enum()
		}
	}
	v := r.GetVulnerabilityScanningConfig()
	if v == nil {
		v = &artifactregistrypb.Repository_VulnerabilityScanningConfig{}
		r.VulnerabilityScanningConfig = v
	}
	if v.EnablementConfig == artifactregistrypb.Repository_VulnerabilityScanningConfig_DISABLED {
		v.EnablementState = artifactregistrypb.Repository_VulnerabilityScanningConfig_SCANNING_DISABLED
		v.EnablementStateReason = "Scanning is disabled by the repository."
	} else {
		// Inherited and unspecified are one to the service; it gives back the one that was not sent.
		v.EnablementConfig = artifactregistrypb.Repository_VulnerabilityScanningConfig_ENABLEMENT_CONFIG_UNSPECIFIED
		v.EnablementState = artifactregistrypb.Repository_VulnerabilityScanningConfig_SCANNING_DISABLED
		v.EnablementStateReason = "The project has no Container Scanning API enabled."
	}
	if r.Format == artifactregistrypb.Repository_DOCKER && r.GetDockerConfig() == nil {
		r.FormatConfig = &artifactregistrypb.Repository_DockerConfig{DockerConfig: &artifactregistrypb.Repository_DockerRepositoryConfig{}}
	}
}

// newRepository is what the service makes of a request.
func (s *Server) newRepository(name string, in *artifactregistrypb.Repository) *artifactregistrypb.Repository {
	pb := proto.CloneOf(in)
	pb.Name, pb.CreateTime, pb.UpdateTime = name, timestamppb.Now(), timestamppb.Now()
	pb.SizeBytes = 0
	if pb.Mode == artifactregistrypb.Repository_MODE_UNSPECIFIED {
		pb.Mode = artifactregistrypb.Repository_STANDARD_REPOSITORY
	}
	parts := strings.Split(name, "/")
	pb.RegistryUri = fmt.Sprintf("%s-%s.pkg.dev/%s/%s", parts[3], strings.ToLower(pb.Format.String()), s.project, parts[5])
	fillRepository(pb)
	return pb
}

// EditRepository changes a repository as somebody else would, by its short name.
func (s *Server) EditRepository(name string, edit func(*artifactregistrypb.Repository)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	for id, r := range s.repos {
		if path.Base(id) == name {
			edit(r.pb)
			s.edited(gcp.ArtifactRegistry, "google.devtools.artifactregistry.v1.ArtifactRegistry.UpdateRepository", id, "")
		}
	}
}

// Repository is a copy of a repository as it is now, by its short name; nil if there is none.
func (s *Server) Repository(name string) *artifactregistrypb.Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	for id, r := range s.repos {
		if path.Base(id) == name {
			return proto.CloneOf(r.pb)
		}
	}
	return nil
}

// artifactLocations says where the service is.
type artifactLocations struct {
	locationpb.UnimplementedLocationsServer
	a *artifacts
}

func (l *artifactLocations) ListLocations(ctx context.Context, q *locationpb.ListLocationsRequest) (*locationpb.ListLocationsResponse, error) {
	out := &locationpb.ListLocationsResponse{}
	err := l.a.call(ctx, "ListLocations", "", false, func() error {
		if err := l.a.s.inProject(q.GetName()); err != nil {
			return err
		}
		for _, id := range locations {
			out.Locations = append(out.Locations, &locationpb.Location{Name: q.GetName() + "/locations/" + id, LocationId: id})
		}
		return nil
	})
	return out, err
}
