package kube

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"recsysd.dev/recsysd/internal/resource"
)

func TestHealth(t *testing.T) {
	deployment := func(spec, status string) string {
		return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x, generation: 2}, spec: {" + spec + "}, status: {" + status + "}}"
	}
	const up = "observedGeneration: 2, replicas: 3, updatedReplicas: 3, availableReplicas: 3"
	set := func(spec, status string) string {
		return "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x, generation: 2}, spec: {" + spec + "}, status: {observedGeneration: 2, " + status + "}}"
	}
	of := func(api, kind, rest string) string {
		return "{apiVersion: " + api + ", kind: " + kind + ", metadata: {name: x}, " + rest + "}"
	}
	cases := []struct {
		why, object string
		state       resource.State
		detail      string // part of it
	}{
		{"no controller has looked yet", deployment("replicas: 3", ""), resource.Pending, "controller"},
		{"the status speaks of an older spec", deployment("replicas: 3", "observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 3"), resource.Pending, "see the change"},
		{"all is well", deployment("replicas: 3", up), resource.Ready, ""},
		{"replicas left out mean one", deployment("", "observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1"), resource.Ready, ""},
		{"scaled to nothing is as asked", deployment("replicas: 0", "observedGeneration: 2"), resource.Ready, ""},
		{"new pods are to come", deployment("replicas: 3", "observedGeneration: 2, replicas: 3, updatedReplicas: 1, availableReplicas: 3"), resource.Pending, "1 of 3 pods updated"},
		{"old pods are to go", deployment("replicas: 3", "observedGeneration: 2, replicas: 4, updatedReplicas: 3, availableReplicas: 4"), resource.Pending, "1 old"},
		{"pods are not available", deployment("replicas: 3", "observedGeneration: 2, replicas: 3, updatedReplicas: 3, availableReplicas: 2"), resource.Pending, "2 of 3"},
		{"no progress within the deadline", deployment("replicas: 3", "observedGeneration: 2, conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded, message: too slow}]"), resource.Broken, "too slow"},
		{"pods are refused, and the reason is told", deployment("replicas: 3", "observedGeneration: 2, conditions: [{type: ReplicaFailure, status: 'True', message: exceeded quota}]"), resource.Pending, "exceeded quota"},

		{"a set is ready", set("replicas: 1", "replicas: 1, readyReplicas: 1, updatedReplicas: 1, currentRevision: a, updateRevision: a"), resource.Ready, ""},
		{"a set is rolling", set("replicas: 2", "replicas: 2, readyReplicas: 2, updatedReplicas: 1, currentRevision: a, updateRevision: b"), resource.Pending, "1 of 2 pods updated"},
		{"a set's pod is not ready", set("replicas: 2", "replicas: 2, readyReplicas: 1"), resource.Pending, "1 of 2 pods ready"},
		{"a set that is updated by hand", set("replicas: 1, updateStrategy: {type: OnDelete}", "replicas: 1, readyReplicas: 1, currentRevision: a, updateRevision: b"), resource.Ready, ""},
		{"a partition holds the rest back", set("replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}", "replicas: 3, readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b"), resource.Ready, ""},

		{"a Job runs", of("batch/v1", "Job", "spec: {completions: 2}, status: {active: 1, succeeded: 1}"), resource.Pending, "1 of 2"},
		{"a Job has ended", of("batch/v1", "Job", "status: {conditions: [{type: Complete, status: 'True'}]}"), resource.Ready, ""},
		{"a Job has failed", of("batch/v1", "Job", "status: {conditions: [{type: Failed, status: 'True', message: backoff}]}"), resource.Broken, "backoff"},

		{"a load balancer has no address yet", of("v1", "Service", "spec: {type: LoadBalancer, clusterIP: 10.0.0.1}"), resource.Pending, "address"},
		{"a load balancer has one", of("v1", "Service", "spec: {type: LoadBalancer}, status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}"), resource.Ready, ""},
		{"a claim waits for its first pod, which must not wait for it", of("v1", "PersistentVolumeClaim", "status: {phase: Pending}"), resource.Ready, "not bound"},
		{"a claim has lost its volume", of("v1", "PersistentVolumeClaim", "status: {phase: Lost}"), resource.Broken, "lost"},
		{"a pod that cannot be scheduled yet is not broken: a node may come", of("v1", "Pod", "status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', message: no room}]}"), resource.Pending, "no room"},
		{"a namespace on its way out", of("v1", "Namespace", "status: {phase: Terminating}"), resource.Pending, "removed"},
		{"a definition that is not served yet", of("apiextensions.k8s.io/v1", "CustomResourceDefinition", "status: {conditions: [{type: Established, status: 'False', message: soon}]}"), resource.Pending, "soon"},
		{"a definition whose names are taken", of("apiextensions.k8s.io/v1", "CustomResourceDefinition", "status: {conditions: [{type: NamesAccepted, status: 'False', message: taken}]}"), resource.Broken, "taken"},
		{"anything on its way out", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, deletionTimestamp: '2026-01-01T00:00:00Z'}}", resource.Pending, "being removed since 2026"},
		{"a plain object is ready when it exists", of("v1", "ConfigMap", "data: {}"), resource.Ready, ""},

		{"a custom resource without conditions", of("example.com/v1", "Thing", "spec: {}"), resource.Ready, ""},
		{"a custom resource that says not ready", of("example.com/v1", "Thing", "status: {conditions: [{type: Ready, status: 'False', message: waiting}]}"), resource.Pending, "waiting"},
		{"a custom resource that has given up", of("example.com/v1", "Thing", "status: {conditions: [{type: Stalled, status: 'True', message: bad}, {type: Ready, status: 'False'}]}"), resource.Broken, "bad"},
		{"a custom resource whose controller is behind", "{apiVersion: example.com/v1, kind: Thing, metadata: {name: x, generation: 3}, status: {observedGeneration: 2, conditions: [{type: Ready, status: 'True'}]}}", resource.Pending, "see the change"},
	}
	for _, c := range cases {
		var m map[string]any
		if err := yaml.Unmarshal([]byte(c.object), &m); err != nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		live := normal(m)
		state, detail := health(Object{Manifest: live})
		if state != c.state || !strings.Contains(detail, c.detail) {
			t.Errorf("%s: got %v %q, want %v with %q", c.why, state, detail, c.state, c.detail)
		}
		strip(live)
		if again, same := health(Object{Manifest: live}); again != state || same != detail {
			t.Errorf("%s: of what is kept of it, %v %q is said instead of %v %q", c.why, again, same, state, detail)
		}
	}
}
