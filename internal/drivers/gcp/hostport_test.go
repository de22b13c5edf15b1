package gcp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/api/cloudbilling/v1"
	"google.golang.org/api/monitoring/v3"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// The endpoints of services that are spoken to over REST alone may be host:port all the same, or a URL with a path.
func TestHostAndPortOfAServiceOverREST(t *testing.T) {
	calls := map[string]func(context.Context, gcp.Config) error{
		gcp.Logging: func(ctx context.Context, c gcp.Config) error {
			l, err := gcp.NewAuditLog(ctx, c)
			if err != nil {
				return err
			}
			_, err = l.Last(ctx, gcp.Trail{Service: "storage.googleapis.com"}, resource.Span{})
			return err
		},
		gcp.Monitoring: func(ctx context.Context, c gcp.Config) error {
			opts, err := c.HTTP(ctx, gcp.Monitoring)
			if err != nil {
				return err
			}
			client, err := monitoring.NewService(ctx, opts...)
			if err != nil {
				return err
			}
			_, err = client.Projects.TimeSeries.List("projects/acme").Context(ctx).Do()
			return err
		},
		gcp.Billing: func(ctx context.Context, c gcp.Config) error {
			opts, err := c.HTTP(ctx, gcp.Billing)
			if err != nil {
				return err
			}
			client, err := cloudbilling.NewService(ctx, opts...)
			if err != nil {
				return err
			}
			_, err = client.Services.Skus.List("services/1").Context(ctx).Do()
			return err
		},
	}
	paths := map[string]string{gcp.Logging: "/v2/entries:list", gcp.Monitoring: "/v3/projects/acme/timeSeries", gcp.Billing: "/v1/services/1/skus"}
	for service, call := range calls {
		var asked string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.Path
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{}")
		}))
		t.Cleanup(srv.Close)
		address := strings.TrimPrefix(srv.URL, "http://")
		for endpoint, path := range map[string]string{address: paths[service], srv.URL: paths[service], srv.URL + "/x/": "/x" + paths[service]} {
			asked = ""
			c := gcp.Config{Project: "acme", Endpoints: map[string]string{service: endpoint}, Insecure: true}
			if err := call(t.Context(), c); err != nil || asked != path {
				t.Errorf("%s at %s: asked for %q, %v; want %q", service, endpoint, asked, err, path)
			}
		}
		c := gcp.Config{Project: "acme", Endpoints: map[string]string{service: address}, APIKey: "x"}
		if err := call(t.Context(), c); err == nil || !strings.Contains(err.Error(), "HTTP") && !strings.Contains(err.Error(), "tls") {
			t.Errorf("%s at %s without insecure: %v; want TLS, which the other side does not speak", service, address, err)
		}
	}
}
