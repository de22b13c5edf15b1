package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// sleeping is a stack with everything that sleeps, under a schedule.
func (w *world) sleeping(schedule string) string {
	return fmt.Sprintf(`apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: %s
project: acme
region: us-central1
schedule: %s
clusters: {primary: {name: acme-gke, mode: autopilot}}
workloads:
  api: {image: "example.test/api:1", port: 80, cpu: 100m, memory: 64Mi, replicas: 2, uses: [db, cache]}
  cache: {image: "redis:7", port: 6379, cpu: 100m, memory: 64Mi}
  db: {image: "postgres:16", port: 5432, cpu: 100m, memory: 64Mi, user: 999, disk: {size: 1Gi, mount: /data}}
  scaled: {image: "example.test/scaled:1", port: 80, cpu: 100m, memory: 64Mi, replicas: {min: 2, max: 3, cpu: 70}}
  status: {image: "example.test/status:1", cpu: 100m, memory: 64Mi, replicas: 1, schedule: {awake: always}}
manifests: [k8s/*.yaml]
`, w.stack, schedule)
}

const sleepingManifests = `apiVersion: batch/v1
kind: CronJob
metadata: {name: train}
spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "busybox:1", resources: {requests: {cpu: 100m, memory: 64Mi}}}]}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: plain}
spec: {replicas: 2, selector: {matchLabels: {a: plain}}, template: {metadata: {labels: {a: plain}}, spec: {containers: [{name: c, image: "busybox:1", resources: {requests: {cpu: 100m, memory: 64Mi}}}]}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: plain}
spec: {minReplicas: 2, maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: plain}, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}
`

// atNight and atNoon are schedules that make now what they are called, for hours to come.
func atNight() string { return window(time.Now().UTC().Add(12 * time.Hour)) }
func atNoon() string  { return window(time.Now().UTC().Add(-6 * time.Hour)) }

func window(from time.Time) string {
	return fmt.Sprintf(`{timezone: UTC, awake: "%s-%s"}`, from.Format("15:04"), from.Add(8*time.Hour).Format("15:04"))
}

// forms is what there is of everything that sleeps, in one line.
func (w *world) forms() string {
	w.Helper()
	return w.kubectl("get", "deployments,statefulsets", "-o", `jsonpath={range .items[*]}{.metadata.name}={.spec.replicas} {end}`) +
		w.kubectl("get", "cronjob", "train", "-o", "jsonpath=train={.spec.suspend}")
}

func (w *world) are(want string) func() error {
	return func() error {
		if got := w.forms(); got != want {
			return fmt.Errorf("they are %s, want %s", got, want)
		}
		return nil
	}
}

const (
	allAwake  = "api=2 cache=1 plain=2 scaled=2 status=1 db=1 train=false"
	allAsleep = "api=0 cache=0 plain=0 scaled=0 status=1 db=0 train=true"
)

// A stack by day and by night: made asleep, woken and put to sleep by its schedule in the right order, killed in between, and told from
// drift all the time.
func TestSleepsByItsSchedule(t *testing.T) {
	w := newWorld(t, "e2e-sleep")
	manifests := []string{"k8s/a.yaml", sleepingManifests}
	commit := w.push("in the night", w.sleeping(atNight()), manifests...)
	w.start()
	w.eventually("it is made asleep", w.converged(commit))
	if err := w.are(allAsleep)(); err != nil {
		t.Fatal(err)
	}
	w.quiet()
	if out, err := w.recsysd("status"); err != nil || strings.Count(out, "asleep until ") != 6 || strings.Contains(out, "held") {
		t.Errorf("status says of six that they sleep, and until when: %v\n%s", err, out)
	}

	w.daemon.kill()
	mark := kube.Mark()
	w.start()
	w.eventually("a start in the night finds all as it should be", w.converged(commit))
	if writes, err := kube.Writes(kubetest.Recsysd, mark); err != nil || len(writes) > 0 {
		t.Errorf("a start in the night has written: %v %v", writes, err)
	}

	w.kubectl("scale", "deployment/api", "--replicas=3")
	w.eventually("a scale in the night is put back", w.are(allAsleep))
	w.eventually("and counted as drift", func() error {
		if n, err := w.metric("recsysd_drift_corrected_total"); err != nil || n != 1 {
			return fmt.Errorf("%v corrected, %v", n, err)
		}
		return nil
	})

	mark = kube.Mark()
	commit = w.push("by day", w.sleeping(atNoon()), manifests...)
	w.eventually("it wakes", w.converged(commit))
	if err := w.are(allAwake)(); err != nil {
		t.Error(err)
	}
	w.turned(mark, "statefulsets/db", "deployments/api")
	w.turned(mark, "deployments/cache", "deployments/api")
	w.quiet()

	mark = kube.Mark()
	commit = w.push("in the night again", w.sleeping(atNight()), manifests...)
	w.eventually("it falls asleep", w.converged(commit))
	if err := w.are(allAsleep)(); err != nil {
		t.Error(err)
	}
	w.turned(mark, "deployments/api", "statefulsets/db")
	w.turned(mark, "deployments/api", "deployments/cache")
	w.quiet()
	if n, err := w.metric("recsysd_drift_detected_total"); err != nil || n != 1 {
		t.Errorf("%v resources drifted, %v: only the scale by hand was drift", n, err)
	}

	// Changed in its sleep, it wakes as Git says then; without a schedule it is awake.
	changed := strings.Replace(w.sleeping(atNight()), "replicas: 2, uses", "replicas: 3, uses", 1)
	commit = w.push("more pods, in the night", changed, manifests...)
	w.eventually("the change wakes nothing", w.converged(commit))
	if err := w.are(allAsleep)(); err != nil {
		t.Error(err)
	}
	commit = w.push("no schedule", strings.Replace(strings.Replace(changed, "schedule: {timezone", "vars: {none: x} # {timezone", 1), ", schedule: {awake: always}", "", 1), manifests...)
	w.eventually("without a schedule it wakes", w.converged(commit))
	if err := w.are(strings.Replace(allAwake, "api=2", "api=3", 1))(); err != nil {
		t.Error(err)
	}
	w.quiet()
}

