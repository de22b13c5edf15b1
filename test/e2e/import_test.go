package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	artifactregistry "cloud.google.com/go/artifactregistry/apiv1"
	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	"cloud.google.com/go/storage"
	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// seedByTerraform makes the seed's three resources as Terraform's provider does, with nothing of recsysd's on them.
func (w *world) seedByTerraform() {
	w.Helper()
	ctx := w.Context()
	c := w.google.Config()
	c.AccessTokenFile = w.path("token")
	must := func(err error) {
		w.Helper()
		if err != nil {
			w.Fatal(err)
		}
	}
	opts, err := c.GRPC(ctx, gcp.Container)
	must(err)
	clusters, err := container.NewClusterManagerClient(ctx, opts...)
	must(err)
	defer clusters.Close()
	_, err = clusters.CreateCluster(ctx, &containerpb.CreateClusterRequest{
		Parent:  "projects/acme/locations/us-central1",
		Cluster: &containerpb.Cluster{Name: "acme-gke", Autopilot: &containerpb.Autopilot{Enabled: true}},
	})
	must(err)

	opts, err = c.HTTP(ctx, gcp.Storage)
	must(err)
	buckets, err := storage.NewClient(ctx, opts...)
	must(err)
	defer buckets.Close()
	must(buckets.Bucket("acme-recsys-data").Create(ctx, "acme", &storage.BucketAttrs{
		Location: "us-central1", UniformBucketLevelAccess: storage.UniformBucketLevelAccess{Enabled: true},
		Lifecycle: storage.Lifecycle{Rules: []storage.LifecycleRule{{
			Action: storage.LifecycleAction{Type: "Delete"}, Condition: storage.LifecycleCondition{AgeInDays: 90},
		}}},
	}))

	opts, err = c.GRPC(ctx, gcp.ArtifactRegistry)
	must(err)
	registries, err := artifactregistry.NewClient(ctx, opts...)
	must(err)
	defer registries.Close()
	_, err = registries.CreateRepository(ctx, &artifactregistrypb.CreateRepositoryRequest{
		Parent: "projects/acme/locations/us-central1", RepositoryId: "acme-recsys",
		Repository: &artifactregistrypb.Repository{Format: artifactregistrypb.Repository_DOCKER, Description: "Docker images for recommendation system"},
	})
	must(err)
	w.google.Settle()
}

// imported is what import makes of args, in a file that check accepts.
func (w *world) imported(args ...string) string {
	w.Helper()
	out, err := w.command(append([]string{"import", "--name", w.stack}, args...)...)
	if err != nil {
		w.Fatal(err)
	}
	file := w.write("stack.yaml", out)
	if out, err := w.command("check", file); err != nil {
		w.Fatal(out, err)
	}
	return file
}

const terraformed = "../../internal/terraform/testdata"

