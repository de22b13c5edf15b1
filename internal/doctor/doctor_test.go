package doctor_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/doctor"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/nodepool"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

func ref(kind, name string) resource.Resource {
	return resource.Resource{Ref: resource.Ref{Kind: kind, Name: name}}
}

var seed = []resource.Resource{ref("cluster", "acme-gke"), ref("bucket", "acme-data"), ref("registry", "acme-recsys")}

// google checks a project with this clock.
func google(t *testing.T, s *gcptest.Server, now time.Time) map[string]doctor.Finding {
	t.Helper()
	g := doctor.Google{Config: s.Config(), Region: "us-central1", Needs: doctor.NeedsOf(doctor.Stack{Project: "acme", Resources: seed}), Resources: seed, Now: func() time.Time { return now }}
	g.Config.AccessTokenFile = token(t)
	out := map[string]doctor.Finding{}
	for _, f := range doctor.Run(t.Context(), 5*time.Second, g.Checks()) {
		out[f.Check] = f
	}
	return out
}

// token is the file of one that everybody takes.
func token(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEachFaultIsItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		breaks func(*gcptest.Server)
		off    time.Duration
		failed []string
		says   string // in what failed, mending included
	}{
		"nothing":  {"a project that has all of it fails in nothing", func(*gcptest.Server) {}, 0, nil, ""},
		"services": {"a service that is off is named, with the command", func(s *gcptest.Server) { s.DisableServices("container.googleapis.com") }, 0, []string{"services"}, "gcloud services enable container.googleapis.com --project=acme"},
		"others":   {"a service that nobody needs may be off", func(s *gcptest.Server) { s.DisableServices("pubsub.googleapis.com") }, 0, nil, ""},
		"look":     {"a right to look is told apart", func(s *gcptest.Server) { s.DenyPermissions("container.clusters.list") }, 0, []string{"rights to look"}, "missing: container.clusters.list"},
		"change":   {"from one to change", func(s *gcptest.Server) { s.DenyPermissions("artifactregistry.repositories.create") }, 0, []string{"rights to change"}, "missing: artifactregistry.repositories.create"},
		"resource manager": {
			"with the resource manager away, services are still looked at", func(s *gcptest.Server) { s.Fail("resourcemanager", codes.Unavailable, "try later", gcptest.Forever) }, 0,
			[]string{"project", "rights to look", "rights to change"}, "try later",
		},
		"service usage": {"and the other way round", func(s *gcptest.Server) { s.Forbid("serviceusage") }, 0, []string{"services"}, "serviceusage.services.list"},
		"fast clock":    {"a clock that is off is told by Google's answer", func(*gcptest.Server) {}, 2 * time.Minute, []string{"clock"}, "2m"},
		"slow clock":    {"whichever way", func(*gcptest.Server) {}, -time.Hour, []string{"clock"}, "-1h0m"},
		"quota":         {"a quota that is nearly used up is named, with its figures and where to ask", func(s *gcptest.Server) { s.UseQuota("CPUS", 90) }, 0, []string{"quota"}, "CPUS 90 of 100"},
		"other quotas":  {"one of what no cluster here draws on is not", func(s *gcptest.Server) { s.UseQuota("NVIDIA_T4_GPUS", 100) }, 0, nil, ""},
		"good clock":    {"half a minute is nothing", func(*gcptest.Server) {}, 30 * time.Second, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := gcptest.Start(t)
			c.breaks(s)
			var failed []string
			var text bytes.Buffer
			for check, f := range google(t, s, time.Now().Add(c.off)) {
				if f.Outcome == doctor.Fail {
					failed = append(failed, check)
					if err := doctor.Text(&text, []doctor.Finding{f}); err != nil {
						t.Fatal(err)
					}
				}
			}
			slices.Sort(failed)
			slices.Sort(c.failed)
			if !slices.Equal(failed, c.failed) || !strings.Contains(text.String(), c.says) {
				t.Errorf("%s: failed %q, want %q with %q:\n%s", c.reason, failed, c.failed, c.says, text.String())
			}
			if n := s.Received(); n > 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

func TestOutputKeepsItsOrderAndLimit(t *testing.T) {
	slow := doctor.Check{Name: "slow", Look: func(ctx context.Context) doctor.Finding {
		<-ctx.Done()
		return doctor.Wrong("", "%v", ctx.Err())
	}}
	fast := doctor.Check{Name: "fast", Look: func(context.Context) doctor.Finding { return doctor.Well("here") }}
	got := doctor.Run(t.Context(), 20*time.Millisecond, []doctor.Check{slow, fast, slow})
	if len(got) != 3 || got[0].Check != "slow" || got[1].Check != "fast" || got[1].Outcome != doctor.OK || got[2].Outcome != doctor.Fail ||
		!strings.HasPrefix(got[0].Detail, "no answer within 20ms") || doctor.Healthy(got) {
		t.Errorf("%+v", got)
	}
}

// A kind that nobody gave rights to would be looked for in vain by doctor and left out of bootstrap's role.
func TestEveryKindOfTheCloudHasItsNeeds(t *testing.T) {
	base := doctor.NeedsOf(doctor.Stack{})
	for _, k := range drivers.Simulated(&sim.Cloud{}, "recsys", "acme") {
		if k.Name == "kube" {
			continue
		}
		if n := doctor.NeedsOf(doctor.Stack{Resources: []resource.Resource{ref(k.Name, "x")}}); len(n.Write) == 0 || n.Objects || len(n.Read) <= len(base.Read) {
			t.Errorf("kind %s: %+v", k.Name, n)
		}
	}
	only := ref("bucket", "x")
	only.Observe = true
	if n := doctor.NeedsOf(doctor.Stack{Resources: []resource.Resource{only}}); len(n.Write) > 0 {
		t.Errorf("what is only looked at needs no right to change: %v", n.Write)
	}
}

// grown is a stack whose rights stand on more than its project: a pool with an account of its own, a control plane reached by its name,
// and values of Secret Manager.
func grown() doctor.Stack {
	account := "gke-nodes"
	pools := []nodepool.Spec{{Name: "own", ServiceAccount: &account}, {Name: "usual"}}
	c := resource.Of(cluster.Spec{Name: "acme-gke", Mode: cluster.Standard, Pools: pools, DNSEndpoint: new(true)})
	return doctor.Stack{Project: "acme", Resources: []resource.Resource{c}, Secrets: []string{"token", "projects/shared/secrets/mail", "token"}}
}

func TestRightsOnSingleThings(t *testing.T) {
	needs := doctor.NeedsOf(grown())
	if !slices.Equal(needs.Nodes, []string{"", "gke-nodes@acme.iam.gserviceaccount.com"}) || !slices.Equal(needs.Secrets, []string{"projects/acme/secrets/token", "projects/shared/secrets/mail"}) {
		t.Errorf("accounts and secrets, each once: %q %q", needs.Nodes, needs.Secrets)
	}
	if !slices.Contains(needs.Read, "container.clusters.connect") || !slices.Contains(needs.Services, "secretmanager.googleapis.com") {
		t.Errorf("a DNS endpoint takes a right, Secret Manager a service: %q %q", needs.Read, needs.Services)
	}
	if n := doctor.NeedsOf(doctor.Stack{Resources: seed}); slices.Contains(n.Read, "container.clusters.connect") || len(n.Secrets) > 0 || slices.Contains(n.Services, "secretmanager.googleapis.com") {
		t.Errorf("and nobody else: %+v", n)
	}
	s := gcptest.Start(t)
	s.AddSecret("token", "t")
	g := doctor.Google{Config: s.Config(), Needs: needs, Now: time.Now}
	g.Config.AccessTokenFile = token(t)
	look := func() map[string]doctor.Finding {
		out := map[string]doctor.Finding{}
		for _, f := range doctor.Run(t.Context(), 5*time.Second, g.Checks()) {
			out[f.Check] = f
		}
		return out
	}
	f := look()
	if f["node accounts"].Outcome != doctor.Fail || !strings.Contains(f["node accounts"].Detail, "gke-nodes@acme") || strings.Contains(f["node accounts"].Detail, "-compute@") {
		t.Errorf("an account that does not exist is named, and no other: %+v", f["node accounts"])
	}
	if f["secrets"].Outcome != doctor.Fail || !strings.Contains(f["secrets"].Detail, "mail: it does not exist") || strings.Contains(f["secrets"].Detail, "token") {
		t.Errorf("so is a secret: %+v", f["secrets"])
	}
	needs.Nodes, needs.Secrets = needs.Nodes[:1], needs.Secrets[:1]
	g.Needs = needs
	if f := look(); !doctor.Healthy(slices.Collect(maps.Values(f))) || f["leftovers"].Outcome != doctor.OK || f["audit logs"].Outcome != doctor.OK {
		t.Errorf("with all of it there, all is well: %+v", f)
	}
	s.DenyPermissions("token:secretmanager.versions.access", "123456789012-compute@developer.gserviceaccount.com:iam.serviceAccounts.actAs", "compute.disks.list", "logging.logEntries.list")
	f = look()
	if !strings.Contains(f["secrets"].Detail, "missing: secretmanager.versions.access") || !strings.Contains(f["node accounts"].Detail, "missing: iam.serviceAccounts.actAs") {
		t.Errorf("a right that is missing is named: %+v %+v", f["secrets"], f["node accounts"])
	}
	if l := f["leftovers"]; l.Outcome != doctor.Skip || !strings.Contains(l.Detail, "compute.disks.list") || l.Mend == "" {
		t.Errorf("what is only told fails nothing: %+v", l)
	}
	if l := f["audit logs"]; l.Outcome != doctor.Skip || !strings.Contains(l.Detail, "logging.logEntries.list") || l.Mend == "" {
		t.Errorf("nor does what is only named: %+v", l)
	}
	if n := s.Received(); n > 0 {
		t.Errorf("%d writes", n)
	}
}

// The script runs under a gcloud that takes down what it is asked: twice, the second time where everything is there.
func TestBootstrapMayBeRunAgain(t *testing.T) {
	stack := grown()
	needs := doctor.NeedsOf(doctor.Stack{Project: "acme", Secrets: stack.Secrets, Resources: append(slices.Concat(seed, stack.Resources), ref("Deployment", "recsys/api"), ref("RoleBinding.rbac.authorization.k8s.io", "recsys/x"))})
	script, err := doctor.Bootstrap{
		Stack: "recsys", Project: "acme", Account: "recsysd", Needs: needs,
		Others: []doctor.ProjectRole{{Member: "serviceAccount:it's@acme.iam.gserviceaccount.com", Role: "roles/bigquery.user"}},
	}.Script()
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"projects.setIamPolicy", "roles/owner", "roles/editor", "keys create"} {
		if strings.Contains(script, never) {
			t.Errorf("the script has %s", never)
		}
	}
	for _, p := range slices.Concat(needs.Read, needs.Write, needs.Services, needs.Optional) {
		if !strings.Contains(script, p) {
			t.Errorf("the script lacks %s, which doctor asks for", p)
		}
	}
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("bootstrap.sh", script)
	log := filepath.Join(dir, "log")
	write("gcloud", `#!/bin/sh
printf '%s|' "$@" >> "`+log+`"; echo >> "`+log+`"
case "$*" in
*" describe "*value*) echo 123456789012 ;;
*" describe "*) test -e "`+dir+`/there" ;;
esac
`)
	run := func() string {
		t.Helper()
		if err := os.RemoveAll(log); err != nil {
			t.Fatal(err)
		}
		for _, shell := range [][]string{{"bash", "-n", file}, {"sh", file}} {
			cmd := exec.Command(shell[0], shell[1:]...)
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s\n%s", shell, err, out, script)
			}
		}
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := run()
	write("there", "")
	second := run()
	for _, c := range []struct{ in, want string }{
		{first, "iam|service-accounts|create|recsysd|"}, {first, "iam|roles|create|recsysd_recsys|"},
		{first, "--member=serviceAccount:it's@acme.iam.gserviceaccount.com|--role=roles/bigquery.user|"},
		{second, "add-iam-policy-binding|123456789012-compute@developer.gserviceaccount.com|"},
		{second, "add-iam-policy-binding|gke-nodes@acme.iam.gserviceaccount.com|"},
		{second, "secrets|add-iam-policy-binding|token|--project=acme|"}, {second, "secrets|add-iam-policy-binding|mail|--project=shared|"},
		{first, "--role=roles/container.admin|"},
		{first, "--role=projects/acme/roles/recsysd_recsys|"}, {second, "iam|roles|update|recsysd_recsys|"},
	} {
		if !strings.Contains(c.in, c.want) {
			t.Errorf("no call %s in\n%s", c.want, c.in)
		}
	}
	if strings.Contains(first, "secrets|add-iam-policy-binding") || strings.Contains(script, "secretmanager.versions.access") {
		t.Errorf("what is not there is passed over, and no right is over every secret:\n%s", first)
	}
	if strings.Contains(second, "|create|") {
		t.Errorf("run again, it makes things twice:\n%s", second)
	}
	if _, err := (doctor.Bootstrap{Stack: "s", Project: "p", Account: "x; rm -rf /"}).Script(); err == nil {
		t.Error("an account that is none is taken")
	}
}

func TestFolders(t *testing.T) {
	dir := t.TempDir()
	got := doctor.Run(t.Context(), time.Second, []doctor.Check{
		doctor.Folder("state", dir), doctor.Folder("state", filepath.Join(dir, "missing")), doctor.Socket(filepath.Join(dir, "missing", "control.sock")),
	})
	if got[0].Outcome != doctor.OK || got[1].Outcome != doctor.Fail || !strings.Contains(got[1].Mend, "install -d") || got[2].Outcome != doctor.Fail {
		t.Errorf("%+v", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the check left %v, %v", left, err)
	}
}
