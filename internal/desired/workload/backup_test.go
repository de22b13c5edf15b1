package workload_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired/workload"
)

func database() workload.Workload {
	w := valid()
	w.Image = workload.Image{Reference: "postgres:16"}
	w.Port, w.User = 5432, pointer(int64(999))
	w.Disk = &workload.Disk{Size: "5Gi", Mount: "/data"}
	w.Env = map[string]workload.Env{"POSTGRES_PASSWORD": {Secret: "db", Key: "password"}}
	w.Backup = &workload.Backup{Schedule: "0 3 * * *", Bucket: "data"}
	return w
}

func keeping() workload.Setting {
	s := here
	s.BackupBucket = "acme-data"
	return s
}

// backedUp is the pod of the backup, and the CronJob.
func backedUp(t *testing.T, w workload.Workload, s workload.Setting) (pod, cronJob map[string]any) {
	t.Helper()
	cronJob = made(w, s)["CronJob"]
	return at(t, cronJob, "spec", "jobTemplate", "spec", "template", "spec").(map[string]any), cronJob
}

func variable(t *testing.T, container any, name string) string {
	t.Helper()
	for _, e := range at(t, container, "env").([]any) {
		if at(t, e, "name") != name {
			continue
		}
		if v, ok := e.(map[string]any)["value"]; ok {
			return v.(string)
		}
		return fmt.Sprint(at(t, e, "valueFrom", "secretKeyRef", "name"), "/", at(t, e, "valueFrom", "secretKeyRef", "key"))
	}
	return "(none)"
}

// The dump is made by the server's own image, copied by another that knows nothing of the password, as an identity of its own.
func TestBackup(t *testing.T) {
	s := keeping()
	s.Image = "postgres:16"
	pod, cronJob := backedUp(t, database(), s)
	dump, copying := at(t, pod, "initContainers", 0), at(t, pod, "containers", 0)
	for what, got := range map[string][2]any{
		"the image of the dump":       {at(t, dump, "image"), "postgres:16"},
		"its host":                    {variable(t, dump, "PGHOST"), "web"},
		"its port":                    {variable(t, dump, "PGPORT"), "5432"},
		"its user":                    {variable(t, dump, "PGUSER"), "postgres"},
		"its password":                {variable(t, dump, "PGPASSWORD"), "db/password"},
		"the password of the copy":    {variable(t, copying, "PGPASSWORD"), "(none)"},
		"where it is copied to":       {variable(t, copying, "BACKUP_URL"), "gs://acme-data/backups/web"},
		"how many are kept":           {variable(t, copying, "BACKUP_KEEP"), "7"},
		"who it is":                   {pod["serviceAccountName"], "web-backup"},
		"room for the dump":           {at(t, pod, "volumes", 0, "emptyDir", "sizeLimit"), "5Gi"},
		"what happens to the next":    {at(t, cronJob, "spec", "concurrencyPolicy"), "Forbid"},
		"the time zone if none is":    {at(t, cronJob, "spec", "timeZone"), "Etc/UTC"},
		"a token for the API server":  {pod["automountServiceAccountToken"], false},
		"the label of the job's pods": {at(t, cronJob, "spec", "jobTemplate", "spec", "template", "metadata", "labels", "app.kubernetes.io/name"), "web-backup"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, want %v", what, got[0], got[1])
		}
	}
	allowed, err := json.Marshal(at(t, made(database(), s)["NetworkPolicy"], "spec", "ingress"))
	if err != nil || !strings.Contains(string(allowed), `"app.kubernetes.io/name":"web-backup"`) {
		t.Errorf("the database lets in %s, %v", allowed, err)
	}

	w := database()
	w.Disk.Size, w.Backup.Keep = "500Gi", 30
	w.Env["POSTGRES_USER"] = workload.Env{Text: pointer("owner")}
	s.TimeZone = "Europe/Berlin"
	pod, cronJob = backedUp(t, w, s)
	dump, copying = at(t, pod, "initContainers", 0), at(t, pod, "containers", 0)
	for what, got := range map[string][2]any{
		"a user of its own":                 {variable(t, dump, "PGUSER"), "owner"},
		"how many are kept":                 {variable(t, copying, "BACKUP_KEEP"), "30"},
		"room for the dump of a large disk": {at(t, pod, "volumes", 0, "emptyDir", "sizeLimit"), "10Gi"},
		"the zone of its schedule":          {at(t, cronJob, "spec", "timeZone"), "Europe/Berlin"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, want %v", what, got[0], got[1])
		}
	}
}

