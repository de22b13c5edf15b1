package workload

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Backup dumps a PostgreSQL workload into a bucket, again and again.
type Backup struct {
	Schedule string `yaml:"schedule" required:"true" doc:"When, as in cron: minute, hour, day of month, month, day of week, in the time zone of the workload's schedule, else in UTC. Required."`
	Bucket   string `yaml:"bucket" required:"true" doc:"Key of one of the stack's buckets. The dumps are under backups/<workload>/. Required."`
	Keep     int    `yaml:"keep" doc:"How many dumps are kept; 7 by default."`
	Image    string `yaml:"image" doc:"Image with gcloud in it, which copies the dump."`
}

// What a backup is made with if nothing is said.
const (
	copyImage   = "gcr.io/google.com/cloudsdktool/google-cloud-cli:529.0.0-slim"
	defaultKeep = 7
	copyUser    = 1000 // cloudsdk, in that image
	largestDump = 10 << 30
)

// Times are when dumps are made, read in a time zone; nil if the schedule is not one.
func (b Backup) Times(zone *time.Location) func(after time.Time) time.Time {
	s, err := cron.ParseStandard(b.Schedule)
	if err != nil {
		return nil
	}
	return func(after time.Time) time.Time { return s.Next(after.In(zone)) }
}

// BackupName is the name of the workload's CronJob, of its ServiceAccount and of its pods.
func BackupName(name string) string { return name + "-backup" }

// BackupPrefix is what the dumps' names begin with.
func BackupPrefix(name string) string { return "backups/" + name + "/" }

// longestCronJob is what is left for the times that are appended to a CronJob's name.
const longestCronJob = 52

// ValidateName reports a name that is too long for what is made of it.
func (w Workload) ValidateName(name string) error {
	if over := len(BackupName(name)) - longestCronJob; w.Backup != nil && over > 0 {
		return fmt.Errorf("backup: the name of the workload is %d characters too long for one: its CronJob would be %s", over, BackupName(name))
	}
	return nil
}

func (w Workload) validateBackup(bad func(field, format string, args ...any)) {
	b := w.Backup
	if b == nil {
		return
	}
	switch {
	case w.Disk == nil:
		bad("backup", "is for a workload with a disk")
	case w.Port == 0:
		bad("backup", "needs a port to reach the database on")
	}
	if _, ok := w.Env["POSTGRES_PASSWORD"]; !ok {
		bad("backup", "is for PostgreSQL, and reads its password from the workload's env: POSTGRES_PASSWORD is missing there")
	}
	if b.Schedule == "" {
		bad("backup: schedule", "missing, such as \"0 3 * * *\"")
	} else if _, err := cron.ParseStandard(b.Schedule); err != nil || strings.Contains(b.Schedule, "TZ=") {
		bad("backup: schedule", "%q is not one; minute, hour, day of month, month, day of week, such as \"0 3 * * *\"", b.Schedule)
	}
	if b.Bucket == "" {
		bad("backup: bucket", "missing")
	}
	if b.Keep < 0 || b.Keep > 1000 {
		bad("backup: keep", "%d is out of range; 1 to 1000", b.Keep)
	}
	if b.Image != "" {
		if err := CheckReference(b.Image); err != nil {
			bad("backup: image", "%v", err)
		}
	}
}

// The dump is whole or there is none: a failure of pg_dumpall must not end in the pipe. All databases and roles are in it, so that a
// restore starts from an empty server.
const dumpScript = `set -eu
{ pg_dumpall --clean --if-exists || touch /backup/failed; } | gzip > /backup/dump.sql.gz
test ! -e /backup/failed`

// An object is there whole or not at all, and names sort by time. What is older than the newest ones goes only after that. That they
// cannot be listed is a failure, which must not end in the pipe either.
const copyScript = `set -eu
gcloud storage cp /backup/dump.sql.gz "$BACKUP_URL/$(date -u +%Y-%m-%dT%H-%M-%SZ).sql.gz"
gcloud storage ls "$BACKUP_URL/*.sql.gz" > /backup/dumps
sort -r /backup/dumps | tail -n "+$((BACKUP_KEEP + 1))" | while read -r old; do gcloud storage rm "$old"; done`

