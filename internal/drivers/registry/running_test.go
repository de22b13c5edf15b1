package registry_test

import (
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/registry"
)

func TestWhatRunsAndWouldBeDeleted(t *testing.T) {
	day := 24 * time.Hour
	cloud := gcptest.Start(t)
	d := open(t, cloud.Config(), "ours")
	want := sample("ours")
	want.Cleanup = &registry.Cleanup{KeepLast: new(2), DeleteUntaggedAfter: days(30), DeleteAfter: days(180)}
	create(t, d, want)
	cloud.Settle()
	now := time.Now()
	cloud.PushImage("acme-recsys", "team/api", now.Add(-300*day), "old")
	untagged := cloud.PushImage("acme-recsys", "team/api", now.Add(-60*day))
	cloud.PushImage("acme-recsys", "team/api", now.Add(-50*day), "young")
	cloud.PushImage("acme-recsys", "team/api", now.Add(-2*day), "new")
	cloud.PushImage("acme-recsys", "team/api", now.Add(-1*day), "newest")
	cloud.PushImage("acme-recsys", "lone", now.Add(-300*day), "v1")
	want.Running = []registry.Running{
		{Workload: "a", Image: "team/api", Tag: "old"},
		{Workload: "b", Image: "team/api", Digest: untagged},
		{Workload: "c", Image: "team/api", Tag: "young"},
		{Workload: "d", Image: "team/api", Tag: "newest"},
		{Workload: "e", Image: "lone", Tag: "v1"}, // among the newest two of its image
		{Workload: "f", Image: "absent", Tag: "v1"},
	}
	cloud.Forget()
	for range 3 {
		n := see(t, d, want).Notices
		if len(n) != 2 || !strings.Contains(n[0], "team/api:old, which workload a runs: it is 300d old, and 4 newer ones") || !strings.Contains(n[1], "which workload b runs: it has no tag and is 60d old") {
			t.Errorf("%s", strings.Join(n, "\n"))
		}
	}
	if n := cloud.Count("ListDockerImages"); n != 1 {
		t.Errorf("%d listings; one an hour is enough", n)
	}

	cloud.Forbid("ListDockerImages")
	if n := see(t, open(t, cloud.Config(), "ours"), want).Notices; len(n) != 1 || !strings.Contains(n[0], "not known") {
		t.Errorf("a listing that is forbidden is told, and hinders nothing: %v", n)
	}
	want.Running = nil
	cloud.Forget()
	if see(t, open(t, cloud.Config(), "ours"), want); cloud.Count("ListDockerImages") > 0 {
		t.Error("nothing runs from it, and its images are listed")
	}
}
