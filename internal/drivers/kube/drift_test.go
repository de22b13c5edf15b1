package kube

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

const deploymentYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
      - name: api
        image: example.test/api:v1
        env: [{name: MODE, value: fast}, {name: LEVEL, value: info}]
        ports: [{containerPort: 8000}]
        resources: {requests: {cpu: "0.5", memory: 1Gi}}
`

const serviceYAML = `
apiVersion: v1
kind: Service
metadata: {name: api}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: 8000}]}
`

// ordinary is a stack's worth of kinds whose defaults the API server fills in each in its own way.
func ordinary(w *world) []Object {
	return []Object{w.object(deploymentYAML), w.object(serviceYAML),
		w.object(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: api}}`),
		w.object(`{apiVersion: v1, kind: ConfigMap, metadata: {name: api}, data: {a: "", b: "1"}}`),
		w.object(`{apiVersion: v1, kind: Secret, metadata: {name: api}, stringData: {token: s3cr3t}}`),
		w.object(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}}`),
		w.object(statefulSetYAML),
		w.object(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: api}, spec: {podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 8000}]}]}}`),
		w.object(`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: api}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}}`),
		w.object(`{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: api}, spec: {maxUnavailable: 1, selector: {matchLabels: {app: api}}}}`),
		w.object(`{apiVersion: batch/v1, kind: CronJob, metadata: {name: train}, spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "busybox:1"}]}}}}}}`),
		w.object(`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: api}, spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}]}}]}}`),
		w.object(`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: api}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}`),
		w.object(`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: api}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: api}, subjects: [{kind: ServiceAccount, name: api, namespace: default}]}`),
		w.object(`{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: ` + w.ns + `}, value: 7}`),
	}
}

