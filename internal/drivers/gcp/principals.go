package gcp

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/resource"
)

// Principal is a service account that may be given access: one of Kubernetes by its namespace and name, or one of Google by its
// e-mail address.
type Principal struct {
	Namespace string `json:",omitempty"` // "": Account is Google's
	Account   string
}

// String is NAMESPACE/NAME or the e-mail address.
func (p Principal) String() string {
	if p.Namespace == "" {
		return p.Account
	}
	return p.Namespace + "/" + p.Account
}

// Google's spellings of members in an access policy.
const (
	memberAccount = "serviceAccount:"
	memberDeleted = "deleted:serviceAccount:" // followed by EMAIL?uid=ID; it means nobody
)

// AccountEmail is the address of the service account by this id in a project. That of a project of a domain, example.com:acme, is at
// acme.example.com.
func AccountEmail(project, id string) string {
	if domain, name, ok := strings.Cut(project, ":"); ok {
		project = name + "." + domain
	}
	return id + "@" + project + ".iam.gserviceaccount.com"
}

// AccountMember is a Google service account as a member.
func AccountMember(email string) string { return memberAccount + email }

// WorkloadMember is a Kubernetes service account as the older form has it: one that may act as a Google service account.
func WorkloadMember(project, namespace, account string) string {
	return memberAccount + project + ".svc.id.goog[" + namespace + "/" + account + "]"
}

// ParseWorkloadMember is the reverse of WorkloadMember.
func ParseWorkloadMember(project, member string) (namespace, account string, ok bool) {
	rest, ok := strings.CutPrefix(member, memberAccount+project+".svc.id.goog[")
	if !ok {
		return "", "", false
	}
	rest, ok = strings.CutSuffix(rest, "]")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// NormalMember is the form of a member in which two that mean the same are equal. Addresses have no case; principals do.
func NormalMember(member string) string {
	kind, _, _ := strings.Cut(member, ":")
	switch kind {
	case "user", "serviceAccount", "group", "domain":
		if !strings.Contains(member, "[") { // the namespace and name in there are Kubernetes' own
			return kind + strings.ToLower(member[len(kind):])
		}
	}
	return member
}

// memberKinds are the kinds of members that people may name.
var memberKinds = []string{"user", "group", "serviceAccount", "domain"}

// ValidateMember reports what Google would refuse as a member of an access policy.
func ValidateMember(member string) error {
	kind, rest, ok := strings.Cut(member, ":")
	switch {
	case member == "allUsers", member == "allAuthenticatedUsers":
		return nil
	case !ok && strings.HasSuffix(member, ".gserviceaccount.com"):
		return fmt.Errorf("%q is no member; did you mean \"serviceAccount:%s\"?", member, member)
	case !ok:
		return fmt.Errorf("%q is no member; it begins with user:, group:, serviceAccount:, domain:, principal:// or principalSet://", member)
	case kind == "principal" || kind == "principalSet":
		if !strings.HasPrefix(rest, "//iam.googleapis.com/") {
			return fmt.Errorf("%q: a principal begins with %s://iam.googleapis.com/", member, kind)
		}
	case kind == "deleted":
		return fmt.Errorf("%q: a deleted account can use nothing", member)
	case !slices.Contains(memberKinds, kind):
		return fmt.Errorf("%q: %q is no kind of member; user, group, serviceAccount, domain, principal or principalSet", member, kind)
	case kind == "domain" && (strings.Contains(rest, "@") || !strings.Contains(rest, ".")):
		return fmt.Errorf("%q: %q is no domain", member, rest)
	case kind != "domain" && !address.MatchString(rest) && !strings.Contains(rest, ".svc.id.goog["):
		return fmt.Errorf("%q: %q is no e-mail address", member, rest)
	}
	return nil
}

var address = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)

// Public reports whether a member is everybody, on the internet or with a Google account.
func Public(member string) bool { return member == "allUsers" || member == "allAuthenticatedUsers" }

// Pool is a project's workload identity pool, to which every cluster of it belongs: the same namespace and account in another
// cluster of the project is the same principal.
type Pool struct {
	Project string
	Number  uint64
}

