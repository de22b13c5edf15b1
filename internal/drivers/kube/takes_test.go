package kube

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

// A namespace may hold what another stack has put there, and a disk that somebody has made: the API server would remove both with it.
func TestANamespaceDoesNotTakeOthersAlong(t *testing.T) {
	w := newWorld(t)
	namespace := placed(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s-own}}`, w.ns), "", w.stack)
	o := w.create(namespace)
	remove := func() error { return w.kind.Delete(t.Context(), o, false) }
	in := []string{"-n", namespace.Name()}
	kubectl := func(args ...string) {
		t.Helper()
		if _, err := control.Kubectl(t.Context(), kubetest.Admin, append(in, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	kubectl("create", "configmap", "plain") // nobody's, and no loss
	kubectl("create", "configmap", "theirs")
	kubectl("label", "configmap", "theirs", LabelStack+"=another")
	claim := w.object(fmt.Sprintf(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: by-hand, namespace: %s}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`, namespace.Name()))
	w.create(claim)
	kubectl("label", "pvc", "by-hand", LabelStack+"-")

	for _, others := range []string{"ConfigMap/" + namespace.Name() + "/theirs", "PersistentVolumeClaim/" + namespace.Name() + "/by-hand"} {
		err := remove()
		if !errors.Is(err, errTakesOthers) || errors.Is(err, resource.ErrRejected) {
			t.Fatalf("it holds what is not the stack's, which may go: %v", err)
		}
		if w.live(namespace) == nil {
			t.Fatal("it is gone")
		}
		kind, name := others[:strings.Index(others, "/")], others[strings.LastIndex(others, "/")+1:]
		kubectl("delete", kind, name)
	}
	w.faults.forbid(w.driver, func() {
		w.faults.deny = func(r *http.Request) int {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/secrets") {
				return http.StatusForbidden
			}
			return 0
		}
	})
	if err := remove(); !errors.Is(err, errTakesOthers) {
		t.Errorf("what cannot be seen is not absent: %v", err)
	}
	w.faults.forbid(w.driver, func() { w.faults.deny = nil })
	if err := remove(); err != nil {
		t.Errorf("it holds nothing of others any longer: %v", err)
	}
}

// With a definition all resources of it go, whoever made them.
func TestADefinitionDoesNotTakeOthersAlong(t *testing.T) {
	w := newWorld(t)
	plural := "w" + strings.TrimPrefix(w.ns, "t-")
	kind := strings.ToUpper(plural[:1]) + plural[1:]
	definition := w.object(strings.NewReplacer("PLURAL", plural, "KIND", kind).Replace(widgets))
	o := w.create(definition)
	ours := w.object(fmt.Sprintf(`{apiVersion: test.recsysd.dev/v1, kind: %s, metadata: {name: x}}`, kind))
	w.until("the kind is there", func() bool { return w.kind.Create(t.Context(), resource.Of(ours)) == nil })
	w.kubectl("label", plural, "x", LabelStack+"-")
	if err := w.kind.Delete(t.Context(), o, false); !errors.Is(err, errTakesOthers) || !strings.Contains(err.Error(), w.ns+"/x") {
		t.Errorf("somebody's resource would go with it: %v", err)
	}
	w.kubectl("label", plural, "x", LabelStack+"="+w.stack)
	if err := w.kind.Delete(t.Context(), o, false); err != nil {
		t.Errorf("only the stack's own are left: %v", err)
	}
}
