// Package internal_test holds the one test that is about all rooms: which may import which.
package internal_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "recsysd.dev/recsysd/"

// edges are the imports allowed between rooms, each with its reason. What is not here is not allowed: imports run one way,
// and neither plan nor reconcile reaches a driver, a server or a metric.
var edges = []struct{ from, to, reason string }{
	{"cmd/*", "*", "the command line wires everything"},
	{"internal/plan", "internal/resource", "it decides over resources"},
	{"internal/reconcile", "internal/resource", "it observes and acts through kinds"},
	{"internal/reconcile", "internal/plan", "a pass is made of a plan and its results"},
	{"internal/gitsource", "internal/reconcile", "it yields revisions"},
	{"internal/gitwrite", "internal/gitsource", "one conversation with a repository, for reading and for writing"},
	{"internal/history", "internal/reconcile", "it keeps passes and what a stack remembers"},
	{"internal/history", "internal/view", "a pass is kept as it is shown"},
	{"internal/history", "internal/cost", "what drift costs is kept by the book that was in force"},
	{"internal/history", "internal/resource", "what is remembered is remembered by resource"},
	{"internal/metrics", "internal/reconcile", "metrics are made from passes"},
	{"internal/metrics", "internal/plan", "metrics count verbs and outcomes"},
	{"internal/metrics", "internal/resource", "metrics name resources"},
	{"internal/metrics", "internal/cost", "metrics show prices"},
	{"internal/metrics", "internal/spend", "metrics show what a stack costs and has cost"},
	{"internal/spend", "internal/reconcile", "what a stack costs is seen in its passes"},
	{"internal/spend", "internal/cost", "what it costs is by the price book"},
	{"internal/spend", "internal/resource", "rates are kept by resource"},
	{"internal/history", "internal/spend", "what was spent lies on disk beside the passes"},
	{"internal/view", "internal/spend", "a view shows what was spent"},
	{"internal/view", "internal/reconcile", "views are made from passes"},
	{"internal/view", "internal/plan", "a view shows steps"},
	{"internal/view", "internal/resource", "a view names resources"},
	{"internal/view", "internal/cost", "a view shows prices"},
	{"internal/cost", "internal/resource", "prices are of what resources are billed for"},
	{"internal/pricelist", "internal/cost", "it makes a price book"},
	{"internal/pricelist", "internal/resource", "the steps of a price are amounts"},
	{"internal/pricelist", "internal/drivers/gcp", "Google's credentials, endpoints and errors"},
	{"internal/httpd", "internal/view", "it serves the status view"},
	{"internal/httpd", "internal/reconcile", "its health is that of the passes"},
	{"internal/control", "internal/view", "it serves the same views to the command line"},
	{"internal/control", "internal/reconcile", "it asks for passes"},
	{"internal/control", "internal/resource", "requests name resources"},
	{"internal/desired", "internal/resource", "a stack file becomes wanted resources"},
	{"internal/desired", "internal/desired/schedule", "when pods are awake is a room of its own"},
	{"internal/desired", "internal/desired/workload", "the short form of a pod is a room of its own"},
	{"internal/desired", "internal/drivers/<kind>", "sections decode into specs; see TestOnlySectionsKnowsKinds"},
	{"internal/desired", "internal/drivers/gcp", "the marks of ownership are the cloud's labels"},
	{"internal/desired", "internal/sealed", "encrypted files of the stack are opened there"},
	{"internal/desired/workload", "internal/resource", "a workload becomes resources"},
	{"internal/desired/workload", "internal/drivers/<kind>", "a workload becomes Kubernetes objects and grants"},
	{"internal/doctor", "internal/drivers/gcp", "it asks Google's services what the caller may do"},
	{"internal/doctor", "internal/secretmanager", "it asks as the program itself does"},
	{"internal/doctor", "internal/resource", "what a stack needs follows from its resources"},
	{"internal/drivers", "internal/drivers/<kind>", "it is the list of kinds"},
	{"internal/drivers", "internal/drivers/gcp", "it hands the cloud's options on"},
	{"internal/drivers", "internal/resource", "a kind is a resource.Kind"},
	{"internal/drivers", "internal/secretmanager", "it makes everything that speaks to Google from one configuration"},
	{"internal/secretmanager", "internal/drivers/gcp", "Google's credentials, endpoints and errors"},
	{"internal/drivers", "internal/sim", "the same kinds, simulated"},
	{"internal/drivers/<kind>", "internal/drivers/gcp", "what the cloud kinds share"},
	{"internal/drivers/<kind>", "internal/resource", "a kind implements the driver contract"},
	{"internal/drivers/<kind>", "internal/image", "a registry lists tags, and an object runs one of them"},
	{"internal/drivers", "internal/image", "it hands the listing of tags on"},
	{"internal/image/catalog", "internal/image", "it keeps listings"},
	{"internal/desired", "internal/image", "a policy of the stack file chooses a tag"},
	{"internal/desired/workload", "internal/image", "a policy is judged where it stands"},
	{"internal/drivers/gcp", "internal/resource", "errors and marks are translated there"},
	{"internal/drivers/gcp/gke", "internal/drivers/gcp", "GKE is one of the services"},
	{"internal/drivers/gcp/gke", "internal/resource", "what its answers mean is told as an error of the contract"},
	{"internal/drivers/cluster", "internal/drivers/gcp/gke", "one connection and one listing"},
	{"internal/drivers/nodepool", "internal/drivers/gcp/gke", "one connection and one listing"},
	{"internal/drivers", "internal/drivers/gcp/gke", "it opens the connection that both share"},
	{"internal/drivers/cluster", "internal/drivers/nodepool", "GKE makes no Standard cluster without its pools"},
	{"internal/sim", "internal/resource", "it is a driver for every spec"},
	{"internal/resource/resourcetest", "internal/resource", "it is the contract as tests"},
	{"internal/drivers/kube", "internal/drivers/kube/autopilot", "what pods are billed for is a room of its own"},
	{"internal/drivers/kube/kubetest/build", "internal/drivers/kube/kubetest", "builds the control plane ahead of the tests"},
}

