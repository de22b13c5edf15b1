package identity

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	iamv1 "google.golang.org/api/iam/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

const (
	readTimeout = 10 * time.Second // IAM reads policies by POST, which would else be taken for a write
	// settles is for how long an account that was just made may be missing from what Google answers.
	settles = 2 * time.Minute
	// A stack that has no accounts looks this seldom whether an earlier revision has left one.
	sweepEvery = time.Hour
	lookWidth  = 8
)

// Driver is the service accounts of one stack in one project.
type Driver struct {
	stack, project string
	service        *iamv1.ProjectsServiceAccountsService

	listing  chan struct{} // held by whoever lists
	policies gcp.Ahead[*iamv1.Policy]

	mu     sync.Mutex
	own    map[string]bool      // addresses of those that carry our mark
	made   map[string]time.Time // addresses of those that this process has made and Google has not shown yet
	ahead  *listing             // what Own has listed and Observe may still use
	listed time.Time            // when the accounts were last listed, or tried to be; zero: never
}

// listing is the accounts of the project, by address.
type listing struct {
	accounts map[string]*iamv1.ServiceAccount
	at       time.Time
}

var _ resource.Driver[Spec] = (*Driver)(nil)

// New makes the driver of a stack's accounts in the configuration's project. It sends nothing yet.
func New(ctx context.Context, c gcp.Config, stack string) (*Driver, error) {
	opts, err := c.HTTP(ctx, gcp.IAM)
	if err != nil {
		return nil, err
	}
	service, err := iamv1.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("iam client: %w", err)
	}
	return &Driver{
		stack: stack, project: c.Project, service: service.Projects.ServiceAccounts,
		listing: make(chan struct{}, 1), own: map[string]bool{}, made: map[string]time.Time{},
	}, nil
}

func (d *Driver) email(s Spec) string { return gcp.AccountEmail(d.project, s.Name) }

// names are the full names of accounts.
func (d *Driver) names(of []Spec) []string {
	all := make([]string, len(of))
	for i, s := range of {
		all[i] = d.name(s)
	}
	return all
}

func (d *Driver) name(s Spec) string {
	return "projects/" + d.project + "/serviceAccounts/" + d.email(s)
}

// Own is the addresses of the accounts that carry the stack's mark, as last seen. The first call waits for a first look.
func (d *Driver) Own(ctx context.Context) map[string]bool {
	d.mu.Lock()
	never := d.listed.IsZero()
	d.mu.Unlock()
	if never {
		// That it failed is told by Observe, which lists too; until it succeeds nothing is known to be ours.
		_, _ = d.list(ctx, true)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.own)
}

// Observe costs one list of the project's accounts and, beside it, per wanted one, one read of who may act as it. A stack without accounts
// lists at the start and once an hour.
func (d *Driver) Observe(ctx context.Context, want []Spec, list bool) (resource.Seen[Spec], error) {
	var seen resource.Seen[Spec]
	policies := d.policies.Begin(ctx, d.names(want), d.policy)
	defer policies.Close()
	listed := map[string]*iamv1.ServiceAccount{}
	if list && d.due(want) {
		var err error
		if listed, err = d.list(ctx, false); err != nil && d.concerned(want) {
			seen.Unlisted = map[string]error{Kind: err}
		} else if err != nil {
			seen.Notices = append(seen.Notices, "service accounts may not be listed, so one that an earlier revision has left would not be found: "+err.Error())
		}
	}
	found := make([]*resource.Live[Spec], len(want))
	var g errgroup.Group
	g.SetLimit(lookWidth)
	for i, w := range want {
		account := listed[d.email(w)]
		delete(listed, d.email(w))
		g.Go(func() error {
			found[i] = d.look(ctx, w, account, policies)
			return nil
		})
	}
	_ = g.Wait() // what goes wrong with one account is told of that account
	if err := ctx.Err(); err != nil {
		return resource.Seen[Spec]{}, err
	}
	for _, l := range found {
		if l != nil {
			seen.Live = append(seen.Live, *l)
		}
	}
	for _, a := range listed {
		if l := d.live(a); l.Owned {
			seen.Live = append(seen.Live, l) // unwanted; who may act as it goes with it
		}
	}
	slices.SortFunc(seen.Live, func(a, b resource.Live[Spec]) int { return strings.Compare(a.Spec.Name, b.Spec.Name) })
	return seen, nil
}

// concerned reports whether the stack has accounts, or had a moment ago.
func (d *Driver) concerned(want []Spec) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(want)+len(d.own) > 0
}

