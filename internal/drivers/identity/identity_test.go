package identity_test

import (
	"fmt"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	iamv1 "google.golang.org/api/iam/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/identity"
	"recsysd.dev/recsysd/internal/resource/resourcetest"
)

func TestContract(t *testing.T) {
	for _, protect := range []bool{false, true} {
		t.Run(fmt.Sprintf("protect %v", protect), func(t *testing.T) {
			resourcetest.Run(t, func(t *testing.T) resourcetest.Harness[identity.Spec] { return harness(t, protect) })
		})
	}
}

func harness(t *testing.T, protect bool) resourcetest.Harness[identity.Spec] {
	cloud := serve(t)
	off := map[string]bool{}
	forbid := func(method string) func(bool) {
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
	spec := func(stack string) func(int) identity.Spec {
		return func(n int) identity.Spec {
			s := sample(stack, n)
			s.Protect = protect
			return s
		}
	}
	edits := []resourcetest.Edit[identity.Spec]{
		{Field: "displayName", Do: func(s identity.Spec) identity.Spec { s.DisplayName = "another"; return s }},
		{Field: "users.recsys/trainer", Do: func(s identity.Spec) identity.Spec {
			s.Users = append(s.Users, gcp.Principal{Namespace: "recsys", Account: "trainer"})
			return s
		}},
	}
	if !protect {
		edits = append(edits, resourcetest.Edit[identity.Spec]{Field: "protect", Do: func(s identity.Spec) identity.Spec { s.Protect = true; return s }})
	}
	return resourcetest.Harness[identity.Spec]{
		Ours:  resourcetest.Stack[identity.Spec]{Driver: driver(t, cloud, "recsys"), Spec: spec("recsys")},
		Other: resourcetest.Stack[identity.Spec]{Driver: driver(t, cloud, "other"), Spec: spec("other")},
		Edits: edits,
		Foreign: resourcetest.Foreign[identity.Spec]{Field: "disabled", Do: func(_ *testing.T, s identity.Spec) {
			cloud.EditAccount(email(s), func(a *iamv1.ServiceAccount, _ *iampb.Policy) { a.Disabled = true })
		}},
		Writes:     func() int { return len(cloud.Writes()) },
		Settle:     func() {},
		ForbidList: forbid("iam.serviceAccounts.list"),
		ForbidGet:  forbid("iam.serviceAccounts.get"),
		Hang: func(hang bool) {
			cloud.Heal()
			if hang {
				cloud.Hang(gcp.IAM)
			}
		},
		Guarded: true,
	}
}

func sample(stack string, n int) identity.Spec {
	return identity.Spec{
		Name: fmt.Sprintf("recsys-api-%d", n), DisplayName: stack + ": api", Stack: stack, Namespace: "recsys",
		Users: []gcp.Principal{{Namespace: "recsys", Account: "api"}},
	}
}

func email(s identity.Spec) string { return s.Name + "@acme.iam.gserviceaccount.com" }

func serve(t *testing.T) *gcptest.Server {
	t.Helper()
	cloud := gcptest.Start(t)
	cloud.SetIdentityPool(true)
	return cloud
}

func driver(t *testing.T, cloud *gcptest.Server, stack string) *identity.Driver {
	t.Helper()
	d, err := identity.New(t.Context(), cloud.Config(), stack)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