// kinds are the rooms that internal/drivers/<kind> stands for.
var kinds = map[string]bool{"cluster": true, "nodepool": true, "bucket": true, "registry": true, "network": true, "leftover": true, "identity": true, "kube": true}

func TestImportsRunOneWay(t *testing.T) {
	for _, p := range list(t, "./...") {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if ours && !allowed(from, to) {
				t.Errorf("%s must not import %s: see the edges in this test", from, to)
			}
		}
	}
}

func TestTheEngineReachesNoDriver(t *testing.T) {
	for _, p := range list(t, "-deps", "./internal/plan", "./internal/reconcile") {
		room, ours := strings.CutPrefix(p.ImportPath, module)
		switch {
		case ours && room != "internal/plan" && room != "internal/reconcile" && room != "internal/resource":
			t.Errorf("the engine reaches %s", room)
		case strings.Contains(p.ImportPath, "k8s.io/") || strings.Contains(p.ImportPath, "google.golang.org/") || strings.Contains(p.ImportPath, "prometheus"):
			t.Errorf("the engine reaches %s", p.ImportPath)
		}
	}
}

// One import of these adds 20 MB to the binary and registers every typed API in memory (docs/dependencies.md).
func TestNoTypedKubernetesClient(t *testing.T) {
	for _, p := range list(t, "-deps", "./cmd/recsysd") {
		for _, heavy := range []string{"k8s.io/client-go/discovery", "k8s.io/client-go/kubernetes", "k8s.io/client-go/informers", "k8s.io/api/"} {
			if strings.HasPrefix(p.ImportPath, heavy) {
				t.Errorf("the program reaches %s", p.ImportPath)
			}
		}
		if strings.Contains(p.ImportPath, "gcptest") || strings.Contains(p.ImportPath, "kubetest") || p.ImportPath == "testing" || strings.HasPrefix(p.ImportPath, "testing/") {
			t.Errorf("the program reaches %s, which is for tests", p.ImportPath)
		}
	}
}

func TestOnlySectionsKnowsKinds(t *testing.T) {
	for _, p := range list(t, "./internal/desired") {
		for _, file := range p.GoFiles {
			imports := list(t, path.Join("internal/desired", file))
			for _, imported := range imports[0].Imports {
				if strings.HasPrefix(imported, module+"internal/drivers/") && file != "sections.go" {
					t.Errorf("internal/desired/%s imports %s: a new kind must be one line in sections.go", file, imported)
				}
			}
		}
	}
}

func allowed(from, to string) bool {
	for _, e := range edges {
		if matches(e.from, from) && matches(e.to, to) {
			return true
		}
	}
	return testOnly(from)
}

// testOnly rooms are reached from tests alone and may use what they test.
func testOnly(room string) bool {
	return strings.HasPrefix(room, "test/") || strings.HasSuffix(room, "test")
}

func matches(pattern, room string) bool {
	if base, ok := strings.CutSuffix(pattern, "<kind>"); ok {
		kind, under := strings.CutPrefix(room, base)
		return under && kinds[kind]
	}
	if base, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(room, base)
	}
	return pattern == room
}

type goPackage struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
}

func list(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,GoFiles"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
