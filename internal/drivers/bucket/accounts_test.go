package bucket_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

const trainer, former = "trainer@acme.iam.gserviceaccount.com", "former@acme.iam.gserviceaccount.com"

// TestGoogleAccounts: grants to the accounts that the stack wants, or that carry its mark, are its business.
func TestGoogleAccounts(t *testing.T) {
	cloud := serve(t)
	who := principals(t, cloud.Config())
	who.OwnedBy(func(context.Context) map[string]bool { return map[string]bool{former: true} })
	d, err := bucket.New(t.Context(), cloud.Config(), "recsys", who)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	must(t, d.Create(t.Context(), plain()))
	want := plain()
	want.Accounts = []string{trainer}
	want.Grants = []bucket.Grant{{Principal: gcp.Principal{Account: trainer}, Role: user, Prefix: "models/"}}

	l := see(t, d, want)
	if err := d.Update(t.Context(), want, l.Spec, want.Diff(l.Spec)); !errors.Is(err, resource.ErrUnavailable) || !strings.Contains(err.Error(), trainer) {
		t.Fatalf("an account that is not there yet is waited for: %v", err)
	}
	cloud.AddAccount(trainer)
	cloud.AddAccount(former)
	cloud.AddAccount("theirs@acme.iam.gserviceaccount.com")
	repair(t, d, want)
	cloud.EditPolicy(want.Name, func(p *storagev1.Policy) {
		p.Bindings = append(p.Bindings, &storagev1.PolicyBindings{Role: viewer, Members: []string{"serviceAccount:" + former, "serviceAccount:theirs@acme.iam.gserviceaccount.com"}})
	})
	if drift := repair(t, d, want); len(drift) != 1 || drift[0].Field != "grants."+former || drift[0].Have != viewer {
		t.Errorf("what an account that is ours has and is not wanted goes: %+v", drift)
	}

	// Deleted and made anew by a hand: the old member means nobody.
	cloud.RemoveAccount(trainer)
	cloud.AddAccount(trainer)
	if drift := repair(t, d, want); len(drift) != 1 || !strings.Contains(drift[0].Have, "deleted account") {
		t.Errorf("a member that means nobody is no grant: %+v", drift)
	}
	got := policy(cloud)
	if len(got) != 2 || slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, "deleted:") || strings.Contains(l, former) }) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

// TestAccountGoesFirst: the pass that takes an account's access back also deletes the account, and either may come first.
func TestAccountGoesFirst(t *testing.T) {
	cloud := serve(t)
	cloud.AddAccount(former)
	own := map[string]bool{former: true}
	who := principals(t, cloud.Config())
	who.OwnedBy(func(context.Context) map[string]bool { return own })
	d, err := bucket.New(t.Context(), cloud.Config(), "recsys", who)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	want := plain()
	must(t, d.Create(t.Context(), want))
	cloud.EditPolicy(want.Name, func(p *storagev1.Policy) {
		p.Bindings = append(p.Bindings, &storagev1.PolicyBindings{Role: viewer, Members: []string{"serviceAccount:" + former, "user:eve@example.com"}})
	})
	l := see(t, d, want)
	cloud.RemoveAccount(former)
	own = map[string]bool{}
	must(t, d.Update(t.Context(), want, l.Spec, want.Diff(l.Spec)))
	if got := strings.Join(policy(cloud), "\n"); strings.Contains(got, former) || !strings.Contains(got, "eve@example.com") {
		t.Errorf("what a deleted account had stays behind:\n%s", got)
	}
}

// TestNamespaceChanged: the mark on the bucket tells that what the old namespace was given is the stack's to take back, until it has been.
func TestNamespaceChanged(t *testing.T) {
	marked := func(ns string) bucket.Spec {
		s := plain()
		s.Namespace, s.Labels[gcp.LabelNamespace] = ns, ns
		s.Grants = []bucket.Grant{{Principal: gcp.Principal{Namespace: ns, Account: "api"}, Role: viewer}}
		return s
	}
	cloud, d := start(t, marked("recsys"))
	want := marked("ml")
	l := see(t, d, want)
	cloud.FailStorage("storage.buckets.setIamPolicy", 412, "conditionNotMet", "stale", 1)
	if err := d.Update(t.Context(), want, l.Spec, want.Diff(l.Spec)); err == nil {
		t.Fatal("the write was refused")
	}
	for range 2 { // the policy first, then the mark
		l = see(t, d, want)
		must(t, d.Update(t.Context(), want, l.Spec, want.Diff(l.Spec)))
	}
	if diff := want.Diff(see(t, d, want).Spec); len(diff) > 0 {
		t.Errorf("%+v", diff)
	}
	if got := policy(cloud); !slices.Equal(got, []string{viewer + " " + pool + "ml/sa/api"}) {
		t.Errorf("%v", got)
	}
}
