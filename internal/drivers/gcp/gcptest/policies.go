package gcptest

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"path"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// newIAMPolicy is that of a thing that nobody was given access to. Google gives them all the same etag.
func newIAMPolicy() *iampb.Policy { return &iampb.Policy{Version: 1, Etag: []byte("\x00\x40")} }

func (s *Server) touchPolicy(p *iampb.Policy) {
	p.Bindings = normalPolicy(p.GetBindings())
	p.Etag = fmt.Appendf(nil, "BwY%08x", s.next())
	p.Version = 1
	if conditionalPolicy(p) {
		p.Version = 3
	}
}

func conditionalPolicy(p *iampb.Policy) bool {
	return slices.ContainsFunc(p.GetBindings(), func(b *iampb.Binding) bool { return b.GetCondition() != nil })
}

// shownPolicy shows conditions only to those who ask for version 3; others see roles that cannot be written back.
func shownPolicy(p *iampb.Policy, version int32) *iampb.Policy {
	out := proto.CloneOf(p)
	if version < 3 {
		for _, b := range out.GetBindings() {
			if c := b.GetCondition(); c != nil {
				sum := fnv.New32()
				fmt.Fprint(sum, c.GetTitle(), c.GetExpression())
				b.Role += fmt.Sprintf("_withcond_%08x", sum.Sum32())
				b.Condition = nil
			}
		}
		out.Version = 1
	}
	return out
}

