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
		"firewall rule k8s-fw-a1234", "forwarding rule a1234 (192.0.2.9 in us-central1, up to $18.25 a month)",
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
