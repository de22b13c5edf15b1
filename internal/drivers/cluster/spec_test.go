package cluster_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
)

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestValidate(t *testing.T) {
	hours := func(h int) gcp.Duration { return gcp.Duration(time.Duration(h) * time.Hour) }
	window := func(w cluster.Window) func(*cluster.Spec) {
		return func(s *cluster.Spec) { s.MaintenanceWindow = &w }
	}
	networks := func(n ...cluster.Network) func(*cluster.Spec) {
		return func(s *cluster.Spec) { s.AuthorizedNetworks = n }
	}
	tests := []struct {
		edit func(*cluster.Spec)
		want string // all the lines; "": valid
	}{
		{func(*cluster.Spec) {}, ""},
		{func(s *cluster.Spec) { s.Mode = "" }, ""},
		{func(s *cluster.Spec) { s.Name = "Acme" }, `name: "Acme": at most 40 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'`},
		{func(s *cluster.Spec) { s.Name = strings.Repeat("a", 41) }, `name: "` + strings.Repeat("a", 41) + `": at most 40 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'`},
		{func(s *cluster.Spec) { s.Name = "a-" }, `name: "a-": at most 40 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'`},
		{func(s *cluster.Spec) { s.Location = "us-central1-a" }, `location: "us-central1-a" is a zone; an Autopilot cluster has a region, such as us-central1`},
		{func(s *cluster.Spec) { s.Location = "US" }, `location: "US" is not a region such as us-central1`},
		{func(s *cluster.Spec) { s.Mode = "standard" }, `mode: a standard cluster needs nodes; declare at least one of nodePools`},
		{func(s *cluster.Spec) { s.Mode, s.Pools = "standard", pools("ours") }, ""},
		{func(s *cluster.Spec) { s.Mode, s.Pools, s.Location = "standard", pools("ours"), "us-central1-a" }, ""},
		{func(s *cluster.Spec) { s.Pools = pools("ours") }, `nodePools: an Autopilot cluster has no node pools of yours; say mode: standard, or remove them`},
		{func(s *cluster.Spec) { s.PodRange = "pods" }, `network: missing beside subnet, podRange and serviceRange`},
		{func(s *cluster.Spec) { s.Mode = "auto" }, `mode: "auto" is not one of autopilot, standard`},
		{func(s *cluster.Spec) { s.ReleaseChannel = new("fast") }, `releaseChannel: "fast" is not one of rapid, regular, stable, extended`},
		{window(cluster.Window{Start: "02:00", Duration: hours(6), Days: []string{"sat", "sun"}}), ""},
		{window(cluster.Window{Start: "02:00", Duration: hours(4), Days: []string{"sat", "sun"}}), `maintenanceWindow: open 32 hours in 32 days; Google wants at least 48 hours: more days or a longer duration`},
		{window(cluster.Window{Start: "2am", Duration: hours(3), Days: []string{"Sat"}}), "maintenanceWindow.start: \"2am\" is not a time of day such as 02:00\n" +
			"maintenanceWindow.days[0]: \"Sat\" is not one of mon, tue, wed, thu, fri, sat, sun\n" +
			"maintenanceWindow.duration: 3h is out of range; 4h to 1d"},
		{networks(), ""},
		{networks(cluster.Network{CIDR: "10.0.0.1"}), `authorizedNetworks[0].cidr: "10.0.0.1" is not a range such as 203.0.113.0/24`},
		{networks(cluster.Network{CIDR: "10.0.0.1/8"}), `authorizedNetworks[0].cidr: "10.0.0.1/8" has address bits behind the mask; the range is 10.0.0.0/8`},
		{networks(cluster.Network{CIDR: "2001:db8::/32"}), `authorizedNetworks[0].cidr: "2001:db8::/32": only IPv4 ranges`},
		{networks(cluster.Network{CIDR: "10.0.0.0/8"}, cluster.Network{CIDR: "10.0.0.0/8"}), `authorizedNetworks[1].cidr: 10.0.0.0/8 stands at [0] already`},
		{func(s *cluster.Spec) { s.Labels["Team"] = "ML" }, "labels: key \"Team\": must begin with a small letter\n" +
			"labels: Team: value \"ML\": at most 63 of small letters, digits, '-' and '_'"},
		{func(s *cluster.Spec) { s.Labels[gcp.LabelUnprotected] = "x" }, `labels: key "recsysd-unprotected": set by recsysd alone; say protect: false`},
		{func(s *cluster.Spec) { s.Labels["goog-x"] = "x" }, `labels: key "goog-x": goog- is reserved for Google`},
	}
	for _, tt := range tests {
		s := sample("ours")
		tt.edit(&s)
		have := ""
		if err := s.Validate(); err != nil {
			have = err.Error()
		}
		if have != tt.want {
			t.Errorf("want %q\nhave %q", tt.want, have)
		}
	}
}

