package desired_test

import (
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/identity"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/resource"
)

const withAccounts = `
namespace: ml
clusters: {main: {}}
buckets: {data: {}, logs: {}, theirs: {name: acme-theirs, mode: observe}}
registries: {images: {readers: [allUsers]}, packages: {format: python}}
workloads:
  api:
    image: {registry: images, name: team/api, tag: v1}
    cpu: 100m
    memory: 64Mi
    adopt: true
    serviceAccount: {google: recsys-api, roles: [roles/storage.objectViewer, roles/artifactregistry.writer, roles/pubsub.publisher]}
    storage: [{bucket: data, prefix: models/, access: write}]
  trainer:
    image: "us-central1-docker.pkg.dev/acme/acme-recsys-images/trainer@sha256:` + digest + `"
    cpu: 100m
    memory: 64Mi
    protect: true
    serviceAccount: {google: recsys-api, roles: [roles/pubsub.publisher]}
  plain:
    image: nginx:1.27
    cpu: 100m
    memory: 64Mi
    storage: [{bucket: data, access: read}]
`

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestGoogleAccounts(t *testing.T) {
	s := load(t, desired.Options{}, map[string]string{"stack.yaml": withAccounts})
	const email = "recsys-api@acme.iam.gserviceaccount.com"

	r := find(t, s, "identity/recsys-api")
	want := identity.Spec{
		Name: "recsys-api", DisplayName: "recsys: api, trainer", Stack: "recsys", Namespace: "ml", Protect: true,
		Users: []gcp.Principal{{Namespace: "ml", Account: "api"}, {Namespace: "ml", Account: "trainer"}},
	}
	if d := want.Diff(r.Spec.(identity.Spec)); len(d) > 0 || !r.Adopt || r.Lifetime != resource.Stateful || r.Entry != "workloads.api" {
		t.Errorf("two workloads share one account, and what either says of its handling holds: %+v %+v", d, r)
	}
	for name, annotated := range map[string]bool{"api": true, "trainer": true, "plain": false} {
		meta := find(t, s, "ServiceAccount/ml/"+name).Spec.(kube.Object).Manifest["metadata"].(map[string]any)
		annotations, _ := meta["annotations"].(map[string]any)
		if (annotations["iam.gke.io/gcp-service-account"] == email) != annotated {
			t.Errorf("%s: the other half of the binding is the annotation: %v", name, annotations)
		}
		needs := slices.ContainsFunc(find(t, s, "Deployment/ml/"+name).Needs, func(n resource.Need) bool { return n.Ref == r.Ref && !n.In })
		if needs != annotated {
			t.Errorf("%s: pods start after the account that they act as, and those alone", name)
		}
	}

	account := gcp.Principal{Account: email}
	data := find(t, s, "bucket/acme-recsys-data").Spec.(bucket.Spec)
	grants := []bucket.Grant{
		{Principal: account, Role: "roles/storage.objectUser", Prefix: "models/"},
		{Principal: account, Role: "roles/storage.objectViewer"},
		{Principal: gcp.Principal{Namespace: "ml", Account: "plain"}, Role: "roles/storage.objectViewer"},
	}
	if !slices.Equal(data.Grants, grants) || !slices.Equal(data.Accounts, []string{email}) {
		t.Errorf("storage goes to whom the pods act as, roles to every bucket: %+v %v", data.Grants, data.Accounts)
	}
	if logs := find(t, s, "bucket/acme-recsys-logs").Spec.(bucket.Spec); len(logs.Grants) != 1 {
		t.Errorf("roles go to every bucket: %+v", logs.Grants)
	}
	if theirs := find(t, s, "bucket/acme-theirs").Spec.(bucket.Spec); len(theirs.Grants) > 0 {
		t.Errorf("a bucket that is only looked at is granted to nobody: %+v", theirs.Grants)
	}

	images := find(t, s, "registry/acme-recsys-images").Spec.(registry.Spec)
	if !slices.Equal(images.Grants, []registry.Grant{{Account: email, Role: "roles/artifactregistry.writer"}}) || !slices.Equal(images.Nodes, []string{registry.DefaultNodes}) {
		t.Errorf("roles go to registries, and the nodes pull from docker ones: %+v %v", images.Grants, images.Nodes)
	}
	running := []registry.Running{{Workload: "api", Image: "team/api", Tag: "v1"}, {Workload: "trainer", Image: "trainer", Digest: "sha256:" + digest}}
	if !slices.Equal(images.Running, running) {
		t.Errorf("what runs from a registry is known to it: %+v", images.Running)
	}
	if packages := find(t, s, "registry/acme-recsys-packages").Spec.(registry.Spec); packages.Nodes != nil {
		t.Errorf("nodes pull nothing from a registry of packages: %v", packages.Nodes)
	}

	if want := []desired.ProjectRole{{Member: "serviceAccount:" + email, Role: "roles/pubsub.publisher"}}; !slices.Equal(s.ProjectRoles, want) {
		t.Errorf("what the project's owner has to give, once: %+v", s.ProjectRoles)
	}
	notices := strings.Join(s.Notices, "\n")
	for _, n := range []string{"roles/pubsub.publisher stands on no resource of the stack", "allUsers: everybody may pull"} {
		if strings.Count(notices, n) != 1 {
			t.Errorf("worth telling once: %q in\n%s", n, notices)
		}
	}
}

