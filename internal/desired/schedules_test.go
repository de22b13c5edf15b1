package desired_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/desired"
)

const scheduled = `clusters: {primary: {}}
schedule: {timezone: Europe/Berlin, awake: "Mon-Fri 08:00-20:00", except: [2026-12-25]}
workloads:
  api: {image: "api:1", port: 80, cpu: 500m, memory: 1Gi, uses: [db]}
  db: {image: "db:1", port: 5432, cpu: 500m, memory: 1Gi, disk: {size: 1Gi, mount: /data}}
  night: {image: "night:1", cpu: 500m, memory: 1Gi, schedule: {awake: ["22:00-02:00", "Sat 10:00-14:00"]}}
  ever: {image: "ever:1", cpu: 500m, memory: 1Gi, schedule: {awake: always}}
  there: {image: "there:1", cpu: 500m, memory: 1Gi, schedule: {timezone: Asia/Kolkata}}
manifests: [k8s/*.yaml]
`

const scheduledManifests = `apiVersion: apps/v1
kind: Deployment
metadata: {name: plain}
spec: {selector: {matchLabels: {a: a}}, template: {metadata: {labels: {a: a}}, spec: {containers: [{name: a, image: "a:1", resources: {requests: {cpu: 1, memory: 1Gi}}}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: cron}
spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a:1", resources: {requests: {cpu: 1, memory: 1Gi}}}]}}}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, annotations: {recsysd.dev/awake: always}}
spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a:1", resources: {requests: {cpu: 1, memory: 1Gi}}}]}}}}}
`

// TestSchedules reads one stack at several moments.
func TestSchedules(t *testing.T) {
	const noEnd = "0001-01-01 00:00 +0000"
	for _, c := range []struct {
		why, now, until string
		rest            map[string]string
	}{
		{"a working day: two zones, and what has its own hours", "2026-12-23T12:00:00Z", "2026-12-23 15:30 +0100", map[string]string{
			"Deployment/recsys/api": "awake 2026-12-23 20:00 +0100, wakes 2026-12-24 08:00 +0100", "StatefulSet/recsys/db": "awake 2026-12-23 20:00 +0100, wakes 2026-12-24 08:00 +0100",
			"Deployment/recsys/there": "awake 2026-12-23 20:00 +0530, wakes 2026-12-24 08:00 +0530", "Deployment/recsys/night": "asleep 2026-12-23 22:00 +0100, wakes 2026-12-23 22:00 +0100",
			"Deployment/recsys/ever": "awake " + noEnd + ", wakes " + noEnd, "Deployment/recsys/plain": "awake 2026-12-23 20:00 +0100, wakes 2026-12-24 08:00 +0100",
			"CronJob/recsys/cron": "awake 2026-12-23 20:00 +0100, wakes 2026-12-24 08:00 +0100", "CronJob/recsys/nightly": "awake " + noEnd + ", wakes " + noEnd,
			"Service/recsys/api": "never", "PersistentVolumeClaim/recsys/db-data": "never", "Namespace/recsys": "never",
		}},
		{"Christmas, and the weekend after it", "2026-12-25T12:00:00+01:00", "2026-12-26 10:00 +0100", map[string]string{
			"Deployment/recsys/api": "asleep 2026-12-28 08:00 +0100, wakes 2026-12-28 08:00 +0100", "Deployment/recsys/night": "asleep 2026-12-26 10:00 +0100, wakes 2026-12-26 10:00 +0100",
			"Deployment/recsys/ever": "awake " + noEnd + ", wakes " + noEnd,
		}},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		s := load(t, desired.Options{Now: now}, map[string]string{"stack.yaml": scheduled, "k8s/a.yaml": scheduledManifests})
		const layout = "2006-01-02 15:04 -0700"
		berlin, _ := time.LoadLocation("Europe/Berlin")
		if got := s.Until.In(berlin).Format(layout); got != c.until {
			t.Errorf("%s: it holds until %s, want %s", c.why, got, c.until)
		}
		for ref, want := range c.rest {
			got := "never"
			if r := find(t, s, ref).Rest; r != nil {
				word := map[bool]string{true: "asleep", false: "awake"}[r.Asleep]
				got = fmt.Sprintf("%s %s, wakes %s", word, r.Until.Format(layout), r.Wakes.Format(layout))
			}
			if got != want {
				t.Errorf("%s: %s is %s, want %s", c.why, ref, got, want)
			}
		}
	}
}

