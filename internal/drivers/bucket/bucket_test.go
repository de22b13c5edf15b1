package bucket_test

import (
	"fmt"
	"testing"
	"time"

	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/resource/resourcetest"
)

func TestContract(t *testing.T) {
	resourcetest.Run(t, func(t *testing.T) resourcetest.Harness[bucket.Spec] {
		cloud := serve(t)
		forbid := switches(cloud)
		return resourcetest.Harness[bucket.Spec]{
			Ours:  resourcetest.Stack[bucket.Spec]{Driver: driver(t, cloud, "recsys"), Spec: sample("recsys")},
			Other: resourcetest.Stack[bucket.Spec]{Driver: driver(t, cloud, "other"), Spec: sample("other")},
			Edits: edits,
			Recreates: []resourcetest.Edit[bucket.Spec]{
				{Field: "location", Do: func(s bucket.Spec) bucket.Spec { s.Location = "EU"; return s }},
			},
			Foreign: resourcetest.Foreign[bucket.Spec]{Field: "versioning", Do: func(t *testing.T, s bucket.Spec) {
				cloud.EditBucket(s.Name, func(b *storagev1.Bucket) { b.Versioning = &storagev1.BucketVersioning{Enabled: true} })
			}},
			Writes:     func() int { return len(cloud.Writes()) },
			Settle:     func() {},
			ForbidList: forbid("storage.buckets.list"),
			ForbidGet:  forbid("storage.buckets.get"),
			Hang: func(hang bool) {
				cloud.Heal()
				if hang {
					cloud.Hang(gcp.Storage)
				}
			},
			Guarded: true,
		}
	})
}

// edits are one change of every field that can change in place.
var edits = []resourcetest.Edit[bucket.Spec]{
	{Field: "class", Do: func(s bucket.Spec) bucket.Spec { s.Class = new("nearline"); return s }},
	{Field: "uniformBucketLevelAccess", Do: func(s bucket.Spec) bucket.Spec { s.UniformBucketLevelAccess = new(false); return s }},
	{Field: "publicAccessPrevention", Do: func(s bucket.Spec) bucket.Spec { s.PublicAccessPrevention = new("inherited"); return s }},
	{Field: "versioning", Do: func(s bucket.Spec) bucket.Spec { s.Versioning = new(true); return s }},
	{Field: "softDelete", Do: func(s bucket.Spec) bucket.Spec { s.SoftDelete = new(bucket.Retention(0)); return s }},
	{Field: "lifecycle", Do: func(s bucket.Spec) bucket.Spec { s.Lifecycle = []bucket.Rule{}; return s }},
	{Field: "forceDestroy", Do: func(s bucket.Spec) bucket.Spec { s.ForceDestroy = true; return s }},
	{Field: "labels.team", Do: func(s bucket.Spec) bucket.Spec { s.Labels["team"] = "data"; return s }},
	{Field: "grants.recsys/api", Do: func(s bucket.Spec) bucket.Spec { s.Grants[0].Role = "roles/storage.objectUser"; return s }},
}

// sample is a bucket with everything said, in the case in which people say it.
func sample(stack string) func(n int) bucket.Spec {
	return func(n int) bucket.Spec {
		return bucket.Spec{
			Name: fmt.Sprintf("acme-%d", n), Location: "us-central1", Class: new("standard"), UniformBucketLevelAccess: new(true),
			PublicAccessPrevention: new("enforced"), Versioning: new(false), SoftDelete: new(bucket.Retention(8 * 24 * time.Hour)),
			Lifecycle: []bucket.Rule{
				{Action: "setClass", Class: "coldline", AgeDays: new(int64(30)), Prefixes: []string{"mlflow/", "data/"}},
				{Action: "delete", AgeDays: new(int64(90))},
			},
			Labels:    map[string]string{gcp.LabelManagedBy: gcp.ManagedBy, gcp.LabelStack: stack, "team": "ml"},
			Namespace: "recsys",
			Grants: []bucket.Grant{
				{Principal: gcp.Principal{Namespace: "recsys", Account: "api"}, Role: "roles/storage.objectViewer"},
				{Principal: gcp.Principal{Namespace: "recsys", Account: "mlflow"}, Role: "roles/storage.objectUser"},
			},
		}
	}
}

func serve(t *testing.T) *gcptest.Server {
	t.Helper()
	cloud, err := gcptest.New(gcptest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() })
	cloud.SetIdentityPool(true)
	return cloud
}

func driver(t *testing.T, cloud *gcptest.Server, stack string) *bucket.Driver {
	t.Helper()
	d, err := bucket.New(t.Context(), cloud.Config(), stack, principals(t, cloud.Config()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// switches forbids methods of the cloud, each on its own.
func switches(cloud *gcptest.Server) func(method string) func(bool) {
	off := map[string]bool{}
	return func(method string) func(bool) {
		return func(forbid bool) {
			off[method] = forbid
			cloud.Heal()
			for m, forbidden := range off {
				if forbidden {
					cloud.Forbid(m)
				}
			}
		}
	}
}

func principals(t *testing.T, config gcp.Config) *gcp.Principals {
	t.Helper()
	who, err := gcp.NewPrincipals(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return who
}
