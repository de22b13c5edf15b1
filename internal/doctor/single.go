package doctor

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/iam/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/secretmanager"
)

// These checks are of rights that stand on single things and not on the project.

// asideFromLeftovers are the rights to look at other things that are only told, which have checks of their own.
func asideFromLeftovers(permission string) bool {
	return permission == quotaRight || permission == recordRight || permission == sizesRight
}

// told asks for rights to look at what is only told: without them nothing is wrong, and this is lost.
func (g Google) told(ctx context.Context, rights []string, lost string) Finding {
	f := g.rights(ctx, rights)
	if f.Outcome == Fail {
		f.Outcome, f.Detail = Skip, lost+"; "+f.Detail
	}
	return f
}

// leftovers asks whether what a deleted cluster leaves behind may be looked for.
func (g Google) leftovers(ctx context.Context) Finding {
	return g.told(ctx, slices.DeleteFunc(slices.Clone(g.Needs.Optional), asideFromLeftovers), "what a deleted cluster leaves behind will not be told")
}

// record asks whether the audit logs may be read.
func (g Google) record(ctx context.Context) Finding {
	return g.told(ctx, []string{recordRight}, "drift in Google Cloud will be told without who has made it")
}

// sizesRight lets the sizes of buckets be read. Whoever lacks it has them priced by what the stack file expects.
const sizesRight = "monitoring.timeSeries.list"

// sizes asks whether live prices of buckets can be made of what is stored.
func (g Google) sizes(ctx context.Context) Finding {
	return g.told(ctx, []string{sizesRight}, "buckets are priced by their estimate, not by what is stored")
}

// actAs is what it takes to make a machine that runs as an account.
const actAs = "iam.serviceAccounts.actAs"

// nodes asks, of each account that nodes run as, whether the caller may act as it.
func (g Google) nodes(ctx context.Context) Finding {
	opts, err := g.Config.HTTP(ctx, gcp.IAM)
	if err != nil {
		return Wrong("", "%v", err)
	}
	s, err := iam.NewService(ctx, opts...)
	if err != nil {
		return Wrong("", "%v", err)
	}
	var missing []string
	for _, account := range g.Needs.Nodes {
		if account == "" {
			p, _, err := g.projectOf(ctx)
			if errors.Is(err, gcp.ErrCredentials) {
				return unasked
			}
			if err != nil {
				return Skipped("the default account has the project's number in its name, which is not known: %v", err)
			}
			account = strings.TrimPrefix(p.Name, "projects/") + "-compute@developer.gserviceaccount.com"
		}
		got, err := s.Projects.ServiceAccounts.TestIamPermissions("projects/-/serviceAccounts/"+account, &iam.TestIamPermissionsRequest{Permissions: []string{actAs}}).Context(ctx).Do()
		switch {
		case err != nil:
			missing = append(missing, fmt.Sprintf("%s: %v", account, gcp.Explain("iam.serviceAccounts.testIamPermissions", err)))
		case !slices.Contains(got.Permissions, actAs):
			missing = append(missing, account+": missing: "+actAs)
		}
	}
	if len(missing) > 0 {
		return Wrong(grantRights, "%s", strings.Join(missing, "\n"))
	}
	return Well("%d may be acted as", len(g.Needs.Nodes))
}

// secretRights are what it takes to find a version of a secret and to read it.
var secretRights = []string{"secretmanager.versions.access", "secretmanager.versions.get", "secretmanager.versions.list"}

// secrets asks, of each secret that the stack takes a value from, whether the caller may read it. Of one that does not exist Secret
// Manager says no more than that nobody may.
func (g Google) secrets(ctx context.Context) Finding {
	s, err := secretmanager.Client(ctx, g.Config)
	if err != nil {
		return Wrong("", "%v", err)
	}
	defer s.Close()
	var missing []string
	for _, secret := range g.Needs.Secrets {
		got, err := s.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: secret, Permissions: secretRights})
		if err != nil {
			missing = append(missing, fmt.Sprintf("%s: %v", path.Base(secret), gcp.Explain("secretmanager.secrets.testIamPermissions", err)))
			continue
		}
		lacking := slices.DeleteFunc(slices.Clone(secretRights), func(p string) bool { return slices.Contains(got.Permissions, p) })
		if len(lacking) > 0 {
			missing = append(missing, fmt.Sprintf("%s: it does not exist, or missing: %s", path.Base(secret), strings.Join(lacking, ", ")))
		}
	}
	if len(missing) > 0 {
		return Wrong(grantRights, "%s", strings.Join(missing, "\n"))
	}
	return Well("%d may be read", len(g.Needs.Secrets))
}
