package gcptest

import (
	"context"
	"fmt"
	"hash/crc32"
	"path"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// secretVersion is one version of a secret. Its number is its place in the list, from 1.
type secretVersion struct {
	state   string
	created time.Time
	data    []byte
	etag    string
	bent    bool // arrives with another checksum than it was stored with
}

// secrets is as much of Secret Manager as reads values.
type secrets struct {
	secretmanagerpb.UnimplementedSecretManagerServiceServer
	s *Server
}

func (s *Server) serveSecrets() {
	secretmanagerpb.RegisterSecretManagerServiceServer(s.grpc, &secrets{s: s})
}

// call serves a call about a resource, of which its secret's name is the target.
func (m *secrets) call(ctx context.Context, method, resource string, act func() error) error {
	return m.s.serve(ctx, Call{Service: gcp.SecretManager, Method: method, Target: secretOf(resource)}, act)
}

// secretOf is the short name of the secret that a resource name is of.
func secretOf(resource string) string {
	_, rest, _ := strings.Cut(resource, "/secrets/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// TestIamPermissions tells what the caller may do with a secret; of one that does not exist, that it may do nothing.
func (m *secrets) TestIamPermissions(ctx context.Context, q *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	a := &iampb.TestIamPermissionsResponse{}
	err := m.call(ctx, "TestIamPermissions", q.GetResource(), func() error {
		name := secretOf(q.GetResource())
		if _, there := m.s.secrets[name]; there && m.s.inProject(q.GetResource()) == nil {
			a.Permissions = m.s.allowed(name, q.GetPermissions())
		}
		return nil
	})
	return a, err
}

// findSecret is a secret of the one project. Of another project's the caller may not even know.
func (m *secrets) findSecret(resource, permission string) ([]*secretVersion, error) {
	name := secretOf(resource)
	byNumber := strings.HasPrefix(resource, fmt.Sprintf("projects/%d/", m.s.number))
	if m.s.inProject(resource) != nil && !byNumber {
		return nil, status.Errorf(codes.PermissionDenied, "Permission '%s' denied for resource '%s' (or it may not exist).", permission, resource)
	}
	versions, ok := m.s.secrets[name]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "Secret [projects/%d/secrets/%s] not found.", m.s.number, name)
	}
	return versions, nil
}

// findVersion is a version by its number; latest is the newest one, whatever its state.
func (m *secrets) findVersion(resource, permission string) (int, *secretVersion, error) {
	versions, err := m.findSecret(resource, permission)
	if err != nil {
		return 0, nil, err
	}
	name := path.Base(resource)
	n, err := strconv.Atoi(name)
	if name == "latest" {
		n, err = len(versions), nil
	}
	if err != nil || n < 1 || n > len(versions) {
		return 0, nil, status.Errorf(codes.NotFound, "Secret Version [projects/%d/secrets/%s/versions/%s] not found.", m.s.number, secretOf(resource), name)
	}
	return n, versions[n-1], nil
}

func (m *secrets) versionName(secret string, n int) string {
	return fmt.Sprintf("projects/%d/secrets/%s/versions/%d", m.s.number, secret, n)
}

func (m *secrets) shown(secret string, n int, v *secretVersion) *secretmanagerpb.SecretVersion {
	return &secretmanagerpb.SecretVersion{
		Name: m.versionName(secret, n), State: secretmanagerpb.SecretVersion_State(secretmanagerpb.SecretVersion_State_value[v.state]),
		CreateTime: timestamppb.New(v.created), Etag: v.etag,
	}
}

// ListSecretVersions gives the newest first, those of the filter's state.
func (m *secrets) ListSecretVersions(ctx context.Context, q *secretmanagerpb.ListSecretVersionsRequest) (*secretmanagerpb.ListSecretVersionsResponse, error) {
	a := &secretmanagerpb.ListSecretVersionsResponse{}
	err := m.call(ctx, "ListSecretVersions", q.GetParent(), func() error {
		versions, err := m.findSecret(q.GetParent(), "secretmanager.versions.list")
		if err != nil {
			return err
		}
		state, filtered := strings.CutPrefix(q.GetFilter(), "state:")
		if q.GetFilter() != "" && !filtered {
			return status.Errorf(codes.InvalidArgument, "Invalid filter: %s", q.GetFilter())
		}
		var fitting []*secretmanagerpb.SecretVersion
		for i := len(versions) - 1; i >= 0; i-- {
			if v := versions[i]; !filtered || strings.EqualFold(v.state, state) {
				fitting = append(fitting, m.shown(secretOf(q.GetParent()), i+1, v))
			}
		}
		from, to, next, err := m.s.page(q.GetPageToken(), strconv.Itoa(int(q.GetPageSize())), len(fitting))
		if err != nil {
			return status.Error(codes.InvalidArgument, "Invalid page token.")
		}
		a.Versions, a.NextPageToken, a.TotalSize = fitting[from:to], next, int32(len(fitting))
		return nil
	})
	return a, err
}

// GetSecretVersion tells of a version, without its value.
func (m *secrets) GetSecretVersion(ctx context.Context, q *secretmanagerpb.GetSecretVersionRequest) (a *secretmanagerpb.SecretVersion, err error) {
	err = m.call(ctx, "GetSecretVersion", q.GetName(), func() error {
		n, v, err := m.findVersion(q.GetName(), "secretmanager.versions.get")
		if err != nil {
			return err
		}
		a = m.shown(secretOf(q.GetName()), n, v)
		return nil
	})
	return a, err
}

// AccessSecretVersion gives the value of a version that is enabled.
func (m *secrets) AccessSecretVersion(ctx context.Context, q *secretmanagerpb.AccessSecretVersionRequest) (a *secretmanagerpb.AccessSecretVersionResponse, err error) {
	err = m.call(ctx, "AccessSecretVersion", q.GetName(), func() error {
		n, v, err := m.findVersion(q.GetName(), "secretmanager.versions.access")
		if err != nil {
			return err
		}
		name := m.versionName(secretOf(q.GetName()), n)
		if v.state != "ENABLED" {
			return status.Errorf(codes.FailedPrecondition, "Secret Version [%s] is in %s state.", name, v.state)
		}
		sum := int64(crc32.Checksum(v.data, crc32.MakeTable(crc32.Castagnoli)))
		if v.bent {
			sum++
		}
		a = &secretmanagerpb.AccessSecretVersionResponse{Name: name, Payload: &secretmanagerpb.SecretPayload{Data: v.data, DataCrc32C: &sum}}
		return nil
	})
	return a, err
}

// AddSecret gives a secret a new version, which is enabled, and returns its number. A secret that is not there is made.
func (s *Server) AddSecret(name, value string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &secretVersion{state: "ENABLED", created: time.Now().UTC(), data: []byte(value), etag: etag(int64(s.next()))}
	s.secrets[name] = append(s.secrets[name], v)
	return len(s.secrets[name])
}

// SetVersion puts a version of a secret into a state: ENABLED, DISABLED or DESTROYED, which takes the value with it.
func (s *Server) SetVersion(name string, version int, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.secrets[name][version-1]
	v.state, v.etag = state, etag(int64(s.next()))
	if state == "DESTROYED" {
		v.data = nil
	}
}

// BendSecret has every version of a secret arrive damaged from now on, or whole again.
func (s *Server) BendSecret(name string, bent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.secrets[name] {
		v.bent = bent
	}
}

// RemoveSecret removes a secret with all its versions.
func (s *Server) RemoveSecret(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, name)
}
