package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/leftover"
)

// A Standard cluster goes before the network that it stands on; the network stays, with the commands that remove it, and what the cluster has
// left behind is named with its price, and nothing of anybody else.
func TestDestroyStandardOnANetwork(t *testing.T) {
	w := newWorld(t, "e2e-destroy-standard")
	stack := edit(t, fmt.Sprintf(standardStack, w.stack), `(?m)^labels: .*`,
		"labels: {team: ml}\nprotect: false\nnetworks: {main: {name: acme-main, subnets: {nodes: {range: 10.0.0.0/20}}, nat: true}}")
	w.push("the stack", edit(t, stack, `mode: standard\n`, "mode: standard\n    network: main\n"))
	if out, err := w.recsysd("apply", "--timeout", "60s"); err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	id := w.google.Cluster(clusterName).GetId()
	tag := func(id string) []string { return []string{"gke-" + clusterName + "-" + id[:8] + "-node"} }
	label := func(id string) map[string]string {
		return map[string]string{"goog-gke-cluster-id-base32": leftover.Cluster{ID: id}.Label()}
	}
	other := strings.Repeat("f", len(id))
	w.google.Leave(
		&compute.Disk{Name: "pvc-left", Zone: "us-central1-a", Type: "pd-balanced", SizeGb: 10, Labels: label(id)},
		&compute.Disk{Name: "pvc-theirs", Zone: "us-central1-a", Type: "pd-balanced", SizeGb: 10, Labels: label(other)},
		&compute.Firewall{Name: "k8s-fw-a1234", TargetTags: tag(id)},
		&compute.Firewall{Name: "k8s-fw-l7--f6eb789c299931e0", TargetTags: tag(id)},
		&compute.Firewall{Name: "k8s-fw-theirs", TargetTags: tag(other)},
		&compute.ForwardingRule{Name: "a1234", Region: "us-central1", IPAddress: "192.0.2.9", Description: `{"kubernetes.io/service-name":"recsys/api"}`},
		&compute.ForwardingRule{Name: "theirs", Region: "us-central1", Description: `{"kubernetes.io/service-name":"other/api"}`},
		&compute.NetworkEndpointGroup{Name: "k8s1-f6eb789c-recsys-api-80-0a1b2c3d", Zone: "us-central1-b", Description: `{"cluster-uid":"df4c4d67"}`},
		&compute.NetworkEndpointGroup{Name: "k8s1-01234567-theirs-api-80-0a1b2c3d", Zone: "us-central1-b", Description: `{"cluster-uid":"6bb1a7ae"}`},
	)
	w.google.Forget()
	out, err := w.recsysd("destroy", "--yes", w.stack, "--timeout", "60s")
	if err != nil {
		t.Fatalf("destroy: %v\n%s", err, out)
	}
	if w.google.Cluster(clusterName) != nil || w.google.Count("DeleteCluster") != 1 || w.google.Count("DeleteNodePool") != 0 {
		t.Errorf("the cluster goes, and its pools with it: %v", w.google.Writes())
	}
	if w.google.Network("acme-main") == nil || w.google.Subnet("us-central1", "acme-main-nodes") == nil {
		t.Error("a network was removed")
	}
	for _, part := range []string{
		"disk pvc-left (10 GiB pd-balanced in us-central1-a, $1.00 a month)", "firewall rule k8s-fw-a1234",
		"forwarding rule a1234 (192.0.2.9 in us-central1, up to $18.25 a month)", "network endpoint group k8s1-f6eb789c-recsys-api-80-0a1b2c3d",
		"gcloud compute routers delete acme-main-nat --region us-central1 --project acme", "gcloud compute networks delete acme-main --project acme",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("destroy does not tell of %q:\n%s", part, out)
		}
	}
	if strings.Contains(out, "theirs") {
		t.Errorf("destroy names what is somebody else's:\n%s", out)
	}
}

// A cluster that may go does not go as long as a disk lives in it that may not.
func TestAProtectedDiskKeepsItsCluster(t *testing.T) {
	w := newWorld(t, "e2e-protected-disk")
	stack := edit(t, w.example(), `(?m)^labels: .*`, "labels: {team: ml}\nprotect: false")
	w.push("the stack", edit(t, stack, `(?m)^  postgres:\n    image:`, "  postgres:\n    protect: true\n    image:"))
	if out, err := w.recsysd("apply", "--timeout", "60s"); err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	id, claim := w.google.Cluster(clusterName).GetId(), w.kubectl("get", "pvc", "postgres-data", "-o", "jsonpath={.metadata.uid}")
	out, _ := w.recsysd("destroy", "--yes", w.stack, "--timeout", "60s")
	if w.google.Count("DeleteCluster") != 0 || w.google.Cluster(clusterName).GetId() != id {
		t.Errorf("the cluster has gone with the disk in it:\n%s", out)
	}
	if got := w.kubectl("get", "pvc", "postgres-data", "-o", "jsonpath={.metadata.uid}"); got != claim {
		t.Errorf("the claim is %q, it was %q", got, claim)
	}
	if !strings.Contains(out, "PersistentVolumeClaim/"+w.stack+"/postgres-data") {
		t.Errorf("what holds the cluster is not told:\n%s", out)
	}
}
