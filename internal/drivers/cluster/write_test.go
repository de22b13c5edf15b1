package cluster_test

import (
	"errors"
	"maps"
	"regexp"
	"strings"
	"testing"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/resource"
)

func TestOneChangeAtATime(t *testing.T) {
	want := sample("ours")
	srv, d := converged(t, want)
	srv.EditCluster(want.Name, func(pb *containerpb.Cluster) {
		pb.ReleaseChannel = &containerpb.ReleaseChannel{Channel: containerpb.ReleaseChannel_RAPID}
		pb.ResourceLabels = map[string]string{"team": "shop", gcp.LabelStack: "ours", "owner": "somebody", "goog-gke": "1"}
		pb.MaintenancePolicy.Window = &containerpb.MaintenanceWindow{MaintenanceExclusions: map[string]*containerpb.TimeWindow{
			"sale": {StartTime: timestamppb.Now(), EndTime: timestamppb.Now()},
		}}
		pb.ControlPlaneEndpointsConfig.DnsEndpointConfig.AllowExternalTraffic = proto.Bool(true)
	})
	var methods []string
	for range 10 {
		l := see(t, d, want)
		diff := want.Diff(l.Spec)
		if len(diff) == 0 {
			break
		}
		srv.Forget()
		if err := d.Update(t.Context(), want, l.Spec, diff); err != nil {
			t.Fatal(err)
		}
		if n := srv.Received(); n != 1 {
			t.Fatalf("GKE takes one operation at a time, so an update should be one call: %v", srv.Calls())
		}
		methods = append(methods, srv.Writes()[0].Method)
		srv.Settle()
	}
	if got := strings.Join(methods, " "); got != "SetLabels UpdateCluster SetMaintenancePolicy UpdateCluster" {
		t.Errorf("labels go first and together, then one field after another: %s", got)
	}
	pb := srv.Cluster(want.Name)
	wantLabels := map[string]string{"team": "ml", gcp.LabelManagedBy: gcp.ManagedBy, gcp.LabelStack: "ours", "owner": "somebody", "goog-gke": "1"}
	if !maps.Equal(pb.ResourceLabels, wantLabels) {
		t.Errorf("labels of others should stay: %v", pb.ResourceLabels)
	}
	if _, ok := pb.MaintenancePolicy.Window.MaintenanceExclusions["sale"]; !ok {
		t.Error("setting the window has dropped an exclusion that somebody else made")
	}
	if l := see(t, d, want); len(l.Notices) != 1 || !strings.Contains(l.Notices[0], "owner=somebody") {
		t.Errorf("a label that is not declared is a notice, Google's own is none: %v", l.Notices)
	}
}

// Every write is refused if what it was decided on has changed since: labels by fingerprint, the window by its version.
func TestWritesAreGuarded(t *testing.T) {
	tests := []struct {
		field string
		want  func(*cluster.Spec)
		hand  func(*containerpb.Cluster)
	}{
		{"labels.team", func(s *cluster.Spec) { s.Labels["team"] = "shop" },
			func(pb *containerpb.Cluster) { pb.ResourceLabels["owner"] = "somebody" }},
		{"maintenanceWindow", func(s *cluster.Spec) { s.MaintenanceWindow.Start = "05:00" },
			func(pb *containerpb.Cluster) {
				pb.MaintenancePolicy.Window.MaintenanceExclusions = map[string]*containerpb.TimeWindow{"sale": {}}
			}},
		{"privateNodes", func(s *cluster.Spec) { s.PrivateNodes = new(true) },
			func(pb *containerpb.Cluster) { pb.Description = "another" }},
	}
	for _, tt := range tests {
		srv, d := converged(t, sample("ours"))
		want := sample("ours")
		tt.want(&want)
		old := see(t, d, want).Spec
		srv.EditCluster(want.Name, tt.hand)
		for range 5 {
			err := d.Update(t.Context(), want, old, want.Diff(old))
			if err == nil || errors.Is(err, resource.ErrRejected) {
				t.Errorf("%s: a write decided on an older look should be refused, and be retried however often: %v", tt.field, err)
			}
		}
		now := see(t, d, want).Spec
		if err := d.Update(t.Context(), want, now, want.Diff(now)); err != nil {
			t.Errorf("%s: after another look the write should go through: %v", tt.field, err)
		}
	}
}