const statefulSetYAML = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "postgres:16"}]}
`

// Promise 1: a second pass after convergence shows no difference and makes no write; here, not even a question.
func TestNothingChangedCostsNothing(t *testing.T) {
	w := newWorld(t)
	all := ordinary(w)
	for _, o := range all {
		w.create(o)
	}
	w.until("a look costs no request", func() bool { // controllers add their notes in the first moments
		w.requests.take()
		w.observe(true, all...)
		return len(w.requests.take()) == 0
	})
	s := w.observe(true, all...)
	if len(s.Found) != len(all) {
		t.Errorf("%d of %d are seen: what controllers derive from ours is not ours", len(s.Found), len(all))
	}
	for _, o := range s.Found {
		if len(o.Diff) > 0 || !o.Owned || !o.State.Usable() {
			t.Errorf("%s: owned %v, %v (%s), and differs in\n%s", o.Ref, o.Owned, o.State, o.Detail, diffText(o.Diff))
		}
	}
	if requests := w.requests.take(); len(requests) > 0 {
		t.Errorf("a look at what has not changed made requests: %v", requests)
	}
	// A restarted daemon remembers nothing, and sees no difference either.
	w.driver, w.faults, w.requests, w.notified = drive(t, w.stack, kubetest.Recsysd)
	w.kind = resource.NewKind("kube", w.driver)
	for _, o := range w.observe(true, all...).Found {
		if len(o.Diff) > 0 {
			t.Errorf("after a restart %s differs in\n%s", o.Ref, diffText(o.Diff))
		}
	}
	if s := w.observe(true); len(s.Found) != len(all) {
		t.Errorf("with nothing wanted, %d of our %d objects are found", len(s.Found), len(all))
	}
}

// Whatever admission makes of a workload, it is not drift; and a hand's edit beside it still is.
func TestAdmissionIsNoDrift(t *testing.T) {
	for _, form := range []string{kubetest.Pure, kubetest.OnCreate, kubetest.FromStored} {
		t.Run(form, func(t *testing.T) {
			w := newWorld(t)
			remove, err := control.Webhook(t.Context(), "autopilot-"+w.ns, "apps", []string{"deployments", "statefulsets"}, kubetest.Autopilot(form))
			if err != nil {
				t.Fatal(err)
			}
			defer remove()
			api, db := w.object(deploymentYAML), w.object(statefulSetYAML)
			w.create(api)
			w.create(db)
			same := func(when string) {
				t.Helper()
				for _, o := range []Object{api, db} {
					if d := w.see(o).Diff; len(d) > 0 {
						t.Fatalf("%s, %s differs in\n%s", when, o, diffText(d))
					}
				}
			}
			same("after creation")
			w.driver, w.faults, w.requests, w.notified = drive(t, w.stack, kubetest.Recsysd)
			w.kind = resource.NewKind("kube", w.driver)
			same("after a restart")

			api = w.object(strings.ReplaceAll(deploymentYAML, "api:v1", "api:v2"))
			w.update(api, w.see(api))
			w.settled(api)
			same("after a change of ours")

			hand, field := []string{"set", "image", "deployment/api", "api=example.test/api:evil"}, "spec.template.spec.containers[api].image"
			if form != kubetest.FromStored { // that one never lets a request become smaller again
				hand, field = []string{"set", "resources", "deployment/api", "--requests=cpu=300m", "--limits=cpu=300m"}, "spec.template.spec.containers[api].resources.requests.cpu"
			}
			w.kubectl(hand...)
			d := w.drifted(api, field)
			if !strings.Contains(d[0].Manager, "kubectl") {
				t.Errorf("the hand is not named: %s", diffText(d))
			}
			w.update(api, w.see(api))
			w.settled(api)
			same("after a hand's edit was put back")
		})
	}
}

// drifted waits until want differs in a field, and returns what differs, that first.
func (w *world) drifted(want Object, field string) (d []resource.Change) {
	w.Helper()
	w.until(fmt.Sprintf("%s differs in %s", want, field), func() bool {
		d = w.see(want).Diff
		return slices.ContainsFunc(d, func(c resource.Change) bool { return c.Field == field })
	})
	slices.SortStableFunc(d, func(a, b resource.Change) int {
		switch field {
		case a.Field:
			return -1
		case b.Field:
			return 1
		}
		return 0
	})
	return d
}

// What a person does to a wanted object is seen, told with their name where the API server knows it, and put back.
func TestHandsAreUndone(t *testing.T) {
	const image = "spec.template.spec.containers[api].image"
	cases := []struct {
		why, field, have, manager string
		hand                      []string // kubectl
		patch, as                 string   // or a merge patch by a manager
	}{
		{why: "another image", field: image, have: "example.test/api:evil", manager: "kubectl-set",
			hand: []string{"set", "image", "deployment/api", "api=example.test/api:evil"}},
		{why: "another scale, where the manifest says one", field: "spec.replicas", have: "4", manager: "kubectl",
			hand: []string{"scale", "deployment/api", "--replicas=4"}},
		{why: "an added variable, which no dry-run shows", field: "spec.template.spec.containers[api].env[DEBUG]", have: `{"name":"DEBUG","value":"1"}`, manager: "kubectl-set",
			hand: []string{"set", "env", "deployment/api", "DEBUG=1"}},
		{why: "a removed variable", field: "spec.template.spec.containers[api].env[LEVEL]",
			hand: []string{"set", "env", "deployment/api", "LEVEL-"}},
		{why: "the ownership label taken off", field: "metadata.labels[recsysd.dev/stack]",
			hand: []string{"label", "deployment/api", "recsysd.dev/stack-"}},
		{why: "a setting that the manifest leaves to the server", field: "spec.revisionHistoryLimit", have: "3", manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"revisionHistoryLimit":3}}`}},
		{why: "an added container", field: "spec.template.spec.containers[debug]", manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"template":{"spec":{"containers":[{"name":"debug","image":"busybox:1"}]}}}}`}},
		{why: "a list without keys", field: "spec.template.spec.tolerations", manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"template":{"spec":{"tolerations":[{"operator":"Exists"}]}}}}`}},
		{why: "a map that is one value", field: "spec.template.spec.nodeSelector", have: `{"disk":"ssd"}`, manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"template":{"spec":{"nodeSelector":{"disk":"ssd"}}}}}`}},
		{why: "a map that was not there", field: "spec.template.metadata.annotations[example.test/x]", have: "y", manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"template":{"metadata":{"annotations":{"example.test/x":"y"}}}}}`}},
		{why: "a paused rollout", field: "spec.paused", have: "true", manager: "kubectl-rollout",
			hand: []string{"rollout", "pause", "deployment/api"}},
		{why: "server-side apply by a person", field: image, have: "example.test/api:ssa", manager: "kubectl",
			patch: `{"spec":{"template":{"spec":{"$setElementOrder/containers":[],"containers":[{"name":"api","image":"example.test/api:ssa"}]}}}}`, as: "apply"},
		{why: "an annotation, which is a setting", field: "metadata.annotations[example.test/lb]", have: "internal", manager: "kubectl-annotate",
			hand: []string{"annotate", "deployment/api", "example.test/lb=internal"}},
		{why: "a manager that the configuration names", field: "spec.minReadySeconds", have: "9", manager: "intern",
			patch: `{"spec":{"minReadySeconds":9}}`, as: "intern"},
	}
	w := newWorld(t)
	api := w.object(deploymentYAML)
	w.create(api)
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			w := *w
			w.TB = t
			switch {
			case c.as == "apply":
				w.ssa(api, "kubectl", "example.test/api:ssa")
			case c.as != "":
				w.hand(api, c.as, c.patch)
			default:
				w.kubectl(c.hand...)
			}
			d := w.drifted(api, c.field)
			if len(d) != 1 || c.have != "" && d[0].Have != c.have || d[0].Manager != c.manager {
				t.Errorf("want %s alone, have %q, by %q; got\n%s", c.field, c.have, c.manager, diffText(d))
			}
			o := w.see(api)
			if !o.Owned {
				t.Error("it is ours, whatever was done to it")
			}
			mark := control.Mark()
			w.update(api, o)
			w.settled(api)
			if d := w.see(api).Diff; len(d) > 0 {
				t.Errorf("after the repair it still differs in\n%s", diffText(d))
			}
			writes, err := control.Writes(kubetest.Recsysd, mark)
			writes = slices.DeleteFunc(writes, func(r kubetest.Request) bool { return r.Code == 409 }) // refused, and done anew
			if err != nil || len(writes) > 2 {
				t.Errorf("a repair takes one write, or two where a field changes owner; made %v %v", writes, err)
			}
		})
	}
}

