package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	storagev1 "google.golang.org/api/storage/v1"
)

const accessStack = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: NAME
project: acme
region: us-central1
clusters: {primary: {name: acme-gke}}
buckets:
  data: {name: acme-recsys-data}
  logs: {name: acme-recsys-logs}
registries: {images: {name: acme-recsys}}
workloads:
  api:
    image: nginx:1.27
    cpu: 50m
    memory: 32Mi
    storage: [{bucket: data, prefix: models/, access: read}, {bucket: logs, access: write}]
  trainer:
    image: nginx:1.27
    cpu: 50m
    memory: 32Mi
    serviceAccount: {google: recsys-trainer, roles: [roles/artifactregistry.writer]}
    storage: [{bucket: data, prefix: models/, access: write}]
`

const trainerEmail = "recsys-trainer@acme.iam.gserviceaccount.com"

// gives are the roles that a member has on a bucket, with their prefixes.
func (w *world) gives(bucket, member string) string {
	var roles []string
	for _, b := range w.google.Policy(bucket).Bindings {
		if slices.Contains(b.Members, member) {
			role := strings.TrimPrefix(b.Role, "roles/storage.")
			if b.Condition != nil {
				_, after, _ := strings.Cut(b.Condition.Expression, "objects/")
				prefix, _, _ := strings.Cut(after, `"`)
				role += " " + prefix
			}
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	return strings.Join(roles, ", ")
}

// pulls are those who have a role on the registry.
func (w *world) pulls(role string) string {
	for _, b := range w.google.RepositoryPolicy(registryName).GetBindings() {
		if b.GetRole() == "roles/artifactregistry."+role {
			return strings.Join(b.GetMembers(), " ")
		}
	}
	return ""
}

func (w *world) actors() string {
	_, p := w.google.Account(trainerEmail)
	for _, b := range p.GetBindings() {
		if b.GetRole() == "roles/iam.workloadIdentityUser" {
			return strings.Join(b.GetMembers(), " ")
		}
	}
	return ""
}

// all wants every pair to be equal.
func all(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != pairs[i+1] {
			return fmt.Errorf("got %q, want %q", pairs[i], pairs[i+1])
		}
	}
	return nil
}

// Access without keys: by workload, and by Google service account with both of its halves; put back after a hand, changed, removed.
func TestAccessWithoutKeys(t *testing.T) {
	w := newWorld(t, "e2e-access")
	stack := strings.Replace(accessStack, "NAME", w.stack, 1)
	commit := w.push("the stack", stack)
	w.start()
	w.eventually("it converges", w.converged(commit))

	api := fmt.Sprintf("principal://iam.googleapis.com/projects/%d/locations/global/workloadIdentityPools/acme.svc.id.goog/subject/ns/%s/sa/api", w.google.Number(), w.stack)
	trainer, acts := "serviceAccount:"+trainerEmail, "serviceAccount:acme.svc.id.goog["+w.stack+"/trainer]"
	nodes := fmt.Sprintf("serviceAccount:%d-compute@developer.gserviceaccount.com", w.google.Number())
	annotation := func() string {
		return w.kubectl("get", "serviceaccount", "trainer", "-o", `jsonpath={.metadata.annotations.iam\.gke\.io/gcp-service-account}`)
	}
	asWanted := func() error {
		return all(w.gives(bucketName, api), "objectViewer models/", w.gives("acme-recsys-logs", api), "objectUser",
			w.gives(bucketName, trainer), "objectUser models/", w.pulls("writer"), trainer, w.pulls("reader"), nodes,
			w.actors(), acts, annotation(), trainerEmail)
	}
	if err := asWanted(); err != nil {
		t.Fatal(err)
	}
	w.quiet()

	// Each half is taken away by a hand, and a stranger is let in.
	w.google.EditPolicy(bucketName, func(p *storagev1.Policy) {
		p.Bindings = slices.DeleteFunc(p.Bindings, func(b *storagev1.PolicyBindings) bool { return b.Condition != nil })
		p.Bindings = append(p.Bindings, &storagev1.PolicyBindings{Role: "roles/storage.objectViewer", Members: []string{"user:auditor@example.com"}})
	})
	w.google.EditRepositoryPolicy(registryName, func(p *iampb.Policy) { p.Bindings = nil })
	w.google.RemoveAccount(trainerEmail) // it comes back as another account, with all that it had
	w.kubectl("annotate", "serviceaccount", "trainer", "--field-manager=kubectl-annotate", "--overwrite", "iam.gke.io/gcp-service-account=other@acme.iam.gserviceaccount.com")
	w.eventually("what a hand took away is given back", asWanted)
	w.eventually("it converges again", w.converged(commit))
	w.quiet()
	if err := all(w.gives(bucketName, "user:auditor@example.com"), "objectViewer"); err != nil {
		t.Errorf("a stranger's access is not the stack's business: %v", err)
	}
	if out, _ := w.recsysd("status"); !strings.Contains(out, "auditor@example.com") {
		t.Errorf("a stranger's access should be told:\n%s", out)
	}

	// Changed access; then the registry's readers as a whole list.
	changed := strings.Replace(stack, "access: read}", "access: admin}", 1)
	changed = strings.Replace(changed, "images: {name: acme-recsys}", `images: {name: acme-recsys, readers: ["user:ci@example.com"]}`, 1)
	w.google.EditRepositoryPolicy(registryName, func(p *iampb.Policy) {
		p.Bindings = append(p.Bindings, &iampb.Binding{Role: "roles/artifactregistry.reader", Members: []string{"user:eve@example.com"}})
	})
	commit = w.push("more access, listed readers", changed)
	w.eventually("the change is made", w.converged(commit))
	if err := all(w.gives(bucketName, api), "objectAdmin models/", w.pulls("reader"), nodes+" user:ci@example.com"); err != nil {
		t.Error(err)
	}
	w.quiet()

	// Removal of a workload takes back what it was given, and its account.
	commit = w.push("no trainer", changed[:strings.Index(changed, "  trainer:")])
	w.eventually("the removal is made", w.converged(commit))
	w.eventually("nothing of it is left", func() error {
		account, _ := w.google.Account(trainerEmail)
		policy := fmt.Sprint(w.google.RepositoryPolicy(registryName), w.gives(bucketName, trainer))
		if account != nil || strings.Contains(policy, trainerEmail) {
			return fmt.Errorf("account %v, access %s", account, policy)
		}
		return nil
	})
	w.quiet()
	if err := all(w.gives(bucketName, api), "objectAdmin models/", w.gives(bucketName, "user:auditor@example.com"), "objectViewer"); err != nil {
		t.Errorf("the others keep what they have: %v", err)
	}
}
