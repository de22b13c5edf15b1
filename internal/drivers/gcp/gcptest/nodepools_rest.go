package gcptest

import (
	"context"
	"net/http"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// servePoolsREST is the part of node pools' HTTP surface that the client library uses, below /container.
func (c *container) servePoolsREST(mux *http.ServeMux) {
	const pools = "/container/v1/projects/{p}/locations/{l}/clusters/{c}/nodePools"
	cluster := func(r *http.Request) string { return location(r) + "/clusters/" + r.PathValue("c") }
	pool := func(r *http.Request) string {
		name, _, _ := strings.Cut(r.PathValue("n"), ":")
		return cluster(r) + "/nodePools/" + name
	}
	rest(mux, "POST "+pools, func(r *http.Request, body []byte) (*containerpb.CreateNodePoolRequest, error) {
		q := &containerpb.CreateNodePoolRequest{}
		err := readJSON(body, q)
		q.Parent = cluster(r)
		return q, err
	}, c.CreateNodePool)
	rest(mux, "PUT "+pools+"/{n}", func(r *http.Request, body []byte) (*containerpb.UpdateNodePoolRequest, error) {
		q := &containerpb.UpdateNodePoolRequest{}
		err := readJSON(body, q)
		q.Name = pool(r)
		return q, err
	}, c.UpdateNodePool)
	rest(mux, "DELETE "+pools+"/{n}", func(r *http.Request, _ []byte) (*containerpb.DeleteNodePoolRequest, error) {
		return &containerpb.DeleteNodePoolRequest{Name: pool(r)}, nil
	}, c.DeleteNodePool)

	// Custom verbs stand behind a colon, which a pattern cannot match apart from the name.
	verbs := map[string]*http.ServeMux{"setAutoscaling": {}, "setSize": {}, "setManagement": {}}
	verb(verbs["setAutoscaling"], pools, pool, func(q *containerpb.SetNodePoolAutoscalingRequest, name string) { q.Name = name }, c.SetNodePoolAutoscaling)
	verb(verbs["setSize"], pools, pool, func(q *containerpb.SetNodePoolSizeRequest, name string) { q.Name = name }, c.SetNodePoolSize)
	verb(verbs["setManagement"], pools, pool, func(q *containerpb.SetNodePoolManagementRequest, name string) { q.Name = name }, c.SetNodePoolManagement)
	mux.HandleFunc("POST "+pools+"/{n}", func(w http.ResponseWriter, r *http.Request) {
		_, name, _ := strings.Cut(r.PathValue("n"), ":")
		if v, ok := verbs[name]; ok {
			v.ServeHTTP(w, r)
			return
		}
		writeError(w, status.Errorf(codes.Unimplemented, "gcptest does not know the verb %q", name))
	})
}

// verb serves a method of a pool behind a colon.
func verb[Q any, P interface {
	*Q
	proto.Message
}](mux *http.ServeMux, pools string, pool func(*http.Request) string, named func(P, string), call func(context.Context, P) (*containerpb.Operation, error)) {
	rest(mux, "POST "+pools+"/{n}", func(r *http.Request, body []byte) (P, error) {
		q := P(new(Q))
		err := readJSON(body, q)
		named(q, pool(r))
		return q, err
	}, call)
}