// run runs a container's script with commands that stand in for the image's, each one a shell script.
func run(t *testing.T, container any, commands map[string]string, env ...string) (out string, err error) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range commands {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command := at(t, container, "command").([]any)
	script := strings.ReplaceAll(command[2].(string), "/backup", filepath.Join(dir, "backup"))
	if err := os.Mkdir(filepath.Join(dir, "backup"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), command[0].(string), command[1].(string), script)
	c.Env = append([]string{"PATH=" + dir + ":" + os.Getenv("PATH")}, env...)
	b, err := c.CombinedOutput()
	return string(b), err
}

// A dump that broke off half-way is no dump.
func TestDumpIsWhole(t *testing.T) {
	pod, _ := backedUp(t, database(), keeping())
	dump := at(t, pod, "initContainers", 0)
	if out, err := run(t, dump, map[string]string{"pg_dumpall": "echo CREATE ROLE"}); err != nil {
		t.Errorf("a dump that went well: %v %s", err, out)
	}
	if _, err := run(t, dump, map[string]string{"pg_dumpall": "echo CREATE ROLE; exit 1"}); err == nil {
		t.Error("pg_dumpall has failed in the middle, and the pod has not: half a dump would be kept for a whole one")
	}
	if _, err := run(t, dump, map[string]string{"pg_dumpall": "echo x", "gzip": "cat >/dev/null; exit 1"}); err == nil {
		t.Error("gzip has failed, as on a full disk, and the pod has not")
	}
}

// Old dumps go once the new one is there; nothing goes if that fails.
func TestOldDumpsGo(t *testing.T) {
	w := database()
	w.Backup.Keep = 2
	pod, _ := backedUp(t, w, keeping())
	copying := at(t, pod, "containers", 0)
	gcloud := func(cp, ls string) map[string]string {
		return map[string]string{"gcloud": `case "$2" in cp) ` + cp + ` ;; ls) ` + ls + ` ;; rm) echo "removed $3" ;; esac`}
	}
	const listed = `printf 'gs://b/2026-01-01.sql.gz\ngs://b/2026-01-03.sql.gz\ngs://b/2026-01-02.sql.gz\n'`
	env := []string{"BACKUP_URL=gs://b", "BACKUP_KEEP=2"}
	out, err := run(t, copying, gcloud("true", listed), env...)
	if err != nil || strings.TrimSpace(out) != "removed gs://b/2026-01-01.sql.gz" {
		t.Errorf("all but the newest two go: %v\n%s", err, out)
	}
	if out, err = run(t, copying, gcloud("exit 1", listed), env...); err == nil || strings.Contains(out, "removed") {
		t.Errorf("the copy has failed: %v\n%s", err, out)
	}
	if out, err = run(t, copying, gcloud("true", "exit 1"), env...); err == nil || strings.Contains(out, "removed") {
		t.Errorf("what there is could not be listed, so dumps would pile up and nobody would know: %v\n%s", err, out)
	}
}

func TestBadBackups(t *testing.T) {
	for _, c := range []struct {
		why, want string
		change    func(*workload.Workload)
	}{
		{"nothing that lasts", "backup: is for a workload with a disk", func(w *workload.Workload) { w.Disk = nil }},
		{"no way to the database", "backup: needs a port", func(w *workload.Workload) { w.Port = 0 }},
		{"another database", "POSTGRES_PASSWORD is missing", func(w *workload.Workload) { w.Env = nil }},
		{"no time", "backup: schedule: missing", func(w *workload.Workload) { w.Backup.Schedule = "" }},
		{"a time that is none", `"25 o'clock" is not one`, func(w *workload.Workload) { w.Backup.Schedule = "25 o'clock" }},
		{"a zone in the schedule, which Kubernetes refuses", `"TZ=UTC 0 3 * * *" is not one`, func(w *workload.Workload) { w.Backup.Schedule = "TZ=UTC 0 3 * * *" }},
		{"the same in the newer form", `"CRON_TZ=UTC 0 3 * * *" is not one`, func(w *workload.Workload) { w.Backup.Schedule = "CRON_TZ=UTC 0 3 * * *" }},
		{"no bucket", "backup: bucket: missing", func(w *workload.Workload) { w.Backup.Bucket = "" }},
		{"more than anybody needs", "1001 is out of range", func(w *workload.Workload) { w.Backup.Keep = 1001 }},
		{"an image without a tag", "backup: image: ", func(w *workload.Workload) { w.Backup.Image = "cloud-sdk" }},
	} {
		w := database()
		c.change(&w)
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q alone", c.why, err, c.want)
		}
	}
	w := database()
	if err := w.ValidateName(strings.Repeat("a", 45)); err != nil {
		t.Error(err)
	}
	if err := w.ValidateName(strings.Repeat("a", 46)); err == nil || !strings.Contains(err.Error(), "1 characters too long") {
		t.Errorf("Kubernetes appends eleven characters to a CronJob's name: %v", err)
	}
}