// nextPolicy is what becomes of a policy when in is written: refused if it was decided on another, or names what there is not. Predefined
// roles are those that begin with prefix. Without an etag whatever is there is replaced.
func (s *Server) nextPolicy(now, in *iampb.Policy, prefix string) (*iampb.Policy, error) {
	if len(in.GetEtag()) > 0 && string(in.GetEtag()) != string(now.GetEtag()) {
		return nil, status.Error(codes.Aborted, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
	}
	if len(in.GetEtag()) > 0 && in.GetVersion() < 3 && conditionalPolicy(now) {
		return nil, status.Error(codes.InvalidArgument, "The policy has conditions: to change it, version 3 must be read and written.")
	}
	for _, b := range in.GetBindings() {
		custom := strings.HasPrefix(b.GetRole(), "projects/") || strings.HasPrefix(b.GetRole(), "organizations/")
		if !custom && !strings.HasPrefix(b.GetRole(), prefix) || strings.Contains(b.GetRole(), "_withcond_") {
			return nil, status.Errorf(codes.InvalidArgument, "Role %s is not supported for this resource.", b.GetRole())
		}
		if c := b.GetCondition(); c != nil && (in.GetVersion() < 3 || c.GetTitle() == "" || c.GetExpression() == "") {
			return nil, status.Error(codes.InvalidArgument, "A binding with a condition needs version 3, a title and an expression.")
		}
		for _, m := range b.GetMembers() {
			if text := s.memberFault(m); text != "" {
				return nil, status.Error(codes.InvalidArgument, text)
			}
		}
	}
	next := proto.CloneOf(in)
	s.touchPolicy(next)
	return next, nil
}

var memberKinds = []string{"user", "serviceAccount", "group", "domain", "principal", "principalSet", "deleted", "projectOwner", "projectEditor", "projectViewer"}

// memberFault says why no policy may name a member: it is none, or a service account of this project or an identity pool that there is
// not. What only looks like a principal is taken, as Google does. "" is no fault.
func (s *Server) memberFault(member string) string {
	if member == "allUsers" || member == "allAuthenticatedUsers" {
		return ""
	}
	kind, rest, ok := strings.Cut(member, ":")
	if !ok || rest == "" || !slices.Contains(memberKinds, kind) {
		return fmt.Sprintf("Invalid argument: member %q", member)
	}
	pool := ""
	if _, p, ok := strings.Cut(member, "/workloadIdentityPools/"); ok && strings.HasPrefix(kind, "principal") {
		pool, _, _ = strings.Cut(p, "/")
	} else if name, _, ok := strings.Cut(rest, "["); ok && kind == "serviceAccount" {
		pool = name
	}
	if pool == s.project+".svc.id.goog" && !s.pool {
		return fmt.Sprintf("Identity Pool does not exist (%s). Please check that you specified a valid resource name as returned in the `name` attribute in the configuration API.", pool)
	}
	ours := strings.HasSuffix(rest, "@"+s.project+accountSuffix) || rest == s.defaultNodes()
	if kind == "serviceAccount" && ours {
		if a := s.accounts[rest]; a == nil || s.hidden(a) {
			return fmt.Sprintf("Service account %s does not exist.", rest)
		}
	}
	return ""
}

// defaultNodes is the address of the account that nodes run as where nobody says otherwise. A project has it from the start.
func (s *Server) defaultNodes() string {
	return fmt.Sprintf("%d-compute@developer.gserviceaccount.com", s.number)
}

// normalPolicy is how Google answers bindings: one per role and condition, sorted, without the empty, addresses in lower case.
func normalPolicy(in []*iampb.Binding) []*iampb.Binding {
	key := func(b *iampb.Binding) string {
		return b.GetRole() + "\x00" + b.GetCondition().GetExpression() + "\x00" + b.GetCondition().GetTitle()
	}
	by := map[string]*iampb.Binding{}
	for _, b := range in {
		k := key(b)
		if by[k] == nil {
			by[k] = &iampb.Binding{Role: b.GetRole(), Condition: b.GetCondition()}
		}
		for _, m := range b.GetMembers() {
			if kind, rest, ok := strings.Cut(m, ":"); ok && slices.Contains(memberKinds[:4], kind) && !strings.Contains(rest, "[") {
				m = kind + ":" + strings.ToLower(rest)
			}
			by[k].Members = append(by[k].Members, m)
		}
	}
	var out []*iampb.Binding
	for _, b := range by {
		slices.Sort(b.Members)
		b.Members = slices.Compact(b.Members)
		if len(b.Members) > 0 {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b *iampb.Binding) int { return cmp.Compare(key(a), key(b)) })
	return out
}

// GetIamPolicy is that of a repository.
func (a *artifacts) GetIamPolicy(ctx context.Context, q *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	var out *iampb.Policy
	err := a.call(ctx, "GetIamPolicy", q.GetResource(), false, func() error {
		found, err := a.find(q.GetResource())
		if err == nil {
			out = shownPolicy(found.iam(), q.GetOptions().GetRequestedPolicyVersion())
		}
		return err
	})
	return out, err
}

// SetIamPolicy is that of a repository.
func (a *artifacts) SetIamPolicy(ctx context.Context, q *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	var out *iampb.Policy
	err := a.call(ctx, "SetIamPolicy", q.GetResource(), true, func() error {
		found, err := a.find(q.GetResource())
		if err != nil {
			return err
		}
		next, err := a.s.nextPolicy(found.iam(), q.GetPolicy(), "roles/artifactregistry.")
		if err == nil {
			found.policy, out = next, proto.CloneOf(next)
		}
		return err
	})
	return out, err
}

// iam is a repository's policy, which it has from the start.
func (r *repository) iam() *iampb.Policy {
	if r.policy == nil {
		r.policy = newIAMPolicy()
	}
	return r.policy
}

// EditRepositoryPolicy changes who may use a repository as somebody else would, by its short name.
func (s *Server) EditRepositoryPolicy(name string, edit func(*iampb.Policy)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	for id, r := range s.repos {
		if path.Base(id) == name {
			edit(r.iam())
			s.touchPolicy(r.policy)
			s.edited(gcp.ArtifactRegistry, "google.devtools.artifactregistry.v1.ArtifactRegistry.SetIamPolicy", id, "")
		}
	}
}

// RepositoryPolicy is a copy of who may use a repository, by its short name; nil if there is none.
func (s *Server) RepositoryPolicy(name string) *iampb.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	for id, r := range s.repos {
		if path.Base(id) == name {
			return shownPolicy(r.iam(), 3)
		}
	}
	return nil
}