func TestBusyIsNotRefused(t *testing.T) {
	want := sample("ours")
	srv, d := converged(t, want)
	old := see(t, d, want).Spec
	srv.SetDelay(gcptest.Never)
	srv.StartUpgrade(want.Name)

	l := see(t, d, want)
	if l.State != resource.Busy || !regexp.MustCompile(`^updating: upgrade master, operation-\S+ since \d\d:\d\d$`).MatchString(l.Detail) {
		t.Errorf("Google's own upgrade should read as busy and say what it is: %v %q", l.State, l.Detail)
	}
	for range 5 {
		edited := sample("ours")
		edited.Labels["team"] = "shop"
		err := d.Update(t.Context(), edited, old, edited.Diff(old))
		if err == nil || errors.Is(err, resource.ErrRejected) || !strings.Contains(err.Error(), "operation-") {
			t.Errorf("busy is to be retried for as long as it takes, and says with what: %v", err)
		}
		if err := d.Delete(t.Context(), old, false); err == nil || errors.Is(err, resource.ErrRejected) {
			t.Errorf("a deletion in between is to be retried too: %v", err)
		}
	}
}

// One code means "busy" and "no"; text that is not known counts as "no" when it keeps coming.
func TestRefusals(t *testing.T) {
	tests := []struct {
		code     codes.Code
		text     string
		rejected []bool // at the first, second, … time
		why      string
	}{
		{codes.FailedPrecondition, "Cluster is running incompatible operation operation-1.", []bool{false, false, false, false}, "another operation runs"},
		{codes.FailedPrecondition, "Operation operation-1 is currently upgrading cluster x. Please wait and try again once it is done.", []bool{false, false, false, false}, "another operation runs"},
		{codes.FailedPrecondition, "Downgrading is not allowed.", []bool{false, false, true, true}, "an unknown text is no after three times"},
		{codes.FailedPrecondition, "Autopilot is currently not supported there.", []bool{false, false, true}, "this only looks like busy"},
		{codes.InvalidArgument, "Invalid value.", []bool{true}, "an invalid argument stays one"},
		{codes.InvalidArgument, "resourceNotReady: the subnetwork default is not ready", []bool{false, false, false, false}, "the network is still settling"},
		{codes.PermissionDenied, "Quota exceeded for quota metric per minute", []bool{false, false, false, false}, "a rate limit ends"},
		{codes.Unavailable, "try later", []bool{false, false, false, false}, "an outage ends"},
		{codes.Aborted, "concurrent update", []bool{false, false, false, false}, "somebody was faster"},
	}
	for _, tt := range tests {
		want := sample("ours")
		srv, d := converged(t, want)
		edited := sample("ours")
		edited.ReleaseChannel = new("stable")
		l := see(t, d, edited)
		srv.Fail("UpdateCluster", tt.code, tt.text, gcptest.Forever)
		for i, rejected := range tt.rejected {
			err := d.Update(t.Context(), edited, l.Spec, edited.Diff(l.Spec))
			if err == nil || errors.Is(err, resource.ErrRejected) != rejected || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s %q: %s: time %d: want rejected=%v: %v", tt.code, tt.text, tt.why, i+1, rejected, err)
			}
		}
		if n := srv.Count("UpdateCluster"); n != len(tt.rejected) {
			t.Errorf("%s: a write should be sent once: %d times for %d", tt.code, n, len(tt.rejected))
		}
	}
}

func TestDeletionIsOfThisVeryCluster(t *testing.T) {
	tests := []struct {
		why  string
		hand func(*containerpb.Cluster)
	}{
		{"another cluster has the name by now", func(pb *containerpb.Cluster) { pb.Id = "another" }},
		{"no longer ours", func(pb *containerpb.Cluster) { delete(pb.ResourceLabels, gcp.LabelStack) }},
	}
	for _, tt := range tests {
		want := minimal("ours")
		srv, d := converged(t, want)
		live := see(t, d, want).Spec
		srv.EditCluster(want.Name, tt.hand)
		if err := d.Delete(t.Context(), live, false); err == nil || srv.Received() > 0 {
			t.Errorf("%s: it should be left alone: %v %v", tt.why, err, srv.Calls())
		}
	}
	want := minimal("ours")
	srv, d := converged(t, want)
	srv.SetDelay(gcptest.Never)
	live := see(t, d, want).Spec
	for range 2 {
		if err := d.Delete(t.Context(), live, false); err != nil {
			t.Errorf("what is being deleted is being deleted: %v", err)
		}
	}
	if l := see(t, d, want); l.State != resource.Pending || !l.Locked || !strings.HasPrefix(l.Detail, "deleting: operation-") {
		t.Errorf("on its way out it takes no writes: %+v", l)
	}
}

func TestLostAnswer(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample("ours")
	srv.Lose("CreateCluster", 1)
	if err := d.Create(t.Context(), want); err == nil || errors.Is(err, resource.ErrRejected) {
		t.Errorf("without an answer nothing is known: %v", err)
	}
	srv.Settle()
	if l := see(t, d, want); !l.Owned || l.State != resource.Ready {
		t.Errorf("the next look should find it, and as ours: %+v", l)
	}
}
