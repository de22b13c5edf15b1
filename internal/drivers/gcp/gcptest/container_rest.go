package gcptest

import (
	"net/http"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// serveREST is the part of GKE's HTTP surface that the client library uses, below /container.
func (c *container) serveREST(mux *http.ServeMux) {
	const base, clusters, operations = "/container/v1/projects/{p}/locations/{l}", "/clusters", "/operations"
	cluster := func(r *http.Request) string { return location(r) + clusters + "/" + r.PathValue("c") }

	rest(mux, "GET "+base+clusters, func(r *http.Request, _ []byte) (*containerpb.ListClustersRequest, error) {
		return &containerpb.ListClustersRequest{Parent: location(r)}, nil
	}, c.ListClusters)
	rest(mux, "GET "+base+clusters+"/{c}", func(r *http.Request, _ []byte) (*containerpb.GetClusterRequest, error) {
		return &containerpb.GetClusterRequest{Name: cluster(r)}, nil
	}, c.GetCluster)
	rest(mux, "POST "+base+clusters, func(r *http.Request, body []byte) (*containerpb.CreateClusterRequest, error) {
		q := &containerpb.CreateClusterRequest{}
		err := readJSON(body, q)
		q.Parent = location(r)
		return q, err
	}, c.CreateCluster)
	rest(mux, "PUT "+base+clusters+"/{c}", func(r *http.Request, body []byte) (*containerpb.UpdateClusterRequest, error) {
		q := &containerpb.UpdateClusterRequest{}
		err := readJSON(body, q)
		q.Name = cluster(r)
		return q, err
	}, c.UpdateCluster)
	rest(mux, "DELETE "+base+clusters+"/{c}", func(r *http.Request, _ []byte) (*containerpb.DeleteClusterRequest, error) {
		return &containerpb.DeleteClusterRequest{Name: cluster(r)}, nil
	}, c.DeleteCluster)
	rest(mux, "GET "+base+operations, func(r *http.Request, _ []byte) (*containerpb.ListOperationsRequest, error) {
		return &containerpb.ListOperationsRequest{Parent: location(r)}, nil
	}, c.ListOperations)
	rest(mux, "GET "+base+operations+"/{o}", func(r *http.Request, _ []byte) (*containerpb.GetOperationRequest, error) {
		return &containerpb.GetOperationRequest{Name: location(r) + operations + "/" + r.PathValue("o")}, nil
	}, c.GetOperation)

	// Custom verbs stand behind a colon, which a pattern cannot match apart from the name.
	labels := http.NewServeMux()
	rest(labels, "POST "+base+clusters+"/{c}", func(r *http.Request, body []byte) (*containerpb.SetLabelsRequest, error) {
		q := &containerpb.SetLabelsRequest{}
		err := readJSON(body, q)
		q.Name, _, _ = strings.Cut(cluster(r), ":")
		return q, err
	}, c.SetLabels)
	maintenance := http.NewServeMux()
	rest(maintenance, "POST "+base+clusters+"/{c}", func(r *http.Request, body []byte) (*containerpb.SetMaintenancePolicyRequest, error) {
		q := &containerpb.SetMaintenancePolicyRequest{}
		err := readJSON(body, q)
		q.Name, _, _ = strings.Cut(cluster(r), ":")
		return q, err
	}, c.SetMaintenancePolicy)
	mux.HandleFunc("POST "+base+clusters+"/{c}", func(w http.ResponseWriter, r *http.Request) {
		switch _, verb, _ := strings.Cut(r.PathValue("c"), ":"); verb {
		case "setResourceLabels":
			labels.ServeHTTP(w, r)
		case "setMaintenancePolicy":
			maintenance.ServeHTTP(w, r)
		default:
			writeError(w, status.Errorf(codes.Unimplemented, "gcptest does not know the verb %q", verb))
		}
	})
}