// turned demands that the first write to one object since mark came before the first write to another.
func (w *world) turned(mark int64, first, second string) {
	w.Helper()
	writes, err := kube.Requests(kubetest.Recsysd, mark)
	if err != nil {
		w.Fatal(err)
	}
	at := func(what string) int {
		kind, name, _ := strings.Cut(what, "/")
		return slices.IndexFunc(writes, func(r kubetest.Request) bool {
			return r.Write() && strings.Contains(r.String(), fmt.Sprintf(" %s %s/%s ", kind, w.stack, name))
		})
	}
	if a, b := at(first), at(second); a < 0 || b < 0 || a > b {
		w.Errorf("%s is written at %d and %s at %d, of:\n%v", first, a, second, b, writes)
	}
}

// A person's word: what a workload uses wakes with it, what uses it sleeps with it, the word outlives the daemon, and its end needs nobody.
func TestWakeAndSleepByHand(t *testing.T) {
	w := newWorld(t, "e2e-wake")
	manifests := []string{"k8s/a.yaml", sleepingManifests}
	commit := w.push("in the night", w.sleeping(atNight()), manifests...)
	w.start()
	w.eventually("it is made asleep", w.converged(commit))

	out, err := w.recsysd("wake", w.stack, "api", "--for", "1h")
	if err != nil || strings.Count(out, "awake until ") != 3 || !strings.Contains(out, "StatefulSet/"+w.stack+"/db: awake until ") {
		t.Fatalf("wake api says what wakes with it: %v\n%s", err, out)
	}
	awake := "api=2 cache=1 plain=0 scaled=0 status=1 db=1 train=true"
	w.eventually("api and what it uses are awake", w.are(awake))
	w.eventually("converged", w.converged(commit))
	w.quiet()
	w.daemon.kill()
	w.start()
	w.eventually("converged after a kill", w.converged(commit))
	if err := w.are(awake)(); err != nil {
		t.Error("the word did not outlive the daemon:", err)
	}

	if _, err := w.recsysd("wake", w.stack, "Deployment/"+w.stack+"/plain", "--for", "4s"); err != nil {
		t.Fatal(err)
	}
	w.eventually("an object of a manifest wakes", w.are(strings.Replace(awake, "plain=0", "plain=2", 1)))
	w.eventually("and sleeps when its time is over", w.are(awake))

	if out, err = w.recsysd("sleep", w.stack, "db"); err != nil || !strings.Contains(out, "Deployment/"+w.stack+"/api: asleep until ") || strings.Contains(out, "cache") {
		t.Errorf("sleep db says what sleeps with it: %v\n%s", err, out)
	}
	w.eventually("db and what uses it sleep", w.are("api=0 cache=1 plain=0 scaled=0 status=1 db=0 train=true"))
	if _, err = w.recsysd("sleep", w.stack, "status"); err != nil {
		t.Error(err)
	}
	w.eventually("what is always awake sleeps when it is told to", w.are("api=0 cache=1 plain=0 scaled=0 status=0 db=0 train=true"))
	if _, err = w.recsysd("wake", w.stack, "status"); err != nil {
		t.Error(err)
	}
	w.eventually("and wakes when it is told to", w.are("api=0 cache=1 plain=0 scaled=0 status=1 db=0 train=true"))

	for _, c := range []struct {
		why, want string
		args      []string
	}{
		{"a slip of the pen", "not found", []string{"wake", w.stack, "apo", "--for", "1h"}},
		{"no time, in the night", "say for how long", []string{"wake", w.stack, "scaled"}},
		{"what never sleeps", "neither sleeps nor wakes", []string{"sleep", w.stack, "Service/" + w.stack + "/api"}},
		{"a time that is none", "a second at least", []string{"sleep", w.stack, "api", "--for", "0s"}},
	} {
		if out, err := w.recsysd(c.args...); err == nil || !strings.Contains(out+err.Error(), c.want) {
			t.Errorf("%s: %v %s, want %q", c.why, err, out, c.want)
		}
	}
	if n, err := w.metric("recsysd_drift_detected_total"); err != nil || n != 0 {
		h, _ := w.recsysd("history")
		t.Errorf("%v resources drifted, %v: a person's word is no drift\n%s", n, err, h)
	}
}
