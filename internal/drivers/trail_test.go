package drivers_test

import (
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/container/apiv1/containerpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	computev1 "google.golang.org/api/compute/v1"
	iamv1 "google.golang.org/api/iam/v1"
	storagev1 "google.golang.org/api/storage/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/identity"
	"recsysd.dev/recsysd/internal/drivers/network"
	"recsysd.dev/recsysd/internal/drivers/nodepool"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/resource"
)

// audited is Google's services with one resource of every kind, made by recsysd itself.
type audited struct {
	t   *testing.T
	srv *gcptest.Server
	set drivers.Set
}

var pool = nodepool.Spec{Name: "default", Machine: "e2-standard-4", Cluster: "acme", Location: "us-central1", Min: new(1), Max: new(3)}

var all = []resource.Resource{
	resource.Of(network.Spec{Name: "main"}),
	resource.Of(cluster.Spec{Name: "acme", Location: "us-central1", Mode: "standard", Pools: []nodepool.Spec{pool}}),
	resource.Of(bucket.Spec{Name: "acme-data", Location: "us-central1"}),
	resource.Of(registry.Spec{Name: "images", Location: "us-central1", Format: "docker"}),
	resource.Of(identity.Spec{Name: "trainer", DisplayName: "trainer", Stack: "recsys"}),
}

func newAudited(t *testing.T) *audited {
	a := &audited{t: t, srv: gcptest.Start(t)}
	config := a.srv.Config()
	config.UserAgent = "recsysd/1.0"
	var err error
	if a.set, err = drivers.Kinds(t.Context(), drivers.Config{Stack: "recsys", GCP: config}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.set.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, r := range all {
		if err := a.kind(r).Create(t.Context(), r); err != nil {
			t.Fatalf("%s: %v", r.Ref, err)
		}
	}
	return a
}

func (a *audited) kind(r resource.Resource) resource.Kind {
	for _, k := range a.set.Kinds {
		if k.Owns(r) {
			return k
		}
	}
	a.t.Fatalf("%s has no kind", r.Ref)
	panic("unreachable")
}

func (a *audited) who(r resource.Resource, since time.Time) (resource.Author, error) {
	return a.kind(r).Who(a.t.Context(), r, resource.Span{From: since, To: time.Now()})
}

// Every kind of Google's finds in the audit logs who has changed a resource of it: not recsysd itself, not whoever was refused, and not
// somebody who changed another one or did that before.
func TestWhoChangedWhat(t *testing.T) {
	a := newAudited(t)
	start := time.Now().Add(-time.Minute)
	edits := map[string]func(){
		"network": func() {
			a.srv.EditNetwork("main", func(n *computev1.Network) { n.Mtu = 1500 })
		},
		"cluster": func() {
			a.srv.EditCluster("acme", func(c *containerpb.Cluster) { c.ReleaseChannel.Channel = containerpb.ReleaseChannel_RAPID })
		},
		"nodepool": func() {
			a.srv.EditNodePool("acme", "default", func(p *containerpb.NodePool) { p.Autoscaling.MaxNodeCount = 30 })
		},
		"bucket": func() {
			a.srv.EditBucket("acme-data", func(b *storagev1.Bucket) { b.Versioning = &storagev1.BucketVersioning{Enabled: true} })
		},
		"registry": func() {
			a.srv.EditRepository("images", func(r *artifactregistrypb.Repository) { r.Description = "mine" })
		},
		"identity": func() {
			a.srv.EditAccount("trainer@acme.iam.gserviceaccount.com", func(s *iamv1.ServiceAccount, _ *iampb.Policy) { s.DisplayName = "mine" })
		},
	}
	for _, r := range append(all, resource.Of(pool)) {
		if who, err := a.who(r, start); err != nil || who.Name != "" {
			t.Errorf("%s was made by recsysd alone, and %q is named, %v", r.Ref, who.Name, err)
		}
		a.srv.SetHand("alice+" + r.Ref.Kind + "@example.com")
		before := time.Now()
		edits[r.Ref.Kind]()
		who, err := a.who(r, start)
		if err != nil || who.Name != "alice+"+r.Ref.Kind+"@example.com" || who.At.Before(before) || who.At.After(time.Now()) {
			t.Errorf("%s: %+v, %v", r.Ref, who, err)
		}
		if who, err := a.kind(r).Who(t.Context(), r, resource.Span{From: start, To: before}); err != nil || who.Name != "" {
			t.Errorf("%s had not been changed by then, and %q is named, %v", r.Ref, who.Name, err)
		}
		if who, err := a.who(r, time.Now()); err != nil || who.Name != "" {
			t.Errorf("%s was not changed since, and %q is named, %v", r.Ref, who.Name, err)
		}
	}
	own := bucket.Spec{Name: "acme-data", Location: "us-central1", Versioning: new(false)}
	before := time.Now()
	a.srv.Fail("storage.buckets.patch", codes.PermissionDenied, "no", 1)
	for range 2 { // refused, then done
		sight, err := a.kind(resource.Of(own)).Observe(t.Context(), []resource.Resource{resource.Of(own)}, false)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.kind(resource.Of(own)).Update(t.Context(), resource.Of(own), sight.Found[0], sight.Found[0].Diff)
	}
	lan := network.Spec{Name: "main", Subnets: map[string]network.Subnet{"nodes": {Name: "nodes", Region: "us-central1", Range: "10.0.0.0/20"}}}
	a.srv.AddSubnet("main", "us-central1", &computev1.Subnetwork{Name: "nodes", IpCidrRange: "10.0.0.0/20"})
	a.srv.SetHand("bob@example.com")
	a.srv.EditSubnet("us-central1", "nodes", func(n *computev1.Subnetwork) { n.PrivateIpGoogleAccess = false })
	if who, err := a.who(resource.Of(lan), before); err != nil || who.Name != "bob@example.com" {
		t.Errorf("a subnet is a part of its network: %+v, %v", who, err)
	}
	if who, err := a.who(resource.Of(own), before); err != nil || who.Name != "" || a.srv.Bucket("acme-data").Versioning.Enabled {
		t.Errorf("recsysd has put it back, and %q is named, %v", who.Name, err)
	}
}

// Without the right nobody is named, and it is not asked about every resource what was refused for one.
func TestNoRightToTheRecord(t *testing.T) {
	a := newAudited(t)
	a.srv.EditBucket("acme-data", func(*storagev1.Bucket) {})
	a.srv.DenyPermissions("logging.logEntries.list")
	a.srv.Forget()
	for _, r := range all {
		if who, err := a.who(r, time.Now().Add(-time.Hour)); !errors.Is(err, gcp.ErrNoRecord) || who.Name != "" {
			t.Errorf("%s: %+v, %v", r.Ref, who, err)
		}
	}
	if n := a.srv.Count("logging.entries.list"); n != 1 {
		t.Errorf("asked %d times within a moment", n)
	}
}
