package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	storagev1 "google.golang.org/api/storage/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/resource"
)

// full is a bucket with 25 objects and both marks that let it go with them, listed in pages of 7.
func full(t *testing.T) (*gcptest.Server, *bucket.Driver) {
	t.Helper()
	want := plain()
	want.ForceDestroy, want.Versioning = true, new(true)
	cloud, d := start(t, want)
	cloud.SetPageSize(7)
	cloud.EditBucket(want.Name, func(b *storagev1.Bucket) { b.Labels[gcp.LabelUnprotected] = "0123456789ab" })
	for n := range 25 {
		cloud.PutObject(want.Name, fmt.Sprintf("mlflow/%d/a b", n), nil)
	}
	cloud.PutObject(want.Name, "mlflow/3/a b", nil) // over an old version
	return cloud, d
}

// listed is the bucket as the list shows it when nobody wants it.
func listed(t *testing.T, d *bucket.Driver) resource.Live[bucket.Spec] {
	t.Helper()
	seen, err := d.Observe(t.Context(), nil, true)
	must(t, err)
	if len(seen.Live) != 1 {
		t.Fatalf("%d buckets are listed, want 1", len(seen.Live))
	}
	return seen.Live[0]
}

func TestDeleteWithEverythingInIt(t *testing.T) {
	cloud, d := full(t)
	must(t, d.Delete(t.Context(), listed(t, d).Spec, false))
	if cloud.Bucket("acme-data") != nil {
		t.Error("the bucket is still there")
	}
	if n := cloud.Count("storage.objects.delete"); n != 26 {
		t.Errorf("25 objects and one old version were to go, and %d deletions were asked for", n)
	}
}

func TestObjectsStay(t *testing.T) {
	held := func(edit func(*storagev1.Object)) func(*gcptest.Server) {
		return func(s *gcptest.Server) { s.PutObject("acme-data", "zz/last", edit) }
	}
	label := func(key, value string) func(*gcptest.Server) {
		return func(s *gcptest.Server) {
			s.EditBucket("acme-data", func(b *storagev1.Bucket) { b.Labels[key] = value })
		}
	}
	cases := []struct {
		reason        string
		before, after func(*gcptest.Server) // the look on which the deletion was decided
		text          string
	}{
		{"nobody said forceDestroy", label("recsysd-force-destroy", "false"), nil, "forceDestroy was never set"},
		{"the bucket is protected", label(gcp.LabelUnprotected, ""), nil, "protected"},
		{"a retention policy holds them", func(s *gcptest.Server) {
			s.EditBucket("acme-data", func(b *storagev1.Bucket) {
				b.RetentionPolicy = &storagev1.BucketRetentionPolicy{RetentionPeriod: 86400, EffectiveTime: "2026-01-01T00:00:00Z"}
			})
		}, nil, "holds each for 1d"},
		{"one of them is under a hold, on the last page", held(func(o *storagev1.Object) { o.TemporaryHold = true }), nil, "zz/last may not be deleted: it has a temporary hold"},
		{"one is held until an event", held(func(o *storagev1.Object) { o.EventBasedHold = true }), nil, "event-based hold"},
		{"one is retained", held(func(o *storagev1.Object) {
			o.RetentionExpirationTime = time.Now().Add(time.Hour).Format(time.RFC3339)
		}), nil, "retained until"},
		{"a mark was taken back after the look", nil, label("recsysd-force-destroy", "false"), "pre-condition"},
		{"another stack took it over after the look", nil, label(gcp.LabelStack, "other"), "pre-condition"},
	}
	for _, c := range cases {
		cloud, d := full(t)
		if c.before != nil {
			c.before(cloud)
		}
		l, n := listed(t, d), cloud.Objects("acme-data")
		if c.after != nil {
			c.after(cloud)
		}
		err := d.Delete(t.Context(), l.Spec, false)
		if err == nil || !strings.Contains(err.Error(), c.text) || errors.Is(err, resource.ErrRejected) {
			t.Errorf("%s: %v", c.reason, err)
		}
		if left := cloud.Objects("acme-data"); left != n {
			t.Errorf("%s, and of %d objects %d are left", c.reason, n, left)
		}
	}
}

// TestEmptyingGoesOn: what one call could not finish the next one does, and people see how far it is.
func TestEmptyingGoesOn(t *testing.T) {
	cloud, d := full(t)
	l := listed(t, d)
	deleted := 0
	cloud.OnCall(func(c gcptest.Call, p gcptest.Phase) {
		if c.Method != "storage.objects.delete" || p != gcptest.Before {
			return
		}
		if deleted++; deleted == 10 {
			cloud.Fail("storage.objects.delete", codes.PermissionDenied, "no more", gcptest.Forever)
		}
	})
	if err := d.Delete(t.Context(), l.Spec, false); err == nil || !strings.Contains(err.Error(), "no more") {
		t.Fatalf("it could not be emptied: %v", err)
	}
	cloud.OnCall(nil)
	left := cloud.Objects("acme-data")
	if left == 0 || left == 26 {
		t.Fatalf("%d of 26 are left; some should be", left)
	}
	if l = see(t, d, l.Spec); l.State != resource.Pending {
		t.Errorf("the look after the deletion shows a bucket that is not going: %v", l.State)
	}
	if l = listed(t, d); l.State != resource.Pending || l.Locked || l.Detail != fmt.Sprintf("emptying: %d objects deleted so far", 26-left) {
		t.Errorf("%d are left: %v locked %v %q", left, l.State, l.Locked, l.Detail)
	}
	want := plain()
	if w := see(t, d, want); w.State != resource.Ready {
		t.Errorf("wanted again, it is a bucket like any other: %v", w.State)
	}
	cloud.Heal()
	must(t, d.Delete(t.Context(), l.Spec, false))
	if cloud.Bucket("acme-data") != nil {
		t.Error("the bucket is still there")
	}
}

// TestEmptyingTakesItsTime: a bucket may have more objects than a pass has time.
func TestEmptyingTakesItsTime(t *testing.T) {
	cloud, d := full(t)
	d.EmptyFor(200 * time.Millisecond)
	l := listed(t, d)
	var deleted atomic.Int32
	cloud.OnCall(func(c gcptest.Call, p gcptest.Phase) {
		if c.Method == "storage.objects.delete" && p == gcptest.After && deleted.Add(1) == 5 {
			cloud.Hang("storage.objects.delete")
		}
	})
	if err := d.Delete(t.Context(), l.Spec, false); err != nil {
		t.Errorf("its time was up, which is no failure: %v", err)
	}
	if l = listed(t, d); l.State != resource.Pending || !strings.HasPrefix(l.Detail, "emptying: ") {
		t.Errorf("%v %q", l.State, l.Detail)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.Delete(ctx, l.Spec, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's time was up: %v", err)
	}
	cloud.OnCall(nil)
	cloud.Heal()
	must(t, d.Delete(t.Context(), l.Spec, false))
	if cloud.Bucket("acme-data") != nil {
		t.Error("the bucket is still there")
	}
}

func TestDeletedByAnotherMeanwhile(t *testing.T) {
	cloud, d := full(t)
	l := listed(t, d)
	cloud.OnCall(func(c gcptest.Call, p gcptest.Phase) {
		if c.Method == "storage.objects.delete" && p == gcptest.Before {
			cloud.RemoveBucket("acme-data")
		}
	})
	if err := d.Delete(t.Context(), l.Spec, false); err != nil {
		t.Errorf("it is gone, which is what was asked for: %v", err)
	}
}
