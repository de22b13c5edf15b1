package network_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/api/compute/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/network"
	"recsysd.dev/recsysd/internal/resource"
)

// A stack without networks lists them once and then seldom, and does not call a missing permission blindness.
func TestStackWithoutNetworks(t *testing.T) {
	srv := gcptest.Start(t)
	srv.Forbid("compute")
	d := open(t, srv.Config(), "ours")
	for range 3 {
		seen, err := d.Observe(t.Context(), nil, true)
		if err != nil || len(seen.Live)+len(seen.Unlisted) > 0 || len(seen.Notices) != 1 {
			t.Errorf("a notice and no more, every time: %+v, %v", seen, err)
		}
	}
	if calls := srv.Calls(); len(calls) != 1 {
		t.Errorf("nothing is wanted, and Google was asked: %v", calls)
	}
}

// A network that no stack file has any longer is found by a process that has never seen it, with the command that removes it, and another
// stack's is not.
func TestWhatAnEarlierProcessMade(t *testing.T) {
	srv := gcptest.Start(t)
	converge(t, srv, open(t, srv.Config(), "ours"), sample(0))
	converge(t, srv, open(t, srv.Config(), "theirs"), sample(1))
	seen, err := open(t, srv.Config(), "ours").Observe(t.Context(), nil, true)
	if err != nil || len(seen.Live) != 1 || seen.Live[0].Spec.Name != sample(0).Name || !strings.Contains(seen.Live[0].ByHand, "gcloud compute networks delete sample-0") {
		t.Errorf("%+v, %v", seen, err)
	}
}

// In sync a look costs three requests, whatever is in the network.
func TestALookCostsThreeRequests(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	want.Subnets["more"] = network.Subnet{Name: "more", Region: "europe-west1", Range: "10.1.0.0/24"}
	converge(t, srv, d, want)
	srv.Forget()
	if _, err := d.Observe(t.Context(), []network.Spec{want}, true); err != nil {
		t.Fatal(err)
	}
	if calls := srv.Calls(); len(calls) != 3 {
		t.Errorf("want one list each of networks, subnets and routers: %v", calls)
	}
}

