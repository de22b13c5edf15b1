package bucket

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/iam"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/type/expr"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// insiders tells the members of a policy that are the stack's own business from all others.
type insiders struct {
	pool       gcp.Pool
	namespaces []string // whose Kubernetes service accounts are ours
	accounts   map[string]bool
}

// shared are the names of the buckets of which the stack has grants to give, or to take back.
func shared(want []Spec) []string {
	var names []string
	for _, s := range want {
		if s.Namespace != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// policy reads who has access to a bucket.
func (d *Driver) policy(ctx context.Context, bucket string) (*iam.Policy3, error) {
	return d.client.Bucket(bucket).IAM().V3().Policy(ctx)
}

// insiders of a bucket are the service accounts of the stack's namespace, and of the one that it had before, and the Google service
// accounts that the stack wants or that carry its mark.
func (d *Driver) insiders(ctx context.Context, want Spec, formerly string) (insiders, error) {
	p, err := d.who.Pool(ctx)
	if err != nil {
		return insiders{}, err
	}
	o := insiders{pool: p, accounts: map[string]bool{}}
	for _, ns := range []string{want.Namespace, formerly} {
		if ns != "" {
			o.namespaces = append(o.namespaces, ns)
		}
	}
	maps.Copy(o.accounts, d.who.Own(ctx))
	for _, email := range want.Accounts {
		o.accounts[email] = true
	}
	return o, nil
}

// grant is what a member of a binding comes to, if it is ours.
func (o insiders) grant(bucket, member string, b *iampb.Binding) (g Grant, ok bool) {
	who, gone, ok := o.pool.Principal(member)
	if !ok || who.Namespace == "" && !o.accounts[who.Account] || who.Namespace != "" && !slices.Contains(o.namespaces, who.Namespace) {
		return Grant{}, false
	}
	g = Grant{Principal: who, Role: b.Role, Gone: gone}
	if e := b.GetCondition().GetExpression(); e != "" {
		if g.Prefix, ok = prefixOf(bucket, e); !ok {
			g.Condition = e
		}
	}
	return g, true
}

// condition limits a grant on bucket to the objects under prefix, and to listing them: a listing is asked of the
// bucket, so the name of an object says nothing about it.
func condition(bucket, prefix string) string {
	return fmt.Sprintf(`resource.name.startsWith(%s) || api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith(%s)`,
		strconv.Quote(objects(bucket)+prefix), strconv.Quote(prefix))
}

// prefixOf is the prefix for which condition gives expression.
func prefixOf(bucket, expression string) (prefix string, ok bool) {
	_, rest, _ := strings.Cut(expression, "(")
	quoted, _ := strconv.QuotedPrefix(rest)
	object, _ := strconv.Unquote(quoted)
	prefix, ok = strings.CutPrefix(object, objects(bucket))
	return prefix, ok && condition(bucket, prefix) == expression
}

// objects is what the names of a bucket's objects begin with in a condition.
func objects(bucket string) string { return "projects/_/buckets/" + bucket + "/objects/" }

// grantsIn are the grants of policy that are ours whoever made them, and the rest in words.
func grantsIn(policy *iam.Policy3, bucket string, o insiders) (grants []Grant, others []string) {
	for _, b := range policy.Bindings {
		var foreign []string
		for _, member := range b.Members {
			if g, ok := o.grant(bucket, member, b); ok {
				grants = append(grants, g)
			} else if !convenience(member) {
				foreign = append(foreign, member)
			}
		}
		if len(foreign) > 0 {
			others = append(others, b.Role+" to "+strings.Join(sortedSet(foreign), ", "))
		}
	}
	slices.SortFunc(grants, compareGrants)
	return slices.Compact(grants), sortedSet(others)
}

// convenience members are in the policy of every new bucket: the owners, editors and viewers of the project.
func convenience(member string) bool {
	return strings.HasPrefix(member, "projectOwner:") || strings.HasPrefix(member, "projectEditor:") || strings.HasPrefix(member, "projectViewer:")
}

func compareGrants(a, b Grant) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Role, b.Role),
		cmp.Compare(a.Prefix, b.Prefix), cmp.Compare(a.Condition, b.Condition), cmp.Compare(a.Gone, b.Gone))
}

// merge makes policy hold exactly want of what is ours; every other member and condition stays as it is. It reports whether
// anything had to change.
func merge(policy *iam.Policy3, want Spec, o insiders) bool {
	missing := map[Grant]bool{}
	for _, g := range want.Grants {
		missing[g] = true
	}
	changed := false
	var kept []*iampb.Binding
	for _, b := range policy.Bindings {
		var members []string
		for _, member := range b.Members {
			if g, isOurs := o.grant(want.Name, member, b); isOurs {
				if !missing[g] { // unwanted, or there twice under two titles
					changed = true
					continue
				}
				delete(missing, g)
			}
			members = append(members, member)
		}
		if len(members) > 0 {
			kept = append(kept, &iampb.Binding{Role: b.Role, Members: members, Condition: b.Condition})
		}
	}
	policy.Bindings = kept
	for _, g := range want.Grants {
		if missing[g] {
			delete(missing, g)
			policy.Bindings = addMember(policy.Bindings, want.Name, g, o.pool.Member(g.Principal))
			changed = true
		}
	}
	return changed
}

func addMember(bindings []*iampb.Binding, bucket string, g Grant, member string) []*iampb.Binding {
	var when *expr.Expr
	if g.Prefix != "" {
		when = &expr.Expr{Title: title(g.Prefix), Expression: condition(bucket, g.Prefix)}
	}
	for _, b := range bindings {
		if b.Role == g.Role && b.GetCondition().GetExpression() == when.GetExpression() {
			b.Members = append(b.Members, member)
			return bindings
		}
	}
	return append(bindings, &iampb.Binding{Role: g.Role, Members: []string{member}, Condition: when})
}

// title of a condition is for people and has at most 100 bytes.
func title(prefix string) string {
	const limit = 80
	if len(prefix) > limit {
		prefix = strings.ToValidUTF8(prefix[:limit], "") + "…"
	}
	return "recsysd: " + prefix
}

// setGrants brings the bucket's policy to want's grants: read, merge, write under the etag that was read. An account that was ours
// in live is so still, though it may have been deleted since.
func (d *Driver) setGrants(ctx context.Context, want, live Spec) error {
	o, err := d.insiders(ctx, want, live.seen.formerly)
	if err != nil {
		return err
	}
	for _, g := range live.Grants {
		if g.Namespace == "" {
			o.accounts[g.Account] = true
		}
	}
	handle := d.write(want.Name).IAM().V3()
	policy, err := handle.Policy(ctx)
	if err != nil {
		return explain("buckets.getIamPolicy", err)
	}
	if !merge(policy, want, o) {
		return nil
	}
	if err := handle.SetPolicy(ctx, policy); err != nil {
		return explainPolicy(err)
	}
	return nil
}
