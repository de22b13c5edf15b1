package registry_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/resource"
)

const (
	reader  = "roles/artifactregistry.reader"
	writer  = "roles/artifactregistry.writer"
	nodes   = "serviceAccount:123456789012-compute@developer.gserviceaccount.com"
	trainer = "trainer@acme.iam.gserviceaccount.com"
	former  = "former@acme.iam.gserviceaccount.com"
)

// access is the repository's access policy in lines.
func access(cloud *gcptest.Server) []string {
	var lines []string
	for _, b := range cloud.RepositoryPolicy("acme-recsys").GetBindings() {
		for _, m := range b.GetMembers() {
			line := strings.TrimPrefix(b.GetRole(), "roles/artifactregistry.") + " " + m
			if b.GetCondition() != nil {
				line += " if " + b.GetCondition().GetExpression()
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// bind gives a role to members as somebody else would.
func bind(cloud *gcptest.Server, role string, members ...string) {
	cloud.EditRepositoryPolicy("acme-recsys", func(p *iampb.Policy) {
		p.Bindings = append(p.Bindings, &iampb.Binding{Role: role, Members: members})
	})
}

// converge repairs once and says what had to be repaired; a second look must find nothing.
func converge(t *testing.T, d *registry.Driver, want registry.Spec) (fields []string) {
	t.Helper()
	diff := func() (registry.Spec, []resource.Change) {
		l := see(t, d, want)
		w := want
		if l.Want != nil {
			w = *l.Want
		}
		return l.Spec, w.Diff(l.Spec)
	}
	live, drift := diff()
	for _, c := range drift {
		fields = append(fields, c.Field)
	}
	if len(drift) > 0 {
		if err := d.Update(t.Context(), want, live, drift); err != nil {
			t.Fatal(err)
		}
	}
	if _, left := diff(); len(left) > 0 {
		t.Errorf("still different: %+v", left)
	}
	return fields
}

func TestReaders(t *testing.T) {
	conditional := func(cloud *gcptest.Server) {
		cloud.EditRepositoryPolicy("acme-recsys", func(p *iampb.Policy) {
			p.Bindings = append(p.Bindings, &iampb.Binding{Role: reader, Members: []string{"user:eve@example.com"}, Condition: &expr.Expr{Title: "x", Expression: "true"}})
		})
	}
	with := func(edit func(*registry.Spec)) registry.Spec {
		s := sample("ours")
		s.Nodes, s.Accounts = []string{registry.DefaultNodes}, []string{trainer}
		edit(&s)
		return s
	}
	none := func(*registry.Spec) {}
	ci := func(s *registry.Spec) { s.Readers = []string{"user:CI@example.com"} }
	cases := []struct {
		reason string
		want   registry.Spec
		hand   func(*gcptest.Server)
		fields []string
		after  []string
	}{
		{"the nodes get the right that they lack", with(none), func(*gcptest.Server) {}, []string{"readers." + nodes}, []string{"reader " + nodes}},
		{"where no readers are listed, those of others are left alone", with(none), func(c *gcptest.Server) {
			bind(c, reader, nodes, "user:eve@example.com")
			conditional(c)
		}, nil, []string{"reader " + nodes, "reader user:eve@example.com", "reader user:eve@example.com if true"}},
		{"a list is the whole list, and the nodes stand on it unsaid", with(ci), func(c *gcptest.Server) {
			bind(c, reader, nodes, "user:eve@example.com")
			conditional(c)
		}, []string{"readers.user:ci@example.com", "readers.user:eve@example.com", "readers.user:eve@example.com"}, []string{"reader " + nodes, "reader user:ci@example.com"}},
		{"an empty list leaves the nodes", with(func(s *registry.Spec) { s.Readers = []string{} }), func(c *gcptest.Server) { bind(c, reader, nodes, "group:ml@example.com") },
			[]string{"readers.group:ml@example.com"}, []string{"reader " + nodes}},
		{"of other roles only the stack's accounts are its business", with(none), func(c *gcptest.Server) {
			bind(c, reader, nodes)
			bind(c, writer, "user:eve@example.com", "serviceAccount:"+trainer, "serviceAccount:"+former)
		}, []string{"grants.artifactregistry.writer serviceAccount:" + former, "grants.artifactregistry.writer serviceAccount:" + trainer}, []string{"reader " + nodes, "writer user:eve@example.com"}},
		{"an account of the stack keeps what the stack gives it", with(func(s *registry.Spec) {
			s.Grants = []registry.Grant{{Account: trainer, Role: writer}, {Account: trainer, Role: reader}}
			s.Readers = []string{}
		}), func(c *gcptest.Server) { bind(c, reader, nodes, "serviceAccount:"+former) },
			[]string{"grants.artifactregistry.writer serviceAccount:" + trainer, "readers.serviceAccount:" + former, "readers.serviceAccount:" + trainer},
			[]string{"reader " + nodes, "reader serviceAccount:" + trainer, "writer serviceAccount:" + trainer}},
		{"without nodes or readers nobody's access is asked for", sample("ours"), func(c *gcptest.Server) { bind(c, reader, "user:eve@example.com") }, nil, []string{"reader user:eve@example.com"}},
	}
	for _, c := range cases {
		for _, config := range []func(*gcptest.Server) gcp.Config{(*gcptest.Server).Config, (*gcptest.Server).RESTConfig} {
			cloud := gcptest.Start(t)
			cloud.AddAccount(trainer)
			cloud.AddAccount(former)
			who := principals(t, config(cloud))
			if c.want.Nodes != nil {
				who.OwnedBy(func(context.Context) map[string]bool { return map[string]bool{former: true} })
			}
			d := openAs(t, config(cloud), "ours", who)
			create(t, d, sample("ours"))
			c.hand(cloud)
			cloud.Forget()
			if got := converge(t, d, c.want); !slices.Equal(got, c.fields) {
				t.Errorf("%s: it was %v that differed, want %v", c.reason, got, c.fields)
			}
			if got := access(cloud); !slices.Equal(got, c.after) {
				t.Errorf("%s: now\n%s\nwant\n%s", c.reason, strings.Join(got, "\n"), strings.Join(c.after, "\n"))
			}
			if n := cloud.Count("GetIamPolicy"); c.want.Nodes == nil && n > 0 {
				t.Errorf("%s: %d reads of the policy", c.reason, n)
			}
		}
	}
}

func principals(t *testing.T, config gcp.Config) *gcp.Principals {
	t.Helper()
	who, err := gcp.NewPrincipals(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// Somebody else writes the policy between our read and our write of it.
func TestReadersRace(t *testing.T) {
	cloud := gcptest.Start(t)
	d := open(t, cloud.Config(), "ours")
	want := sample("ours")
	create(t, d, want)
	want.Nodes = []string{registry.DefaultNodes}
	l := see(t, d, want)
	once := true
	cloud.OnCall(func(c gcptest.Call, p gcptest.Phase) {
		if c.Method == "SetIamPolicy" && p == gcptest.Before && once {
			once = false
			bind(cloud, writer, "user:eve@example.com")
		}
	})
	err := d.Update(t.Context(), want, l.Spec, l.Want.Diff(l.Spec))
	if gcp.Code(err) != codes.Aborted || errors.Is(err, resource.ErrRejected) {
		t.Fatalf("whoever lost a race tries again: %v", err)
	}
	converge(t, d, want)
	if got := access(cloud); !slices.Equal(got, []string{"reader " + nodes, "writer user:eve@example.com"}) {
		t.Errorf("the winner's grant is lost: %v", got)
	}
}

// TestAccountGoesFirst: the pass that takes an account's access back also deletes the account, and either may come first.
func TestAccountGoesFirst(t *testing.T) {
	cloud := gcptest.Start(t)
	cloud.AddAccount(former)
	own := map[string]bool{former: true}
	who := principals(t, cloud.Config())
	who.OwnedBy(func(context.Context) map[string]bool { return own })
	d := openAs(t, cloud.Config(), "ours", who)
	want := sample("ours")
	create(t, d, want)
	bind(cloud, writer, "serviceAccount:"+former, "user:eve@example.com")
	l := see(t, d, want)
	cloud.RemoveAccount(former)
	own = map[string]bool{}
	if err := d.Update(t.Context(), want, l.Spec, want.Diff(l.Spec)); err != nil {
		t.Fatal(err)
	}
	if got := access(cloud); !slices.Equal(got, []string{"writer user:eve@example.com"}) {
		t.Errorf("what a deleted account had stays behind: %v", got)
	}
}

func TestAccessThatIsNotKnown(t *testing.T) {
	start := func(edit func(*registry.Spec)) (*gcptest.Server, *registry.Driver, registry.Spec) {
		cloud := gcptest.Start(t)
		d := open(t, cloud.Config(), "ours")
		want := sample("ours")
		create(t, d, want)
		want.Nodes = []string{registry.DefaultNodes}
		edit(&want)
		return cloud, d, want
	}
	t.Run("a policy that may not be read hides the nodes' right and nothing else", func(t *testing.T) {
		cloud, d, want := start(func(s *registry.Spec) { s.Description = new("another") })
		cloud.Forbid("GetIamPolicy")
		l := see(t, d, want)
		if diff := l.Want.Diff(l.Spec); len(diff) != 1 || diff[0].Field != "description" || l.State != resource.Ready || len(l.Notices) != 1 {
			t.Errorf("%v %+v %v", l.State, diff, l.Notices)
		}
	})
	t.Run("with readers to see to, the repository is unknown", func(t *testing.T) {
		cloud, d, want := start(func(s *registry.Spec) { s.Readers = []string{} })
		cloud.Forbid("GetIamPolicy")
		if l := see(t, d, want); l.State != resource.Unknown || !strings.Contains(l.Detail, "GetIamPolicy") {
			t.Errorf("%v %s", l.State, l.Detail)
		}
	})
	t.Run("a service that fails says nothing of access", func(t *testing.T) {
		cloud, d, want := start(func(*registry.Spec) {})
		cloud.Fail("GetIamPolicy", codes.Internal, "oops", gcptest.Forever)
		if l := see(t, d, want); l.State != resource.Unknown {
			t.Errorf("%v %s", l.State, l.Detail)
		}
	})
	t.Run("without the project's number the nodes have no name", func(t *testing.T) {
		cloud, d, want := start(func(*registry.Spec) {})
		cloud.Forbid("cloudresourcemanager.projects.get")
		l := see(t, d, want)
		if diff := l.Want.Diff(l.Spec); len(diff) > 0 || l.State != resource.Ready || len(l.Notices) != 1 {
			t.Errorf("%v %+v %v", l.State, diff, l.Notices)
		}
	})
	t.Run("and where the readers are listed, they do not lose the right that they have", func(t *testing.T) {
		cloud, d, want := start(func(s *registry.Spec) { s.Readers = []string{"user:ci@example.com"} })
		bind(cloud, reader, nodes)
		cloud.Forbid("cloudresourcemanager.projects.get")
		if l := see(t, d, want); l.State != resource.Unknown || !strings.Contains(l.Detail, "projects.get") {
			t.Errorf("%v %s", l.State, l.Detail)
		}
		cloud.Heal()
		l := see(t, d, want)
		stranger := openAs(t, cloud.Config(), "ours", principals(t, cloud.Config())) // who has not heard the number yet
		cloud.Forbid("cloudresourcemanager.projects.get")
		if err := stranger.Update(t.Context(), want, l.Spec, l.Want.Diff(l.Spec)); err == nil {
			t.Error("a list of readers was written without knowing the nodes")
		}
		if got := access(cloud); !slices.Equal(got, []string{"reader " + nodes}) {
			t.Errorf("now %v", got)
		}
	})
	t.Run("an account that does not exist yet is waited for", func(t *testing.T) {
		cloud, d, want := start(func(s *registry.Spec) { s.Readers = []string{"serviceAccount:ci-bot@acme.iam.gserviceaccount.com"} })
		l := see(t, d, want)
		if err := d.Update(t.Context(), want, l.Spec, l.Want.Diff(l.Spec)); !errors.Is(err, resource.ErrUnavailable) || !strings.Contains(err.Error(), "ci-bot@acme") {
			t.Errorf("%v", err)
		}
		cloud.AddAccount("ci-bot@acme.iam.gserviceaccount.com")
		converge(t, d, want)
	})
}
