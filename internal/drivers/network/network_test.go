package network_test

import (
	"fmt"
	"maps"
	"testing"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/network"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/resource/resourcetest"
)

// TestContract holds the driver to the contract of every kind.
func TestContract(t *testing.T) {
	resourcetest.Run(t, func(t *testing.T) resourcetest.Harness[network.Spec] {
		return harness(t, gcptest.Start(t))
	})
}

func harness(t *testing.T, srv *gcptest.Server) resourcetest.Harness[network.Spec] {
	forbid := func(methods ...string) func(bool) {
		return func(on bool) {
			for _, m := range methods {
				if on {
					srv.Forbid("compute." + m)
				} else {
					srv.Allow("compute." + m)
				}
			}
		}
	}
	nodes := func(edit func(*network.Subnet)) func(network.Spec) network.Spec {
		return func(s network.Spec) network.Spec {
			s.Subnets = maps.Clone(s.Subnets)
			n := s.Subnets["nodes"]
			n.SecondaryRanges = maps.Clone(n.SecondaryRanges)
			edit(&n)
			s.Subnets["nodes"] = n
			return s
		}
	}
	nat := func(n network.NAT) func(network.Spec) network.Spec {
		return func(s network.Spec) network.Spec {
			s.NAT = &n
			return s
		}
	}
	return resourcetest.Harness[network.Spec]{
		Ours:   resourcetest.Stack[network.Spec]{Driver: open(t, srv.Config(), "ours"), Spec: sample},
		Other:  resourcetest.Stack[network.Spec]{Driver: open(t, srv.Config(), "other"), Spec: sample},
		Staged: true, MarkedOnce: true,
		Edits: []resourcetest.Edit[network.Spec]{
			{Field: "routing", Do: func(s network.Spec) network.Spec { s.Routing = new("global"); return s }},
			{Field: "mtu", Do: func(s network.Spec) network.Spec { s.MTU = new(8896); return s }},
			{Field: "subnets.nodes.privateGoogleAccess", Do: nodes(func(n *network.Subnet) { n.PrivateGoogleAccess = new(false) })},
			{Field: "subnets.nodes.flowLogs", Do: nodes(func(n *network.Subnet) { n.FlowLogs = new(true) })},
			{Field: "subnets.nodes.secondaryRanges.more", Do: nodes(func(n *network.Subnet) { n.SecondaryRanges["more"] = "10.99.0.0/24" })},
			{Field: "subnets.nodes.secondaryRanges.services", Do: nodes(func(n *network.Subnet) { delete(n.SecondaryRanges, "services") })},
			{Field: "nat.us-central1", Do: nat(network.NAT{Off: true})},
			{Field: "nat.us-central1.minPortsPerVm", Do: nat(network.NAT{MinPortsPerVM: new(1024), Logs: new("errors")})},
			{Field: "nat.us-central1.logs", Do: nat(network.NAT{MinPortsPerVM: new(128), Logs: new("none")})},
		},
		Recreates: []resourcetest.Edit[network.Spec]{
			{Field: "subnets.nodes.range", Do: nodes(func(n *network.Subnet) { n.Range = "10.0.0.0/24" })},
			{Field: "subnets.nodes.secondaryRanges.pods", Do: nodes(func(n *network.Subnet) { n.SecondaryRanges["pods"] = "10.4.0.0/15" })},
		},
		Foreign: resourcetest.Foreign[network.Spec]{Field: "subnets.nodes.privateGoogleAccess", Do: func(_ *testing.T, s network.Spec) {
			srv.EditSubnet("us-central1", s.Subnets["nodes"].Name, func(n *compute.Subnetwork) { n.PrivateIpGoogleAccess = false })
		}},
		Writes:     func() int { return srv.Received() },
		Settle:     srv.Settle,
		ForbidList: forbid("networks.list", "subnetworks.aggregatedList", "routers.aggregatedList", "globalOperations.aggregatedList"),
		ForbidGet:  forbid("networks.get", "subnetworks.get", "routers.get", "regionOperations.get", "globalOperations.get"),
		Hang: func(on bool) {
			if on {
				srv.Hang(gcp.Compute)
			} else {
				srv.Allow(gcp.Compute)
			}
		},
	}
}

func open(t *testing.T, config gcp.Config, stack string) *network.Driver {
	t.Helper()
	d, err := network.New(t.Context(), config, stack)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sample declares every field.
func sample(n int) network.Spec {
	name := fmt.Sprintf("sample-%d", n)
	return network.Spec{
		Name: name, Routing: new("regional"), MTU: new(1460),
		Subnets: map[string]network.Subnet{"nodes": {
			Name: name + "-nodes", Region: "us-central1", Range: "10.0.0.0/20", PrivateGoogleAccess: new(true), FlowLogs: new(false),
			SecondaryRanges: map[string]string{"pods": "10.4.0.0/14", "services": "10.8.0.0/20"},
		}},
		NAT: &network.NAT{MinPortsPerVM: new(128), Logs: new("errors")},
	}
}

// see looks at one network by name; it must be there.
func see(t *testing.T, d *network.Driver, want network.Spec) resource.Live[network.Spec] {
	t.Helper()
	seen, err := d.Observe(t.Context(), []network.Spec{want}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Live) != 1 {
		t.Fatalf("%s should be seen once: %+v", want.Name, seen)
	}
	return seen.Live[0]
}

// converge makes want what there is.
func converge(t *testing.T, srv *gcptest.Server, d *network.Driver, want network.Spec) resource.Live[network.Spec] {
	t.Helper()
	if srv.Network(want.Name) == nil {
		if err := d.Create(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		srv.Settle()
	}
	for range 6 {
		live := see(t, d, want)
		diff := want.Diff(live.Spec)
		if len(diff) == 0 {
			return live
		}
		if err := d.Update(t.Context(), want, live.Spec, diff); err != nil {
			t.Fatalf("update of %v: %v", diff, err)
		}
		srv.Settle()
	}
	t.Fatalf("%s does not converge: %v", want.Name, want.Diff(see(t, d, want).Spec))
	panic("unreachable")
}
