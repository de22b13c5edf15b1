package gcptest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	secretmanager "google.golang.org/api/secretmanager/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

// serveSecrets is as much of Secret Manager as reads values, below /secretmanager.
func (s *Server) serveSecrets(mux *http.ServeMux) {
	const secret = "/secretmanager/v1/projects/{p}/secrets/{s}"
	handle := func(pattern, method string, act func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.PathValue("v"), ":access") { // a pattern cannot match a custom verb apart from the name
				s.answerSecrets(w, r, "AccessSecretVersion", s.accessVersion)
				return
			}
			s.answerSecrets(w, r, method, act)
		})
	}
	handle("GET "+secret+"/versions", "ListSecretVersions", s.listVersions)
	handle("GET "+secret+"/versions/{v}", "GetSecretVersion", s.getVersion)
	handle("POST "+secret, "TestIamPermissions", s.testSecretPermissions)
}

func (s *Server) answerSecrets(w http.ResponseWriter, r *http.Request, method string, act func(*http.Request) (any, error)) {
	var answer []byte
	err := s.serve(r.Context(), Call{Service: gcp.SecretManager, Method: method, Target: r.PathValue("s")}, func() error {
		a, err := act(r)
		if err == nil {
			answer, err = json.Marshal(a)
		}
		return err
	})
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, answer)
}

// testSecretPermissions tells what the caller may do with a secret; of one that does not exist, that it may do nothing.
func (s *Server) testSecretPermissions(r *http.Request) (any, error) {
	name, isTest := strings.CutSuffix(r.PathValue("s"), ":testIamPermissions")
	in := &secretmanager.TestIamPermissionsRequest{}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(in); err != nil || !isTest {
		return nil, status.Error(codes.InvalidArgument, "Request contains an invalid argument.")
	}
	out := &secretmanager.TestIamPermissionsResponse{}
	if _, there := s.secrets[name]; there && r.PathValue("p") == s.project {
		out.Permissions = s.allowed(name, in.Permissions)
	}
	return out, nil
}

func secretPath(r *http.Request) string {
	return "projects/" + r.PathValue("p") + "/secrets/" + r.PathValue("s")
}

// findSecret is a secret of the one project. Of another project's the caller may not even know.
func (s *Server) findSecret(r *http.Request, permission string) ([]*secretVersion, error) {
	if p := r.PathValue("p"); p != s.project && p != fmt.Sprint(s.number) {
		return nil, status.Errorf(codes.PermissionDenied, "Permission '%s' denied for resource '%s' (or it may not exist).", permission, secretPath(r))
	}
	versions, ok := s.secrets[r.PathValue("s")]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "Secret [projects/%d/secrets/%s] not found.", s.number, r.PathValue("s"))
	}
	return versions, nil
}

// findVersion is a version by its number; latest is the newest one, whatever its state.
func (s *Server) findVersion(r *http.Request, permission string) (int, *secretVersion, error) {
	versions, err := s.findSecret(r, permission)
	if err != nil {
		return 0, nil, err
	}
	name := strings.TrimSuffix(r.PathValue("v"), ":access")
	n, err := strconv.Atoi(name)
	if name == "latest" {
		n, err = len(versions), nil
	}
	if err != nil || n < 1 || n > len(versions) {
		return 0, nil, status.Errorf(codes.NotFound, "Secret Version [projects/%d/secrets/%s/versions/%s] not found.", s.number, r.PathValue("s"), name)
	}
	return n, versions[n-1], nil
}

func (s *Server) versionName(secret string, n int) string {
	return fmt.Sprintf("projects/%d/secrets/%s/versions/%d", s.number, secret, n)
}

func (s *Server) shownVersion(secret string, n int, v *secretVersion) *secretmanager.SecretVersion {
	return &secretmanager.SecretVersion{
		Name: s.versionName(secret, n), State: v.state, CreateTime: v.created.Format(time.RFC3339Nano), Etag: v.etag,
		ReplicationStatus: &secretmanager.ReplicationStatus{Automatic: &secretmanager.AutomaticStatus{}},
	}
}

// listVersions gives the newest first, those of the filter's state.
func (s *Server) listVersions(r *http.Request) (any, error) {
	versions, err := s.findSecret(r, "secretmanager.versions.list")
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	state, filtered := strings.CutPrefix(q.Get("filter"), "state:")
	if q.Get("filter") != "" && !filtered {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid filter: %s", q.Get("filter"))
	}
	var fitting []*secretmanager.SecretVersion
	for i := len(versions) - 1; i >= 0; i-- {
		if v := versions[i]; !filtered || strings.EqualFold(v.state, state) {
			fitting = append(fitting, s.shownVersion(r.PathValue("s"), i+1, v))
		}
	}
	from, to, next, err := s.page(q.Get("pageToken"), q.Get("pageSize"), len(fitting))
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "Invalid page token.")
	}
	return &secretmanager.ListSecretVersionsResponse{Versions: fitting[from:to], NextPageToken: next, TotalSize: int64(len(fitting))}, nil
}

func (s *Server) getVersion(r *http.Request) (any, error) {
	n, v, err := s.findVersion(r, "secretmanager.versions.get")
	if err != nil {
		return nil, err
	}
	return s.shownVersion(r.PathValue("s"), n, v), nil
}

// accessVersion gives the value of a version that is enabled.
func (s *Server) accessVersion(r *http.Request) (any, error) {
	n, v, err := s.findVersion(r, "secretmanager.versions.access")
	if err != nil {
		return nil, err
	}
	name := s.versionName(r.PathValue("s"), n)
	if v.state != "ENABLED" {
		return nil, status.Errorf(codes.FailedPrecondition, "Secret Version [%s] is in %s state.", name, v.state)
	}
	sum := int64(crc32.Checksum(v.data, crc32.MakeTable(crc32.Castagnoli)))
	if v.bent {
		sum++
	}
	return &secretmanager.AccessSecretVersionResponse{
		Name: name, Payload: &secretmanager.SecretPayload{Data: base64.StdEncoding.EncodeToString(v.data), DataCrc32c: sum},
	}, nil
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