// TestAScheduleIsNoPartOfTheSpec: a turn, and even another schedule, leaves every hash as it was, and a stack without one never reads otherwise.
func TestAScheduleIsNoPartOfTheSpec(t *testing.T) {
	files := map[string]string{"stack.yaml": scheduled, "k8s/a.yaml": scheduledManifests}
	day := load(t, desired.Options{Now: time.Date(2026, 12, 23, 12, 0, 0, 0, time.UTC)}, files)
	night := load(t, desired.Options{Now: time.Date(2026, 12, 23, 23, 0, 0, 0, time.UTC)}, files)
	files["stack.yaml"] = strings.Replace(scheduled, "schedule: {timezone: Europe/Berlin", "#", 1)
	files["stack.yaml"] = strings.NewReplacer(`, schedule: {awake: ["22:00-02:00", "Sat 10:00-14:00"]}`, "", ", schedule: {timezone: Asia/Kolkata}", "").Replace(files["stack.yaml"])
	none := load(t, desired.Options{Now: time.Date(2026, 12, 23, 12, 0, 0, 0, time.UTC)}, files)
	turned := 0
	for i, r := range day.Resources {
		if night.Resources[i].Hash != r.Hash || none.Resources[i].Hash != r.Hash {
			t.Errorf("%s is another spec because of when it is awake", r.Ref)
		}
		if n := none.Resources[i].Rest; n != nil && (n.Asleep || !n.Until.IsZero()) {
			t.Errorf("%s without a schedule: %s", r.Ref, n)
		}
		if r.Rest != nil && r.Rest.Asleep != night.Resources[i].Rest.Asleep {
			turned++
		}
	}
	if turned != 6 {
		t.Errorf("%d resources turn between noon and midnight, want 6", turned)
	}
	if !none.Until.IsZero() {
		t.Errorf("without a schedule it holds until %s", none.Until)
	}
}

// TestSleepUnderUsers: who is awake while what it uses sleeps is told of, with the first time within a week.
func TestSleepUnderUsers(t *testing.T) {
	for _, c := range []struct{ why, api, db, want string }{
		{"the same hours", "", "", ""},
		{"the user sleeps longer", `, schedule: {awake: "Mon-Fri 09:00-17:00"}`, "", ""},
		{"what is used never sleeps", "", ", schedule: {awake: always}", ""},
		{"the user never sleeps", ", schedule: {awake: always}", "",
			"stack.yaml:9:66: workloads.api.uses[0]: api is awake and db asleep at Wed 2026-12-23 20:00 CET; give both the same schedule"},
		{"an hour on one day", "", `, schedule: {awake: ["Mon-Thu 08:00-20:00", "Fri 08:00-19:00"]}`,
			"stack.yaml:9:66: workloads.api.uses[0]: api is awake and db asleep at Mon 2026-12-28 08:00 CET; give both the same schedule"},
	} {
		stack := strings.NewReplacer("1Gi, uses: [db]}", "1Gi, uses: [db]"+c.api+"}", "mount: /data}}", "mount: /data}"+c.db+"}").Replace(scheduled)
		if c.why == "an hour on one day" { // Friday is Christmas; then the first Friday is beyond the week
			stack = strings.Replace(stack, "Fri 08:00-19:00", "Tue 08:00-19:00", 1)
			stack = strings.Replace(stack, "Mon-Thu", "Wed-Fri", 1)
		}
		s := load(t, desired.Options{Now: time.Date(2026, 12, 23, 12, 0, 0, 0, time.UTC)}, map[string]string{"stack.yaml": stack, "k8s/a.yaml": scheduledManifests})
		if got := strings.Join(s.Notices, "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
	}
}
