package registry_test

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/resource"
)

func converged(t *testing.T, want registry.Spec) (*gcptest.Server, *registry.Driver) {
	t.Helper()
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	create(t, d, want)
	srv.Settle()
	if l := see(t, d, want); l.State != resource.Ready || len(want.Diff(l.Spec)) > 0 {
		t.Fatalf("a new repository should be ready and in sync: %+v %v", l, want.Diff(l.Spec))
	}
	srv.Forget()
	return srv, d
}

func TestOutputs(t *testing.T) {
	_, d := converged(t, sample("ours"))
	if p := see(t, d, sample("ours")).Outputs["path"]; p != "us-central1-docker.pkg.dev/acme/acme-recsys" {
		t.Errorf("the path is what images are pushed to: %q", p)
	}
	if p := (registry.Spec{Name: "x", Location: "europe", Format: "python"}).Path("example.com:acme"); p != "europe-python.pkg.dev/example.com/acme/x" {
		t.Errorf("a project of a domain, and another format: %q", p)
	}
}

func TestWhatIsLeftOutIsNotOurs(t *testing.T) {
	want := registry.Spec{Name: "acme-recsys", Location: "us-central1", Labels: map[string]string{gcp.LabelStack: "ours"}}
	srv, d := converged(t, want)
	srv.EditRepository(want.Name, func(pb *artifactregistrypb.Repository) {
		pb.Description = "another"
		pb.GetDockerConfig().ImmutableTags = true
		pb.CleanupPolicyDryRun = true
		pb.VulnerabilityScanningConfig.EnablementConfig = artifactregistrypb.Repository_VulnerabilityScanningConfig_DISABLED
		pb.CleanupPolicies = map[string]*artifactregistrypb.CleanupPolicy{"x": {Action: artifactregistrypb.CleanupPolicy_KEEP}}
		pb.Labels["owner"] = "somebody"
		pb.SizeBytes = 5 << 30
	})
	l := see(t, d, want)
	if diff := want.Diff(l.Spec); len(diff) > 0 {
		t.Errorf("nothing of that is declared: %v", diff)
	}
	if len(l.Notices) != 1 || !strings.Contains(l.Notices[0], "owner=somebody") {
		t.Errorf("a label that is not declared is a notice: %v", l.Notices)
	}
}

// What is stored is billed as Google measures it, and grows without making another version of the repository.
func TestUsage(t *testing.T) {
	want := registry.Spec{Name: "acme-recsys", Location: "us-central1", Estimate: "50Gi", Labels: map[string]string{gcp.LabelStack: "ours"}}
	if u := want.Usage(); len(u) != 1 || u[0].Quantity != resource.Count(50) || !u[0].Estimated {
		t.Errorf("as the estimate says: %+v", u)
	}
	srv, d := converged(t, want)
	before := resource.Of(see(t, d, want).Spec).Hash
	srv.EditRepository(want.Name, func(pb *artifactregistrypb.Repository) { pb.SizeBytes = 5 << 30 })
	live := see(t, d, want).Spec
	if u := live.Usage(); len(u) != 1 || u[0].Quantity != resource.Count(5) || u[0].Estimated || u[0].Unknown != "" {
		t.Errorf("as it is measured: %+v", u)
	}
	if after := resource.Of(live).Hash; after != before {
		t.Error("an image that was pushed is no other version of its repository")
	}
}

