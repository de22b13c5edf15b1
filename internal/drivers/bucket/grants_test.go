package bucket_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/resource"
)

const (
	viewer = "roles/storage.objectViewer"
	user   = "roles/storage.objectUser"
	// The number stands in the path, the id in the pool's name.
	pool = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/acme.svc.id.goog/subject/ns/"
)

// granted is the bucket of the example: the API reads its models, MLflow writes its runs.
func granted() bucket.Spec {
	s := plain()
	s.Grants = []bucket.Grant{
		{Principal: gcp.Principal{Namespace: "recsys", Account: "api"}, Role: viewer, Prefix: "models/"},
		{Principal: gcp.Principal{Namespace: "recsys", Account: "mlflow"}, Role: user, Prefix: "mlflow/"},
		{Principal: gcp.Principal{Namespace: "recsys", Account: "trainer"}, Role: user},
	}
	return s
}

// policy is the bucket's access policy in lines, without what every new bucket has.
func policy(cloud *gcptest.Server) []string {
	var lines []string
	for _, b := range cloud.Policy("acme-data").Bindings {
		if strings.HasPrefix(b.Role, "roles/storage.legacy") {
			continue
		}
		for _, m := range b.Members {
			line := b.Role + " " + m
			if b.Condition != nil {
				line += " if " + b.Condition.Expression
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

func TestGrantsAsGoogleStoresThem(t *testing.T) {
	want := granted()
	cloud, d := start(t, want)
	under := func(prefix string) string {
		return fmt.Sprintf(`resource.name.startsWith("projects/_/buckets/acme-data/objects/%s") || api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("%s")`, prefix, prefix)
	}
	expect := []string{
		user + " " + pool + "recsys/sa/mlflow if " + under("mlflow/"),
		user + " " + pool + "recsys/sa/trainer",
		viewer + " " + pool + "recsys/sa/api if " + under("models/"),
	}
	if got := policy(cloud); !slices.Equal(got, expect) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(expect, "\n"))
	}
	if diff := want.Diff(see(t, d, want).Spec); len(diff) > 0 {
		t.Errorf("what was just granted differs: %+v", diff)
	}
}

func TestForeignHandsOnGrants(t *testing.T) {
	stranger := &storagev1.PolicyBindings{Role: viewer, Members: []string{"user:ada@example.com", pool + "staging/sa/api"}, Condition: &storagev1.Expr{Title: "until", Expression: `request.time < timestamp("2030-01-01T00:00:00Z")`}}
	member := func(name string) string { return pool + "recsys/sa/" + name }
	cases := []struct {
		reason string
		edit   func(*storagev1.Policy)
		field  string // "": no difference
		have   string
	}{
		{"a member of another namespace, and a person, are left alone", func(*storagev1.Policy) {}, "", ""},
		{"a grant of ours that was removed comes back", func(p *storagev1.Policy) {
			p.Bindings = slices.DeleteFunc(p.Bindings, func(b *storagev1.PolicyBindings) bool { return slices.Contains(b.Members, member("api")) })
		}, "grants.recsys/api", "none"},
		{"one in our namespace that nobody wants goes", func(p *storagev1.Policy) {
			p.Bindings = append(p.Bindings, &storagev1.PolicyBindings{Role: "roles/storage.admin", Members: []string{member("intruder")}})
		}, "grants.recsys/intruder", "roles/storage.admin"},
		{"a wider one beside the wanted one goes", func(p *storagev1.Policy) {
			p.Bindings = append(p.Bindings, &storagev1.PolicyBindings{Role: viewer, Members: []string{member("api")}})
		}, "grants.recsys/api", viewer + ", " + viewer + " on models/"},
		{"an edited condition is put back", func(p *storagev1.Policy) {
			for _, b := range p.Bindings {
				if slices.Contains(b.Members, member("mlflow")) {
					b.Condition.Expression = "true"
				}
			}
		}, "grants.recsys/mlflow", user + " if true"},
		{"an edited title says nothing", func(p *storagev1.Policy) {
			for _, b := range p.Bindings {
				if slices.Contains(b.Members, member("mlflow")) {
					b.Condition.Title = "hello"
				}
			}
		}, "", ""},
		{"another account of the same binding is left alone", func(p *storagev1.Policy) {
			for _, b := range p.Bindings {
				if slices.Contains(b.Members, member("api")) {
					b.Members = []string{"group:ml@example.com"}
				}
			}
		}, "grants.recsys/api", "none"},
	}
	for _, c := range cases {
		want := granted()
		cloud, d := start(t, want)
		cloud.EditPolicy(want.Name, func(p *storagev1.Policy) {
			p.Bindings = append(p.Bindings, stranger)
			c.edit(p)
		})
		others := func() []string {
			return slices.DeleteFunc(policy(cloud), func(l string) bool { return strings.Contains(l, "ns/recsys/") })
		}
		before := others()
		drift := repair(t, d, want)
		switch {
		case c.field == "" && len(drift) > 0:
			t.Errorf("%s: %+v", c.reason, drift)
		case c.field != "" && (len(drift) != 1 || drift[0].Field != c.field || drift[0].Have != c.have):
			t.Errorf("%s: want %s to have %q: %+v", c.reason, c.field, c.have, drift)
		}
		if after := others(); !slices.Equal(before, after) || len(after) < 2 {
			t.Errorf("%s: what is not ours has changed from\n%s\nto\n%s", c.reason, strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
	}
}

func TestAccessOfOthersIsANotice(t *testing.T) {
	want := granted()
	cloud, d := start(t, want)
	if n := see(t, d, want).Notices; len(n) > 0 {
		t.Errorf("a new bucket has no news: %v", n)
	}
	cloud.EditPolicy(want.Name, func(p *storagev1.Policy) {
		p.Bindings = append(p.Bindings, &storagev1.PolicyBindings{Role: viewer, Members: []string{"user:ada@example.com"}})
	})
	if n := strings.Join(see(t, d, want).Notices, "; "); !strings.Contains(n, viewer+" to user:ada@example.com") {
		t.Errorf("somebody else's access is worth telling: %q", n)
	}
}

// TestGrantsRace lets somebody else write the policy between our read and our write of it.
func TestGrantsRace(t *testing.T) {
	want := granted()
	cloud, d := start(t, plain())
	l := see(t, d, want)
	others := 0
	cloud.OnCall(func(c gcptest.Call, p gcptest.Phase) {
		if c.Method == "storage.buckets.setIamPolicy" && p == gcptest.Before && others == 0 {
			others++
			cloud.EditPolicy(want.Name, func(p *storagev1.Policy) {
				p.Bindings = append(p.Bindings, &storagev1.PolicyBindings{Role: viewer, Members: []string{"user:ada@example.com"}})
			})
		}
	})
	err := d.Update(t.Context(), want, l.Spec, want.Diff(l.Spec))
	if err == nil || errors.Is(err, resource.ErrRejected) || errors.Is(err, resource.ErrUnavailable) {
		t.Fatalf("whoever lost a race tries again: %v", err)
	}
	repair(t, d, want)
	if got := policy(cloud); len(got) != 4 || !slices.Contains(got, viewer+" user:ada@example.com") {
		t.Errorf("the winner's grant is lost: %v", got)
	}
}

// TestBucketDoesNotWaitForTheCluster: a project has no identity pool before its first cluster.
func TestBucketDoesNotWaitForTheCluster(t *testing.T) {
	cloud := serve(t)
	cloud.SetIdentityPool(false)
	d := driver(t, cloud, "recsys")
	want := granted()
	if err := d.Create(t.Context(), want); !errors.Is(err, resource.ErrUnavailable) || errors.Is(err, resource.ErrRejected) {
		t.Fatalf("the grants wait for a cluster: %v", err)
	}
	l := see(t, d, want)
	if l.State != resource.Ready || !l.Owned {
		t.Errorf("the bucket itself can be used: %v %s", l.State, l.Detail)
	}
	if err := d.Update(t.Context(), want, l.Spec, want.Diff(l.Spec)); !errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("still no cluster: %v", err)
	}
	cloud.SetIdentityPool(true)
	if drift := repair(t, d, want); len(drift) != 3 {
		t.Errorf("three grants were to be made: %+v", drift)
	}
}

// TestFieldsAndGrantsTogether: a change of the bucket moves the policy's etag.
func TestFieldsAndGrantsTogether(t *testing.T) {
	want := granted()
	want.Versioning = new(true)
	cloud, d := start(t, plain())
	cloud.Forget()
	if drift := repair(t, d, want); len(drift) != 4 {
		t.Errorf("versioning and three grants: %+v", drift)
	}
	if w := cloud.Writes(); len(w) != 2 {
		t.Errorf("one write of the bucket and one of its policy: %v", w)
	}
}

func TestPolicyThatMayNotBeRead(t *testing.T) {
	cloud, d := start(t, granted())
	cloud.Forbid("storage.buckets.getIamPolicy")
	if l := see(t, d, granted()); l.State != resource.Unknown || !strings.Contains(l.Detail, "getIamPolicy") {
		t.Errorf("whether the grants are there is unknown, and so is the bucket: %v %q", l.State, l.Detail)
	}
	l := see(t, d, plain())
	if l.State != resource.Ready || len(l.Notices) != 1 || !strings.Contains(l.Notices[0], "may not be read") {
		t.Errorf("without grants a bucket needs no policy, but a grant left over would not be seen: %v %v", l.State, l.Notices)
	}
	want := plain()
	want.Namespace = ""
	cloud.Forget()
	if see(t, d, want); cloud.Count("storage.buckets.getIamPolicy") != 0 {
		t.Error("a stack without a namespace has no grants, and asks all the same")
	}
}

// TestMarksAreNotWorn: the marks are told by fields of their own, never as labels.
func TestMarksAreNotWorn(t *testing.T) {
	want := plain()
	want.ForceDestroy = true
	cloud, d := start(t, want)
	cloud.EditBucket(want.Name, func(b *storagev1.Bucket) { b.Labels[gcp.LabelUnprotected] = "0123456789ab" })
	l := see(t, d, want)
	if l.Unprotected != "0123456789ab" || !l.Spec.ForceDestroy || len(l.Spec.Labels) != 2 || len(l.Notices) > 0 {
		t.Errorf("%q, %v, labels %v, notices %v", l.Unprotected, l.Spec.ForceDestroy, l.Spec.Labels, l.Notices)
	}
}
