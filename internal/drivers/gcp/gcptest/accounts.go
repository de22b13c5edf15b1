package gcptest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	iamv1 "google.golang.org/api/iam/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// account is a Google service account. One that was just made may not be seen everywhere yet.
type account struct {
	raw    *iamv1.ServiceAccount
	policy *iampb.Policy // who may use it
	shows  time.Time     // from when on it is known everywhere
}

// accounts is IAM's API for service accounts. What Google says of their etag is that it is not to be used: nothing guards a patch.
type accounts struct{ s *Server }

var accountIDs = regexp.MustCompile(`^[a-z]([-a-z0-9]{4,28}[a-z0-9])$`)

const accountSuffix = ".iam.gserviceaccount.com"

func (s *Server) serveAccounts(mux *http.ServeMux) {
	a := accounts{s}
	const all = "/iam/v1/projects/{p}/serviceAccounts"
	handle := func(pattern string, method func(r *http.Request) string, write bool, act func(r *http.Request, body []byte) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			if err != nil {
				writeError(w, status.Error(codes.InvalidArgument, err.Error()))
				return
			}
			name := method(r)
			target, _, _ := strings.Cut(r.PathValue("e"), "@")
			var answer []byte
			call := Call{Service: gcp.IAM, Method: "iam.serviceAccounts." + name, Target: target, Write: write && name != "getIamPolicy" && name != "testIamPermissions"}
			err = s.serve(r.Context(), call, func() error {
				if r.PathValue("p") != s.project && r.PathValue("p") != "-" {
					return status.Error(codes.PermissionDenied, "Permission denied on resource project "+r.PathValue("p")+".")
				}
				got, err := act(r, body)
				if p, ok := got.(*iampb.Policy); ok && err == nil {
					answer, err = protojson.Marshal(p)
				} else if err == nil {
					answer, err = json.Marshal(got) // here, because it is the state itself
				}
				return err
			})
			if err != nil {
				writeError(w, err)
				return
			}
			writeJSON(w, answer)
		})
	}
	always := func(name string) func(*http.Request) string { return func(*http.Request) string { return name } }
	verb := func(r *http.Request) string { _, v, _ := strings.Cut(r.PathValue("e"), ":"); return v }
	handle("GET "+all, always("list"), false, a.list)
	handle("POST "+all, always("create"), true, a.create)
	handle("GET "+all+"/{e}", always("get"), false, a.get)
	handle("PATCH "+all+"/{e}", always("patch"), true, a.patch)
	handle("DELETE "+all+"/{e}", always("delete"), true, a.delete)
	handle("POST "+all+"/{e}", verb, true, a.do)
}

func (a accounts) list(r *http.Request, _ []byte) (any, error) {
	out := &iamv1.ListServiceAccountsResponse{}
	from := r.FormValue("pageToken")
	for _, email := range slices.Sorted(maps.Keys(a.s.accounts)) {
		found := a.s.accounts[email]
		if email <= from || a.s.hidden(found) || !strings.HasSuffix(email, "@"+a.s.project+accountSuffix) {
			continue
		}
		if len(out.Accounts) == pageSize {
			out.NextPageToken = out.Accounts[pageSize-1].Email
			break
		}
		out.Accounts = append(out.Accounts, found.raw)
	}
	return out, nil
}

func (a accounts) find(r *http.Request) (*account, error) {
	email, _, _ := strings.Cut(r.PathValue("e"), ":")
	found, ok := a.s.accounts[email]
	if !ok || a.s.hidden(found) {
		return nil, status.Errorf(codes.NotFound, "Unknown service account: %s", email)
	}
	return found, nil
}

func (a accounts) get(r *http.Request, _ []byte) (any, error) {
	found, err := a.find(r)
	if err != nil {
		return nil, err
	}
	return found.raw, nil
}

func (a accounts) create(_ *http.Request, body []byte) (any, error) {
	q := &iamv1.CreateServiceAccountRequest{}
	if err := json.Unmarshal(body, q); err != nil {
		return nil, status.Error(codes.InvalidArgument, "Invalid JSON payload received. "+err.Error())
	}
	if !accountIDs.MatchString(q.AccountId) {
		return nil, status.Errorf(codes.InvalidArgument, "The account ID %q does not have a length between 6 and 30.", q.AccountId)
	}
	email := q.AccountId + "@" + a.s.project + accountSuffix
	if _, ok := a.s.accounts[email]; ok {
		return nil, status.Errorf(codes.AlreadyExists, "Service account %s already exists within project projects/%s.", q.AccountId, a.s.project)
	}
	in := q.ServiceAccount
	if in == nil {
		in = &iamv1.ServiceAccount{}
	}
	if err := checkAccount(in); err != nil {
		return nil, err
	}
	made := a.s.newAccount(email)
	made.raw.DisplayName, made.raw.Description = in.DisplayName, in.Description
	made.shows = time.Now().Add(a.s.accountLag)
	return made.raw, nil
}

