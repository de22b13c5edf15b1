package desired_test

import (
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers/kube"
)

const backedUp = `clusters: {primary: {}}
buckets: {data: {}}
secrets: {db: {generate: [password]}}
SCHEDULE
workloads:
  db: {image: "postgres:16", port: 5432, cpu: 500m, memory: 1Gi, disk: {size: 1Gi, mount: /data}, env: {POSTGRES_PASSWORD: {secret: db, key: password}},
    backup: {schedule: "0 3 * * *", bucket: data}OWN}
`

// TestBackupsAndSleep: a backup's times are read in the zone of the schedule that its workload has, and one that is only due while the workload
// sleeps is told of, because it is never made.
func TestBackupsAndSleep(t *testing.T) {
	const day = `schedule: {timezone: Europe/Berlin, awake: "Mon-Fri 08:00-20:00"}`
	for _, c := range []struct{ why, stack, own, times, zone, want string }{
		{"no schedule", "", "", "0 3 * * *", "Etc/UTC", ""},
		{"every night, and it sleeps every night", day, "", "0 3 * * *", "Europe/Berlin",
			"stack.yaml:12:24: workloads.db.backup.schedule: db is asleep when the next dumps are due, first at Thu 2026-12-24 03:00 CET, so none is made; choose a time at which it is awake"},
		{"every noon: that there is none on Saturday loses nothing", day, "", "0 12 * * *", "Europe/Berlin", ""},
		{"every hour", day, "", "0 * * * *", "Europe/Berlin", ""},
		{"every minute, asked in the night", day, "", "* * * * *", "Europe/Berlin", ""},
		{"the minute at which it wakes", day, "", "0 8 * * 1", "Europe/Berlin", ""},
		{"the minute at which it falls asleep", day, "", "0 20 * * *", "Europe/Berlin",
			"stack.yaml:12:24: workloads.db.backup.schedule: db is asleep when the next dumps are due, first at Wed 2026-12-23 20:00 CET, so none is made; choose a time at which it is awake"},
		{"a month ahead, on a Sunday", day, "", "0 12 31 1 *", "Europe/Berlin",
			"stack.yaml:12:24: workloads.db.backup.schedule: db is asleep when the next dumps are due, first at Sun 2027-01-31 12:00 CET, so none is made; choose a time at which it is awake"},
		{"its own zone", day, ", schedule: {timezone: Asia/Kolkata}", "0 9 * * *", "Asia/Kolkata", ""},
		{"it never sleeps", day, ", schedule: {awake: always}", "0 3 * * *", "Europe/Berlin", ""},
	} {
		text := strings.NewReplacer("SCHEDULE", c.stack, "OWN", c.own, "0 3 * * *", c.times).Replace(backedUp)
		s := load(t, desired.Options{Now: time.Date(2026, 12, 23, 18, 30, 0, 0, time.UTC)}, map[string]string{"stack.yaml": text})
		if got := strings.Join(s.Notices, "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
		spec := find(t, s, "CronJob/recsys/db-backup").Spec.(kube.Object).Manifest["spec"].(map[string]any)
		if spec["timeZone"] != c.zone {
			t.Errorf("%s: its times are read in %v, want %s", c.why, spec["timeZone"], c.zone)
		}
	}
}