// A live window is compared by what it means: rules that say the same in other words are the same.
func TestWindowMeaning(t *testing.T) {
	want := sample("ours")
	want.MaintenanceWindow = &cluster.Window{Start: "02:00", Duration: gcp.Duration(6 * time.Hour), Days: []string{"sun", "sat"}}
	tests := []struct{ rule, have string }{
		{"FREQ=WEEKLY;BYDAY=SA,SU", ""},
		{"RRULE:FREQ=WEEKLY;BYDAY=SU,SA", ""},
		{"FREQ=WEEKLY;INTERVAL=1;WKST=SU;BYDAY=SA,SU", ""},
		{"FREQ=DAILY;BYDAY=SA,SU", ""},
		{"FREQ=DAILY", "02:00 UTC for 6h every day"},
		{"FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", "02:00 UTC for 6h every day"},
		{"FREQ=WEEKLY;BYDAY=SA", "02:00 UTC for 6h on sat"},
		{"FREQ=WEEKLY", "02:00 UTC for 6h at FREQ=WEEKLY"},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU", "02:00 UTC for 6h at FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU"},
		{"FREQ=MONTHLY;BYSETPOS=1;BYDAY=SA,SU", "02:00 UTC for 6h at FREQ=MONTHLY;BYSETPOS=1;BYDAY=SA,SU"},
		{"", "02:00 UTC for 6h at a time of its own"},
	}
	srv, d := converged(t, want)
	for _, tt := range tests {
		srv.EditCluster(want.Name, func(pb *containerpb.Cluster) {
			start := time.Date(2030, 5, 4, 4, 0, 0, 0, time.FixedZone("", 2*3600)) // another date, another zone: the same time
			pb.MaintenancePolicy.Window.Policy = &containerpb.MaintenanceWindow_RecurringWindow{RecurringWindow: &containerpb.RecurringTimeWindow{
				Window:     &containerpb.TimeWindow{StartTime: timestamppb.New(start), EndTime: timestamppb.New(start.Add(6 * time.Hour))},
				Recurrence: tt.rule,
			}}
		})
		diff := want.Diff(see(t, d, want).Spec)
		switch {
		case tt.have == "" && len(diff) > 0:
			t.Errorf("%q means the same and differs: %v", tt.rule, diff)
		case tt.have != "" && (len(diff) != 1 || diff[0].Have != tt.have || diff[0].Want != "02:00 UTC for 6h on sat, sun"):
			t.Errorf("%q: want %q, have %v", tt.rule, tt.have, diff)
		}
	}
}

// A field that the stack file leaves out is neither compared nor sent; a set is compared as a set.
func TestDiff(t *testing.T) {
	live := sample("ours")
	if d := minimal("ours").Diff(live); len(d) > 0 {
		t.Errorf("what is left out is not ours: %v", d)
	}
	want := sample("ours")
	want.AuthorizedNetworks = []cluster.Network{want.AuthorizedNetworks[1], want.AuthorizedNetworks[0]}
	want.MaintenanceWindow.Days = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	want.Location, want.Mode = "US-central1", ""
	if d := want.Diff(live); len(d) > 0 {
		t.Errorf("order, case and an explicit default are no difference: %v", d)
	}
	open := sample("ours")
	open.AuthorizedNetworks = nil
	nobody := sample("ours")
	nobody.AuthorizedNetworks = []cluster.Network{}
	if d := nobody.Diff(open); len(d) != 1 || d[0].Want != "none" || d[0].Have != "any" {
		t.Errorf("nobody and everybody are opposites: %v", d)
	}
	standard := sample("ours")
	standard.Mode = cluster.Standard
	if d := want.Diff(standard); len(d) != 1 || d[0].Field != "mode" || !d[0].Recreate {
		t.Errorf("a standard cluster cannot become an Autopilot one: %v", d)
	}
}
