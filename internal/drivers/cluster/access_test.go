package cluster_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/resource"
)

func TestAccess(t *testing.T) {
	ca := func(s string) func(*containerpb.Cluster) {
		return func(pb *containerpb.Cluster) { pb.MasterAuth.ClusterCaCertificate = s }
	}
	dns := func(on bool) func(*containerpb.Cluster) {
		return func(pb *containerpb.Cluster) {
			pb.ControlPlaneEndpointsConfig.DnsEndpointConfig.AllowExternalTraffic = proto.Bool(on)
		}
	}
	status := func(s containerpb.Cluster_Status) func(*containerpb.Cluster) {
		return func(pb *containerpb.Cluster) { pb.Status = s }
	}
	tests := []struct {
		why         string
		hand        func(*containerpb.Cluster)
		host        string // a part of it
		ca          bool
		err         string // a part of it
		unavailable bool
	}{
		{why: "a running cluster is reached by its address and its own authority", hand: dns(false), host: "https://192.0.2.1", ca: true},
		{why: "where the DNS endpoint is on it is used, and its certificate is a public one", hand: dns(true), host: ".us-central1.gke.goog"},
		{why: "an update under way does not keep anybody out", hand: status(containerpb.Cluster_RECONCILING), host: "https://192.0.2.1", ca: true},
		{why: "garbage is said to be garbage", hand: ca("%%%"), err: "certificate authority: not base64"},
		{why: "base64 of garbage too", hand: ca(base64.StdEncoding.EncodeToString([]byte("hello"))), err: "certificate authority: no certificate"},
		{why: "no authority would be no security", hand: ca(""), err: "certificate authority: none is given"},
		{why: "a cluster in creation is to be waited for", hand: status(containerpb.Cluster_PROVISIONING), err: "is not running (creating)", unavailable: true},
		{why: "one on its way out as well", hand: status(containerpb.Cluster_STOPPING), err: "is not running (deleting)", unavailable: true},
		{why: "one in error as well", hand: status(containerpb.Cluster_ERROR), err: "is not running (in error)", unavailable: true},
	}
	for _, tt := range tests {
		want := minimal("ours")
		srv, _ := converged(t, want)
		srv.EditCluster(want.Name, tt.hand)
		d := open(t, srv.Config(), "ours")
		observe(t, d, want)
		config, err := d.Access(t.Context(), "")
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || errors.Is(err, resource.ErrUnavailable) != tt.unavailable {
				t.Errorf("%s: want %q (unavailable %v), have %v", tt.why, tt.err, tt.unavailable, err)
			}
			continue
		}
		if err != nil || !strings.Contains(config.Host, tt.host) || (len(config.CAData) > 0) != tt.ca {
			t.Errorf("%s: %v %+v", tt.why, err, config)
		}
	}
}

// observe makes a full look.
func observe(t *testing.T, d *cluster.Driver, want ...cluster.Spec) {
	t.Helper()
	if _, err := d.Observe(t.Context(), want, true); err != nil {
		t.Fatal(err)
	}
}

func TestAccessToNothing(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	observe(t, d)
	if _, err := d.Access(t.Context(), ""); !errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("without a cluster there is nothing to go into yet: %v", err)
	}
	observe(t, d, minimal("ours"))
	if _, err := d.Access(t.Context(), ""); !errors.Is(err, resource.ErrUnavailable) || !strings.Contains(err.Error(), "absent") {
		t.Errorf("an absent cluster is to be waited for: %v", err)
	}
	srv.Forbid("ListClusters")
	d = open(t, srv.Config(), "ours")
	observe(t, d)
	if _, err := d.Access(t.Context(), ""); err == nil || errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("if clusters cannot be listed and none is wanted, it is not known that there is none: %v", err)
	}
}

