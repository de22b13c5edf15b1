package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

// standardStack is a Standard cluster with two pools, one of them of a fixed size, and what is taken from it by name.
const standardStack = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: %s
project: acme
region: us-central1
labels: {team: ml}
clusters:
  primary:
    name: acme-gke
    mode: standard
    nodePools:
      serving:
        machine: e2-standard-4
        disk: {size: 50Gi, type: pd-balanced}
        min: 1
        max: 3
        labels: {purpose: serving}
        taints: []
        upgrade: {maxSurge: 1, maxUnavailable: 0}
      training:
        machine: n2-highmem-8
        spot: true
        size: 2
        zones: [us-central1-a, us-central1-b]
        taints: [{key: training, value: "true", effect: NoSchedule}]
`

// A Standard cluster is made with its pools, each of which is then looked after by itself.
func TestStandardCluster(t *testing.T) {
	w := newWorld(t, "e2e-standard")
	stack := fmt.Sprintf(standardStack, w.stack)
	w.google.SetDelay(time.Second) // as it does with Google, it takes more than a pass
	w.start()
	w.eventually("the cluster converges", w.converged(w.push("the cluster", stack)))
	w.google.SetDelay(0)
	if n := w.google.Count("CreateNodePool"); n != 0 || len(w.google.Cluster(clusterName).GetNodePools()) != 2 {
		t.Errorf("the pools are made with the cluster: %d calls, %v", n, w.google.Cluster(clusterName).GetNodePools())
	}
	w.quiet()
	w.google.Forget()
	if _, err := w.recsysd("sync", w.stack); err != nil {
		t.Fatal(err)
	}
	if n := w.google.Count("ListClusters") + w.google.Count("GetCluster"); n > 2 { // one of an ordinary pass may have come between
		t.Errorf("a pass should read GKE once for the cluster and its pools: %v", w.google.Calls())
	}

	t.Run("what a hand has changed comes back, but for what is the autoscaler's", func(t *testing.T) { w.in(t).handsOnPools() })
	t.Run("every field changes by its own call", func(t *testing.T) { stack = w.in(t).changesOfPools(stack) })
	t.Run("what cannot change in place is held", func(t *testing.T) { w.in(t).heldPools(stack) })
	t.Run("Google's own upgrade is waited for", func(t *testing.T) { w.in(t).upgradeByGoogle() })
	t.Run("a pool is added, and one goes in two commits", func(t *testing.T) { stack = w.in(t).poolsComeAndGo(stack) })
	t.Run("the cluster goes in two commits, and its pools with it", func(t *testing.T) { w.in(t).clusterGoes(stack) })
}

func (w *world) pool(name string) *containerpb.NodePool { return w.google.NodePool(clusterName, name) }

func (w *world) handsOnPools() {
	w.Helper()
	w.google.EditNodePool(clusterName, "training", func(pb *containerpb.NodePool) { pb.InitialNodeCount = 4 })
	w.eventually("the size is back", func() error { return same(w.pool("training").GetInitialNodeCount(), int32(1)) })
	w.google.EditNodePool(clusterName, "serving", func(pb *containerpb.NodePool) {
		pb.Config.Labels = map[string]string{"purpose": "games", "owner": "somebody"}
	})
	w.eventually("the label is back", func() error { return same(w.pool("serving").GetConfig().GetLabels()["purpose"], "serving") })
	if w.pool("serving").GetConfig().GetLabels()["owner"] != "somebody" {
		w.Error("somebody else's label should stay")
	}
	w.google.EditNodePool(clusterName, "serving", func(pb *containerpb.NodePool) {
		pb.Config.Taints = []*containerpb.NodeTaint{{Key: "keep-off", Effect: containerpb.NodeTaint_NO_EXECUTE}}
	})
	w.eventually("the taint is gone", func() error { return same(len(w.pool("serving").GetConfig().GetTaints()), 0) })
	// The autoscaler has made more nodes; GKE has moved the version.
	w.google.EditNodePool(clusterName, "serving", func(pb *containerpb.NodePool) { pb.InitialNodeCount, pb.Version = 3, "1.99" })
	w.quiet()
}

// changesOfPools edits one field after another; each is one call of the right kind.
func (w *world) changesOfPools(stack string) string {
	w.Helper()
	for _, c := range []struct{ what, from, to, call string }{
		{"the machine", `machine: e2-standard-4`, `machine: e2-standard-8`, "UpdateNodePool"},
		{"the disk", `size: 50Gi, type: pd-balanced`, `size: 80Gi, type: pd-ssd`, "UpdateNodePool"},
		{"the range of the autoscaler", `max: 3\n`, "max: 5\n", "SetNodePoolAutoscaling"},
		{"the node labels", `labels: \{purpose: serving\}`, `labels: {purpose: api}`, "UpdateNodePool"},
		{"the taints", `value: "true"`, `value: "yes"`, "UpdateNodePool"},
		{"the upgrade settings", `maxSurge: 1`, `maxSurge: 2`, "UpdateNodePool"},
		{"the size", `size: 2\n`, "size: 4\n", "SetNodePoolSize"},
		{"the cloud labels, of the cluster and both pools", `labels: \{team: ml\}`, `labels: {team: shop}`, "SetLabels UpdateNodePool UpdateNodePool"},
	} {
		stack = edit(w, stack, c.from, c.to)
		w.google.Forget()
		w.eventually(c.what+" converges", w.converged(w.push(c.what, stack)))
		var calls []string
		for _, call := range w.google.Writes() {
			calls = append(calls, call.Method)
		}
		slices.Sort(calls) // of three resources none comes before another
		if got := strings.Join(calls, " "); got != c.call {
			w.Errorf("%s: want %s, have %s", c.what, c.call, got)
		}
	}
	w.quiet()
	return stack
}

func (w *world) heldPools(stack string) {
	w.Helper()
	for _, c := range []struct{ name, kind, of, from, to, why string }{
		{"a pool leaves spot capacity", "nodepool", clusterName + "/training", `spot: true`, `spot: false`, "protected"},
		{"the nodes get another account", "nodepool", clusterName + "/serving", `taints: \[\]\n`, "taints: []\n        serviceAccount: recsys-nodes\n", "protected"},
		{"a pool leaves the file", "nodepool", clusterName + "/training", `(?ms)^      training:.*`, "", "protected"},
		{"the cluster becomes Autopilot", "cluster", clusterName, `(?ms)mode: standard.*`, "mode: autopilot\n", "Moving from Autopilot to Standard"},
	} {
		commit := w.push(c.name, edit(w, stack, c.from, c.to))
		w.eventually(c.name+" is held", func() error {
			v, err := ask[statusView](w, "status")
			if err != nil || v.Stacks[0].Attempted != commit {
				return fmt.Errorf("not attempted yet: %v", err)
			}
			for _, r := range v.Stacks[0].Resources {
				if r.Kind == c.kind && r.Name == c.of && strings.Contains(r.Held, c.why) {
					return nil
				}
			}
			return fmt.Errorf("no hold that says %q: %+v", c.why, v.Stacks[0].Resources)
		})
	}
	if len(w.google.Cluster(clusterName).GetNodePools()) != 2 || w.google.Cluster(clusterName).GetAutopilot().GetEnabled() {
		w.Error("something is gone that should have been held")
	}
	w.eventually("the old stack converges again", w.converged(w.push("back", stack)))
}

func (w *world) upgradeByGoogle() {
	w.Helper()
	w.google.Forget()
	w.google.SetDelay(gcptest.Never)
	w.google.StartNodeUpgrade(clusterName, "serving")
	w.eventually("the upgrade is told", func() error {
		v, err := ask[statusView](w, "status")
		if err != nil {
			return err
		}
		for _, r := range v.Stacks[0].Resources {
			if r.Kind == "nodepool" && r.Name == clusterName+"/serving" && r.State == "busy" && r.Usable && r.Drift == 0 && strings.Contains(r.Detail, "upgrade nodes, operation-") {
				return nil
			}
		}
		return fmt.Errorf("%+v", v.Stacks[0].Resources)
	})
	w.google.SetDelay(0)
	w.google.Settle()
	w.quiet()
}

func (w *world) poolsComeAndGo(stack string) string {
	w.Helper()
	stack += "      extra: {machine: e2-standard-2, min: 0, max: 2, protect: false}\n"
	w.eventually("the new pool converges", w.converged(w.push("a pool more", stack)))
	if w.pool("extra").GetConfig().GetResourceLabels()["recsysd-unprotected"] == "" {
		w.Error("the pool does not carry the mark of its release")
	}
	stack = edit(w, stack, `(?m)^      extra:.*\n`, "")
	w.eventually("the smaller stack converges", w.converged(w.push("a pool less", stack)))
	w.eventually("the pool is gone", func() error { return same(w.pool("extra") == nil, true) })
	return stack
}

func (w *world) clusterGoes(stack string) {
	w.Helper()
	released := edit(w, stack, `mode: standard\n`, "mode: standard\n    protect: false\n")
	released += "buckets: {data: {name: acme-standard}}\n"
	w.eventually("the release converges", w.converged(w.push("release", released)))
	w.google.Forget()
	gone := edit(w, released, `(?ms)^clusters:.*\nbuckets:`, "buckets:")
	w.eventually("the removal converges", w.converged(w.push("remove", gone)))
	w.eventually("the cluster is gone", func() error { return same(w.google.Cluster(clusterName) == nil, true) })
	if w.google.Count("DeleteNodePool") != 0 || w.google.Count("DeleteCluster") != 1 {
		w.Errorf("the pools go with their cluster: %v", w.google.Writes())
	}
}