// The map of policies is ours as a whole, and compared by what it means.
func TestCleanupPolicies(t *testing.T) {
	type policies = map[string]*artifactregistrypb.CleanupPolicy
	keep := func(n int32, packages ...string) *artifactregistrypb.CleanupPolicy {
		return &artifactregistrypb.CleanupPolicy{Action: artifactregistrypb.CleanupPolicy_KEEP,
			ConditionType: &artifactregistrypb.CleanupPolicy_MostRecentVersions{
				MostRecentVersions: &artifactregistrypb.CleanupPolicyMostRecentVersions{KeepCount: &n, PackageNamePrefixes: packages}}}
	}
	age := func(p policies, id string) *artifactregistrypb.CleanupPolicyCondition { return p[id].GetCondition() }
	tests := []struct {
		why  string
		hand func(policies)
		want []string
	}{
		{"an edited policy", func(p policies) { age(p, "delete-old").OlderThan = durationpb.New(24 * 3600e9) },
			[]string{"cleanup.deleteAfter: 180d, have 1d"}},
		{"a removed policy", func(p policies) { delete(p, "delete-untagged") },
			[]string{"cleanup.deleteUntaggedAfter: 30d, have none"}},
		{"a policy that keeps more", func(p policies) {
			p["keep-releases"] = &artifactregistrypb.CleanupPolicy{Id: "keep-releases", Action: artifactregistrypb.CleanupPolicy_KEEP,
				ConditionType: &artifactregistrypb.CleanupPolicy_Condition{Condition: &artifactregistrypb.CleanupPolicyCondition{
					TagState: artifactregistrypb.CleanupPolicyCondition_TAGGED.Enum(), TagPrefixes: []string{"v", "rel"}}}}
		}, []string{"cleanup.policies.keep-releases: none, have keep tagged, tag rel or v"}},
		{"a policy of the same kind for some packages only", func(p policies) {
			p["aa"] = keep(1, "api")
		}, []string{"cleanup.policies.aa: none, have keep the newest 1, package api"}},
		{"a second policy of the same kind", func(p policies) {
			p["zz"] = keep(1)
		}, []string{"cleanup.policies.zz: none, have keep the newest 1"}},
		{"an age limit that is narrowed to some tags", func(p policies) { age(p, "delete-old").TagPrefixes = []string{"rc-"} },
			[]string{"cleanup.deleteAfter: 180d, have none", "cleanup.policies.delete-old: none, have delete, tag rc-, older than 180d"}},
		{"the same policy under another id", func(p policies) {
			p["console-made"] = p["delete-old"]
			delete(p, "delete-old")
		}, nil},
		{"the same age in other words", func(p policies) { age(p, "delete-old").OlderThan = &durationpb.Duration{Seconds: 15552000} }, nil},
		{"a tag state that is not said", func(p policies) { age(p, "delete-old").TagState = nil }, nil},
	}
	want := sample("ours")
	for _, tt := range tests {
		srv, d := converged(t, want)
		srv.EditRepository(want.Name, func(pb *artifactregistrypb.Repository) { tt.hand(pb.CleanupPolicies) })
		l := see(t, d, want)
		diff := want.Diff(l.Spec)
		var have []string
		for _, c := range diff {
			have = append(have, c.Field+": "+c.Want+", have "+c.Have)
		}
		if !slices.Equal(have, tt.want) {
			t.Errorf("%s: want %q, have %q", tt.why, tt.want, have)
		}
		if len(diff) == 0 {
			continue
		}
		if err := d.Update(t.Context(), want, l.Spec, diff); err != nil {
			t.Errorf("%s: %v", tt.why, err)
		}
		if diff := want.Diff(see(t, d, want).Spec); len(diff) > 0 {
			t.Errorf("%s: not put back: %v", tt.why, diff)
		}
	}
}

func TestUpdateTouchesOnlyWhatDrifted(t *testing.T) {
	want := sample("ours")
	srv, d := converged(t, want)
	srv.EditRepository(want.Name, func(pb *artifactregistrypb.Repository) { pb.Labels["team"] = "shop" })
	l := see(t, d, want)
	// Meanwhile somebody writes a label and a description.
	srv.EditRepository(want.Name, func(pb *artifactregistrypb.Repository) {
		pb.Labels["owner"] = "somebody"
		pb.Description = "another"
	})
	if err := d.Update(t.Context(), want, l.Spec, want.Diff(l.Spec)); err != nil {
		t.Fatal(err)
	}
	pb := srv.Repository(want.Name)
	if pb.Labels["team"] != "ml" || pb.Labels["owner"] != "somebody" || pb.Description != "another" {
		t.Errorf("only the label that drifted should be written, and others' labels stay: %v %q", pb.Labels, pb.Description)
	}
	everything := want
	everything.Description, everything.Scanning, everything.ImmutableTags = new("x"), new("disabled"), new(true)
	l = see(t, d, everything)
	srv.Forget()
	if err := d.Update(t.Context(), everything, l.Spec, everything.Diff(l.Spec)); err != nil {
		t.Fatal(err)
	}
	if n := srv.Received(); n != 1 {
		t.Errorf("all fields go in one call: %v", srv.Calls())
	}
}

