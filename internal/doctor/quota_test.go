package doctor_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/doctor"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

// Quotas are worth telling and no more: who may not read them lacks nothing.
func TestQuotaThatMayNotBeRead(t *testing.T) {
	s := gcptest.Start(t)
	if f := google(t, s, time.Now())["quota"]; f.Outcome != doctor.OK || !strings.Contains(f.Detail, "us-central1") {
		t.Errorf("with room left: %+v", f)
	}
	s.Forbid("compute.regions.get")
	if f := google(t, s, time.Now())["quota"]; f.Outcome != doctor.Skip || f.Detail != "missing: compute.regions.get" {
		t.Errorf("forbidden: %+v", f)
	}
	s.Heal()
	s.Fail("compute.regions.get", codes.Unavailable, "try later", gcptest.Forever)
	if f := google(t, s, time.Now())["quota"]; f.Outcome != doctor.Fail || !strings.Contains(f.Detail, "try later") {
		t.Errorf("away: %+v", f)
	}
}
