package kube

import (
	"fmt"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

// bound makes a claim of that class and a pod for it, and waits until it has its volume.
func (w *world) bound(name, class, size string) Object {
	w.Helper()
	claim := w.claimed(name, class, size)
	w.create(claim)
	w.create(w.object(fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {volumes: [{name: d, persistentVolumeClaim: {claimName: %s}}], containers: [{name: c, image: "example.test/c:1"}]}}`, name, name)))
	w.until("the claim is bound", func() bool { return text(w.live(claim), "status", "phase") == "Bound" })
	w.caughtUp(claim, text(w.live(claim), "metadata", "resourceVersion"))
	return claim
}

func (w *world) claimed(name, class, size string) Object {
	w.Helper()
	return w.object(fmt.Sprintf(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: %s}, spec: {storageClassName: %s, accessModes: [ReadWriteOnce], resources: {requests: {storage: %s}}}}`, name, class, size))
}

// A disk grows in place where its class lets it; it never shrinks, and no write finds that out.
func TestDisksGrowAndNeverShrink(t *testing.T) {
	w := newWorld(t)
	w.bound("disk", "standard", "10Gi")

	grown := w.claimed("disk", "standard", "20Gi")
	o := w.see(grown)
	if len(o.Diff) != 1 || o.Diff[0].Recreate || o.Refused != "" {
		t.Fatalf("more is a change in place: %s, refused %q", diffText(o.Diff), o.Refused)
	}
	w.update(grown, o)
	if o = w.see(grown); len(o.Diff) > 0 || o.State != resource.Ready || o.Detail != "growing from 10Gi to 20Gi" {
		t.Errorf("while it grows it is used, and nothing differs: %v %q\n%s", o.State, o.Detail, diffText(o.Diff))
	}

	for _, c := range []struct {
		why, refused string
		want         Object
	}{
		{"less is refused", "a disk never shrinks, and this one has 20Gi, not 5Gi", w.claimed("disk", "standard", "5Gi")},
		{"more is refused where the class does not know how", "its StorageClass immediate does not say allowVolumeExpansion",
			func() Object { w.bound("fixed", "immediate", "1Gi"); return w.claimed("fixed", "immediate", "2Gi") }()},
	} {
		mark := control.Mark()
		o := w.see(c.want)
		if len(o.Diff) != 1 || o.Diff[0].Recreate || !strings.Contains(o.Refused, c.refused) {
			t.Errorf("%s: %q, of\n%s", c.why, o.Refused, diffText(o.Diff))
		}
		if writes, err := control.Writes(kubetest.Recsysd, mark); err != nil || len(writes) > 0 {
			t.Errorf("%s: it took writes to find out: %v, %v", c.why, writes, err)
		}
	}
}