// backup are the objects of the backup: who its pods are, and the CronJob. The database's own image makes the dump, so client and
// server are of one version; a second container copies it.
func (w Workload) backup(s Setting) []map[string]any {
	if w.Backup == nil || w.Disk == nil {
		return nil
	}
	name := BackupName(s.Name)
	meta := func() object {
		labels := w.labels(s)
		labels[labelName] = name
		return object{"name": name, "namespace": s.Namespace, "labels": labels}
	}
	scratch := w.scratch()
	resources := func(cpu, memory string) object {
		return object{
			"requests": object{"cpu": cpu, "memory": memory, "ephemeral-storage": scratch},
			"limits":   object{"memory": memory, "ephemeral-storage": scratch},
		}
	}
	mounts := list{object{"name": "backup", "mountPath": "/backup"}}
	guarded := func(user int64) object {
		return object{"runAsUser": user, "runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": object{"drop": list{"ALL"}}}
	}
	dump := object{
		"name": "dump", "image": s.Image, "command": list{"sh", "-c", dumpScript},
		"env": w.backupEnv(s), "resources": resources("250m", "256Mi"), "volumeMounts": mounts,
	}
	if w.User != nil {
		dump["securityContext"] = guarded(*w.User)
	}
	keep := w.Backup.Keep
	if keep == 0 {
		keep = defaultKeep
	}
	copying := object{
		"name": "copy", "image": cmp.Or(w.Backup.Image, copyImage), "command": list{"sh", "-c", copyScript},
		"env": list{
			object{"name": "BACKUP_URL", "value": "gs://" + s.BackupBucket + "/" + strings.TrimSuffix(BackupPrefix(s.Name), "/")},
			object{"name": "BACKUP_KEEP", "value": fmt.Sprint(keep)},
			object{"name": "HOME", "value": "/backup"},
			object{"name": "CLOUDSDK_CORE_DISABLE_PROMPTS", "value": "1"},
			object{"name": "CLOUDSDK_STORAGE_PARALLEL_COMPOSITE_UPLOAD_ENABLED", "value": "False"}, // it would want to read the bucket's settings
		},
		"resources": resources("250m", "512Mi"), "volumeMounts": mounts, "securityContext": guarded(copyUser),
	}
	pod := object{
		"serviceAccountName": name, "automountServiceAccountToken": false, "enableServiceLinks": false, "restartPolicy": "Never",
		"securityContext": object{"seccompProfile": object{"type": "RuntimeDefault"}, "fsGroup": int64(copyUser)},
		"initContainers":  list{dump},
		"containers":      list{copying},
		"volumes":         list{object{"name": "backup", "emptyDir": object{"sizeLimit": scratch}}},
	}
	return []map[string]any{
		{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(), "automountServiceAccountToken": false},
		{
			"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta(),
			"spec": object{
				"schedule": w.Backup.Schedule, "timeZone": cmp.Or(s.TimeZone, "Etc/UTC"),
				"concurrencyPolicy": "Forbid", "startingDeadlineSeconds": int64(3600),
				"successfulJobsHistoryLimit": int64(1), "failedJobsHistoryLimit": int64(3),
				"jobTemplate": object{"spec": object{
					"backoffLimit": int64(2),
					"template":     object{"metadata": object{"labels": meta()["labels"]}, "spec": pod},
				}},
			},
		},
	}
}

// backupEnv is how the database is reached: the variables that its own image starts it with, under the names that its clients read.
func (w Workload) backupEnv(s Setting) list {
	env := list{
		object{"name": "PGHOST", "value": s.Name},
		object{"name": "PGPORT", "value": fmt.Sprint(w.Port)},
	}
	for _, v := range []struct{ theirs, ours, otherwise string }{{"PGUSER", "POSTGRES_USER", "postgres"}, {"PGPASSWORD", "POSTGRES_PASSWORD", ""}} {
		e, said := w.Env[v.ours]
		if !said && v.otherwise != "" {
			e = Env{Text: &v.otherwise}
		}
		if e.Text != nil {
			env = append(env, object{"name": v.theirs, "value": *e.Text})
			continue
		}
		env = append(env, object{"name": v.theirs, "valueFrom": object{"secretKeyRef": object{"name": e.Secret, "key": e.Key}}})
	}
	return env
}

// scratch is the room for one compressed dump: never more than the disk itself, nor than Autopilot gives a pod.
func (w Workload) scratch() string {
	if n := w.Disk.Size.count(); n < largestDump {
		return string(w.Disk.Size)
	}
	return "10Gi"
}
