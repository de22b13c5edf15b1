package gcp

import (
	"context"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// A pass gives its calls minutes. One that hangs must end long before, or it takes the others' time; and gax counts its own
// limit for nothing where there is a deadline already.
func TestEveryAttemptIsBounded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	bounded := func(ctx context.Context, what string, limit time.Duration) {
		at, ok := ctx.Deadline()
		if left := time.Until(at); !ok || left > limit || left < limit/2 {
			t.Errorf("%s may take %v, want %v", what, left, limit)
		}
	}
	for method, limit := range map[string]time.Duration{
		"/google.container.v1.ClusterManager/ListClusters":  readTimeout,
		"/google.container.v1.ClusterManager/GetCluster":    readTimeout,
		"/google.container.v1.ClusterManager/SetLabels":     writeTimeout,
		"/google.container.v1.ClusterManager/DeleteCluster": writeTimeout,
	} {
		invoke := func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			bounded(ctx, method, limit)
			return nil
		}
		if err := (Config{}).observeGRPC(Container)(ctx, method, nil, nil, nil, invoke); err != nil {
			t.Error(err)
		}
	}
	for _, parent := range []context.Context{ctx, context.Background()} { // some requests have no context at all
		for method, limit := range map[string]time.Duration{http.MethodGet: readTimeout, http.MethodPatch: writeTimeout} {
			rt := &observedTransport{ctx: t.Context(), base: roundTrip(func(req *http.Request) (*http.Response, error) {
				bounded(req.Context(), method, limit)
				return &http.Response{Body: http.NoBody}, nil
			})}
			req, err := http.NewRequestWithContext(parent, method, "http://127.0.0.1", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
