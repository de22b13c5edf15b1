package drivers_test

import (
	"path/filepath"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/identity"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// nobody is where no service listens: the kinds are made without asking anybody. What a stack need not use has no endpoint here, and
// there are no default credentials: they are looked for when the first request is sent.
func nobody() gcp.Config {
	return gcp.Config{Project: "acme", Insecure: true, Endpoints: map[string]string{
		gcp.Container: "127.0.0.1:1", gcp.ArtifactRegistry: "127.0.0.1:1",
		gcp.Storage: "http://127.0.0.1:1/storage/v1/", gcp.ResourceManager: "http://127.0.0.1:1/",
	}}
}

func TestEverySpecHasOneKindRealAndSimulated(t *testing.T) {
	set, err := drivers.Kinds(t.Context(), drivers.Config{Stack: "recsys", GCP: nobody()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}()
	simulated := drivers.Simulated(&sim.Cloud{}, "recsys", "acme")
	for _, spec := range []any{cluster.Spec{}, bucket.Spec{}, registry.Spec{}, identity.Spec{}, kube.Object{}} {
		var names []string
		for _, kinds := range [][]resource.Kind{set.Kinds, simulated} {
			for _, k := range kinds {
				if k.Owns(resource.Resource{Spec: spec}) {
					names = append(names, k.Name)
				}
			}
		}
		if len(names) != 2 || names[0] != names[1] {
			t.Errorf("%T must have exactly one kind, of the same name in the real and the simulated world: %v", spec, names)
		}
	}
}

func TestAKubeconfigThatIsNotThereBlindsTheObjectsAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent")
	set, err := drivers.Kinds(t.Context(), drivers.Config{Stack: "recsys", GCP: nobody(), Kubeconfig: path})
	if err != nil {
		t.Fatalf("the other kinds do without it: %v", err)
	}
	defer set.Close()
	pod := resource.Of(kube.Object{Manifest: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "x", "namespace": "recsys"},
	}})
	for _, k := range set.Kinds {
		if !k.Owns(pod) {
			continue
		}
		if _, err := k.Observe(t.Context(), []resource.Resource{pod}, true); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("the error names the file: %v", err)
		}
	}
}