// subjects is what all principals of the pool begin with. The project's number stands in the path, its id in the pool's name;
// Google accepts them swapped, and the grant then never matches.
func (p Pool) subjects() string {
	return fmt.Sprintf("principal://iam.googleapis.com/projects/%d/locations/global/workloadIdentityPools/%s.svc.id.goog/subject/ns/",
		p.Number, p.Project)
}

// Member is a principal as access policies spell it.
func (p Pool) Member(who Principal) string {
	if who.Namespace == "" {
		return AccountMember(who.Account)
	}
	return p.subjects() + who.Namespace + "/sa/" + who.Account
}

// Principal is the reverse of Member. gone, the unique id, is set for a Google service account that exists no longer: such a member
// stays in policies and matches nobody, not even an account by the same name that was made since.
func (p Pool) Principal(member string) (who Principal, gone string, ok bool) {
	if rest, is := strings.CutPrefix(member, p.subjects()); is {
		who.Namespace, who.Account, ok = strings.Cut(rest, "/sa/")
		return who, "", ok && who.Namespace != ""
	}
	if rest, is := strings.CutPrefix(member, memberDeleted); is {
		who.Account, gone, ok = strings.Cut(rest, "?uid=")
		return who, gone, ok
	}
	email, is := strings.CutPrefix(member, memberAccount)
	return Principal{Account: email}, "", is && !strings.Contains(email, "[")
}

// Principals says who is who in one project. It is shared by the kinds whose access policies name principals, so that what
// has to be asked for is asked for once. It is safe for concurrent use.
type Principals struct {
	project  string
	projects *cloudresourcemanager.ProjectsService
	own      func(context.Context) map[string]bool

	mu     sync.Mutex
	number uint64 // of the project; 0: not known yet
}

// NewPrincipals asks nothing yet.
func NewPrincipals(ctx context.Context, c Config) (*Principals, error) {
	opts, err := c.HTTP(ctx, ResourceManager)
	if err != nil {
		return nil, err
	}
	manager, err := cloudresourcemanager.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("resource manager client: %w", err)
	}
	return &Principals{project: c.Project, projects: manager.Projects}, nil
}

// Learn takes down the project's number where an answer has told it by the way.
func (p *Principals) Learn(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number = number
}

// Pool needs the project's number, which is asked for until it is known.
func (p *Principals) Pool(ctx context.Context) (Pool, error) {
	p.mu.Lock()
	number := p.number
	p.mu.Unlock()
	if number == 0 {
		got, err := p.projects.Get("projects/" + p.project).Context(ctx).Do()
		if err != nil {
			return Pool{}, Explain("cloudresourcemanager.projects.get", err)
		}
		if _, err := fmt.Sscanf(got.Name, "projects/%d", &number); err != nil || number == 0 {
			return Pool{}, fmt.Errorf("project %s has no number: %q", p.project, got.Name)
		}
		p.Learn(number)
	}
	return Pool{Project: p.project, Number: number}, nil
}

// DefaultNodes is the e-mail address of the account that nodes run as where nobody says otherwise.
func DefaultNodes(p Pool) string {
	return fmt.Sprintf("%d-compute@developer.gserviceaccount.com", p.Number)
}

// OwnedBy says who knows the Google service accounts that are the stack's own. It is called before the first use.
func (p *Principals) OwnedBy(own func(context.Context) map[string]bool) { p.own = own }

// Own is the e-mail addresses of the Google service accounts that carry the stack's mark, as far as they are known: what such an
// account was given is the stack's to take back.
func (p *Principals) Own(ctx context.Context) map[string]bool {
	if p.own == nil {
		return nil
	}
	return p.own(ctx)
}

// MemberMissing says, of the refusal of an access policy, that a member does not exist yet, which time mends; else it is nil. A project's
// identity pool comes with its first cluster, and an account that was just made is not known everywhere at once.
func MemberMissing(err error) error {
	text := ""
	if err != nil && Code(err) == codes.InvalidArgument {
		text = message(err)
	}
	switch {
	case strings.Contains(text, "Identity Pool does not exist"):
		return fmt.Errorf("grants need the project's workload identity pool, which comes with its first cluster: %w", resource.ErrUnavailable)
	case strings.Contains(text, "ervice account") && strings.Contains(text, "does not exist"):
		return fmt.Errorf("%s: %w", text, resource.ErrUnavailable)
	}
	return nil
}
