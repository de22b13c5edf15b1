package desired

import (
	"time"

	"recsysd.dev/recsysd/internal/desired/workload"
)

// backup gives a workload's backup its bucket, and the right to write there under its own prefix: which takes the right to list and
// to delete as well, because old dumps go.
func (b *builder) backup(s *workload.Setting, name, path string) {
	w := b.file.Workloads[name].Workload
	if w.Backup == nil || w.Backup.Bucket == "" {
		return
	}
	if err := w.ValidateName(name); err != nil {
		b.p.addValidation(err, path, b.places)
	}
	at := path + ".backup.bucket"
	e := b.file.Cloud.Buckets[w.Backup.Bucket]
	if e == nil {
		b.p.add(b.at(at), at, "no bucket %q in buckets%s", w.Backup.Bucket, suggest(w.Backup.Bucket, sortedKeys(b.file.Cloud.Buckets)))
		return
	}
	who := principal{Namespace: b.namespace(), Account: workload.BackupName(name)} // an identity of its own, whatever the workload acts as
	b.allow(e, who, workload.Storage{Access: "write"}.Role(), workload.BackupPrefix(name))
	s.BackupBucket, s.TimeZone = e.Spec.Name, b.schedules.zones[name]
	b.checkAsleepAtBackup(name, path)
}

// checkAsleepAtBackup tells of a backup that is never made, because at its times the workload sleeps and its CronJob with it. It looks a
// week ahead, and at the next time at least. That some are left out is as it should be: what sleeps does not change.
func (b *builder) checkAsleepAtBackup(name, path string) {
	zone, err := time.LoadLocation(b.schedules.zones[name])
	next := b.file.Workloads[name].Workload.Backup.Times(zone)
	if err != nil || next == nil {
		return // told at its own place
	}
	first := next(b.options.Now)
	for at := first; !at.IsZero() && (at == first || at.Before(b.options.Now.AddDate(0, 0, 7))); {
		awake, until := b.schedules.workloads[name].At(at)
		if awake {
			return
		}
		if until.IsZero() {
			break
		}
		at = next(until.Add(-time.Nanosecond))
	}
	field := path + ".backup.schedule"
	if !first.IsZero() {
		b.notice(b.at(field), field+": "+name+" is asleep when the next dumps are due, first at "+first.Format("Mon 2006-01-02 15:04 MST")+", so none is made; choose a time at which it is awake")
	}
}
