package e2e_test

import (
	"fmt"
	"testing"
	"time"

	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// With mode: observe drift is told and stays, its age grows, and nothing is removed because it is no longer in the file.
func TestObserve(t *testing.T) {
	w := newWorld(t, "e2e-observe")
	api, web := "  api: {image: \"nginx:1.26\", port: 80, cpu: 100m, memory: 64Mi, replicas: 1}\n", "  web: {image: \"nginx:1.26\", port: 80, cpu: 100m, memory: 64Mi}\n"
	bare := func(workloads string) string {
		return edit(t, w.bare(workloads), `(?m)^buckets: .*$`, "buckets: {data: {name: acme-recsys-data, versioning: false}}")
	}
	commit := w.push("the stack", bare(api+web))
	w.start()
	w.eventually("it converges", w.converged(commit))
	commit = w.push("only looked at", bare(api+web)+"mode: observe\n")
	w.eventually("the commit is taken in", w.converged(commit))
	mark := kube.Mark()
	w.google.Forget()

	began := time.Now()
	w.kubectl("scale", "deployment/api", "--replicas=10")
	w.google.EditBucket(bucketName, func(b *storagev1.Bucket) { b.Versioning = &storagev1.BucketVersioning{Enabled: true} })
	w.push("web is taken out", bare(api)+"mode: observe\n")
	var since time.Time
	w.eventually("the drift is told, with the hand, and left as it is", func() error {
		v, err := ask[driftView](w, "drift")
		if err != nil {
			return err
		}
		met := 0
		for _, r := range v.Resources {
			for _, c := range r.Drift {
				if r.Held != "its mode is observe" || r.Done != "left" {
					return fmt.Errorf("%s, held: %q", r.Done, r.Held)
				}
				switch {
				case r.Kind == "Deployment" && c.Field == "spec.replicas" && c.Want == "1" && c.Have == "10" && c.Manager == "kubectl":
					since = r.Since
					met++
				case r.Kind == "bucket" && c.Field == "versioning":
					met++
				}
			}
		}
		if met != 2 {
			return fmt.Errorf("drift says %+v", v)
		}
		return w.heldFor("Deployment", "e2e-observe/web", "the stack's mode is observe")()
	})
	if since.Before(began.Truncate(time.Second)) || since.After(time.Now()) {
		t.Errorf("drift since %s, edited at %s", since, began)
	}
	name := fmt.Sprintf("name=%q", "e2e-observe/api")
	first, err := w.metric("recsysd_resource_drift_since_timestamp_seconds", `kind="Deployment"`, name)
	if err != nil {
		t.Fatal(err)
	}
	passed := func(from float64) func() error {
		return func() error {
			now, err := w.metric("recsysd_last_pass_timestamp_seconds")
			if err == nil && now < from+2 {
				err = fmt.Errorf("the last pass was at %v", now)
			}
			return err
		}
	}
	w.eventually("later passes", passed(float64(time.Now().Unix())))
	if again, err := w.metric("recsysd_resource_drift_since_timestamp_seconds", `kind="Deployment"`, name); err != nil || again != first {
		t.Errorf("since when it drifts has moved from %v to %v, %v: its age does not grow", first, again, err)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	restarted := float64(time.Now().Unix())
	w.start()
	w.eventually("passes after a restart", func() error {
		now, err := w.metric("recsysd_last_pass_timestamp_seconds")
		if err == nil && now < restarted+2 {
			err = fmt.Errorf("the last pass was at %v", now)
		}
		return err
	})
	if again, err := w.metric("recsysd_resource_drift_since_timestamp_seconds", `kind="Deployment"`, name); err != nil || again != first {
		t.Errorf("with a restart since when it drifts has moved from %v to %v, %v", first, again, err)
	}
	if n, err := w.metric("recsysd_drift_usd_per_month", `kind="Deployment"`, name); err != nil || n <= 0 {
		t.Errorf("9 pods more than are wanted cost %v, %v", n, err)
	}
	if n := w.at("deployment/api", ".spec.replicas"); n != "10" {
		t.Errorf("the 10 pods of the hand have become %s", n)
	}
	writes, err := kube.Writes(kubetest.Recsysd, mark)
	if err != nil || len(writes)+len(w.google.Writes()) > 0 {
		t.Errorf("the daemon wrote %v and %v, %v", writes, w.google.Writes(), err)
	}
}
