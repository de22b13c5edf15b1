package gcptest

import (
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	iamv1 "google.golang.org/api/iam/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// SetAccountLag is for how long a service account that is made from now on is not seen everywhere: reads say that it does not exist,
// and policies that name it are refused. The default is no time at all.
func (s *Server) SetAccountLag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accountLag = d
}

// AddAccount puts a service account there that somebody else made; its address may be of any project.
func (s *Server) AddAccount(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newAccount(email)
}

// RemoveAccount deletes a service account as somebody else would.
func (s *Server) RemoveAccount(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropAccount(email)
}

// EditAccount changes a service account, and who may use it, as somebody else would.
func (s *Server) EditAccount(email string, edit func(*iamv1.ServiceAccount, *iampb.Policy)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.accounts[email]; ok {
		next := *found.raw
		edit(&next, found.policy)
		found.raw = &next
		s.touchPolicy(found.policy)
		s.edited(gcp.IAM, "google.iam.admin.v1.UpdateServiceAccount", "projects/-/serviceAccounts/"+found.raw.UniqueId, email)
	}
}

// Account is a copy of a service account and of the policy that says who may use it; nil if there is none.
func (s *Server) Account(email string) (*iamv1.ServiceAccount, *iampb.Policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.accounts[email]
	if !ok {
		return nil, nil
	}
	raw := *found.raw
	return &raw, shownPolicy(found.policy, 3)
}
