package identity

import (
	"context"
	"slices"
	"strings"

	iamv1 "google.golang.org/api/iam/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// roleUser on an account lets a Kubernetes service account act as it. The other half is the annotation on that one, which is
// Kubernetes' business; either alone fails when the pod asks for a token, and not before.
const roleUser = "roles/iam.workloadIdentityUser"

// policy reads who may use an account.
func (d *Driver) policy(ctx context.Context, name string) (*iamv1.Policy, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	p, err := d.service.GetIamPolicy(name).OptionsRequestedPolicyVersion(3).Context(ctx).Do()
	return p, gcp.Explain("iam.serviceAccounts.getIamPolicy", err)
}

// ourUser is who a member of a binding lets act as the account, if that is the stack's own business: one of namespaces.
func ourUser(project string, b *iamv1.Binding, member string, namespaces []string) (gcp.Principal, bool) {
	ns, account, ok := gcp.ParseWorkloadMember(project, member)
	return gcp.Principal{Namespace: ns, Account: account}, ok && b.Role == roleUser && ns != "" && slices.Contains(namespaces, ns)
}

// usersIn are those of namespaces who may act as the account, whoever let them, and all other access in words.
func usersIn(p *iamv1.Policy, project string, namespaces ...string) (users []gcp.Principal, others []string) {
	for _, b := range p.Bindings {
		for _, member := range b.Members {
			switch u, ours := ourUser(project, b, member, namespaces); {
			case !ours:
				others = append(others, b.Role+" to "+member)
			case b.Condition == nil: // one with a condition is not what the stack wants, and goes when ours is written
				users = append(users, u)
			}
		}
	}
	slices.SortFunc(users, func(a, b gcp.Principal) int { return strings.Compare(a.String(), b.String()) })
	slices.Sort(others)
	return slices.Compact(users), slices.Compact(others)
}

// setUsers brings the account's policy to want's users: read, merge, write under the etag that was read. former is a namespace whose
// workloads were let in before.
func (d *Driver) setUsers(ctx context.Context, want Spec, former string) error {
	p, err := d.policy(ctx, d.name(want))
	if err != nil {
		return err
	}
	if !merge(p, d.project, want, former) {
		return nil
	}
	p.Version = 3
	_, err = d.service.SetIamPolicy(d.name(want), &iamv1.SetIamPolicyRequest{Policy: p}).Context(ctx).Do()
	if waits := gcp.MemberMissing(err); waits != nil {
		return waits
	}
	return gcp.Explain("iam.serviceAccounts.setIamPolicy", err)
}

// merge makes p hold exactly want's users of what is ours; all else stays as it is. It reports whether anything had to change.
func merge(p *iamv1.Policy, project string, want Spec, former string) bool {
	missing := map[gcp.Principal]bool{}
	for _, u := range want.Users {
		missing[u] = true
	}
	changed := false
	var kept []*iamv1.Binding
	var plain *iamv1.Binding // where ours belong
	for _, b := range p.Bindings {
		members := slices.DeleteFunc(slices.Clone(b.Members), func(member string) bool {
			u, ours := ourUser(project, b, member, []string{want.Namespace, former})
			if !ours {
				return false
			}
			stays := missing[u] && b.Condition == nil
			if stays {
				delete(missing, u)
			}
			changed = changed || !stays
			return !stays
		})
		if len(members) == 0 {
			continue
		}
		b.Members = members
		kept = append(kept, b)
		if b.Role == roleUser && b.Condition == nil {
			plain = b
		}
	}
	for _, u := range want.Users {
		if !missing[u] {
			continue
		}
		delete(missing, u)
		if plain == nil {
			plain = &iamv1.Binding{Role: roleUser}
			kept = append(kept, plain)
		}
		plain.Members = append(plain.Members, gcp.WorkloadMember(project, u.Namespace, u.Account))
		changed = true
	}
	p.Bindings = kept
	return changed
}