func TestCreationIsObserved(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample("ours")
	srv.SetDelay(gcptest.Never)
	create(t, d, want)
	for _, list := range []bool{false, true} {
		seen, err := d.Observe(t.Context(), []registry.Spec{want}, list)
		if err != nil || len(seen.Live) != 1 {
			t.Fatalf("what is being created is not absent: %+v %v", seen, err)
		}
		l := seen.Live[0]
		if l.State != resource.Pending || !l.Locked || !l.Owned || !regexp.MustCompile(`^creating: operation \S+ since \d\d:\d\d$`).MatchString(l.Detail) {
			t.Errorf("it should be pending, locked, ours, and say what it does: %+v", l)
		}
	}
	restarted := open(t, srv.Config(), "ours")
	if err := restarted.Create(t.Context(), want); err == nil || errors.Is(err, resource.ErrRejected) {
		t.Errorf("after a restart the creation that is under way should be met and waited for: %v", err)
	}
	srv.Settle()
	for _, d := range []*registry.Driver{d, restarted} {
		if l := see(t, d, want); l.State != resource.Ready || !l.Owned {
			t.Errorf("it is there: %+v", l)
		}
	}
	live := see(t, d, want).Spec
	if err := d.Delete(t.Context(), live, false); err != nil {
		t.Fatal(err)
	}
	if l := see(t, d, want); l.State != resource.Pending || !l.Locked || !strings.HasPrefix(l.Detail, "deleting: operation ") {
		t.Errorf("on its way out it takes no writes: %+v", l)
	}
	if err := d.Delete(t.Context(), live, false); errors.Is(err, resource.ErrRejected) {
		t.Errorf("a second removal is no reason to give up: %v", err)
	}
}

func TestCreationThatEndsInError(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample("ours")
	srv.RepositoryError("internal\nerror")
	create(t, d, want)
	srv.Settle()
	for range 2 {
		seen, err := d.Observe(t.Context(), []registry.Spec{want}, true)
		if err != nil || len(seen.Live) != 0 || len(seen.Notices) != 1 || !strings.Contains(seen.Notices[0], "registry/acme-recsys: its creation ended in error: internal error") {
			t.Errorf("it is absent, and why should be told: %+v %v", seen, err)
		}
	}
	if err := d.Create(t.Context(), want); err == nil || errors.Is(err, resource.ErrRejected) || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("the same creation should not begin again at once, and be retried later: %v", err)
	}
	want.Description = new("another")
	create(t, d, want) // another spec is another matter
	srv.Settle()
	see(t, d, want)
}

func TestDeletionIsOfThisVeryRepository(t *testing.T) {
	tests := []struct {
		why  string
		hand func(*artifactregistrypb.Repository)
	}{
		{"another repository has the name by now", func(pb *artifactregistrypb.Repository) { pb.CreateTime.Seconds++ }},
		{"no longer ours", func(pb *artifactregistrypb.Repository) { delete(pb.Labels, gcp.LabelStack) }},
	}
	for _, tt := range tests {
		want := sample("ours")
		srv, d := converged(t, want)
		live := see(t, d, want).Spec
		srv.EditRepository(want.Name, tt.hand)
		if err := d.Delete(t.Context(), live, false); err == nil || srv.Received() > 0 {
			t.Errorf("%s: it should be left alone: %v %v", tt.why, err, srv.Calls())
		}
	}
}

func TestRemoteRepositoryIsAnotherThing(t *testing.T) {
	want := sample("ours")
	srv := gcptest.Start(t)
	srv.AddRepository(want.Location, want.Name, &artifactregistrypb.Repository{
		Format: artifactregistrypb.Repository_DOCKER, Mode: artifactregistrypb.Repository_REMOTE_REPOSITORY, Labels: maps.Clone(want.Labels),
	})
	diff := want.Diff(see(t, open(t, srv.Config(), "ours"), want).Spec)
	i := slices.IndexFunc(diff, func(c resource.Change) bool { return c.Field == "mode" })
	if i < 0 || diff[i].Have != "remote" || !diff[i].Recreate {
		t.Errorf("a mirror of something cannot become a place for our images: %v", diff)
	}
}

func TestRefusedArguments(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	bad := sample("ours")
	bad.Name = "Not_A_Name"
	if err := d.Create(t.Context(), bad); !errors.Is(err, resource.ErrRejected) {
		t.Errorf("what Google calls invalid is not to be tried again: %v", err)
	}
}
