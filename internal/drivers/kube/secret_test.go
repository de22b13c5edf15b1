package kube

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

// Generated values are made once; every later write leaves them, and a new key gets a value of its own.
func TestGenerated(t *testing.T) {
	w := newWorld(t)
	secret := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: db}}`)
	secret.Generate = []string{"password"}
	o := w.create(secret)
	if o.Lifetime != resource.Stateful {
		t.Error("a generated Secret cannot be made again: it is stateful, as seen too")
	}
	first := text(w.live(secret), "data", "password")
	if len(first) < 30 {
		t.Fatalf("the value is too short: %q", first)
	}
	secret.Generate = []string{"password", "token"}
	o = w.see(secret)
	if len(o.Diff) == 0 {
		t.Fatal("a new key is a difference")
	}
	w.update(secret, o)
	if d := w.see(secret).Diff; len(d) > 0 {
		t.Errorf("it still differs in\n%s", diffText(d))
	}
	live := w.live(secret)
	if text(live, "data", "password") != first || text(live, "data", "token") == "" || text(live, "data", "token") == first {
		t.Error("the old value is to stay, and the new key to have one of its own")
	}
	w.hand(secret, "kubectl-edit", `{"stringData":{"password":"changed by a person"}}`)
	if d := w.see(secret).Diff; len(d) > 0 {
		t.Errorf("a generated value that was rotated by hand is as good:\n%s", diffText(d))
	}
	w.hand(secret, "kubectl-edit", `{"data":{"token":null}}`)
	o = w.see(secret)
	if len(o.Diff) != 1 || o.Diff[0].Field != "data.token" {
		t.Fatalf("a value that was removed is missing:\n%s", diffText(o.Diff))
	}
	w.update(secret, o)
	if text(w.live(secret), "data", "token") == "" {
		t.Error("the missing value was not made")
	}
}

// No value of a Secret leaves the driver: not in a difference, an error, an observation or JSON.
func TestSecretsStay(t *testing.T) {
	w := newWorld(t)
	const value = "hunter2hunter2"
	secret := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {password: ` + value + `}}`)
	w.create(secret)
	w.hand(secret, "kubectl-client-side-apply", `{"stringData":{"password":"`+value+`-edited","more":"`+value+`-more"},"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"`+value+`"}}}`)
	o := w.see(secret)
	if len(o.Diff) != 2 {
		t.Errorf("want data.password and data.more, got\n%s", diffText(o.Diff))
	}
	for _, c := range o.Diff {
		if !c.Veiled {
			t.Errorf("%s is masked, and does not say so: two values of it would be taken for one", c.Field)
		}
	}
	bad := w.object(`{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {"a/b": ` + value + `}}`)
	err := w.kind.Update(t.Context(), resource.Of(bad), w.see(bad), w.see(bad).Diff)
	if !errors.Is(err, resource.ErrRejected) {
		t.Errorf("the bad key was to be refused, got %v", err)
	}
	shown := fmt.Sprintf("%+v %v %#v %+v %v %s", o, secret, secret, w.see(bad), err, resource.Of(secret).Hash)
	for _, s := range []string{value, "aHVudGVyMmh1bnRlcjI"} { // base64 would be as bad
		if strings.Contains(shown, s) {
			t.Errorf("a value is shown in: %s", shown)
		}
	}
	b, jsonErr := secret.MarshalJSON()
	if jsonErr != nil || strings.Contains(string(b), value[:8]) {
		t.Errorf("JSON holds the value: %s %v", b, jsonErr)
	}
}