func TestAccessGoesByThePass(t *testing.T) {
	want := minimal("ours")
	srv, _ := converged(t, want)
	d := open(t, srv.Config(), "ours")
	srv.Forget()

	// The kinds of a pass are looked at side by side, in any order.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := d.Access(t.Context(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() { observe(t, d, want) })
	wg.Wait()
	if _, err := d.Access(t.Context(), want.Name); err != nil {
		t.Error(err)
	}
	if calls := srv.Calls(); len(calls) != 1 {
		t.Errorf("all should go by the one look of the pass: %v", calls)
	}
	// Before there has been any look there is nothing to go by.
	for _, name := range []string{"", want.Name} { // on a busy machine the look may begin late: that says nothing of the cluster
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := open(t, srv.Config(), "ours").Access(ctx, name); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, resource.ErrUnavailable) {
			t.Errorf("before the first look it should wait: %v", err)
		}
	}
	observe(t, d)
	srv.RemoveCluster(want.Name)
	observe(t, d)
	if _, err := d.Access(t.Context(), want.Name); !errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("what a whole look has shown to be neither wanted nor ours is not there: %v", err)
	}
}

// What is not running is asked about again each time: nothing should wait a pass longer than it has to.
func TestAccessAsksAgain(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := minimal("ours")
	srv.SetDelay(gcptest.Never)
	create(t, d, want)
	observe(t, d, want)
	if _, err := d.Access(t.Context(), ""); !errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("it is being created: %v", err)
	}
	srv.Settle()
	if _, err := d.Access(t.Context(), ""); err != nil {
		t.Errorf("it runs by now: %v", err)
	}
}

func TestAccessOutlivesGKE(t *testing.T) {
	want := minimal("ours")
	srv, d := converged(t, want)
	observe(t, d, want)
	srv.Fail(gcp.Container, codes.Unavailable, "down", gcptest.Forever)
	seen, err := d.Observe(t.Context(), []cluster.Spec{want}, true)
	if err != nil || len(seen.Live) != 1 || seen.Live[0].State != resource.Unknown {
		t.Fatalf("it should be unknown: %+v %v", seen, err)
	}
	if _, err := d.Access(t.Context(), ""); err != nil {
		t.Errorf("that GKE does not answer does not close the cluster: %v", err)
	}
	fresh := open(t, srv.Config(), "ours")
	observe(t, fresh, want)
	if _, err := fresh.Access(t.Context(), ""); err == nil || errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("who has never seen the cluster does not know whether it is there: %v", err)
	}
}

func TestAccessOfSeveral(t *testing.T) {
	a, b := minimal("ours"), minimal("ours")
	b.Name = "acme-two"
	srv, d := converged(t, a)
	create(t, d, b)
	srv.Settle()

	observe(t, d, a, b)
	if _, err := d.Access(t.Context(), ""); err == nil || errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("with two it has to be said which: %v", err)
	}
	if _, err := d.Access(t.Context(), "acme-two"); err != nil {
		t.Error(err)
	}
	observe(t, d, b)
	if _, err := d.Access(t.Context(), ""); err != nil {
		t.Errorf("the one that is wanted goes before one that is merely left over: %v", err)
	}
	srv.RemoveCluster(a.Name)
	observe(t, d)
	if _, err := d.Access(t.Context(), ""); err != nil {
		t.Errorf("while a stack is taken down nothing is wanted, and its objects still have to be reached: %v", err)
	}
}

// No part of the way in may end in a log: tokens are not part of the settings that can be printed.
func TestAccessKeepsItsToken(t *testing.T) {
	want := minimal("ours")
	srv, _ := converged(t, want)
	config := srv.Config()
	config.AccessTokenFile = t.TempDir() + "/token"
	writeFile(t, config.AccessTokenFile, "s3cret")
	d := open(t, config, "ours")
	observe(t, d, want)
	c, err := d.Access(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if c.WrapTransport == nil {
		t.Error("requests would go without a token")
	}
	b, err := json.Marshal(c.String())
	if err != nil || strings.Contains(string(b), "s3cret") || c.BearerToken != "" {
		t.Errorf("the token is part of the settings: %s %v", b, err)
	}
}
