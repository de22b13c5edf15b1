package gcp_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	artifactregistry "cloud.google.com/go/artifactregistry/apiv1"
	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

// client is GKE's client, by the protocol that the configuration asks for.
func client(t *testing.T, c gcp.Config) *container.ClusterManagerClient {
	t.Helper()
	options, open := c.GRPC, container.NewClusterManagerClient
	if c.REST(gcp.Container) {
		options, open = c.HTTP, container.NewClusterManagerRESTClient
	}
	opts, err := options(t.Context(), gcp.Container)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := open(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cl.Close(); err != nil {
			t.Error(err)
		}
	})
	return cl
}

func list(ctx context.Context, cl *container.ClusterManagerClient) error {
	_, err := cl.ListClusters(ctx, &containerpb.ListClustersRequest{Parent: "projects/acme/locations/-"}, gcp.Read()...)
	return err
}

func protocols(srv *gcptest.Server) map[string]gcp.Config {
	return map[string]gcp.Config{"grpc": srv.Config(), "rest": srv.RESTConfig()}
}

func writeToken(t *testing.T, path, token string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestAccessTokenFile(t *testing.T) {
	srv := gcptest.Start(t)
	for name, c := range protocols(srv) {
		t.Run(name, func(t *testing.T) {
			c.AccessTokenFile = filepath.Join(t.TempDir(), "token")
			cl := client(t, c)
			srv.RequireToken("first")
			now := time.Now()
			steps := []struct {
				content string
				ok      bool
				why     string
			}{
				{"first\n", true, "the token goes with every call"},
				{"second", false, "a token that Google does not know is refused"},
				{"first", true, "a file that has changed is read again"},
				{"", false, "an empty file holds no token"},
				{"two words", false, "a file with more than a token holds none"},
				{"first", true, "and a good one is good again"},
			}
			for i, s := range steps {
				writeToken(t, c.AccessTokenFile, s.content, now.Add(time.Duration(i)*time.Second))
				err := list(t.Context(), cl)
				if (err == nil) != s.ok {
					t.Errorf("%s: %v", s.why, err)
				}
				if err != nil && (strings.Contains(err.Error(), "second") || strings.Contains(err.Error(), "two words")) {
					t.Errorf("the token stands in the error: %v", err)
				}
			}
			if err := os.Remove(c.AccessTokenFile); err != nil {
				t.Fatal(err)
			}
			if err := list(t.Context(), cl); err == nil || !strings.Contains(err.Error(), "token") {
				t.Errorf("a file that is gone should be named: %v", err)
			}
		})
	}
}

func TestPlainTextIsForThisMachine(t *testing.T) {
	tests := []struct {
		endpoint string
		insecure bool
		ok       bool
	}{
		{"127.0.0.1:1", true, true},
		{"[::1]:1", true, true},
		{"localhost:1", true, true},
		{"http://127.0.0.1:1/x", true, true},
		{"http://[::1]:1", true, true},
		{"https://example.com", true, true}, // encrypted, whatever is allowed
		{"10.0.0.1:1", true, false},
		{"example.com:443", true, false},
		{"http://example.com", true, false},
		{"http://127.0.0.1.example.com", true, false},
		{"http://127.0.0.1:1", false, false}, // has to be asked for
		{"http://", true, false},
		{"dns:///127.0.0.1:1", true, false},
	}
	token := filepath.Join(t.TempDir(), "token") // so that no default credentials are looked for
	writeToken(t, token, "x", time.Now())
	for _, tt := range tests {
		c := gcp.Config{Endpoints: map[string]string{gcp.Container: tt.endpoint}, Insecure: tt.insecure, AccessTokenFile: token}
		options := c.GRPC
		if c.REST(gcp.Container) {
			options = c.HTTP
		}
		if _, err := options(t.Context(), gcp.Container); (err == nil) != tt.ok {
			t.Errorf("%s, insecure %v: want ok=%v, have %v", tt.endpoint, tt.insecure, tt.ok, err)
		}
	}
}

func TestEveryRequestIsObserved(t *testing.T) {
	srv := gcptest.Start(t)
	for name, want := range map[string][]string{
		"grpc": {"container ListClusters OK", "container ListClusters PermissionDenied", "container ListClusters Unavailable 3"},
		"rest": {"container GET 200", "container GET 403", "container GET 503 3"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			seen := map[string]int{}
			c := protocols(srv)[name]
			c.Observe = func(service, method, code string) {
				mu.Lock()
				defer mu.Unlock()
				seen[strings.Join([]string{service, method, code}, " ")]++
			}
			cl := client(t, c)
			if err := list(t.Context(), cl); err != nil {
				t.Fatal(err)
			}
			for _, code := range []codes.Code{codes.PermissionDenied, codes.Unavailable} {
				srv.Fail("ListClusters", code, "no", gcptest.Forever)
				if err := list(t.Context(), cl); gcp.Code(err) != code {
					t.Errorf("want %v, have %v", code, err)
				}
				srv.Heal()
			}
			var have []string
			for _, k := range slices.Sorted(maps.Keys(seen)) {
				if seen[k] > 1 {
					k += " " + string(rune('0'+seen[k]))
				}
				have = append(have, k)
			}
			if !slices.Equal(have, want) {
				t.Errorf("every attempt counts, with its answer: want %q, have %q", want, have)
			}
		})
	}
}

