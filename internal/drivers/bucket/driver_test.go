package bucket_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	storagev1 "google.golang.org/api/storage/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/resource"
)

// plain is a bucket of which the stack file says nothing but where it is.
func plain() bucket.Spec {
	return bucket.Spec{Name: "acme-data", Location: "us-central1", Namespace: "recsys",
		Labels: map[string]string{gcp.LabelManagedBy: gcp.ManagedBy, gcp.LabelStack: "recsys"}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// touch changes nothing that anybody compares.
func touch(*storagev1.Bucket) {}

// see looks at one bucket by name; it must be there.
func see(t *testing.T, d *bucket.Driver, want bucket.Spec) resource.Live[bucket.Spec] {
	t.Helper()
	seen, err := d.Observe(t.Context(), []bucket.Spec{want}, false)
	must(t, err)
	if len(seen.Live) != 1 {
		t.Fatalf("%d buckets seen, want 1", len(seen.Live))
	}
	return seen.Live[0]
}

// repair updates until nothing differs and returns what differed at first.
func repair(t *testing.T, d *bucket.Driver, want bucket.Spec) []resource.Change {
	t.Helper()
	l := see(t, d, want)
	drift := want.Diff(l.Spec)
	must(t, d.Update(t.Context(), want, l.Spec, drift))
	if left := want.Diff(see(t, d, want).Spec); len(left) > 0 {
		t.Fatalf("still differs after an update: %+v", left)
	}
	return drift
}

// start is a cloud with want in it.
func start(t *testing.T, want bucket.Spec) (*gcptest.Server, *bucket.Driver) {
	t.Helper()
	cloud := serve(t)
	d := driver(t, cloud, "recsys")
	must(t, d.Create(t.Context(), want))
	return cloud, d
}

func TestDefaultsAreSafeAndNoDrift(t *testing.T) {
	want := plain()
	cloud, d := start(t, want)
	if c := cloud.Bucket(want.Name).IamConfiguration; !c.UniformBucketLevelAccess.Enabled || c.PublicAccessPrevention != "enforced" {
		t.Errorf("a bucket of which nothing is said should be closed to the public and to ACLs: %+v", c)
	}
	if diff := want.Diff(see(t, d, want).Spec); len(diff) > 0 {
		t.Errorf("what Google filled in is reported as a difference: %+v", diff)
	}
}

func TestUpdateChangesNothingElse(t *testing.T) {
	want := plain()
	want.Lifecycle = []bucket.Rule{{Action: "delete", AgeDays: new(int64(90))}}
	cloud, d := start(t, want)
	cloud.EditBucket(want.Name, func(b *storagev1.Bucket) {
		b.Lifecycle = nil
		b.Website = &storagev1.BucketWebsite{MainPageSuffix: "index.html"}
		b.Cors = []*storagev1.BucketCors{{MaxAgeSeconds: 5}}
		b.Versioning = &storagev1.BucketVersioning{Enabled: true}
		b.SoftDeletePolicy.RetentionDurationSeconds = 30 * 24 * 3600
		b.IamConfiguration.PublicAccessPrevention = "inherited"
		b.Labels["cost-centre"], b.Labels["goog-managed"] = "42", "x"
	})
	if drift := repair(t, d, want); len(drift) != 1 || drift[0].Field != "lifecycle" {
		t.Errorf("only the declared lifecycle differs: %+v", drift)
	}
	b := cloud.Bucket(want.Name)
	if b.Website == nil || len(b.Cors) != 1 || !b.Versioning.Enabled || b.SoftDeletePolicy.RetentionDurationSeconds != 30*24*3600 ||
		b.IamConfiguration.PublicAccessPrevention != "inherited" || b.Labels["cost-centre"] != "42" {
		t.Errorf("the repair of the lifecycle has changed what is not ours: %+v", b)
	}
	if n := strings.Join(see(t, d, want).Notices, "; "); n != "label cost-centre=42 is not in the stack file; left alone" {
		t.Errorf("a label of somebody else's is a notice, Google's own is not: %q", n)
	}
}

func TestLifecycle(t *testing.T) {
	rules := []bucket.Rule{
		{Action: "delete", AgeDays: new(int64(0)), Prefixes: []string{"tmp/"}},
		{Action: "delete", NewerVersions: new(int64(3))},
		{Action: "setClass", Class: "archive", AgeDays: new(int64(365)), Prefixes: []string{"mlflow/", "data/"}},
	}
	want := plain()
	want.Lifecycle = rules
	cloud, d := start(t, want)

	t.Run("an age of 0 is sent, and comes back", func(t *testing.T) {
		if diff := want.Diff(see(t, d, want).Spec); len(diff) > 0 {
			t.Errorf("%+v", diff)
		}
		found := false
		for _, r := range cloud.Bucket(want.Name).Lifecycle.Rule {
			found = found || r.Condition.Age != nil && *r.Condition.Age == 0
		}
		if !found {
			t.Error("the rule for everything under tmp/ has lost its age: it would meet nothing, or everything")
		}
	})
	t.Run("another order is no difference", func(t *testing.T) {
		cloud.EditBucket(want.Name, func(b *storagev1.Bucket) {
			r := b.Lifecycle.Rule
			r[0], r[2] = r[2], r[0]
		})
		if diff := want.Diff(see(t, d, want).Spec); len(diff) > 0 {
			t.Errorf("%+v", diff)
		}
	})
	t.Run("a condition without a word in the stack file is put back", func(t *testing.T) {
		cloud.EditBucket(want.Name, func(b *storagev1.Bucket) { b.Lifecycle.Rule[0].Condition.MatchesSuffix = []string{".bak"} })
		drift := repair(t, d, want)
		if len(drift) != 1 || !strings.Contains(drift[0].Have, "suffix .bak") {
			t.Errorf("%+v", drift)
		}
	})
	t.Run("none clears, absent leaves", func(t *testing.T) {
		none := plain()
		none.Lifecycle = []bucket.Rule{}
		repair(t, d, none)
		if l := cloud.Bucket(want.Name).Lifecycle; l != nil {
			t.Errorf("rules are left: %+v", l)
		}
		cloud.EditBucket(want.Name, func(b *storagev1.Bucket) {
			b.Lifecycle = &storagev1.BucketLifecycle{Rule: []*storagev1.BucketLifecycleRule{{Action: &storagev1.BucketLifecycleRuleAction{Type: "AbortIncompleteMultipartUpload"}, Condition: &storagev1.BucketLifecycleRuleCondition{NumNewerVersions: 1}}}}
		})
		if diff := plain().Diff(see(t, d, plain()).Spec); len(diff) > 0 {
			t.Errorf("%+v", diff)
		}
		if drift := repair(t, d, none); len(drift) != 1 || !strings.HasPrefix(drift[0].Have, "AbortIncompleteMultipartUpload") {
			t.Errorf("an action without a word in the stack file is a difference like any other: %+v", drift)
		}
	})
}

func TestAPassCostsOneListAndOnePolicy(t *testing.T) {
	cloud, d := start(t, plain())
	cloud.Forget()
	_, err := d.Observe(t.Context(), []bucket.Spec{plain()}, true)
	must(t, err)
	if calls := cloud.Calls(); len(calls) != 2 || cloud.Count("storage.buckets.list") != 1 || cloud.Count("storage.buckets.getIamPolicy") != 1 {
		t.Errorf("a look at one bucket took %v", calls)
	}
}

func TestPagesOfTheList(t *testing.T) {
	cloud := serve(t)
	cloud.SetPageSize(2)
	d := driver(t, cloud, "recsys")
	for n := range 5 {
		must(t, d.Create(t.Context(), sample("recsys")(n)))
	}
	seen, err := d.Observe(t.Context(), nil, true)
	must(t, err)
	if len(seen.Live) != 5 {
		t.Errorf("5 buckets on 3 pages, and %d are seen", len(seen.Live))
	}
}

func TestTries(t *testing.T) {
	want := plain()
	cloud, d := start(t, want)
	cloud.Fail("storage.buckets.get", codes.Unavailable, "backend error", 1)
	if l := see(t, d, want); l.State != resource.Ready {
		t.Errorf("one hiccup of a read makes a bucket unknown: %s", l.Detail)
	}
	l := see(t, d, want)
	for method, write := range map[string]func() error{
		"storage.buckets.insert": func() error { w := want; w.Name = "acme-more"; return d.Create(t.Context(), w) },
		"storage.buckets.patch":  func() error { return d.Update(t.Context(), want, l.Spec, []resource.Change{{Field: "forceDestroy"}}) },
		"storage.buckets.delete": func() error { return d.Delete(t.Context(), l.Spec, false) },
	} {
		cloud.Forget()
		cloud.Fail(method, codes.Unavailable, "backend error", gcptest.Forever)
		if err := write(); err == nil || errors.Is(err, resource.ErrRejected) {
			t.Errorf("%s: an outage is to be retried by a later pass: %v", method, err)
		}
		if n := cloud.Count(method); n != 1 {
			t.Errorf("%s was sent %d times by one call; whoever repeats a write looks first", method, n)
		}
		cloud.Heal()
	}
}

func TestRefusals(t *testing.T) {
	cases := []struct {
		reason   string
		status   int
		text     string
		rejected bool
	}{
		{"a value that Google does not take", http.StatusBadRequest, "Invalid argument", true},
		{"a rule of the organisation", http.StatusPreconditionFailed, "Request violates constraint 'constraints/storage.publicAccessPrevention'", true},
		{"somebody was faster", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold.", false},
		{"a permission may be given later", http.StatusForbidden, "does not have storage.buckets.update access", false},
		{"too many at a time", http.StatusTooManyRequests, "rate limit", false},
	}
	want := plain()
	cloud, d := start(t, want)
	l := see(t, d, want)
	for _, c := range cases {
		cloud.FailStorage("storage.buckets.patch", c.status, "reason", c.text, 1)
		err := d.Update(t.Context(), want, l.Spec, []resource.Change{{Field: "forceDestroy"}})
		if err == nil || errors.Is(err, resource.ErrRejected) != c.rejected || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: rejected should be %v: %v", c.reason, c.rejected, err)
		}
	}
}

func TestObserveEndsWithItsContext(t *testing.T) {
	_, d := start(t, plain())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Observe(ctx, []bucket.Spec{plain()}, true); !errors.Is(err, context.Canceled) {
		t.Errorf("a look that was called off knows nothing, and says: %v", err)
	}
}

// TestToken: the credentials of the configuration are those that are sent, and the machine's own are not looked for.
func TestToken(t *testing.T) {
	cloud := serve(t)
	cloud.RequireToken("s3cret")
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte("s3cret\n"), 0o600))
	config := cloud.Config()
	config.AccessTokenFile = file
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none"))
	d, err := bucket.New(t.Context(), config, "recsys", principals(t, config))
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	must(t, d.Create(t.Context(), plain()))
	if l := see(t, d, plain()); l.State != resource.Ready {
		t.Errorf("%v %s", l.State, l.Detail)
	}
	cloud.RequireToken("another")
	if l := see(t, d, plain()); l.State != resource.Unknown || strings.Contains(l.Detail, "s3cret") {
		t.Errorf("without the right token nothing is known, and the wrong one is not told: %v %s", l.State, l.Detail)
	}
}
