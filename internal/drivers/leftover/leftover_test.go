package leftover_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/leftover"
	"recsysd.dev/recsysd/internal/resource"
)

// house is the least of a cluster.
type house struct{ Name, ID string }

func (h house) Ref() resource.Ref            { return resource.Ref{Kind: "cluster", Name: h.Name} }
func (h house) Needs() []resource.Need       { return nil }
func (h house) Lifetime() resource.Lifetime  { return resource.Stateful }
func (h house) Validate() error              { return nil }
func (h house) Diff(house) []resource.Change { return nil }
func (h house) Usage() []resource.Usage      { return nil }

// houses is a driver whose houses go when they are told to.
type houses struct{ live []house }

func (d *houses) Observe(context.Context, []house, bool) (seen resource.Seen[house], err error) {
	for _, h := range d.live {
		seen.Live = append(seen.Live, resource.Live[house]{Spec: h, State: resource.Ready, Owned: true})
	}
	return seen, nil
}
func (d *houses) Create(context.Context, house) error                           { return nil }
func (d *houses) Update(context.Context, house, house, []resource.Change) error { return nil }
func (d *houses) Delete(context.Context, house, bool) error                     { return nil }

const (
	id = "a7f642cd4c4d498e936d0fa2b3247f4b51d10d11a4d7b55147ba1a9a0d3e6abc"
)

func TestWhatAClusterLeaves(t *testing.T) {
	srv := gcptest.Start(t)
	inner := &houses{live: []house{{"primary", id}}}
	d, err := leftover.Watch(t.Context(), inner, srv.Config(), func(h house) leftover.Cluster {
		return leftover.Cluster{Name: h.Name, Location: "us-central1", ID: h.ID}
	})
	if err != nil {
		t.Fatal(err)
	}
	mine := leftover.Cluster{ID: id}
	srv.Leave(
		&compute.Disk{Name: "pvc-mine", Zone: "us-central1-a", Type: "pd-balanced", SizeGb: 10, Labels: map[string]string{"goog-gke-cluster-id-base32": mine.Label()}},
		&compute.Disk{Name: "pvc-namesake", Zone: "us-central1-a", Type: "pd-balanced", SizeGb: 10, Labels: map[string]string{"goog-k8s-cluster-name": "primary", "goog-k8s-cluster-location": "us-central1"}},
		&compute.Disk{Name: "pvc-used", Zone: "us-central1-a", Type: "pd-ssd", Users: []string{"vm"}, Labels: map[string]string{"goog-gke-cluster-id-base32": mine.Label()}},
		&compute.Firewall{Name: "k8s-fw-a1234", TargetTags: []string{"gk3-primary-" + id[:8] + "-node"}},
		&compute.Firewall{Name: "k8s-fw-theirs", TargetTags: []string{"gke-primary-00000000-node"}},
		&compute.ForwardingRule{Name: "a1234", Region: "us-central1", IPAddress: "192.0.2.9", Description: `{"kubernetes.io/service-name":"recsys/api"}`},
		&compute.Firewall{Name: "k8s-fw-l7--f6eb789c299931e0", TargetTags: []string{"gk3-primary-" + id[:8] + "-node"}},
		&compute.Firewall{Name: "k8s-fw-l7--0123456789abcdef", TargetTags: []string{"gke-theirs-00000000-node"}},
		&compute.ForwardingRule{Name: "k8s-fws-recsys-api--f6eb789c299931e0", Region: "us-central1", IPAddress: "192.0.2.10"},
		&compute.ForwardingRule{Name: "k8s-fws-theirs-api--0123456789abcdef", Region: "us-central1"},
		&compute.NetworkEndpointGroup{Name: "k8s1-f6eb789c-recsys-api-80-0a1b2c3d", Zone: "us-central1-b", Description: `{"cluster-uid":"df4c4d67-d918-449c-9fb8-a16aa36545d3","namespace":"recsys"}`},
		&compute.NetworkEndpointGroup{Name: "k8s1-01234567-theirs-api-80-0a1b2c3d", Zone: "us-central1-b", Description: `{"cluster-uid":"6bb1a7ae-0000-0000-0000-000000000000","namespace":"recsys"}`},
		&compute.NetworkEndpointGroup{Name: "k8s1-f6eb789c-theirs-by-hand", Zone: "us-central1-b"},
		&compute.ForwardingRule{Name: "theirs", Region: "us-central1", Description: `{"kubernetes.io/service-name":"other/api"}`},
	)
	notices := func() string {
		seen, err := d.Observe(t.Context(), nil, true)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(seen.Notices, "\n")
	}
	if text := notices(); text != "" || len(srv.Calls()) > 0 {
		t.Errorf("nothing was removed, and yet: %s %v", text, srv.Calls())
	}
	if err := d.Delete(t.Context(), inner.live[0], false); err != nil {
		t.Fatal(err)
	}
	if text := notices(); text != "" {
		t.Errorf("it is still going: %s", text)
	}
	inner.live = nil
	text := notices()
	for _, part := range []string{
		"disk pvc-mine (10 GiB pd-balanced in us-central1-a, $1.00 a month); what removes it: gcloud compute disks delete pvc-mine --zone us-central1-a --project acme",
		"firewall rule k8s-fw-a1234", "firewall rule k8s-fw-l7--f6eb789c299931e0", "forwarding rule k8s-fws-recsys-api--f6eb789c299931e0 (192.0.2.10",
		"network endpoint group k8s1-f6eb789c-recsys-api-80-0a1b2c3d (in us-central1-b, free of charge, and its network cannot be deleted before it); what removes it: gcloud compute network-endpoint-groups delete k8s1-f6eb789c-recsys-api-80-0a1b2c3d --zone us-central1-b --project acme",
		"forwarding rule a1234 (192.0.2.9 in us-central1, up to $18.25 a month)",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("it lacks %q:\n%s", part, text)
		}
	}
	for _, not := range []string{"namesake", "used", "theirs"} {
		if strings.Contains(text, not) {
			t.Errorf("it names %s, which may be somebody else's:\n%s", not, text)
		}
	}
	srv.Forget()
	if notices() != text || len(srv.Calls()) > 0 {
		t.Errorf("within ten minutes the same is told without asking: %v", srv.Calls())
	}
	if srv.Received() > 0 {
		t.Error("something was written")
	}
}

