package kube

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"recsysd.dev/recsysd/internal/resource"
)

// The prices of wanted objects are in cmd/recsysd/testdata/cost.yaml; here is what differs of live ones.

func podTemplate() map[string]any {
	return map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
		"name": "main", "resources": map[string]any{"requests": map[string]any{"cpu": "500m", "memory": "1Gi"}},
	}}}}
}

func workload(kind string, spec map[string]any) map[string]any {
	spec["template"] = podTemplate()
	version := "apps/v1"
	if kind == "Job" {
		version = "batch/v1"
	}
	return map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": "api", "namespace": "recsys"}, "spec": spec}
}

func liveOf(m, status map[string]any, b Billing) Object {
	full := map[string]any{"status": status}
	for k, v := range m {
		full[k] = v
	}
	return Object{Manifest: m, Billing: b, seen: &sighting{item: &item{object: &unstructured.Unstructured{Object: full}}}}
}

func TestUsageOfWhatIsLive(t *testing.T) {
	in := &Place{Region: "us-central1", Mode: Autopilot, Bursting: true}
	claim := func(more map[string]any) map[string]any {
		spec := map[string]any{"replicas": int64(0), "volumeClaimTemplates": []any{map[string]any{"spec": map[string]any{
			"resources": map[string]any{"requests": map[string]any{"storage": "10Gi"}},
		}}}}
		for k, v := range more {
			spec[k] = v
		}
		return spec
	}
	for _, c := range []struct {
		why        string
		o          Object
		components int
		quantity   resource.Amount // of the first component
		unknown    string
	}{
		{"what a hand has scaled to ten is billed as ten, whatever an autoscaler would keep to",
			liveOf(workload("Deployment", map[string]any{"replicas": int64(10)}), nil, Billing{Place: in, Least: 1, Most: 3}), 3, resource.Count(5), ""},
		{"what sleeps is nothing", liveOf(workload("Deployment", map[string]any{"replicas": int64(0)}), nil, Billing{Place: in}), 0, resource.Amount{}, ""},
		{"but its disks stay: three pods' of 10 GiB", liveOf(workload("StatefulSet", claim(nil)), nil, Billing{Place: in, Pods: 3}), 1, resource.Count(30), ""},
		{"unless it says that they go", liveOf(workload("StatefulSet", claim(map[string]any{"persistentVolumeClaimRetentionPolicy": map[string]any{"whenScaled": "Delete"}})), nil,
			Billing{Place: in, Pods: 3}), 1, resource.Amount{}, ""},
		{"a DaemonSet runs on the nodes that there are: 2 × 500m",
			liveOf(workload("DaemonSet", map[string]any{}), map[string]any{"currentNumberScheduled": int64(2)}, Billing{Place: in}), 3, resource.Count(1), ""},
		{"a Job that has ended runs nothing", liveOf(workload("Job", map[string]any{}), map[string]any{"conditions": []any{map[string]any{"type": "Complete", "status": "True"}}}, Billing{Place: in}), 0, resource.Amount{}, ""},
		{"one that has not ends some time", liveOf(workload("Job", map[string]any{}), map[string]any{"active": int64(1)}, Billing{Place: in}), 1, resource.Amount{}, durationUnknown},
		{"a disk has the size that it has, not what was asked for", liveOf(map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": map[string]any{
			"resources": map[string]any{"requests": map[string]any{"storage": "10Gi"}}}}, map[string]any{"capacity": map[string]any{"storage": "20Gi"}}, Billing{Place: in}), 1, resource.Count(20), ""},
		{"on nodes that are billed pods are not", liveOf(workload("Deployment", map[string]any{}), nil, Billing{Place: &Place{Mode: Standard}}), 0, resource.Amount{}, ""},
		{"in a cluster that nothing is known of", liveOf(workload("Deployment", map[string]any{}), nil, Billing{}), 1, resource.Amount{}, "it is not known in which cluster it is"},
		{"in one that is only looked at", liveOf(workload("Deployment", map[string]any{}), nil, Billing{Place: &Place{Region: "us-central1"}}), 1, resource.Amount{}, "it is not known whether the cluster is an Autopilot one"},
	} {
		u := c.o.Usage()
		if len(u) != c.components {
			t.Errorf("%s: %+v, want %d components", c.why, u, c.components)
			continue
		}
		if len(u) > 0 && (u[0].Quantity != c.quantity || u[0].Unknown != c.unknown || !u[0].Most.Zero()) {
			t.Errorf("%s: %+v, want %s, %q", c.why, u[0], c.quantity, c.unknown)
		}
	}
}

// Where an object is and how it is billed makes no other object of it.
func TestBillingIsNoPartOfTheHash(t *testing.T) {
	o := Object{Manifest: workload("Deployment", map[string]any{})}
	billed := o.In(&Place{Region: "us-central1", Mode: Autopilot}, 1, 3)
	billed.Billing.Asleep = resource.Ratio(1, 2)
	if resource.Of(o).Hash != resource.Of(billed).Hash {
		t.Error("another hash")
	}
}

func BenchmarkUsage(b *testing.B) {
	in := &Place{Region: "us-central1", Mode: Autopilot, Bursting: true}
	all := make([]Object, 10_000)
	for i := range all {
		m := workload("Deployment", map[string]any{"replicas": int64(2)})
		m["metadata"].(map[string]any)["name"] = fmt.Sprint("api-", i)
		all[i] = Object{Manifest: m, Billing: Billing{Place: in, Asleep: resource.Ratio(108, 168)}}
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, o := range all {
			if len(o.Usage()) != 3 {
				b.Fatal("a component is lost")
			}
		}
	}
}

// What a version of a live object is billed for is worked out once, and anew where what it depends on beside the object is another.
func TestUsageOfAVersionIsWorkedOutOnce(t *testing.T) {
	in := &Place{Region: "us-central1", Mode: Autopilot, Bursting: true}
	o := liveOf(workload("Deployment", map[string]any{"replicas": int64(2)}), nil, Billing{Place: in})
	first := o.Usage()
	if len(first) != 3 || first[0].Quantity != resource.Count(1) {
		t.Fatalf("2 pods of 500m: %+v", first)
	}
	later := Object{Manifest: o.Manifest, Billing: o.Billing, seen: &sighting{item: o.seen.item}} // as the next pass reports it
	if n := testing.AllocsPerRun(100, func() { later.Usage() }); n != 0 {
		t.Errorf("the next pass allocates %v times", n)
	}
	later.Billing.Place = &Place{Region: "europe-west4", Mode: Autopilot, Bursting: true}
	if u := later.Usage(); u[0].Region != "europe-west4" {
		t.Errorf("in another place it is the same: %+v", u)
	}
	grown := liveOf(workload("Deployment", map[string]any{"replicas": int64(4)}), nil, Billing{Place: in})
	if u := grown.Usage(); u[0].Quantity != resource.Count(2) {
		t.Errorf("another version is billed as the one before: %+v", u)
	}
}