// What is only looked at is somebody else's: it is not compared with marks or names of ours, nor do the stack's nodes have to stand on it.
func TestOnlyLookedAt(t *testing.T) {
	const stack = `
clusters: {main: {}}
registries: {theirs: {name: acme-theirs, mode: observe}}
workloads:
  api: {image: "nginx:1.27", cpu: 100m, memory: 64Mi, MODE serviceAccount: {google: recsys-api}}
  trainer: {image: "nginx:1.27", cpu: 100m, memory: 64Mi, mode: observe, serviceAccount: {google: recsys-api}}
`
	users := []gcp.Principal{{Namespace: "recsys", Account: "api"}, {Namespace: "recsys", Account: "trainer"}}
	live := identity.Spec{Name: "recsys-api", DisplayName: "made by hand", Users: users}
	theirs := live
	theirs.Stack, theirs.Namespace, theirs.Protect = "other", "other", true

	r := find(t, load(t, desired.Options{}, map[string]string{"stack.yaml": strings.Replace(stack, "MODE", "mode: observe,", 1)}), "identity/recsys-api")
	for _, l := range []identity.Spec{live, theirs} {
		if d := r.Spec.(identity.Spec).Diff(l); !r.Observe || len(d) > 0 {
			t.Errorf("somebody else's account: observe %v, differs %+v", r.Observe, d)
		}
	}
	live.Users = users[:1]
	if d := r.Spec.(identity.Spec).Diff(live); len(d) != 1 || d[0].Field != "users.recsys/trainer" {
		t.Errorf("that a workload may not act as it is worth telling: %+v", d)
	}
	s := load(t, desired.Options{}, map[string]string{"stack.yaml": strings.Replace(stack, "MODE", "", 1)})
	if r := find(t, s, "identity/recsys-api"); r.Observe || r.Spec.(identity.Spec).Stack != "recsys" {
		t.Errorf("an account that one workload shares with another that is only looked at is the stack's: %+v", r)
	}
	if theirs := find(t, s, "registry/acme-theirs").Spec.(registry.Spec); theirs.Nodes != nil {
		t.Errorf("who pulls from another's registry: %v", theirs.Nodes)
	}
}

// TestNodesPull: whatever the nodes of a stack's clusters run as may pull its images, and nobody else because of them.
func TestNodesPull(t *testing.T) {
	const pool = "machine: e2-standard-4, min: 1, max: 3"
	for _, c := range []struct {
		reason, clusters string
		nodes            []string
	}{
		{"Autopilot says nothing of its nodes", "{main: {}}", []string{registry.DefaultNodes}},
		{"nor do pools without an account", "{main: {mode: standard, nodePools: {a: {" + pool + "}, b: {" + pool + ", serviceAccount: default}}}}", []string{registry.DefaultNodes}},
		{"the name of an account is of this project, and where all have one the default one has no part in it",
			"{main: {mode: standard, nodePools: {a: {" + pool + ", serviceAccount: gke-nodes}}}}", []string{"gke-nodes@acme.iam.gserviceaccount.com"}},
		{"pools of one account are one reader, and that of another project is one too",
			"{main: {mode: standard, nodePools: {a: {" + pool + ", serviceAccount: gke-nodes}, b: {" + pool + ", serviceAccount: gke-nodes@acme.iam.gserviceaccount.com}, c: {" + pool + ", serviceAccount: nodes@shared.iam.gserviceaccount.com}}}}",
			[]string{"gke-nodes@acme.iam.gserviceaccount.com", "nodes@shared.iam.gserviceaccount.com"}},
		{"while workloads move, the nodes of both clusters pull", "{main: {}, next: {mode: standard, nodePools: {a: {" + pool + ", serviceAccount: gke-nodes}}}}\ncluster: main",
			[]string{registry.DefaultNodes, "gke-nodes@acme.iam.gserviceaccount.com"}},
	} {
		s := load(t, desired.Options{}, map[string]string{"stack.yaml": "clusters: " + c.clusters + `
registries: {images: {}}
workloads: {api: {image: "nginx:1.27", cpu: 100m, memory: 64Mi}}
`})
		if got := find(t, s, "registry/acme-recsys-images").Spec.(registry.Spec).Nodes; !slices.Equal(got, c.nodes) {
			t.Errorf("%s: %v, not %v", c.reason, got, c.nodes)
		}
	}
}
