package kube

import (
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
