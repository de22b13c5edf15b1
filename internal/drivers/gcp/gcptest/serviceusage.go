package gcptest

import (
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strings"

	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/serviceusage/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// maxNames is how many services or permissions one request may name.
const maxNames = 30

// serveServices is the part of Service Usage that tells what is enabled, and enables it. Everything is, until a test says otherwise.
func (s *Server) serveServices(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/projects/{p}/services:batchGet", func(w http.ResponseWriter, r *http.Request) {
		names := r.URL.Query()["names"]
		out := &serviceusage.BatchGetServicesResponse{}
		err := s.serve(r.Context(), Call{Service: gcp.ServiceUsage, Method: "serviceusage.services.batchGet", Target: r.PathValue("p")}, func() error {
			if len(names) == 0 || len(names) > maxNames {
				return status.Errorf(codes.InvalidArgument, "The number of names must be between 1 and %d.", maxNames)
			}
			for _, name := range names {
				if path.Dir(name) != "projects/"+s.project+"/services" {
					return status.Errorf(codes.PermissionDenied, "Permission denied to get service [%s]", name)
				}
				out.Services = append(out.Services, s.service(path.Base(name)))
			}
			return nil
		})
		answer(w, out, err)
	})
	mux.HandleFunc("POST /v1/projects/{p}/services/{s}", func(w http.ResponseWriter, r *http.Request) {
		name, isEnable := strings.CutSuffix(r.PathValue("s"), ":enable")
		err := s.serve(r.Context(), Call{Service: gcp.ServiceUsage, Method: "serviceusage.services.enable", Target: name, Write: true}, func() error {
			if !isEnable {
				return status.Error(codes.NotFound, "Method not found.")
			}
			delete(s.disabled, name)
			return nil
		})
		answer(w, &serviceusage.Operation{Name: "operations/noop.DONE_OPERATION", Done: true}, err)
	})
}

func (s *Server) service(name string) *serviceusage.GoogleApiServiceusageV1Service {
	state := "ENABLED"
	if s.disabled[name] {
		state = "DISABLED"
	}
	return &serviceusage.GoogleApiServiceusageV1Service{Name: "projects/" + s.project + "/services/" + name, Parent: "projects/" + s.project, State: state}
}

// DisableServices switches services off, by their DNS names.
func (s *Server) DisableServices(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		s.disabled[n] = true
	}
}

// DenyPermissions takes permissions from the caller, as far as they are asked about: calls that need them are refused by Forbid.
// One of the form THING:PERMISSION is taken on that bucket, account or secret, any other on the project.
func (s *Server) DenyPermissions(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		s.denied[n] = true
	}
}

// allowed are those of the permissions that the caller has on a thing.
func (s *Server) allowed(thing string, permissions []string) []string {
	return slices.DeleteFunc(slices.Clone(permissions), func(p string) bool { return s.denied[thing+":"+p] })
}

// servePermissions tells which permissions the caller has on the project.
func (s *Server) servePermissions(mux *http.ServeMux) {
	mux.HandleFunc("POST /v3/projects/{p}", func(w http.ResponseWriter, r *http.Request) {
		project, isTest := strings.CutSuffix(r.PathValue("p"), ":testIamPermissions")
		out := &cloudresourcemanager.TestIamPermissionsResponse{}
		in := &cloudresourcemanager.TestIamPermissionsRequest{}
		bad := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(in)
		err := s.serve(r.Context(), Call{Service: gcp.ResourceManager, Method: "cloudresourcemanager.projects.testIamPermissions", Target: project}, func() error {
			switch {
			case !isTest:
				return status.Error(codes.NotFound, "Method not found.")
			case bad != nil || len(in.Permissions) == 0 || len(in.Permissions) > 100:
				return status.Error(codes.InvalidArgument, "Request contains an invalid argument.")
			case project != s.project:
				return status.Error(codes.PermissionDenied, "The caller does not have permission")
			}
			for _, p := range in.Permissions {
				if strings.ContainsAny(p, "* ") || strings.Count(p, ".") != 2 {
					return status.Errorf(codes.InvalidArgument, "Permission %s is not valid.", p)
				}
				if !s.denied[p] {
					out.Permissions = append(out.Permissions, p)
				}
			}
			return nil
		})
		answer(w, out, err)
	})
}

// answer writes what a REST service says.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		writeError(w, err)
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		writeError(w, status.Error(codes.Internal, err.Error()))
		return
	}
	writeJSON(w, b)
}
