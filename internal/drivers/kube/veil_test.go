package kube

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

const (
	marked   = "hunter2hunter2"
	marked64 = "aHVudGVyMmh1bnRlcjI="
)

func silent(t *testing.T, what string, said any) {
	t.Helper()
	text := fmt.Sprintf("%v %+v", said, said)
	for _, s := range []string{marked, marked64[:18]} {
		if strings.Contains(text, s) {
			t.Errorf("%s repeats a value: %s", what, text)
		}
	}
}

// A webhook chooses every word of its refusal, and may quote the whole object; what is told is who refused.
func TestWebhookThatQuotesASecret(t *testing.T) {
	w := newWorld(t)
	secret := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: ` + marked64 + `}}`)
	w.create(secret)
	remove, err := control.Webhook(t.Context(), w.ns, "", []string{"secrets"}, func(a kubetest.Admission) error {
		if text(a.Object, "metadata", "namespace") != w.ns {
			return nil
		}
		plain, _ := base64.StdEncoding.DecodeString(text(a.Object, "data", "password"))
		return fmt.Errorf("no, not %v with %s", a.Object, plain)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	other := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: other}, data: {password: ` + marked64 + `}}`)
	err = w.kind.Create(t.Context(), resource.Of(other))
	if !errors.Is(err, resource.ErrRejected) || !strings.Contains(err.Error(), "admission webhook") {
		t.Errorf("want a refusal that names the webhook, got %v", err)
	}
	silent(t, "the refusal of a creation", err)
	changed := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: ` + marked64 + `, more: ` + marked64 + `}}`)
	o := w.see(changed)
	silent(t, "what is seen", o)
	silent(t, "the refusal of an update", w.kind.Update(t.Context(), resource.Of(changed), o, o.Diff))
}

// What is remembered of a Secret tells one making of it from another, and cannot be searched for the value.
func TestHashOfASecret(t *testing.T) {
	w := newWorld(t)
	made := func(value, source string) Object {
		o := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: ` + value + `}}`)
		o.Source = source
		return o
	}
	one, same, other := made("MQ==", "a"), made("Mg==", "a"), made("MQ==", "b")
	if resource.Of(one).Hash != resource.Of(same).Hash {
		t.Error("the hash depends on the value, so a short one could be found by trying")
	}
	if resource.Of(one).Hash == resource.Of(other).Hash {
		t.Error("another source has the same hash")
	}
	if resource.Of(made("MQ==", "")).Hash == resource.Of(made("Mg==", "")).Hash {
		t.Error("without a source there is nothing else to tell them by")
	}
}

// While a value is not known, what lives keeps it, everything else is still looked after, and what is absent waits.
func TestAwaits(t *testing.T) {
	w := newWorld(t)
	known := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: ` + marked64 + `, user: dQ==}}`)
	pods := func(notes, image string) Object {
		return w.object(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: api}, spec: {replicas: 0, selector: {matchLabels: {app: api}}, template: {
			metadata: {labels: {app: api}, annotations: {` + notes + `}}, spec: {containers: [{name: api, image: "` + image + `"}]}}}}`)
	}
	uses := pods(`secret.recsysd.dev/s: "s/3", other: kept`, "nginx:1.27")
	w.create(known)
	w.create(uses)

	unknown := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: null, user: dQ==}}`)
	unknown.Awaits = "nobody answers"
	waiting := pods(`secret.recsysd.dev/s: null, other: kept`, "nginx:1.27")
	waiting.Awaits = "nobody answers"
	for _, o := range []Object{unknown, waiting} {
		seen := w.see(o)
		if len(seen.Diff) > 0 {
			t.Errorf("%s differs in what is not known:\n%s", o, diffText(seen.Diff))
		}
		if !strings.Contains(fmt.Sprint(seen.Notices), "nobody answers") {
			t.Errorf("%s: nothing is said of it: %v", o, seen.Notices)
		}
		if err := w.kind.Create(t.Context(), resource.Of(o)); !errors.Is(err, resource.ErrUnavailable) {
			t.Errorf("%s: creating it is to wait, got %v", o, err)
		}
	}

	newer := pods(`secret.recsysd.dev/s: null, other: kept`, "nginx:1.28")
	newer.Awaits = "nobody answers"
	o := w.see(newer)
	if len(o.Diff) != 1 || !strings.Contains(o.Diff[0].Field, "image") {
		t.Fatalf("the image is the only difference:\n%s", diffText(o.Diff))
	}
	w.update(newer, o)
	if note := text(w.live(newer), "spec", "template", "metadata", "annotations", "secret.recsysd.dev/s"); note != "s/3" {
		t.Errorf("what is not known has become %q", note)
	}
	w.hand(known, "kubectl-edit", `{"data":{"user":"eA=="}}`)
	o = w.see(unknown)
	if len(o.Diff) != 1 || o.Diff[0].Field != "data.user" {
		t.Fatalf("an edit of a value that is known is drift:\n%s", diffText(o.Diff))
	}
	w.update(unknown, o)
	if live := w.live(known); text(live, "data", "user") != "dQ==" || text(live, "data", "password") != marked64 {
		t.Error("the value that is known was to be put back, and the other one kept")
	}
	if d := w.see(known).Diff; len(d) > 0 {
		t.Errorf("when it is known again nothing differs:\n%s", diffText(d))
	}
}
