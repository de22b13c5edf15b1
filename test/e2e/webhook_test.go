package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

const hookSecret = "the secret of the hooks of this test"

var hooksAt = regexp.MustCompile(`"address":"(127\.0\.0\.1:\d+)","path":"/hooks/STACK"`)

// hooksURL is where a stack's hooks are received, as the daemon's log says.
func (w *world) hooksURL(stack string) string {
	w.Helper()
	log, err := os.ReadFile(w.daemon.log)
	if err != nil {
		w.Fatal(err)
	}
	at := hooksAt.FindSubmatch(log)
	if at == nil {
		w.Fatalf("no hooks are received:\n%s", log)
	}
	return "http://" + string(at[1]) + "/hooks/" + stack
}

// signed is a request with a body and its signature.
func (w *world) signed(stack, secret string, body []byte) *http.Request {
	w.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	q, err := http.NewRequest(http.MethodPost, w.hooksURL(stack), bytes.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	q.Header.Set("X-GitHub-Event", "push")
	q.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return q
}

// hook tells the daemon of a push as GitHub does, and returns the status it is answered with.
func (w *world) hook(stack, secret string) int {
	w.Helper()
	answer, err := http.DefaultClient.Do(w.signed(stack, secret, []byte(`{"ref": "refs/heads/main"}`)))
	if err != nil {
		w.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// hooked has the world's daemon told of pushes by hooks alone, and returns a stack with one bucket.
func (w *world) hooked() (stack string) {
	w.Helper()
	w.poll = "1h"
	w.configure("")
	config, err := os.ReadFile(w.config)
	if err != nil {
		w.Fatal(err)
	}
	file := w.write("hook-secret", hookSecret+"\n")
	withHooks := strings.Replace(string(config), "pollInterval: 1h}", fmt.Sprintf("pollInterval: 1h, webhookSecretFile: %q}", file), 1)
	w.write("config.yaml", withHooks+"webhook: {listen: 127.0.0.1:0}\n")

	return "apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: " + w.stack + "\nproject: acme\nregion: us-central1\nbuckets:\n  data: {name: acme-hooked, versioning: false}\n"
}

// With an hour between polls only a hook can tell of a push.
func TestWebhook(t *testing.T) {
	w := newWorld(t, "e2e-webhook")
	stack := w.hooked()
	first := w.push("the stack", stack)
	w.start()
	w.eventually("it converges", w.converged(first))

	second := w.push("versions are kept", strings.Replace(stack, "false", "true", 1))
	for _, c := range []struct {
		reason        string
		stack, secret string
	}{{"another secret", w.stack, "the secret of somebody else"}, {"another stack", "nobody", hookSecret}} {
		if code := w.hook(c.stack, c.secret); code != http.StatusUnauthorized {
			t.Errorf("%s: answered %d", c.reason, code)
		}
	}
	if err := w.converged(first)(); err != nil {
		t.Errorf("a forged hook is not followed: %v", err)
	}
	if code := w.hook(w.stack, hookSecret); code != http.StatusAccepted {
		t.Fatalf("answered %d", code)
	}
	w.eventually("the push is seen by the hook", w.converged(second))
	if log, _ := os.ReadFile(w.daemon.log); strings.Contains(string(log), hookSecret) {
		t.Error("the log has the secret")
	}
}