// GKE writes into a subnet: ranges of its own, and where a declared one's addresses come from. Neither is drift, and a change beside
// them sends both back as they are.
func TestWhatGKEWritesStays(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	converge(t, srv, d, want)
	name := want.Subnets["nodes"].Name
	srv.EditSubnet("us-central1", name, func(n *compute.Subnetwork) {
		n.SecondaryIpRanges = append(n.SecondaryIpRanges, &compute.SubnetworkSecondaryRange{RangeName: "gke-primary-pods-12345678", IpCidrRange: "10.100.0.0/16"})
		n.SecondaryIpRanges[0].ReservedInternalRange = "https://networkconnectivity.googleapis.com/v1/projects/acme/locations/global/internalRanges/gke-x"
	})
	if diff := want.Diff(see(t, d, want).Spec); len(diff) > 0 {
		t.Fatalf("GKE's own ranges are no drift: %v", diff)
	}
	more := sample(0)
	n := more.Subnets["nodes"]
	n.SecondaryRanges = maps.Clone(n.SecondaryRanges)
	n.SecondaryRanges["more"] = "10.99.0.0/24"
	delete(n.SecondaryRanges, "services")
	more.Subnets["nodes"] = n
	converge(t, srv, d, more)
	var names []string
	for _, r := range srv.Subnet("us-central1", name).SecondaryIpRanges {
		names = append(names, r.RangeName)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "gke-primary-pods-12345678 more pods" {
		t.Errorf("one was added, one removed, and GKE's stays; there is %s", got)
	}
}

// What a subnet was decided on may have changed: its fingerprint guards the write.
func TestAStaleSubnetIsNotWritten(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	converge(t, srv, d, want)
	n := want.Subnets["nodes"]
	n.FlowLogs = new(true)
	want.Subnets["nodes"] = n
	old := see(t, d, want)
	srv.EditSubnet("us-central1", n.Name, func(*compute.Subnetwork) {})
	err := d.Update(t.Context(), want, old.Spec, want.Diff(old.Spec))
	if err == nil || errors.Is(err, resource.ErrRejected) {
		t.Fatalf("somebody was faster, and another look makes it good: %v", err)
	}
	converge(t, srv, d, want)
}

// A range grows in place to one that contains it, and to nothing else.
func TestRangesOnlyGrow(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	converge(t, srv, d, want)
	for _, c := range []struct {
		to    string
		fixed bool
		why   string
	}{
		{"10.0.0.0/21", true, "smaller"}, {"10.16.0.0/16", true, "elsewhere"}, {"10.0.0.0/16", false, "around it"},
	} {
		n := want.Subnets["nodes"]
		n.Range = c.to
		want.Subnets = map[string]network.Subnet{"nodes": n}
		diff := want.Diff(see(t, d, want).Spec)
		if len(diff) != 1 || diff[0].Field != "subnets.nodes.range" || diff[0].Recreate != c.fixed {
			t.Errorf("%s, %s: %v", c.to, c.why, diff)
		}
	}
	converge(t, srv, d, want)
	if got := srv.Subnet("us-central1", "sample-0-nodes").IpCidrRange; got != "10.0.0.0/16" {
		t.Errorf("it has not grown: %s", got)
	}
}

// A range that a cluster uses is not removed. That is a matter of time, not of the stack file.
func TestUsedRangesStay(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	converge(t, srv, d, want)
	srv.FailStorage("compute.subnetworks.patch", 400, "resourceInUseByAnotherResource",
		"The resource 'projects/acme/regions/us-central1/subnetworks/x' is already being used by 'projects/acme/zones/z/instances/y'", 1)
	n := want.Subnets["nodes"]
	n.SecondaryRanges = map[string]string{"pods": "10.4.0.0/14"}
	want.Subnets = map[string]network.Subnet{"nodes": n}
	live := see(t, d, want)
	err := d.Update(t.Context(), want, live.Spec, want.Diff(live.Spec))
	if err == nil || errors.Is(err, resource.ErrRejected) || !strings.Contains(err.Error(), "already being used") {
		t.Errorf("to be tried again, with Google's reason: %v", err)
	}
	converge(t, srv, d, want)
}

// While Google works on it, what it does is told, nothing is written, and others wait as long as a part is missing.
func TestWhatIsUnderWay(t *testing.T) {
	srv := gcptest.Start(t)
	srv.SetDelay(gcptest.Never)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	if err := d.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	for _, who := range []*network.Driver{d, open(t, srv.Config(), "ours")} { // the second has been started anew and remembers nothing
		live := see(t, who, want)
		if live.State != resource.Pending || !live.Locked || !strings.Contains(live.Detail, "creating networks/sample-0: operation-") {
			t.Errorf("the network is being made: %+v", live)
		}
	}
	srv.Settle()
	live := see(t, d, want)
	if live.State != resource.Pending || live.Locked {
		t.Errorf("its subnet is missing, and may be made: %+v", live)
	}
	if err := d.Update(t.Context(), want, live.Spec, want.Diff(live.Spec)); err != nil {
		t.Fatal(err)
	}
	if live := see(t, d, want); live.State != resource.Pending || !live.Locked || !strings.Contains(live.Detail, "subnetworks/sample-0-nodes") {
		t.Errorf("the subnet is being made: %+v", live)
	}
	srv.Settle()
	want.Routing = new("global")
	live = see(t, d, want)
	if err := d.Update(t.Context(), want, live.Spec, want.Diff(live.Spec)); err != nil {
		t.Fatal(err)
	}
	if live := see(t, d, want); live.State != resource.Busy || !live.Locked {
		t.Errorf("all parts are there, so others may go on: %+v", live)
	}
}

// An operation that Google accepts may end in error minutes later: its text is told, and the same is not asked for again at once.
func TestAnOperationThatEndsInError(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	srv.ComputeError("Quota 'NETWORKS' exceeded. Limit: 5.0 globally.")
	if err := d.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	srv.Settle()
	seen, err := d.Observe(t.Context(), []network.Spec{want}, true)
	if err != nil || len(seen.Live) > 0 || len(seen.Notices) != 1 || !strings.Contains(seen.Notices[0], "Quota 'NETWORKS' exceeded") {
		t.Errorf("it is absent, and the reason is told: %+v, %v", seen, err)
	}
	srv.Forget()
	if err := d.Create(t.Context(), want); err == nil || !strings.Contains(err.Error(), "tried again after") || srv.Received() > 0 {
		t.Errorf("the same is not tried again at once: %v, %v", err, srv.Calls())
	}
}

// A region that gives no answer is unknown, and not without subnets.
func TestASilentRegionIsUnknown(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	converge(t, srv, d, want)
	srv.SetSilentRegions("us-central1")
	if live := see(t, d, want); live.State != resource.Unknown || live.Detail == "" {
		t.Errorf("the region did not answer: %+v", live)
	}
	srv.SetSilentRegions()
	converge(t, srv, d, want)
}

// A network that was made otherwise carries no mark and never will: adopt alone makes it ours. What it has beside is left alone.
func TestAdoptionLeavesNoMark(t *testing.T) {
	srv := gcptest.Start(t)
	srv.AddNetwork(&compute.Network{Name: "sample-0"})
	srv.AddSubnet("sample-0", "us-central1", &compute.Subnetwork{Name: "theirs", IpCidrRange: "192.168.0.0/24"})
	kind := resource.NewKind("network", open(t, srv.Config(), "ours"))
	want := resource.Of(sample(0))
	look := func() resource.Observation {
		sight, err := kind.Observe(t.Context(), []resource.Resource{want}, true)
		if err != nil || len(sight.Found) != 1 {
			t.Fatalf("%+v, %v", sight, err)
		}
		return sight.Found[0]
	}
	if o := look(); o.Owned {
		t.Error("nobody has said that it is ours")
	}
	want.Adopt = true
	for range 4 {
		o := look()
		if !o.Owned {
			t.Fatal("the stack says that it is ours")
		}
		if len(o.Diff) == 0 {
			break
		}
		if err := kind.Update(t.Context(), want, o, o.Diff); err != nil {
			t.Fatal(err)
		}
		srv.Settle()
	}
	if o := look(); len(o.Diff) > 0 || len(o.Notices) > 0 || srv.Subnet("us-central1", "theirs") == nil {
		t.Errorf("in sync, and nothing to say of a subnet that is not ours: %+v", o)
	}
	if n := srv.Network("sample-0"); n.Description != "" {
		t.Errorf("a description cannot be changed: %q", n.Description)
	}
}

// Subnets that leave the stack file stay, and the command that removes them is told. NAT follows the subnets.
func TestWhatLeavesTheStackFile(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	both := sample(0)
	both.Subnets["old"] = network.Subnet{Name: "old", Region: "europe-west1", Range: "10.1.0.0/24"}
	converge(t, srv, d, both)
	if srv.Router("europe-west1", "sample-0-nat") == nil {
		t.Fatal("NAT belongs to every region with a subnet")
	}
	want := sample(0)
	live := converge(t, srv, d, want)
	text := strings.Join(live.Notices, "\n")
	for _, part := range []string{"gcloud compute networks subnets delete old --region europe-west1 --project acme", "Cloud NAT stays in europe-west1"} {
		if !strings.Contains(text, part) {
			t.Errorf("notices lack %q:\n%s", part, text)
		}
	}
	if srv.Subnet("europe-west1", "old") == nil || srv.Router("europe-west1", "sample-0-nat") == nil {
		t.Error("neither the subnet nor what may serve it has gone")
	}
	srv.RemoveSubnet("europe-west1", "old")
	if live := converge(t, srv, d, want); len(live.Notices) > 0 || srv.Router("europe-west1", "sample-0-nat") != nil {
		t.Errorf("with the last subnet NAT goes too: %v", live.Notices)
	}
	for _, part := range []string{"routers delete sample-0-nat --region us-central1", "subnets delete sample-0-nodes --region us-central1", "networks delete sample-0 --project acme"} {
		if !strings.Contains(live.ByHand, part) {
			t.Errorf("the command lacks %q: %s", part, live.ByHand)
		}
	}
}

// A router that somebody uses for more is not removed, and what he put into it is sent back as it is.
func TestASharedRouterStays(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	converge(t, srv, d, want)
	srv.EditRouter("us-central1", "sample-0-nat", func(r *compute.Router) {
		r.BgpPeers = []*compute.RouterBgpPeer{{Name: "office"}}
		r.Nats[0].MinPortsPerVm = 512
		r.Nats[0].UdpIdleTimeoutSec = 60
	})
	converge(t, srv, d, want)
	r := srv.Router("us-central1", "sample-0-nat")
	if r.Nats[0].MinPortsPerVm != 128 || r.Nats[0].UdpIdleTimeoutSec != 60 || len(r.BgpPeers) != 1 {
		t.Errorf("what is ours is put back, the rest stays: %+v", r.Nats[0])
	}
	want.NAT = &network.NAT{Off: true}
	if live := converge(t, srv, d, want); len(live.Notices) != 1 || srv.Router("us-central1", "sample-0-nat") == nil {
		t.Errorf("it does more than ours: %v", live.Notices)
	}
}

// A name that is taken elsewhere is said so, instead of being asked for again and again.
func TestNamesTakenElsewhere(t *testing.T) {
	srv := gcptest.Start(t)
	d := open(t, srv.Config(), "ours")
	srv.AddNetwork(&compute.Network{Name: "theirs"})
	srv.AddSubnet("theirs", "us-central1", &compute.Subnetwork{Name: "sample-0-nodes", IpCidrRange: "10.0.0.0/20"})
	want := sample(0)
	if err := d.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	srv.Settle()
	live := see(t, d, want)
	subnet := slices.DeleteFunc(want.Diff(live.Spec), func(c resource.Change) bool { return c.Field != "subnets.nodes" })
	if err := d.Update(t.Context(), want, live.Spec, subnet); !errors.Is(err, resource.ErrRejected) || !strings.Contains(err.Error(), "in network theirs") {
		t.Errorf("only another name helps: %v", err)
	}
}

// "Not ready" is a matter of waiting.
func TestNotReadyIsWaitedFor(t *testing.T) {
	srv := gcptest.Start(t)
	srv.SetDelay(gcptest.Never)
	d := open(t, srv.Config(), "ours")
	want := sample(0)
	if err := d.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	live := see(t, d, want)
	if err := d.Update(t.Context(), want, live.Spec, want.Diff(live.Spec)); !errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("the network is still being made: %v", err)
	}
	srv.Settle()
	srv.Fail("compute.subnetworks.insert", codes.PermissionDenied, "no", 1)
	live = see(t, d, want)
	if err := d.Update(t.Context(), want, live.Spec, want.Diff(live.Spec)); err == nil || errors.Is(err, resource.ErrUnavailable) || errors.Is(err, resource.ErrRejected) {
		t.Errorf("a right that is missing may be given at any time: %v", err)
	}
}