// A zone that gives no answer has not been found empty: what it holds is named when it answers again.
func TestASilentZoneIsLookedAtAgain(t *testing.T) {
	srv := gcptest.Start(t)
	srv.SetSilentRegions("us-central1-a")
	srv.Leave(&compute.Disk{
		Name: "pvc-mine", Zone: "us-central1-a", Type: "pd-balanced", SizeGb: 10,
		Labels: map[string]string{"goog-gke-cluster-id-base32": leftover.Cluster{ID: id}.Label()},
	})
	inner := &houses{live: []house{{"primary", id}}}
	d, err := leftover.Watch(t.Context(), inner, srv.Config(), func(h house) leftover.Cluster { return leftover.Cluster{Name: h.Name, ID: h.ID} })
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(t.Context(), inner.live[0], false); err != nil {
		t.Fatal(err)
	}
	inner.live = nil
	for range 2 { // the second is told from memory, so nothing was forgotten
		seen, err := d.Observe(t.Context(), nil, true)
		if err != nil || len(seen.Notices) != 1 || !strings.Contains(seen.Notices[0], "whether it left disks could not be looked at: no answer from zones/us-central1-a") {
			t.Errorf("%q, %v", seen.Notices, err)
		}
	}
}

// Without the right to look, that is what is told.
func TestMayNotLook(t *testing.T) {
	srv := gcptest.Start(t)
	srv.Forbid("compute")
	inner := &houses{live: []house{{"primary", id}}}
	d, err := leftover.Watch(t.Context(), inner, srv.Config(), func(h house) leftover.Cluster { return leftover.Cluster{Name: h.Name, ID: h.ID} })
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(t.Context(), inner.live[0], false); err != nil {
		t.Fatal(err)
	}
	inner.live = nil
	seen, err := d.Observe(t.Context(), nil, true)
	if err != nil || len(seen.Notices) != 2 || !strings.Contains(seen.Notices[0], "could not be looked at") {
		t.Errorf("%q, %v", seen.Notices, err)
	}
}
