package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/api/compute/v1"
)

// networked is a stack that is a network and what the arguments say of it.
func (w *world) networked(subnets, nat string) string {
	return fmt.Sprintf(`apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: %s
project: acme
region: us-central1
networks:
  main:
    name: acme-main
    routing: regional
    subnets:
      nodes: %s
    nat: %s
registries: {images: {name: acme-recsys}}
`, w.stack, subnets, nat)
}

const nodesSubnet = "{range: 10.0.0.0/20, secondaryRanges: {pods: 10.4.0.0/14, services: 10.8.0.0/20}, privateGoogleAccess: true}"

// A VPC from creation to its end: only what Google lets grow grows, the rest is held, and nothing is ever removed but NAT.
func TestNetwork(t *testing.T) {
	w := newWorld(t, "e2e-network")
	commit := w.push("a network", w.networked(nodesSubnet, "true"))
	w.start()
	w.eventually("the network converges", w.converged(commit))
	w.networkQuiet()
	n, subnet := w.google.Network("acme-main"), w.google.Subnet("us-central1", "acme-main-nodes")
	if n == nil || subnet == nil || w.google.Router("us-central1", "acme-main-nat") == nil {
		t.Fatalf("the network has no subnet or no router: %+v", n)
	}
	if n.AutoCreateSubnetworks || !strings.Contains(n.Description, "recsysd-stack="+w.stack) || !strings.Contains(subnet.Description, "recsysd-stack="+w.stack) {
		t.Errorf("not marked, or of the wrong mode: %q %q", n.Description, subnet.Description)
	}

	w.google.EditSubnet("us-central1", "acme-main-nodes", func(n *compute.Subnetwork) { n.PrivateIpGoogleAccess = false })
	w.google.RemoveRouter("us-central1", "acme-main-nat")
	w.eventually("what a hand has changed is put back", func() error {
		if w.google.Router("us-central1", "acme-main-nat") == nil || !w.google.Subnet("us-central1", "acme-main-nodes").PrivateIpGoogleAccess {
			return fmt.Errorf("not yet")
		}
		return w.converged(commit)()
	})

	grown := strings.Replace(strings.Replace(nodesSubnet, "10.0.0.0/20", "10.0.0.0/19", 1), "services: 10.8.0.0/20", "more: 10.9.0.0/20", 1)
	commit = w.push("it grows", w.networked(grown, "{minPortsPerVm: 1024}"))
	w.eventually("the network has grown", w.converged(commit))
	subnet = w.google.Subnet("us-central1", "acme-main-nodes")
	if subnet.IpCidrRange != "10.0.0.0/19" || len(subnet.SecondaryIpRanges) != 2 || w.google.Router("us-central1", "acme-main-nat").Nats[0].MinPortsPerVm != 1024 {
		t.Errorf("the subnet is %+v", subnet)
	}
	w.networkQuiet()

	w.push("it would shrink", w.networked(nodesSubnet, "false"))
	w.eventually("a range that shrinks is held", w.heldFor("network", "acme-main", "subnets.nodes.range"))
	if w.google.Router("us-central1", "acme-main-nat") == nil {
		t.Error("while it is held nothing of it is changed")
	}
	commit = w.push("without NAT", w.networked(grown, "false"))
	w.eventually("NAT goes", w.converged(commit))
	if w.google.Router("us-central1", "acme-main-nat") != nil {
		t.Error("the router is still there")
	}

	gone := w.networked(grown, "false")
	commit = w.push("no network", gone[:strings.Index(gone, "networks:")]+gone[strings.Index(gone, "registries:"):])
	w.eventually("the network is no longer wanted, and stays", w.heldFor("network", "acme-main", "gcloud compute networks delete acme-main --project acme"))
	w.eventually("that is no difference", w.converged(commit))
	if w.google.Network("acme-main") == nil || w.google.Subnet("us-central1", "acme-main-nodes") == nil {
		t.Error("a network was removed")
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

// heldFor says what is missing until a resource is held for a reason that contains why.
func (w *world) heldFor(kind, name, why string) func() error {
	return func() error {
		v, err := ask[statusView](w, "status")
		if err != nil {
			return err
		}
		for _, r := range v.Stacks[0].Resources {
			if r.Kind == kind && r.Name == name && strings.Contains(r.Held, why) {
				return nil
			}
		}
		return fmt.Errorf("%s/%s is not held for %q", kind, name, why)
	}
}

// networkQuiet demands that two more passes write nothing, and that each costs Compute Engine three requests.
func (w *world) networkQuiet() {
	w.Helper()
	w.google.Forget()
	for range 2 {
		if _, err := w.recsysd("sync", w.stack); err != nil {
			w.Fatal(err)
		}
	}
	if writes := w.google.Writes(); len(writes) > 0 {
		w.Errorf("converged, and Google was still written to: %v", writes)
	}
	if n := w.google.Count("compute.globalOperations.aggregatedList"); n > 0 {
		w.Errorf("in sync, and the operations were asked for %d times", n)
	}
	if _, err := w.recsysd("plan"); err != nil {
		w.Errorf("plan of a converged network: %v", err)
	}
}
