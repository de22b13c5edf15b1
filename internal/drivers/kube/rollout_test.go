package kube

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"recsysd.dev/recsysd/internal/resource"
)

// failing is a workload whose pods fail for a reason; "" for none.
func failing(w *world, kind, image, reason string) Object {
	w.Helper()
	pod := `{metadata: {labels: {app: api}, annotations: {kubetest.recsysd.dev/fail: "` + reason + `"}}, spec: {%s containers: [{name: api, image: "example.test/api:` + image + `"}]}}`
	if reason == "" {
		pod = strings.Replace(pod, `, annotations: {kubetest.recsysd.dev/fail: ""}`, "", 1)
	}
	spec := "selector: {matchLabels: {app: api}}"
	group := "apps/v1"
	switch kind {
	case "Deployment":
		spec += ", replicas: 2, strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}"
	case "StatefulSet":
		spec += ", serviceName: api"
	case "Job":
		spec, group = "backoffLimit: 3", "batch/v1"
		pod = strings.Replace(pod, "%s", "restartPolicy: Never,", 1)
	}
	pod = strings.Replace(pod, "%s", "", 1)
	return w.object(fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: api}, spec: {%s, template: %s}}", group, kind, spec, pod))
}

// A rollout that cannot come to its end is told as such at once, with the pod's own reason; once the cause is gone, so is that.
func TestRolloutsThatFail(t *testing.T) {
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "Job"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			bad := failing(w, kind, "v1", "ImagePullBackOff")
			o := w.create(bad)
			for _, part := range []string{"pod api-", "container api: ImagePullBackOff: simulated"} {
				if o.State != resource.Broken || !strings.Contains(o.Detail, part) {
					t.Errorf("it is %v, with %q; want broken, with %q", o.State, o.Detail, part)
				}
			}
			for range 3 { // its own status does not tell when another pod takes its turn, or fails for another reason
				w.requests.take()
				o = w.see(bad)
				if asked := w.requests.take(); len(asked) == 0 || o.State != resource.Broken {
					t.Errorf("it is %v, and its pods are not asked again", o.State)
				}
			}
			if kind == "Job" {
				return // its template cannot change
			}
			if kind == "StatefulSet" {
				w.kubectl("delete", "pod", "--all") // Kubernetes itself does not replace a pod that never became ready
			}
			good := failing(w, kind, "v2", "")
			w.update(good, w.see(good))
			if kind == "StatefulSet" {
				w.kubectl("delete", "pod", "--all")
			}
			w.until("it has recovered", func() bool { o = w.see(good); return o.State == resource.Ready })
			w.requests.take()
			w.see(good)
			if asked := w.requests.take(); len(asked) > 0 {
				t.Errorf("a look at what is well took %v", asked)
			}
		})
	}
}

// The pods of the template before keep serving, and are not to blame for whatever becomes of them meanwhile.
func TestOldPodsAreNotBlamed(t *testing.T) {
	w := newWorld(t)
	good := failing(w, "Deployment", "v1", "")
	w.create(good)
	bad := failing(w, "Deployment", "v2", "CrashLoopBackOff")
	w.update(bad, w.see(bad))
	o := w.settled(bad)
	if o.State != resource.Broken || !strings.Contains(o.Detail, "CrashLoopBackOff") {
		t.Fatalf("%v %q", o.State, o.Detail)
	}
	if n := count(w.live(bad), 0, "status", "availableReplicas"); n != 2 {
		t.Errorf("%d of the 2 old pods serve", n)
	}
	// Back to the good template: the pods of the bad one are now those of an old one.
	w.update(good, w.see(good))
	w.until("it has recovered", func() bool {
		o = w.see(good)
		if o.State == resource.Broken {
			t.Fatalf("old pods are blamed: %s", o.Detail)
		}
		return o.State == resource.Ready
	})
}

func TestPodsThatMayNotBeListed(t *testing.T) {
	w := newWorld(t)
	s, _, err := w.driver.way(t.Context(), failing(w, "Deployment", "v1", ""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if state, detail := s.rollout(ctx, failing(w, "Deployment", "v1", ""), resource.Pending, "0 of 2"); state != resource.Pending || detail != "0 of 2" {
		t.Errorf("what cannot be known changes nothing: %v %q", state, detail)
	}
}

func TestTroubleOfAPod(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		why, status, want string
		patience          bool
	}{
		{"it runs", "phase: Running, containerStatuses: [{name: c, ready: true, state: {running: {}}}]", "", false},
		{"it is being made", "phase: Pending, containerStatuses: [{name: c, ready: false, state: {waiting: {reason: ContainerCreating}}}]", "", false},
		{"its image cannot be had", "containerStatuses: [{name: c, state: {waiting: {reason: ErrImagePull, message: not found}}}]", "pod p, container c: ErrImagePull: not found", false},
		{"a secret lacks a key", "containerStatuses: [{name: c, state: {waiting: {reason: CreateContainerConfigError, message: no key x}}}]", "pod p, container c: CreateContainerConfigError: no key x", false},
		{"an init container fails", "initContainerStatuses: [{name: i, state: {waiting: {reason: ImagePullBackOff}}}], containerStatuses: [{name: c, state: {waiting: {reason: PodInitializing}}}]", "pod p, container i: ImagePullBackOff", false},
		{"it ends again and again", "containerStatuses: [{name: c, ready: false, restartCount: 4, state: {waiting: {reason: CrashLoopBackOff, message: back-off 40s}}, lastState: {terminated: {exitCode: 3, reason: Error}}}]", "pod p, container c: CrashLoopBackOff: the last exit code was 3", false},
		{"between two ends it runs, which is no recovery", "phase: Running, containerStatuses: [{name: c, ready: false, restartCount: 4, state: {running: {}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}}]", "pod p, container c: CrashLoopBackOff: the last exit code was 137 (OOMKilled)", false},
		{"it has ended once, waiting for what it needs", "phase: Running, containerStatuses: [{name: c, ready: false, restartCount: 1, state: {running: {}}, lastState: {terminated: {exitCode: 1}}}]", "", false},
		{"it has recovered", "phase: Running, containerStatuses: [{name: c, ready: true, restartCount: 4, state: {running: {}}, lastState: {terminated: {exitCode: 1}}}]", "", false},
		{"a node is being made for it", "conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: no room, lastTransitionTime: '2026-11-25T11:57:00Z'}]", "pod p: Unschedulable: no room", true},
		{"no node comes", "conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: no room, lastTransitionTime: '2026-11-25T11:50:00Z'}]", "pod p: Unschedulable: no room", false},
		{"it was evicted, and another takes its place", "phase: Failed, containerStatuses: [{name: c, state: {waiting: {reason: ErrImagePull}}}]", "", false},
	} {
		var m map[string]any
		if err := yaml.Unmarshal([]byte("{metadata: {name: p}, status: {"+c.status+"}}"), &m); err != nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		got := troubleOf(normal(m), now)
		text := ""
		if got.reason != "" {
			text = got.String()
		}
		if text != c.want || got.patience != c.patience {
			t.Errorf("%s: got %q %v, want %q %v", c.why, text, got.patience, c.want, c.patience)
		}
	}
}
