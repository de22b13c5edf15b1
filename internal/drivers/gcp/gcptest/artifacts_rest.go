package gcptest

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	locationpb "google.golang.org/genproto/googleapis/cloud/location"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// serveREST is the part of Artifact Registry's HTTP surface that the client library uses, below /artifactregistry.
func (a *artifacts) serveREST(mux *http.ServeMux) {
	const base, repositories = "/artifactregistry/v1/projects/{p}/locations/{l}", "/repositories"
	name := func(r *http.Request) string { return location(r) + repositories + "/" + r.PathValue("r") }

	rest(mux, "GET "+base+repositories, func(r *http.Request, _ []byte) (*artifactregistrypb.ListRepositoriesRequest, error) {
		return &artifactregistrypb.ListRepositoriesRequest{Parent: location(r), PageToken: r.FormValue("pageToken")}, nil
	}, a.ListRepositories)
	get := restHandler(func(r *http.Request, _ []byte) (*artifactregistrypb.GetRepositoryRequest, error) {
		return &artifactregistrypb.GetRepositoryRequest{Name: name(r)}, nil
	}, a.GetRepository)
	getPolicy := restHandler(func(r *http.Request, _ []byte) (*iampb.GetIamPolicyRequest, error) {
		version, err := strconv.ParseInt(cmp.Or(r.FormValue("options.requestedPolicyVersion"), "0"), 10, 32)
		return &iampb.GetIamPolicyRequest{
			Resource: strings.TrimSuffix(name(r), ":getIamPolicy"), Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: int32(version)},
		}, err
	}, a.GetIamPolicy)
	mux.HandleFunc("GET "+base+repositories+"/{r}", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.PathValue("r"), ":getIamPolicy") {
			getPolicy(w, r)
			return
		}
		get(w, r)
	})
	rest(mux, "POST "+base+repositories+"/{r}", func(r *http.Request, body []byte) (*iampb.SetIamPolicyRequest, error) {
		q := &iampb.SetIamPolicyRequest{}
		if !strings.HasSuffix(r.PathValue("r"), ":setIamPolicy") {
			return q, status.Error(codes.NotFound, "Method not found.")
		}
		err := readJSON(body, q)
		q.Resource = strings.TrimSuffix(name(r), ":setIamPolicy")
		return q, err
	}, a.SetIamPolicy)
	rest(mux, "POST "+base+repositories, func(r *http.Request, body []byte) (*artifactregistrypb.CreateRepositoryRequest, error) {
		q := &artifactregistrypb.CreateRepositoryRequest{
			Parent: location(r), RepositoryId: r.URL.Query().Get("repositoryId"), Repository: &artifactregistrypb.Repository{},
		}
		return q, readJSON(body, q.Repository)
	}, a.CreateRepository)
	rest(mux, "PATCH "+base+repositories+"/{r}", func(r *http.Request, body []byte) (*artifactregistrypb.UpdateRepositoryRequest, error) {
		q := &artifactregistrypb.UpdateRepositoryRequest{Repository: &artifactregistrypb.Repository{}, UpdateMask: &fieldmaskpb.FieldMask{}}
		if err := readJSON(body, q.Repository); err != nil {
			return q, err
		}
		q.Repository.Name = name(r)
		// JSON spells the paths of a mask in camel case.
		return q, protojson.Unmarshal([]byte(`"`+strings.ReplaceAll(r.URL.Query().Get("updateMask"), `"`, "")+`"`), q.UpdateMask)
	}, a.UpdateRepository)
	rest(mux, "DELETE "+base+repositories+"/{r}", func(r *http.Request, _ []byte) (*artifactregistrypb.DeleteRepositoryRequest, error) {
		return &artifactregistrypb.DeleteRepositoryRequest{Name: name(r)}, nil
	}, a.DeleteRepository)

	rest(mux, "GET "+base+repositories+"/{r}/dockerImages", func(r *http.Request, _ []byte) (*artifactregistrypb.ListDockerImagesRequest, error) {
		size, err := pageSizeOf(r)
		return &artifactregistrypb.ListDockerImagesRequest{Parent: name(r), PageSize: size, PageToken: r.FormValue("pageToken")}, err
	}, a.ListDockerImages)

	ops := &operations{a: a}
	rest(mux, "GET "+base+"/operations/{o}", func(r *http.Request, _ []byte) (*longrunningpb.GetOperationRequest, error) {
		return &longrunningpb.GetOperationRequest{Name: location(r) + "/operations/" + r.PathValue("o")}, nil
	}, ops.GetOperation)
	places := &artifactLocations{a: a}
	rest(mux, "GET /artifactregistry/v1/projects/{p}/locations", func(r *http.Request, _ []byte) (*locationpb.ListLocationsRequest, error) {
		return &locationpb.ListLocationsRequest{Name: "projects/" + r.PathValue("p")}, nil
	}, places.ListLocations)
}

func pageSizeOf(r *http.Request) (int32, error) {
	text := r.FormValue("pageSize")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, status.Errorf(codes.InvalidArgument, "pageSize: %q is not a number", text)
	}
	return int32(n), nil
}
