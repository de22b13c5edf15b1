package gcptest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"

	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// newPolicy is what a new bucket has: the project's owners, editors and viewers.
func newPolicy(project string) *storagev1.Policy {
	return &storagev1.Policy{Version: 1, Bindings: []*storagev1.PolicyBindings{
		{Role: "roles/storage.legacyBucketOwner", Members: []string{"projectEditor:" + project, "projectOwner:" + project}},
		{Role: "roles/storage.legacyBucketReader", Members: []string{"projectViewer:" + project}},
	}}
}

func conditional(p *storagev1.Policy) bool {
	return slices.ContainsFunc(p.Bindings, func(b *storagev1.PolicyBindings) bool { return b.Condition != nil })
}

// getPolicy shows conditions only to those who ask for version 3; others see roles that cannot be written back.
func (s *Server) getPolicy(r *http.Request, _ []byte) (any, error) {
	b, err := s.find(r, "storage.buckets.getIamPolicy")
	if err != nil {
		return nil, err
	}
	p := &storagev1.Policy{}
	if err := through(b.policy, p); err != nil {
		return nil, err
	}
	p.Kind, p.ResourceId = "storage#policy", "projects/_/buckets/"+b.raw.Name
	if r.URL.Query().Get("optionsRequestedPolicyVersion") != "3" {
		for _, binding := range p.Bindings {
			if c := binding.Condition; c != nil {
				sum := fnv.New32()
				fmt.Fprint(sum, c.Title, c.Expression)
				binding.Role += fmt.Sprintf("_withcond_%08x", sum.Sum32())
				binding.Condition = nil
			}
		}
		p.Version = 1
	}
	return p, nil
}

// setPolicy replaces the policy. Without an etag it does so whatever is there, conditions included.
func (s *Server) setPolicy(r *http.Request, body []byte) (any, error) {
	b, err := s.find(r, "storage.buckets.setIamPolicy")
	if err != nil {
		return nil, err
	}
	in := &storagev1.Policy{}
	if err := json.Unmarshal(body, in); err != nil {
		return nil, bad("Parse Error: %v", err)
	}
	if in.Etag != "" && in.Etag != b.policy.Etag {
		return nil, stale()
	}
	if in.Etag != "" && in.Version < 3 && conditional(b.policy) {
		return nil, bad("The policy has conditions: to change it, version 3 must be read and written.")
	}
	if err := s.checkPolicy(in, b.raw); err != nil {
		return nil, err
	}
	b.policy = &storagev1.Policy{Version: 1, Bindings: normalBindings(in.Bindings)}
	if conditional(b.policy) {
		b.policy.Version = 3
	}
	b.touch()
	return b.policy, nil
}

func (s *Server) checkPolicy(p *storagev1.Policy, b *storagev1.Bucket) error {
	for _, binding := range p.Bindings {
		if !strings.HasPrefix(binding.Role, "roles/") && !strings.HasPrefix(binding.Role, "projects/") || strings.Contains(binding.Role, "_withcond_") {
			return bad("Role %s is not supported for this resource.", binding.Role)
		}
		if c := binding.Condition; c != nil {
			switch {
			case p.Version < 3:
				return bad("Bindings with conditions need policy version 3.")
			case c.Title == "" || c.Expression == "" || len(c.Title) > 100:
				return bad("A condition needs an expression, and a title of at most 100 bytes.")
			case !b.IamConfiguration.UniformBucketLevelAccess.Enabled:
				return bad("Conditions can only be set on buckets with uniform bucket-level access.")
			}
		}
		for _, member := range binding.Members {
			if err := s.checkMember(member, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMember is memberFault, and knows buckets that keep the public out.
func (s *Server) checkMember(member string, b *storagev1.Bucket) error {
	public := member == "allUsers" || member == "allAuthenticatedUsers"
	if public && b.IamConfiguration.PublicAccessPrevention == "enforced" {
		return refusal{http.StatusPreconditionFailed, "conditionNotMet", "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced."}
	}
	if text := s.memberFault(member); text != "" {
		return refusal{http.StatusBadRequest, "badRequest", text}
	}
	return nil
}

// normalBindings is how Google answers them: one per role and condition, sorted, without the empty.
func normalBindings(in []*storagev1.PolicyBindings) []*storagev1.PolicyBindings {
	key := func(b *storagev1.PolicyBindings) string {
		if b.Condition == nil {
			return b.Role
		}
		return b.Role + "\x00" + b.Condition.Expression + "\x00" + b.Condition.Title
	}
	by := map[string]*storagev1.PolicyBindings{}
	for _, b := range in {
		k := key(b)
		if by[k] == nil {
			by[k] = &storagev1.PolicyBindings{Role: b.Role, Condition: b.Condition}
		}
		by[k].Members = append(by[k].Members, b.Members...)
	}
	var out []*storagev1.PolicyBindings
	for _, b := range by {
		slices.Sort(b.Members)
		b.Members = slices.Compact(b.Members)
		if len(b.Members) > 0 {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b *storagev1.PolicyBindings) int { return cmp.Compare(key(a), key(b)) })
	return out
}

// testPermissions grants everything: what a test forbids is a fault.
func (s *Server) testPermissions(r *http.Request, _ []byte) (any, error) {
	b, err := s.find(r, "storage.buckets.get")
	if err != nil {
		return nil, err
	}
	has := slices.DeleteFunc(r.URL.Query()["permissions"], func(p string) bool { return s.denied[b.raw.Name+":"+p] })
	return &storagev1.TestIamPermissionsResponse{Kind: "storage#testIamPermissionsResponse", Permissions: has}, nil
}

// EditPolicy changes a bucket's access policy as somebody else would.
func (s *Server) EditPolicy(bucket string, edit func(*storagev1.Policy)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.buckets[bucket]; ok {
		edit(b.policy)
		b.policy.Bindings = normalBindings(b.policy.Bindings)
		b.touch()
		s.edited(gcp.Storage, "storage.setIamPermissions", "projects/_/buckets/"+bucket, "")
	}
}

// Policy is a copy of a bucket's access policy; nil if there is no bucket.
func (s *Server) Policy(bucket string) *storagev1.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[bucket]
	if !ok {
		return nil
	}
	p := &storagev1.Policy{}
	if err := through(b.policy, p); err != nil {
		panic(err) // it was made from JSON
	}
	return p
}

// SetIdentityPool says whether the project has its workload identity pool. It comes with the first cluster that runs, and stays.
func (s *Server) SetIdentityPool(there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool = there
}
