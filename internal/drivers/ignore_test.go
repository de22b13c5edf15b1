package drivers_test

import (
	"testing"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/container/apiv1/containerpb"
	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/resource"
)

// A field under a rule of ignore is no difference, and stays as somebody has set it while another field of the same resource is put back.
func TestIgnoredFieldsStay(t *testing.T) {
	a := newAudited(t)
	locked := pool
	locked.Labels = map[string]string{"purpose": "serving"}
	for _, c := range []struct {
		want   resource.Resource
		ignore string
		edit   func() // of the ignored field and of another
		stays  func() bool
		back   func() bool
	}{
		{
			want: resource.Of(cluster.Spec{Name: "acme", Location: "us-central1", Mode: "standard", ReleaseChannel: new("regular"), Labels: map[string]string{"team": "ml"}}), ignore: "releaseChannel",
			edit: func() {
				a.srv.EditCluster("acme", func(c *containerpb.Cluster) {
					c.ReleaseChannel = &containerpb.ReleaseChannel{Channel: containerpb.ReleaseChannel_RAPID}
					c.ResourceLabels = map[string]string{"team": "sales"}
				})
			},
			stays: func() bool {
				return a.srv.Cluster("acme").GetReleaseChannel().GetChannel() == containerpb.ReleaseChannel_RAPID
			},
			back: func() bool { return a.srv.Cluster("acme").GetResourceLabels()["team"] == "ml" },
		},
		{
			want: resource.Of(locked), ignore: "autoscaling",
			edit: func() {
				a.srv.EditNodePool("acme", "default", func(p *containerpb.NodePool) {
					p.Autoscaling.MaxNodeCount, p.Autoscaling.TotalMaxNodeCount = 0, 30
					p.Config.Labels = map[string]string{"purpose": "training"}
				})
			},
			stays: func() bool { return a.srv.NodePool("acme", "default").GetAutoscaling().GetTotalMaxNodeCount() == 30 },
			back:  func() bool { return a.srv.NodePool("acme", "default").GetConfig().GetLabels()["purpose"] == "serving" },
		},
		{
			want: resource.Of(bucket.Spec{Name: "acme-data", Location: "us-central1", Versioning: new(false), Labels: map[string]string{"team": "ml"}}), ignore: "versioning",
			edit: func() {
				a.srv.EditBucket("acme-data", func(b *storagev1.Bucket) {
					b.Versioning, b.Labels = &storagev1.BucketVersioning{Enabled: true}, map[string]string{"team": "sales"}
				})
			},
			stays: func() bool { return a.srv.Bucket("acme-data").Versioning.Enabled },
			back:  func() bool { return a.srv.Bucket("acme-data").Labels["team"] == "ml" },
		},
		{
			want: resource.Of(registry.Spec{Name: "images", Location: "us-central1", Format: "docker", Description: new("ours"), Labels: map[string]string{"team": "ml"}}), ignore: "description",
			edit: func() {
				a.srv.EditRepository("images", func(r *artifactregistrypb.Repository) {
					r.Description, r.Labels = "theirs", map[string]string{"team": "sales"}
				})
			},
			stays: func() bool { return a.srv.Repository("images").GetDescription() == "theirs" },
			back:  func() bool { return a.srv.Repository("images").GetLabels()["team"] == "ml" },
		},
	} {
		t.Run(c.want.Ref.Kind, func(t *testing.T) {
			c.want.Ignore = []string{c.ignore}
			c.edit()
			k := a.kind(c.want)
			for pass := 0; ; pass++ {
				sight, err := k.Observe(t.Context(), []resource.Resource{c.want}, false)
				if err != nil || len(sight.Found) != 1 {
					t.Fatalf("found %v, %v", sight.Found, err)
				}
				o := sight.Found[0]
				for _, d := range o.Diff {
					if resource.Covers(c.ignore, d.Field) {
						t.Errorf("%s is under a rule, and differs", d.Field)
					}
				}
				if pass == 0 && len(o.Diff) == 0 {
					t.Fatal("nothing is left to put back")
				}
				if len(o.Diff) == 0 || pass == 5 {
					break
				}
				if err := k.Update(t.Context(), c.want, o, o.Diff); err != nil {
					t.Fatal(err)
				}
			}
			if !c.stays() {
				t.Errorf("%s was to stay as somebody has set it", c.ignore)
			}
			if !c.back() {
				t.Error("the other field was not put back")
			}
		})
	}
}
