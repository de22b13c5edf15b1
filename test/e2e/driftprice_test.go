package e2e_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	storagev1 "google.golang.org/api/storage/v1"
)

// A Deployment that a person scales shows field, hand, time and price before it is put back, and in history after that.
func TestDriftHasAPrice(t *testing.T) {
	w := newWorld(t, "e2e-driftprice")
	commit := w.push("the stack", w.bare("  api: {image: \"nginx:1.26\", port: 80, cpu: 500m, memory: 1Gi, replicas: 1}\n"))
	w.start()
	w.eventually("it converges", w.converged(commit))
	if _, err := w.recsysd("suspend", w.stack, "--reason", "load test"); err != nil {
		t.Fatal(err)
	}
	began := time.Now().Truncate(time.Second)
	w.kubectl("scale", "deployment/api", "--replicas=10")

	// Nine pods more: 9 × (0.5 × 0.0445 + 1 × 0.0049225 + 1 × 0.0000548) × 730.
	const month = 178.883361
	dear := func(got *float64) error {
		if got == nil || math.Abs(*got-month) > 1e-6 {
			return fmt.Errorf("the price of the drift is not %v a month", month)
		}
		return nil
	}
	var since time.Time
	w.eventually("drift tells field, hand, time and price", func() error {
		v, err := ask[driftView](w, "drift")
		if err != nil || len(v.Resources) != 1 || len(v.Resources[0].Drift) != 1 {
			return errors.Join(err, fmt.Errorf("drift says %+v", v))
		}
		r := v.Resources[0]
		since = r.Since
		if c := r.Drift[0]; c.Field != "spec.replicas" || c.Want != "1" || c.Have != "10" || c.Manager != "kubectl" {
			return fmt.Errorf("drift says %+v", r)
		}
		if r.Done != "left" || r.Why != "the stack is suspended: load test" {
			return fmt.Errorf("it was %s: %s", r.Done, r.Why)
		}
		return dear(r.USDPerMonth)
	})
	if since.Before(began) || since.After(time.Now()) {
		t.Errorf("drift since %s, scaled at %s", since, began)
	}
	text, err := w.recsysd("drift", w.stack)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"spec.replicas", "want 1", "have 10", "set by kubectl, first seen at " + since.Local().Format(time.DateTime), "+$178.88 a month", "left: the stack is suspended: load test"} {
		if !strings.Contains(text, part) {
			t.Errorf("drift does not say %q:\n%s", part, text)
		}
	}
	api := []string{`kind="Deployment"`, `name="e2e-driftprice/api"`}
	if n, err := w.metric("recsysd_drift_usd_per_month", api...); err != nil || math.Abs(n-month) > 1e-6 {
		t.Errorf("recsysd_drift_usd_per_month is %v, %v", n, err)
	}
	if n, err := w.metric("recsysd_resource_drift_since_timestamp_seconds", api...); err != nil || n < float64(began.Unix()) {
		t.Errorf("it has drifted since %v, %v", n, err)
	}

	if _, err := w.recsysd("resume", w.stack); err != nil {
		t.Fatal(err)
	}
	w.eventually("it is put back, and history says what that was", func() error {
		if err := same(w.at("deployment/api", ".spec.replicas"), "1"); err != nil {
			return err
		}
		v, err := ask[historyView](w, "history", w.stack)
		if err != nil {
			return err
		}
		for _, p := range v.Passes {
			for _, s := range p.Steps {
				if s.Kind == "Deployment" && s.Done == "corrected" && len(s.Drift) == 1 && s.Drift[0].Manager == "kubectl" && s.Since.Equal(since) {
					return dear(s.USDPerMonth)
				}
			}
		}
		return fmt.Errorf("history says %+v", v.Passes)
	})
	w.eventually("no price of drift is left", func() error {
		n, err := w.metric("recsysd_drift_usd_per_month")
		return errors.Join(err, same(n, 0))
	})
	if status, err := w.recsysd("status"); err != nil || !strings.Contains(status, "put back") || !strings.Contains(status, "+$178.88 a month") {
		t.Errorf("status does not tell what was put back, %v:\n%s", err, status)
	}
}

// Of what is changed in Google Cloud, the audit logs name who did it: while the drift is there, and in history after it was put back, also
// where the record came late. What is in sync is never asked about.
func TestDriftInGoogleHasAnAuthor(t *testing.T) {
	w := newWorld(t, "e2e-author")
	commit := w.push("the stack", edit(t, w.bare("  api: {image: \"nginx:1.26\", port: 80, cpu: 100m, memory: 64Mi}\n"), `(?m)^buckets: .*$`, "buckets: {data: {name: acme-recsys-data, versioning: false}}"))
	w.start()
	w.eventually("it converges", w.converged(commit))
	w.quiet()
	if n := w.google.Count("logging.entries.list"); n != 0 {
		t.Errorf("the audit logs were asked %d times while everything was in sync", n)
	}
	versioned := func(b *storagev1.Bucket) { b.Versioning = &storagev1.BucketVersioning{Enabled: true} }
	named := func(changes []change, who string) bool {
		return len(changes) == 1 && changes[0].Field == "versioning" && changes[0].Manager == who && !changes[0].At.IsZero()
	}
	if _, err := w.recsysd("suspend", w.stack, "--reason", "look"); err != nil {
		t.Fatal(err)
	}
	w.google.SetHand("alice@example.com")
	w.google.EditBucket(bucketName, versioned)
	w.eventually("drift names who did it", func() error {
		v, err := ask[driftView](w, "drift")
		if err != nil || len(v.Resources) != 1 || !named(v.Resources[0].Drift, "alice@example.com") {
			return errors.Join(err, fmt.Errorf("drift says %+v", v))
		}
		return nil
	})
	if _, err := w.recsysd("resume", w.stack); err != nil {
		t.Fatal(err)
	}
	told := func(who string) func() error {
		return func() error {
			v, err := ask[historyView](w, "history", w.stack)
			if err != nil {
				return err
			}
			for _, p := range v.Passes {
				for _, s := range p.Steps {
					if s.Kind == "bucket" && s.Done == "corrected" && named(s.Drift, who) {
						return nil
					}
				}
			}
			return fmt.Errorf("history says %+v", v.Passes)
		}
	}
	w.eventually("history names who did what was put back", told("alice@example.com"))
	w.eventually("it converges again", w.converged(commit))

	w.google.SetLogDelay(3 * time.Second)
	w.google.SetHand("bob@example.com")
	w.google.EditBucket(bucketName, versioned)
	w.eventually("history names him too, although his record came after the repair", told("bob@example.com"))
}