func TestWritesAreSentOnce(t *testing.T) {
	srv := gcptest.Start(t)
	for name, c := range protocols(srv) {
		cl := client(t, c)
		srv.Fail("DeleteCluster", codes.Unavailable, "no", gcptest.Forever)
		srv.Forget()
		if _, err := cl.DeleteCluster(t.Context(), &containerpb.DeleteClusterRequest{Name: "projects/acme/locations/us-central1/clusters/x"}, gcp.Write()...); err == nil {
			t.Fatal("it should fail")
		}
		if n := srv.Received(); n != 1 {
			t.Errorf("%s: whether a lost write has arrived is for the next look to say: sent %d times", name, n)
		}
	}
}

// The REST client leaves the context out of some of its requests. Those end with the context that the client was made with.
func TestStrayRequestsEnd(t *testing.T) {
	srv := gcptest.Start(t)
	srv.Hang(gcp.ArtifactRegistry)
	ctx, cancel := context.WithCancel(t.Context())
	opts, err := srv.RESTConfig().HTTP(ctx, gcp.ArtifactRegistry)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := artifactregistry.NewRESTClient(ctx, opts...)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{})
	srv.OnCall(func(gcptest.Call, gcptest.Phase) { close(arrived) })
	done := make(chan error, 1)
	go func() {
		req := &artifactregistrypb.ListRepositoriesRequest{Parent: "projects/acme/locations/us"}
		_, err := cl.ListRepositories(t.Context(), req, gax.WithRetry(nil)).Next()
		done <- err
	}()
	<-arrived
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("nothing was answered")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a request without a context goes on after its client has ended")
	}
	if err := cl.Close(); err != nil {
		t.Error(err)
	}
}

// Through Google's own clients: the next call waits for as long as the service asks, and one that cannot wait so long is not sent.
func TestAClientWaitsAsItIsAsked(t *testing.T) {
	srv := gcptest.Start(t)
	for name, c := range protocols(srv) {
		c.Limits = gcp.NewLimits()
		first, second := client(t, c), client(t, c)
		srv.Throttle("ListClusters", time.Second, 1)
		if err := list(t.Context(), first); gcp.Code(err) != codes.ResourceExhausted {
			t.Fatalf("%s: want a refusal, have %v", name, err)
		}
		began := time.Now()
		if err := list(t.Context(), second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if waited := time.Since(began); waited < 900*time.Millisecond {
			t.Errorf("%s: another client of the same process waited %v only", name, waited)
		}
		srv.Throttle("ListClusters", time.Hour, 1)
		_ = list(t.Context(), first)
		srv.Forget()
		err := gcp.Explain("ListClusters", list(t.Context(), second))
		if gcp.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "it asked for that") {
			t.Errorf("%s: the reason should be told: %v", name, err)
		}
		if n := srv.Count("ListClusters"); n != 0 {
			t.Errorf("%s: %d calls were sent in the pause", name, n)
		}
		srv.Heal()
	}
}

// Fifty stacks that all want to know everything at once send no more than the process may, and each is let through.
func TestAFloodStaysWithinTheQuota(t *testing.T) {
	srv := gcptest.Start(t)
	limits, began := gcp.NewLimits(), time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var stacks sync.WaitGroup
	through := make([]int, 50)
	for i := range through {
		c := srv.Config()
		c.Limits, c.Caller = limits, "stack-"+strconv.Itoa(i)
		cl := client(t, c)
		stacks.Go(func() {
			for ctx.Err() == nil {
				if list(ctx, cl) != nil {
					return
				}
				through[i]++
			}
		})
	}
	stacks.Wait()
	own := gcp.QuotaOf(gcp.Container).Own
	burst := own/4 + 1
	most := burst + int(time.Since(began).Minutes()*float64(own-burst)) + 1
	if n := srv.Count("ListClusters"); n > most {
		t.Errorf("%d calls, where %d are allowed in that time", n, most)
	}
	for i, n := range through {
		if n == 0 {
			t.Errorf("stack %d was let through never", i)
		}
	}
}
