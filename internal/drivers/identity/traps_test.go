package identity_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	iamv1 "google.golang.org/api/iam/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/identity"
	"recsysd.dev/recsysd/internal/resource"
)

const roleUser = "roles/iam.workloadIdentityUser"

func workload(name string) string { return "serviceAccount:acme.svc.id.goog[" + name + "]" }

// users are the members of an account's policy in lines.
func users(cloud *gcptest.Server, s identity.Spec) []string {
	var lines []string
	_, p := cloud.Account(email(s))
	for _, b := range p.GetBindings() {
		for _, m := range b.GetMembers() {
			lines = append(lines, strings.TrimPrefix(b.GetRole(), "roles/iam.")+" "+m)
		}
	}
	slices.Sort(lines)
	return lines
}

func see(t *testing.T, d *identity.Driver, want identity.Spec) resource.Live[identity.Spec] {
	t.Helper()
	seen, err := d.Observe(t.Context(), []identity.Spec{want}, false)
	if err != nil || len(seen.Live) != 1 {
		t.Fatalf("%s should be seen once: %+v, %v", want.Name, seen, err)
	}
	return seen.Live[0]
}

func repair(t *testing.T, d *identity.Driver, want identity.Spec) []resource.Change {
	t.Helper()
	l := see(t, d, want)
	drift := want.Diff(l.Spec)
	if len(drift) > 0 {
		must(t, d.Update(t.Context(), want, l.Spec, drift))
	}
	if left := want.Diff(see(t, d, want).Spec); len(left) > 0 {
		t.Errorf("still different: %+v", left)
	}
	return drift
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhoMayActAsIt(t *testing.T) {
	want := sample("recsys", 0)
	edit := func(cloud *gcptest.Server, f func(*iampb.Policy)) {
		cloud.EditAccount(email(want), func(_ *iamv1.ServiceAccount, p *iampb.Policy) { f(p) })
	}
	let := func(member string) func(*iampb.Policy) {
		return func(p *iampb.Policy) {
			p.Bindings = append(p.Bindings, &iampb.Binding{Role: roleUser, Members: []string{member}})
		}
	}
	ours := "workloadIdentityUser " + workload("recsys/api")
	cases := []struct {
		reason string
		hand   func(*iampb.Policy)
		drift  int
		after  []string
	}{
		{"the half that was removed comes back", func(p *iampb.Policy) { p.Bindings = nil }, 1, []string{ours}},
		{"another workload of the namespace goes", let(workload("recsys/intruder")), 1, []string{ours}},
		{"one of another namespace is left alone, and told", let(workload("staging/api")), 0, []string{ours, "workloadIdentityUser " + workload("staging/api")}},
		{"a person is left alone, and told", let("user:ada@example.com"), 0, []string{"workloadIdentityUser user:ada@example.com", ours}},
	}
	for _, c := range cases {
		cloud := serve(t)
		d := driver(t, cloud, "recsys")
		must(t, d.Create(t.Context(), want))
		edit(cloud, c.hand)
		if drift := repair(t, d, want); len(drift) != c.drift {
			t.Errorf("%s: %+v", c.reason, drift)
		}
		got := users(cloud, want)
		slices.Sort(c.after)
		if !slices.Equal(got, c.after) {
			t.Errorf("%s: %v", c.reason, got)
		}
		if n := see(t, d, want).Notices; len(n) != len(c.after)-1 {
			t.Errorf("%s: notices %v", c.reason, n)
		}
	}
}

// After a change of namespace those of the old one are still known to have been let in by the stack.
func TestNamespaceChanged(t *testing.T) {
	cloud := serve(t)
	d := driver(t, cloud, "recsys")
	want := sample("recsys", 0)
	must(t, d.Create(t.Context(), want))
	want.Namespace, want.Users = "ml", []gcp.Principal{{Namespace: "ml", Account: "api"}}
	cloud.Fail("iam.serviceAccounts.setIamPolicy", 10, "concurrent policy changes", 1) // the first attempt loses a race
	l := see(t, d, want)
	if err := d.Update(t.Context(), want, l.Spec, want.Diff(l.Spec)); err == nil || errors.Is(err, resource.ErrRejected) {
		t.Fatalf("a lost race is tried again: %v", err)
	}
	repair(t, d, want)
	if got := users(cloud, want); !slices.Equal(got, []string{"workloadIdentityUser " + workload("ml/api")}) {
		t.Errorf("%v", got)
	}
}

// A new account is not known everywhere at once: it is waited for, and not made twice.
func TestNewAccountShowsLater(t *testing.T) {
	cloud := serve(t)
	cloud.SetAccountLag(time.Hour)
	d := driver(t, cloud, "recsys")
	want := sample("recsys", 0)
	if err := d.Create(t.Context(), want); !errors.Is(err, resource.ErrUnavailable) {
		t.Fatalf("who may act as it has to wait: %v", err)
	}
	if l := see(t, d, want); l.State != resource.Pending || !l.Owned || !l.Locked {
		t.Errorf("it is on its way: %+v", l)
	}
	if !d.Own(t.Context())[email(want)] {
		t.Error("it is ours from the start")
	}
	other := driver(t, cloud, "recsys") // after a restart
	if err := other.Create(t.Context(), want); err == nil || errors.Is(err, resource.ErrRejected) {
		t.Errorf("it exists already, which the next look shows: %v", err)
	}
}

// An account that a hand deletes and makes anew is another one.
func TestDeletedByAHand(t *testing.T) {
	cloud := serve(t)
	d := driver(t, cloud, "recsys")
	want := sample("recsys", 0)
	must(t, d.Create(t.Context(), want))
	old := see(t, d, want)
	cloud.RemoveAccount(email(want))
	if seen, err := d.Observe(t.Context(), []identity.Spec{want}, true); err != nil || len(seen.Live) > 0 {
		t.Fatalf("once it was seen, its absence is believed at once: %+v %v", seen, err)
	}
	cloud.AddAccount(email(want))
	if err := d.Delete(t.Context(), old.Spec, false); err == nil {
		t.Error("another account of the name is not deleted in its place")
	}
	if l := see(t, d, want); l.Owned {
		t.Errorf("it carries no mark: %+v", l)
	}
}

func TestAccountWaitsForThePoolAndIsUsable(t *testing.T) {
	cloud := gcptest.Start(t)
	d := driver(t, cloud, "recsys")
	want := sample("recsys", 0)
	if err := d.Create(t.Context(), want); !errors.Is(err, resource.ErrUnavailable) {
		t.Fatalf("a project has no identity pool before its first cluster: %v", err)
	}
	if l := see(t, d, want); !l.State.Usable() {
		t.Errorf("the account itself can be used: %v", l.State)
	}
	cloud.SetIdentityPool(true)
	if drift := repair(t, d, want); len(drift) != 1 {
		t.Errorf("%+v", drift)
	}
}

// A stack without accounts asks for them once and then seldom, and does not call a missing permission blindness.
func TestStackWithoutAccounts(t *testing.T) {
	cloud := serve(t)
	cloud.Forbid("iam.serviceAccounts.list")
	d := driver(t, cloud, "recsys")
	d.Own(t.Context())
	for range 3 {
		seen, err := d.Observe(t.Context(), nil, true)
		if err != nil || len(seen.Unlisted) > 0 {
			t.Errorf("%+v %v", seen, err)
		}
	}
	if n := cloud.Count("iam.serviceAccounts.list"); n != 1 {
		t.Errorf("%d listings", n)
	}
}

// What people wrote in a description stays when an account is taken over.
func TestDescriptionIsKept(t *testing.T) {
	cloud := serve(t)
	d := driver(t, cloud, "recsys")
	want := sample("recsys", 0)
	cloud.AddAccount(email(want))
	cloud.EditAccount(email(want), func(a *iamv1.ServiceAccount, _ *iampb.Policy) {
		a.Description = "trains models, " + strings.Repeat("ü", 115)
	})
	repair(t, d, want)
	a, _ := cloud.Account(email(want))
	if !strings.HasPrefix(a.Description, "trains models, ü") || !strings.HasSuffix(a.Description, "recsysd-stack=recsys recsysd-namespace=recsys") {
		t.Errorf("%q", a.Description)
	}
	if l := see(t, d, want); !l.Owned {
		t.Error("it was taken over")
	}
}