// What Terraform made, in configuration or in state, is taken over without a difference; recsysd then keeps it.
func TestImportFromTerraform(t *testing.T) {
	for name, args := range map[string][]string{
		"config": {filepath.Join(terraformed, "main.tf"), "--var", "project_id=acme"},
		"state":  {filepath.Join(terraformed, "seed.tfstate")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "e2e-import-"+name)
			w.seedByTerraform()
			file := w.imported(args...)

			w.google.Forget()
			out, err := w.recsysd("plan", "--file", file)
			if err != nil || !strings.Contains(out, "Nothing to do: 3 unchanged.") || strings.Count(out, "will be marked as this stack's") != 3 {
				t.Fatalf("the first plan, %v:\n%s", err, out)
			}
			v, err := ask[planView](w, "plan", "--file", file)
			if err != nil || v.Summary["keep"] != 3 || v.Summary["update"] != 0 {
				t.Errorf("the first plan as JSON: %v, %+v", err, v)
			}
			if n := w.google.Received(); n != 0 {
				t.Errorf("import and plan sent %d writes", n)
			}

			w.push("from Terraform", w.read(file))
			if out, err := w.recsysd("apply"); err != nil {
				t.Fatal(out, err)
			}
			for what, labels := range map[string]map[string]string{
				"cluster": w.google.Cluster("acme-gke").GetResourceLabels(), "bucket": w.google.Bucket("acme-recsys-data").Labels,
				"registry": w.google.Repository("acme-recsys").GetLabels(),
			} {
				if labels["recsysd-stack"] != w.stack || labels["managed-by"] != "recsysd" {
					t.Errorf("%s was not marked: %v", what, labels)
				}
			}
			if b := w.google.Bucket("acme-recsys-data"); b.Labels["recsysd-force-destroy"] != "true" || b.Labels["recsysd-unprotected"] != "" || b.IamConfiguration.PublicAccessPrevention != "inherited" {
				t.Errorf("the bucket: labels %v, public access %s", b.Labels, b.IamConfiguration.PublicAccessPrevention)
			}
			w.google.Forget()
			if out, err := w.recsysd("plan"); err != nil || !strings.Contains(out, "Nothing to do: 3 unchanged.") || strings.Contains(out, "marked") {
				t.Errorf("the plan once it is ours: %v\n%s", err, out)
			}
			if out, err := w.recsysd("apply"); err != nil || w.google.Received() != 0 {
				t.Errorf("a second apply: %v, %v\n%s", err, w.google.Calls(), out)
			}

			w.google.EditBucket("acme-recsys-data", func(b *storagev1.Bucket) { b.Lifecycle.Rule = nil })
			if out, err := w.recsysd("plan"); exitStatus(err) != 1 || !strings.Contains(out, "lifecycle") {
				t.Errorf("a hand took the rules away, and plan says: %v\n%s", err, out)
			}
			if out, err := w.recsysd("apply"); err != nil || len(w.google.Bucket("acme-recsys-data").Lifecycle.Rule) != 1 {
				t.Errorf("the rules are not put back: %v\n%s", err, out)
			}

			// What leaves the stack stays where it is: nobody said that it may go.
			w.push("without the bucket", edit(t, w.read(file), `(?s)buckets:\n.*registries:`, "registries:"))
			if out, err := w.recsysd("apply"); err != nil || w.google.Bucket("acme-recsys-data") == nil {
				t.Errorf("the bucket left the stack: %v\n%s", err, out)
			}
		})
	}
}

// A difference between what Terraform says and what there is shows, and is 1; observing writes nothing and is 0 where nothing differs.
func TestImportShowsWhatDiffers(t *testing.T) {
	w := newWorld(t, "e2e-import-differs")
	w.seedByTerraform()
	file := w.imported(filepath.Join(terraformed, "seed.tfstate"))
	w.configure("mode: observe\n")
	if out, err := w.recsysd("plan", "--file", file); err != nil {
		t.Errorf("observed: %v\n%s", err, out)
	}
	w.configure("")
	w.google.EditRepository("acme-recsys", func(r *artifactregistrypb.Repository) { r.Description = "changed in the console" })
	out, err := w.recsysd("plan", "--file", file)
	if exitStatus(err) != 1 || !strings.Contains(out, "changed in the console") || !strings.Contains(out, "1 to update, 2 unchanged.") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Mistakes end with 2, one clear line each, and print no stack.
func TestImportRefusesWhatIsNoStack(t *testing.T) {
	w := newWorld(t, "e2e-import-bad")
	for name, c := range map[string]struct{ content, says string }{
		"other.tfstate":     {`{"version": 4, "resources": [{"mode": "managed", "type": "aws_s3_bucket", "name": "b", "instances": [{"attributes": {"secret": "hunter2"}}]}]}`, "none of these resources can be held by a stack file: aws_s3_bucket"},
		"cut.tfstate":       {`{"version": 4, "resources": [`, "cut off after 29 bytes"},
		"encrypted.tfstate": {`{"encrypted_data": "aHVudGVyMg=="}`, "is encrypted"},
		"broken.tf":         {"resource \"google_storage_bucket\" \"b\" {\n  name = \n}\n", "broken.tf:2:10: invalid expression"},
	} {
		out, err := w.command("import", w.write(name, c.content))
		if exitStatus(err) != 2 || out != "" || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q, %v, want %q", name, out, err, c.says)
		}
		if err := os.Remove(w.path(name)); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) read(file string) string {
	w.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}
