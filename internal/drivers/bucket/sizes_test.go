package bucket_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

const question = "monitoring.timeSeries.list"

// inCloud is a server that has these buckets, and a driver for them.
func inCloud(t *testing.T, specs ...bucket.Spec) (*gcptest.Server, *bucket.Driver) {
	t.Helper()
	s := gcptest.Start(t)
	who, err := gcp.NewPrincipals(t.Context(), s.Config())
	must(t, err)
	d, err := bucket.New(t.Context(), s.Config(), "recsys", who)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	for _, w := range specs {
		must(t, d.Create(t.Context(), w))
	}
	return s, d
}

// billed looks at all, and gives the usages of each as one line; notices too.
func billed(t *testing.T, d *bucket.Driver, specs ...bucket.Spec) (lines, notices string) {
	t.Helper()
	seen, err := d.Observe(t.Context(), specs, true)
	must(t, err)
	for _, l := range seen.Live {
		lines += l.Spec.Name + ":"
		for _, u := range l.Spec.Usage() {
			lines += fmt.Sprintf(" %s %s %s %s", u.Price, u.Region, u.Quantity, u.Unknown)
			if u.Estimated {
				lines += "estimated"
			}
		}
		lines += "\n"
	}
	return lines, strings.Join(seen.Notices, "\n")
}

func named(name, estimate string) bucket.Spec {
	w := plain()
	w.Name, w.Estimate = name, estimate
	return w
}

const gib = 1 << 30

func TestLiveSizes(t *testing.T) {
	a, b, c := named("acme-a", "50Gi"), named("acme-b", ""), named("acme-c", "7Gi")
	s, d := inCloud(t, a, b, c)
	s.Measure("acme-a", "STANDARD", "live-object", time.Minute, 10*gib)
	s.Measure("acme-a", "STANDARD", "noncurrent-object", time.Minute, 2*gib)
	s.Measure("acme-a", "STANDARD", "soft-deleted-object", time.Minute, 3.5*gib)
	s.Measure("acme-a", "NEARLINE", "live-object", time.Minute, gib)
	s.Measure("acme-a", "NEARLINE", "live-object", 25*time.Hour, 100*gib) // yesterday's
	s.Measure("acme-b", "REGIONAL", "live-object", time.Minute, gib/2)
	s.Measure("acme-b", "COLDLINE", "live-object", 30*time.Hour, gib) // it is no longer told of
	s.Measure("another", "STANDARD", "live-object", time.Minute, 99*gib)

	first, _ := billed(t, d, a, b, c)
	if want := "acme-a: gcs.storage.standard us-central1 50 estimated\nacme-b: gcs.storage.standard us-central1 0 size unknown; estimate says what is expected\n" +
		"acme-c: gcs.storage.standard us-central1 7 estimated\n"; first != want {
		t.Errorf("the first pass waits for no answer:\n%s", first)
	}
	d.Measured()
	then, notices := billed(t, d, a, b, c)
	if want := "acme-a: gcs.storage.nearline us-central1 1  gcs.storage.standard us-central1 15.5 \nacme-b: gcs.storage.standard us-central1 0.5 \n" +
		"acme-c: gcs.storage.standard us-central1 7 estimated\n"; then != want {
		t.Errorf("by class: the newest value of each, versions and soft-deleted bytes among them, and an estimate for what nobody measured:\n%s", then)
	}
	if notices != "" {
		t.Errorf("all is well: %s", notices)
	}
	for range 20 {
		billed(t, d, a, b, c)
	}
	d.Measured()
	if n := s.Count(question); n != 1 {
		t.Errorf("%d questions for three buckets in 22 passes, want 1", n)
	}
	l := see(t, d, a)
	if drift := a.Diff(l.Spec); len(drift) > 0 {
		t.Errorf("how much is stored is no drift: %+v", drift)
	}
}

// When a look at one bucket alone, as after a step, falls due, the others do not lose their size for an hour; one that is gone is not asked
// about for ever.
func TestSizesAtALookAtOneBucket(t *testing.T) {
	a, b := named("acme-a", ""), named("acme-b", "")
	s, d := inCloud(t, a, b)
	s.Measure("acme-a", "STANDARD", "live-object", time.Minute, gib)
	s.Measure("acme-b", "STANDARD", "live-object", time.Minute, 2*gib)
	billed(t, d, a, b)
	d.Measured()
	d.SizesDue()
	see(t, d, a)
	d.Measured()
	want := "acme-a: gcs.storage.standard us-central1 1 \nacme-b: gcs.storage.standard us-central1 2 \n"
	if lines, _ := billed(t, d, a, b); lines != want || s.Count(question) != 2 {
		t.Errorf("%d questions:\n%s", s.Count(question), lines)
	}
	for _, gone := range []string{"acme-a", "acme-b"} {
		s.RemoveBucket(gone)
	}
	billed(t, d)
	d.SizesDue()
	billed(t, d)
	d.Measured()
	if n := s.Count(question); n != 2 {
		t.Errorf("%d questions, the last about what is gone", n)
	}
}

