package gcptest

import (
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/api/cloudbilling/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// maxSKUs is how many an answer holds at most, and how many without a page size.
const maxSKUs = 5000

// serveBilling is the catalog of the Cloud Billing API: what is sold, and for how much. It is public, but has to know who asks.
func (s *Server) serveBilling(mux *http.ServeMux) {
	mux.HandleFunc("GET /billing/v1/services/{s}/skus", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		service, key := r.PathValue("s"), r.Header.Get("X-Goog-Api-Key")
		out := &cloudbilling.ListSkusResponse{}
		err := s.serve(r.Context(), Call{Service: gcp.Billing, Method: "cloudbilling.services.skus.list", Target: service}, func() error {
			size := maxSKUs
			if text := q.Get("pageSize"); text != "" {
				size, _ = strconv.Atoi(text)
			}
			from := 0
			if token := q.Get("pageToken"); token != "" {
				from, _ = strconv.Atoi(strings.TrimPrefix(token, "page-"))
			}
			all := s.skus[service]
			switch {
			case s.apiKey != "" && key != s.apiKey:
				return status.Error(codes.InvalidArgument, "API key not valid. Please pass a valid API key.")
			case size < 1 || size > maxSKUs || from < 0 || from > len(all) || q.Get("pageToken") != "" && from == 0:
				return status.Error(codes.InvalidArgument, "Request contains an invalid argument.")
			case q.Get("currencyCode") != "" && q.Get("currencyCode") != "USD":
				return status.Errorf(codes.Unimplemented, "gcptest has no rate for %s", q.Get("currencyCode"))
			}
			if s.skuPage > 0 {
				size = min(size, s.skuPage)
			}
			to := min(from+size, len(all))
			out.Skus = all[from:to]
			if to < len(all) {
				out.NextPageToken = "page-" + strconv.Itoa(to)
			}
			return nil
		})
		answer(w, out, err)
	})
}

// Sell puts SKUs in place of what a service sells, by its id in the catalog, such as 6F81-5844-456A. At the beginning it sells what
// Catalog has.
func (s *Server) Sell(service string, skus []*cloudbilling.Sku) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skus[service] = skus
}

// SetSKUPage bounds the SKUs of an answer of the catalog. 0 takes it back.
func (s *Server) SetSKUPage(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skuPage = n
}

// RequireAPIKey makes the catalog refuse whoever does not send this key. "" takes it back.
func (s *Server) RequireAPIKey(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apiKey = key
}
