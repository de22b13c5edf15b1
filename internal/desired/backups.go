package desired

import "recsysd.dev/recsysd/internal/desired/workload"

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
	s.BackupBucket = e.Spec.Name
}
