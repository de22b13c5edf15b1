package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// roleReader lets somebody pull. Its members are the stack's business as a whole where the stack lists readers; of every other role
// only what the stack's own accounts have.
const roleReader = "roles/artifactregistry.reader"

// DefaultNodes stands in Nodes for the account that nodes run as where nobody says otherwise. Its address has the project's number in
// it, which no stack file knows.
const DefaultNodes = "default"

// Grant is a role of a Google service account of the stack.
type Grant struct {
	Account string // its e-mail address
	Role    string // in full
}

// Access is one member of the live access policy that is, or may be, the stack's business.
type Access struct {
	Role, Member string
	Condition    string `json:",omitempty"` // never wanted
	Ours         bool   `json:",omitempty"` // an account of the stack, whoever gave it the role
}

// access is what s wants in the policy, of roles and members in their normal form.
func (s Spec) access() []Access {
	var all []Access
	for _, member := range s.Readers {
		all = append(all, Access{Role: roleReader, Member: gcp.NormalMember(member)})
	}
	for _, email := range s.Nodes {
		all = append(all, Access{Role: roleReader, Member: gcp.AccountMember(email)})
	}
	for _, g := range s.Grants {
		all = append(all, Access{Role: g.Role, Member: gcp.AccountMember(g.Account), Ours: true})
	}
	return all
}

// who tells equal access: whether it is ours is no part of it.
func (a Access) who() Access { return Access{Role: a.Role, Member: a.Member, Condition: a.Condition} }

// field is the Change.Field under which a difference is told.
func (a Access) field() string {
	if a.Role == roleReader {
		return fieldReaders + a.Member
	}
	return fieldGrants + strings.TrimPrefix(a.Role, "roles/") + " " + a.Member
}

// text is what the member has.
func (a Access) text() string {
	if a.Condition != "" {
		return a.Role + " if " + a.Condition
	}
	return a.Role
}

// unwanted reports whether what is live and not wanted is to go.
func (s Spec) unwanted(a Access) bool { return a.Ours || a.Role == roleReader && s.Readers != nil }

// diffAccess compares the access that s wants with what live has. A spec that was wanted elsewhere, as in a simulation, has what it wants.
func (s Spec) diffAccess(live Spec) []resource.Change {
	if live.Unread {
		return nil
	}
	want, have := map[Access]bool{}, map[Access]bool{}
	for _, a := range s.access() {
		want[a.who()] = true
	}
	var d []resource.Change
	for _, a := range slices.Concat(live.Access, live.access()) {
		if !have[a.who()] && !want[a.who()] && s.unwanted(a) {
			d = append(d, resource.Change{Field: a.field(), Want: none, Have: a.text()})
		}
		have[a.who()] = true
	}
	for a := range want {
		if !have[a] {
			d = append(d, resource.Change{Field: a.field(), Want: a.text(), Have: none})
		}
	}
	return d
}

// touchesAccess reports whether any of drift is written through the access policy.
func touchesAccess(drift []resource.Change) bool {
	return slices.ContainsFunc(drift, func(c resource.Change) bool { return isAccess(c.Field) })
}

func isAccess(field string) bool {
	return strings.HasPrefix(field, fieldReaders) || strings.HasPrefix(field, fieldGrants)
}

// insiders are the Google service accounts whose access is the stack's business: those that it wants, and those that carry its mark.
func (d *Driver) insiders(ctx context.Context, w Spec) map[string]bool {
	own := map[string]bool{}
	maps.Copy(own, d.who.Own(ctx))
	for _, email := range w.Accounts {
		own[email] = true
	}
	return own
}

// resolve is w with the nodes' accounts by their addresses.
func (d *Driver) resolve(ctx context.Context, w Spec) (Spec, error) {
	i := slices.Index(w.Nodes, DefaultNodes)
	if i < 0 {
		return w, nil
	}
	p, err := d.who.Pool(ctx)
	if err != nil {
		w.Nodes = slices.DeleteFunc(slices.Clone(w.Nodes), func(n string) bool { return n == DefaultNodes })
		return w, err
	}
	w.Nodes = slices.Clone(w.Nodes)
	w.Nodes[i] = gcp.DefaultNodes(p)
	return w, nil
}

// lookAccess adds to a live repository who may use it. It costs one request, and none where nobody's access is the stack's business.
// What may not be read is not compared, unless the stack says who is to have access: then the repository is unknown.
func (d *Driver) lookAccess(ctx context.Context, w Spec, live *resource.Live[Spec], policies *gcp.Reads[*iampb.Policy]) {
	own := d.insiders(ctx, w)
	if w.Readers == nil && len(w.Nodes) == 0 && len(w.Grants) == 0 && len(own) == 0 {
		return
	}
	unknown := func(err error) {
		*live = resource.Live[Spec]{Spec: Spec{Name: live.Spec.Name, Location: live.Spec.Location}, State: resource.Unknown, Detail: err.Error()}
	}
	resolved, err := d.resolve(ctx, w)
	switch {
	case err != nil && w.Readers != nil: // the nodes would pass for readers that nobody has listed
		unknown(fmt.Errorf("the readers are listed, and which account the nodes have is not known: %w", err))
		return
	case err != nil:
		live.Notices = append(live.Notices, "whether the nodes may pull is not known: "+err.Error())
	}
	live.Want = &resolved
	policy, err := policies.Get(ctx, d.name(live.Spec))
	said := w.Readers != nil || len(w.Grants) > 0
	switch {
	case err == nil:
		live.Spec.Access = accessIn(policy, own)
	case gcp.Code(err) == codes.PermissionDenied && !said:
		live.Spec.Unread = true
		live.Notices = append(live.Notices, "the access policy may not be read, so whether the nodes may pull is not known: "+err.Error())
	default:
		unknown(err)
	}
}