// due reports whether a look must list.
func (d *Driver) due(want []Spec) bool {
	if d.concerned(want) {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ahead != nil || time.Since(d.listed) >= sweepEvery
}

// list is all accounts of the project, and takes down which are ours. One caller lists at a time; with once a second caller is
// content with what the first has found.
func (d *Driver) list(ctx context.Context, once bool) (map[string]*iamv1.ServiceAccount, error) {
	select {
	case d.listing <- struct{}{}:
		defer func() { <-d.listing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	ahead, tried := d.ahead, !d.listed.IsZero()
	d.ahead = nil
	d.mu.Unlock()
	switch {
	case once && tried:
		return nil, nil
	case !once && ahead != nil && time.Since(ahead.at) < readTimeout:
		return ahead.accounts, nil
	}
	accounts, err := d.listAll(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listed = time.Now()
	if err != nil {
		return nil, err
	}
	d.own = map[string]bool{}
	for email, a := range accounts {
		if parseMarks(a.Description).stack == d.stack {
			d.own[email] = true
		}
	}
	for email := range d.made {
		d.own[email] = true
	}
	if once {
		d.ahead = &listing{accounts, d.listed}
	}
	return accounts, nil
}

func (d *Driver) listAll(ctx context.Context) (map[string]*iamv1.ServiceAccount, error) {
	accounts := map[string]*iamv1.ServiceAccount{}
	err := d.service.List("projects/"+d.project).PageSize(100).Pages(ctx, func(page *iamv1.ListServiceAccountsResponse) error {
		for _, a := range page.Accounts {
			accounts[a.Email] = a
		}
		return nil
	})
	return accounts, gcp.Explain("iam.serviceAccounts.list", err)
}

// look is one wanted account, from the list or by name; nil: it is absent.
func (d *Driver) look(ctx context.Context, want Spec, a *iamv1.ServiceAccount, policies *gcp.Reads[*iamv1.Policy]) *resource.Live[Spec] {
	unknown := func(err error) *resource.Live[Spec] {
		return &resource.Live[Spec]{Spec: Spec{Name: want.Name}, State: resource.Unknown, Detail: err.Error()}
	}
	if a == nil {
		var err error
		if a, err = d.get(ctx, want); gcp.IsNotFound(err) {
			return d.settling(want)
		} else if err != nil {
			return unknown(err)
		}
	}
	l := d.live(a)
	policy, err := policies.Get(ctx, d.name(want))
	if gcp.IsNotFound(err) {
		if s := d.settling(want); s != nil {
			return s
		}
	}
	if err != nil {
		return unknown(err)
	}
	d.settled(want, l.Owned)
	var others []string
	l.Spec.Users, others = usersIn(policy, d.project, want.Namespace, formerly(l))
	for _, o := range others {
		l.Notices = append(l.Notices, "access that is not the stack's, left alone: "+o)
	}
	return &l
}

// formerly is the namespace whose workloads were let in when the account was last marked, if the account is ours.
func formerly(l resource.Live[Spec]) string {
	if l.Owned {
		return l.Spec.Namespace
	}
	return ""
}

// settling is an account that was made a moment ago and that Google does not show everywhere yet; nil: there is none.
func (d *Driver) settling(want Spec) *resource.Live[Spec] {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.made[d.email(want)]; !ok || time.Since(at) > settles {
		delete(d.made, d.email(want))
		return nil
	}
	return &resource.Live[Spec]{
		Spec: want, State: resource.Pending, Locked: true, Owned: true, Detail: "made a moment ago, and not yet known everywhere at Google",
	}
}

// settled says that an account was seen in full, and whether it is ours.
func (d *Driver) settled(s Spec, owned bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.made, d.email(s))
	if owned {
		d.own[d.email(s)] = true
	} else {
		delete(d.own, d.email(s))
	}
}

// live is an account without its users.
func (d *Driver) live(a *iamv1.ServiceAccount) resource.Live[Spec] {
	m := parseMarks(a.Description)
	id, _, _ := strings.Cut(a.Email, "@")
	return resource.Live[Spec]{
		Spec: Spec{
			Name: id, DisplayName: a.DisplayName, Stack: m.stack, Namespace: m.namespace, Protect: m.protect, Disabled: a.Disabled,
			seen: &seen{uid: a.UniqueId, displayName: a.DisplayName, description: a.Description, disabled: a.Disabled},
		},
		State: resource.Ready, Owned: d.stack != "" && m.stack == d.stack, Unprotected: m.unprotected,
		Outputs: map[string]string{"email": a.Email},
	}
}

func (d *Driver) get(ctx context.Context, s Spec) (*iamv1.ServiceAccount, error) {
	a, err := d.service.Get(d.name(s)).Context(ctx).Do()
	return a, gcp.Explain("iam.serviceAccounts.get", err)
}