// hidden reports whether an account is too new to be known everywhere.
func (s *Server) hidden(a *account) bool { return time.Now().Before(a.shows) }

func checkAccount(in *iamv1.ServiceAccount) error {
	switch {
	case len(in.DisplayName) > 100:
		return status.Error(codes.InvalidArgument, "The display name must be at most 100 bytes.")
	case len(in.Description) > 256:
		return status.Error(codes.InvalidArgument, "The description must be at most 256 bytes.")
	}
	return nil
}

func (s *Server) newAccount(email string) *account {
	made := &account{policy: newIAMPolicy(), raw: &iamv1.ServiceAccount{
		Name: "projects/" + s.project + "/serviceAccounts/" + email, ProjectId: s.project, Email: email,
		UniqueId: fmt.Sprintf("1%020d", s.next()), Oauth2ClientId: fmt.Sprintf("1%020d", s.seq), Etag: "MDEwMjE5MjA=",
	}}
	s.accounts[email] = made
	return made
}

func (a accounts) patch(r *http.Request, body []byte) (any, error) {
	found, err := a.find(r)
	if err != nil {
		return nil, err
	}
	q := &iamv1.PatchServiceAccountRequest{}
	if err := json.Unmarshal(body, q); err != nil || q.ServiceAccount == nil {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid JSON payload received. %v", err)
	}
	if err := checkAccount(q.ServiceAccount); err != nil {
		return nil, err
	}
	next := *found.raw
	for field := range strings.SplitSeq(q.UpdateMask, ",") {
		switch field {
		case "displayName", "display_name":
			next.DisplayName = q.ServiceAccount.DisplayName
		case "description":
			next.Description = q.ServiceAccount.Description
		default:
			return nil, status.Errorf(codes.InvalidArgument, "Invalid update mask: %q. Only display_name and description can be updated.", field)
		}
	}
	found.raw = &next
	return found.raw, nil
}

// delete leaves the account's members in every policy, under a name that matches nobody.
func (a accounts) delete(r *http.Request, _ []byte) (any, error) {
	found, err := a.find(r)
	if err != nil {
		return nil, err
	}
	a.s.dropAccount(found.raw.Email)
	return struct{}{}, nil
}

func (s *Server) dropAccount(email string) {
	found, ok := s.accounts[email]
	if !ok {
		return
	}
	delete(s.accounts, email)
	live, gone := "serviceAccount:"+email, "deleted:serviceAccount:"+email+"?uid="+found.raw.UniqueId
	rename := func(members []string) {
		for i, m := range members {
			if m == live {
				members[i] = gone
			}
		}
	}
	for _, b := range s.buckets {
		for _, binding := range b.policy.Bindings {
			rename(binding.Members)
		}
	}
	policies := []*iampb.Policy{}
	for _, r := range s.repos {
		policies = append(policies, r.policy)
	}
	for _, other := range s.accounts {
		policies = append(policies, other.policy)
	}
	for _, p := range policies {
		for _, binding := range p.GetBindings() {
			rename(binding.Members)
		}
	}
}

// do is the methods that stand behind a colon.
func (a accounts) do(r *http.Request, body []byte) (any, error) {
	found, err := a.find(r)
	if err != nil {
		return nil, err
	}
	_, verb, _ := strings.Cut(r.PathValue("e"), ":")
	switch verb {
	case "enable", "disable":
		next := *found.raw
		next.Disabled = verb == "disable"
		found.raw = &next
		return struct{}{}, nil
	case "getIamPolicy":
		version, _ := strconv.Atoi(r.URL.Query().Get("options.requestedPolicyVersion")) // none is the oldest
		return shownPolicy(found.policy, int32(version)), nil
	case "setIamPolicy":
		q := &iampb.SetIamPolicyRequest{}
		if err := readJSON(body, q); err != nil {
			return nil, err
		}
		next, err := a.s.nextPolicy(found.policy, q.GetPolicy(), "roles/iam.")
		if err == nil {
			found.policy = next
		}
		return next, err
	case "testIamPermissions":
		q := &iampb.TestIamPermissionsRequest{}
		err := readJSON(body, q)
		return &iamv1.TestIamPermissionsResponse{Permissions: a.s.allowed(found.raw.Email, q.GetPermissions())}, err
	}
	return nil, status.Errorf(codes.NotFound, "Method not found: %s", verb)
}