// Whatever the trouble is, the pass goes on, the price is the estimate's, and it is told once what is missing.
func TestSizesThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		what    string
		trouble func(*gcptest.Server)
		notice  string
	}{
		{"no right", func(s *gcptest.Server) { s.Forbid(question) },
			"the sizes of buckets cannot be asked for, and prices take what estimate says: missing monitoring.timeSeries.list, which roles/monitoring.viewer has: monitoring.timeSeries.list: PermissionDenied"},
		{"the service is off", func(s *gcptest.Server) { s.Fail(question, codes.Unavailable, "later", gcptest.Forever) },
			"the sizes of buckets cannot be asked for, and prices take what estimate says: monitoring.timeSeries.list: Unavailable: later"},
		{"nothing was measured yet", func(*gcptest.Server) {}, ""},
	} {
		a := named("acme-a", "50Gi")
		s, d := inCloud(t, a)
		c.trouble(s)
		billed(t, d, a)
		d.Measured()
		lines, notices := billed(t, d, a)
		if lines != "acme-a: gcs.storage.standard us-central1 50 estimated\n" {
			t.Errorf("%s: %s", c.what, lines)
		}
		if !strings.HasPrefix(notices, c.notice) || c.notice == "" && notices != "" || strings.Contains(notices, "\n") {
			t.Errorf("%s: told %q, want %q", c.what, notices, c.notice)
		}
		d.Measured()
		if n := s.Count(question); n != 1 {
			t.Errorf("%s: asked %d times, want once an hour", c.what, n)
		}
	}
}

// One question without an answer does not take the price back to the estimate: what is stored is measured once a day.
func TestSizesOutliveAFailedQuestion(t *testing.T) {
	a := named("acme-a", "50Gi")
	s, d := inCloud(t, a)
	s.Measure("acme-a", "STANDARD", "live-object", time.Minute, gib)
	billed(t, d, a)
	d.Measured()
	s.Fail(question, codes.Unavailable, "later", gcptest.Forever)
	d.SizesDue()
	billed(t, d, a)
	d.Measured()
	lines, notices := billed(t, d, a)
	if lines != "acme-a: gcs.storage.standard us-central1 1 \n" || !strings.HasPrefix(notices, "the sizes of buckets cannot be asked for, and prices take those that are known: ") {
		t.Errorf("%stold %q", lines, notices)
	}
}

// A Cloud Monitoring that hangs holds neither a pass nor the end of the driver.
func TestSizesThatHang(t *testing.T) {
	a := named("acme-a", "50Gi")
	s, d := inCloud(t, a)
	s.Hang(question)
	begun := time.Now()
	for range 3 {
		billed(t, d, a)
	}
	must(t, d.Close())
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("three passes and the end took %s", took)
	}
}

// More names than a filter may have: the whole project is asked about, still in one question.
func TestSizesOfManyBuckets(t *testing.T) {
	var all []bucket.Spec
	for i := range 80 {
		all = append(all, named(fmt.Sprintf("acme-a-bucket-with-a-long-name-%02d", i), ""))
	}
	s, d := inCloud(t, all...)
	for _, w := range all {
		s.Measure(w.Name, "STANDARD", "live-object", time.Minute, gib)
	}
	billed(t, d, all...)
	d.Measured()
	lines, notices := billed(t, d, all...)
	if strings.Count(lines, "us-central1 1 \n") != 80 || s.Count(question) != 1 || notices != "" {
		t.Errorf("%d questions, %s\n%s", s.Count(question), notices, lines)
	}
}

// The next question comes after an hour, not before.
func TestSizesAreAskedForOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		sizes := bucket.SizesForTest(t.Context(), func() { asked++ })
		for range 24 * 60 { // a day of passes
			sizes()
			synctest.Wait()
			time.Sleep(time.Minute)
		}
		if asked != 24 {
			t.Errorf("asked %d times in a day, want 24", asked)
		}
	})
}
