package gcptest

import (
	"fmt"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// serveProjects is as much of the resource manager as tells a project's number.
func (s *Server) serveProjects(mux *http.ServeMux) {
	mux.HandleFunc("GET /v3/projects/{p}", func(w http.ResponseWriter, r *http.Request) {
		p := r.PathValue("p")
		call := Call{Service: gcp.ResourceManager, Method: "cloudresourcemanager.projects.get", Target: p}
		err := s.serve(r.Context(), call, func() error {
			if p != s.project && p != fmt.Sprint(s.number) {
				return status.Errorf(codes.PermissionDenied, "The caller does not have permission, or project %s does not exist.", p)
			}
			return nil
		})
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, fmt.Appendf(nil, `{"name": "projects/%d", "projectId": %q, "state": "ACTIVE"}`, s.number, s.project))
	})
}
