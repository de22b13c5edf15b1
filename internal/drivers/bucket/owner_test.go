package bucket_test

import (
	"errors"
	"strings"
	"testing"

	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/resource"
)

func TestNameIsTaken(t *testing.T) {
	const number = 42
	cases := []struct {
		reason   string
		add      func(*gcptest.Server, *bucket.Driver)
		rejected bool
		text     string
	}{
		{"our own is looked at again", func(_ *gcptest.Server, d *bucket.Driver) { must(t, d.Create(t.Context(), plain())) }, false, "exists already"},
		{"another project's is refused for good", func(s *gcptest.Server, _ *bucket.Driver) { s.AddForeignBucket("acme-data", number, true) }, true, "project number 42"},
		{"a stranger's is told with both causes", func(s *gcptest.Server, _ *bucket.Driver) { s.AddForeignBucket("acme-data", number, false) }, false, "somebody else's"},
	}
	for _, c := range cases {
		cloud := serve(t)
		d := driver(t, cloud, "recsys")
		c.add(cloud, d)
		err := d.Create(t.Context(), plain())
		if err == nil || errors.Is(err, resource.ErrRejected) != c.rejected || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v", c.reason, err)
		}
	}
}

func TestForeignBucket(t *testing.T) {
	cloud := serve(t)
	d := driver(t, cloud, "recsys")
	cloud.AddForeignBucket("acme-data", 42, true)
	cloud.EditBucket("acme-data", func(b *storagev1.Bucket) { b.Labels = plain().Labels })
	l := see(t, d, plain())
	if l.Owned {
		t.Error("labels that anybody can write do not make another project's bucket ours")
	}
	diff := plain().Diff(l.Spec)
	if len(diff) == 0 || !diff[len(diff)-1].Recreate {
		t.Errorf("it should differ by its project, which cannot change: %+v", diff)
	}
	for what, err := range map[string]error{
		"update": d.Update(t.Context(), plain(), l.Spec, []resource.Change{{Field: "labels.managed-by"}}),
		"delete": d.Delete(t.Context(), l.Spec, false),
	} {
		if !errors.Is(err, resource.ErrRejected) {
			t.Errorf("%s of another project's bucket: %v", what, err)
		}
	}
	if w := cloud.Writes(); len(w) > 0 {
		t.Errorf("another project's bucket was written to: %v", w)
	}

	cloud.AddForeignBucket("secret", 42, false)
	want := plain()
	want.Name = "secret"
	if l := see(t, d, want); l.State != resource.Unknown || !strings.Contains(l.Detail, "somebody else's") || !strings.Contains(l.Detail, "storage.buckets.get") {
		t.Errorf("what may not be read is unknown, with both causes: %v %q", l.State, l.Detail)
	}
}

func TestProjectNumber(t *testing.T) {
	const ask = "cloudresourcemanager.projects.get"
	cases := []struct {
		reason  string
		buckets bool
		list    bool
		forbid  bool
		asked   int
		state   resource.State
	}{
		{"a list that is not empty has told it", true, true, true, 0, resource.Ready},
		{"it is asked for once", true, false, false, 1, resource.Ready},
		{"without it nobody knows whose the bucket is", true, false, true, 2, resource.Unknown},
		{"of nothing nothing need be known", false, true, true, 0, resource.Absent},
	}
	for _, c := range cases {
		cloud := serve(t)
		if c.buckets {
			must(t, driver(t, cloud, "recsys").Create(t.Context(), plain()))
		}
		if c.forbid {
			cloud.Forbid(ask)
		}
		d := driver(t, cloud, "recsys") // it knows nothing yet
		cloud.Forget()
		state := resource.Absent
		for range 2 {
			seen, err := d.Observe(t.Context(), []bucket.Spec{plain()}, c.list)
			must(t, err)
			if len(seen.Live) > 0 {
				state = seen.Live[0].State
			}
		}
		if n := cloud.Count(ask); n != c.asked || state != c.state {
			t.Errorf("%s: asked %d times and saw %v, want %d and %v", c.reason, n, state, c.asked, c.state)
		}
	}
}