// What is not a person's change of something declared or set is left as it is, also by our own next write.
func TestOthersAreLeft(t *testing.T) {
	undeclared := strings.Replace(deploymentYAML, "  replicas: 2\n", "", 1)
	cases := []struct {
		why  string
		hand func(w *world, o Object)
		kept []string // path and value that must survive our next write
	}{
		{"an annotation of another manager", func(w *world, o Object) {
			w.hand(o, "some-operator", `{"metadata":{"annotations":{"example.test/by":"operator"}}}`)
		}, []string{"operator", "metadata", "annotations", "example.test/by"}},
		{"a label of whoever put it", func(w *world, o Object) { w.kubectl("label", "deployment/api", "team=ml") },
			[]string{"ml", "metadata", "labels", "team"}},
		{"a status", func(w *world, o Object) {
			w.hand(o, "kubectl", `{"status":{"conditions":[{"type":"Available","status":"False","reason":"x"}]}}`, "status")
		}, nil},
		{"an autoscaler's scale", func(w *world, o Object) {
			w.hand(o, "kube-controller-manager", `{"spec":{"replicas":3}}`, "scale")
		}, []string{"3", "spec", "replicas"}},
		{"a person's scale where the manifest says none", func(w *world, o Object) { w.kubectl("scale", "deployment/api", "--replicas=2") },
			[]string{"2", "spec", "replicas"}},
		{"a person's edit of the scale where the manifest says none", func(w *world, o Object) {
			w.kubectl("patch", "deployment/api", "-p", `{"spec":{"replicas":2}}`)
		}, []string{"2", "spec", "replicas"}},
		{"a restart", func(w *world, o Object) { w.kubectl("rollout", "restart", "deployment/api") },
			[]string{"", "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"}},
		{"a field that another manager set", func(w *world, o Object) {
			w.hand(o, "some-operator", `{"spec":{"minReadySeconds":1}}`)
		}, []string{"1", "spec", "minReadySeconds"}},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t)
			api := w.object(undeclared)
			w.create(api)
			c.hand(w, api)
			w.caughtUp(api, text(w.live(api), "metadata", "resourceVersion"))
			if o := w.see(api); len(o.Diff) > 0 {
				t.Errorf("it is no drift, and is reported:\n%s", diffText(o.Diff))
			}
			changed := w.object(strings.ReplaceAll(undeclared, "api:v1", "api:v2"))
			w.update(changed, w.see(changed))
			if c.kept == nil {
				return
			}
			if got := fmt.Sprint(value(w.live(api), c.kept[1:]...)); c.kept[0] != "" && got != c.kept[0] || got == "<nil>" {
				t.Errorf("after our own update %v is %s, not %s", c.kept[1:], got, c.kept[0])
			}
		})
	}
}

// A daemon that dies between the two writes of a repair leaves a field that is now its own: the next one finishes.
func TestRepairCutInHalf(t *testing.T) {
	w := newWorld(t)
	api := w.object(deploymentYAML)
	w.create(api)
	w.kubectl("set", "env", "deployment/api", "DEBUG=1")
	w.drifted(api, "spec.template.spec.containers[api].env[DEBUG]")
	w.faults.forbid(w.driver, func() { w.faults.deny = denyApplies })
	o := w.see(api)
	if err := w.kind.Update(t.Context(), resource.Of(api), o, o.Diff); err == nil {
		t.Fatal("the apply was to fail")
	}
	w.faults.forbid(w.driver, func() { w.faults.deny = nil })
	w.driver, w.faults, w.requests, w.notified = drive(t, w.stack, kubetest.Recsysd)
	w.kind = resource.NewKind("kube", w.driver)
	d := w.drifted(api, "spec.template.spec.containers[api].env[DEBUG]")
	w.update(api, w.see(api))
	if left := w.settled(api).Diff; len(left) > 0 {
		t.Errorf("of\n%sthis is left:\n%s", diffText(d), diffText(left))
	}
}