// policy reads who may use a repository.
func (d *Driver) policy(ctx context.Context, name string) (*iampb.Policy, error) {
	p, err := d.client.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{
		Resource: name, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: 3},
	}, gcp.Read()...)
	if err != nil {
		return nil, gcp.Explain("GetIamPolicy", err)
	}
	return p, nil
}

// accessOf is one member of one binding.
func accessOf(b *iampb.Binding, member string, own map[string]bool) Access {
	a := Access{Role: b.GetRole(), Member: gcp.NormalMember(member), Condition: b.GetCondition().GetExpression()}
	a.Ours = own[accountOf(member)]
	return a
}

// accountOf is the address of a member that is a Google service account, there or deleted; "": it is none.
func accountOf(member string) string {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(member, "deleted:"), "serviceAccount:")
	if !ok {
		return ""
	}
	email, _, _ := strings.Cut(rest, "?uid=")
	return email
}

// accessIn is what of a policy may be the stack's business: what its own accounts have, and who may pull.
func accessIn(p *iampb.Policy, own map[string]bool) []Access {
	var all []Access
	for _, b := range p.GetBindings() {
		for _, member := range b.GetMembers() {
			if a := accessOf(b, member, own); a.Ours || a.Role == roleReader {
				all = append(all, a)
			}
		}
	}
	slices.SortFunc(all, func(a, b Access) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Member, b.Member), strings.Compare(a.Condition, b.Condition))
	})
	return slices.Compact(all)
}

// setAccess brings a repository's policy to what is wanted: read, merge, write under the etag that was read. An account that was ours
// in live is so still, though it may have been deleted since.
func (d *Driver) setAccess(ctx context.Context, want, live Spec) error {
	want, unresolved := d.resolve(ctx, want)
	if unresolved != nil && want.Readers != nil {
		return unresolved // the whole list is written, and it would lack the nodes
	}
	p, err := d.policy(ctx, d.name(live))
	if err != nil {
		return errors.Join(unresolved, err)
	}
	own := d.insiders(ctx, want)
	for _, a := range live.Access {
		if a.Ours {
			own[accountOf(a.Member)] = true
		}
	}
	if !mergeAccess(p, want, own) {
		return unresolved
	}
	p.Version = 3
	_, err = d.client.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: d.name(live), Policy: p}, gcp.Write()...)
	if waits := gcp.MemberMissing(err); waits != nil {
		return errors.Join(unresolved, waits)
	}
	return errors.Join(unresolved, gcp.Explain("SetIamPolicy", err))
}

// mergeAccess makes p hold what want wants and nothing else of what is the stack's business; all else stays as it is. It reports
// whether anything had to change.
func mergeAccess(p *iampb.Policy, want Spec, own map[string]bool) bool {
	missing := map[Access]bool{}
	for _, a := range want.access() {
		missing[a.who()] = true
	}
	changed := false
	var kept []*iampb.Binding
	for _, b := range p.GetBindings() {
		b.Members = slices.DeleteFunc(b.GetMembers(), func(member string) bool {
			a := accessOf(b, member, own)
			if missing[a.who()] {
				delete(missing, a.who())
				return false
			}
			goes := want.unwanted(a)
			changed = changed || goes
			return goes
		})
		if len(b.Members) > 0 {
			kept = append(kept, b)
		}
	}
	for _, a := range want.access() {
		if !missing[a.who()] {
			continue
		}
		delete(missing, a.who())
		changed = true
		i := slices.IndexFunc(kept, func(b *iampb.Binding) bool { return b.GetRole() == a.Role && b.GetCondition() == nil })
		if i < 0 {
			i, kept = len(kept), append(kept, &iampb.Binding{Role: a.Role})
		}
		kept[i].Members = append(kept[i].Members, a.Member)
	}
	p.Bindings = kept
	return changed
}

// validateAccess reports members that are none, and lists that would keep the stack's own out.
func (s Spec) validateAccess(bad func(field, format string, args ...any)) {
	seen := map[string]bool{}
	for i, member := range s.Readers {
		at := fmt.Sprintf("%s[%d]", fieldReadersList, i)
		if err := gcp.ValidateMember(member); err != nil {
			bad(at, "%v", err)
		}
		if seen[gcp.NormalMember(member)] {
			bad(at, "%q stands here twice", member)
		}
		seen[gcp.NormalMember(member)] = true
	}
}
