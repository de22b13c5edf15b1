package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// forms are how a value may turn up: as it is, in base64 at each of the three offsets that it may have in a longer text, and escaped for
// JSON, Go and URLs.
func forms(value string) map[string]string {
	all := map[string]string{"as it is": value, "in a URL": url.QueryEscape(value), "in a path": url.PathEscape(value)}
	quoted, _ := json.Marshal(value)
	all["in JSON"] = strings.Trim(string(quoted), `"`)
	goQuoted := fmt.Sprintf("%q", value)
	all["quoted"] = goQuoted[1 : len(goQuoted)-1]
	for offset := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + value))
		all[fmt.Sprint("in base64 at ", offset)] = encoded[4*((offset+2)/3) : len(encoded)-4]
	}
	return all
}

// leaks searches text for every value.
func leaks(t testing.TB, where, text string, values map[string]string) {
	t.Helper()
	for name, value := range values {
		for form, s := range forms(value) {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s holds the %s, %s: …%.300s…", where, name, form, text[max(0, i-150):])
				break
			}
		}
	}
}

// The values of no secret turn up in anything that recsysd prints, serves or writes to its disk, whatever goes wrong.
func TestNoSecretLeaks(t *testing.T) {
	w := newWorld(t, "e2e-leak")
	const hard = ` "<&>+/é 7f3a` // what every escape makes something else of
	values := map[string]string{
		"value of a file": "mk-file" + hard, "whole file": "mk-whole" + hard, "value of Secret Manager": "mk-managed" + hard,
		"value of a manifest": "mk-manifest" + hard, "value of a SOPS file": "correct horse", "token for Git": "mk-git-token-5521",
		"value of a hand": "mk-hand" + hard, "value in a bad file": "mk-bad" + hard, "value in a plain file": "mk-plain" + hard,
		"value that is no base64": "mk-nobase64-!!-7f3a", "access token": kube.Token(kubetest.Recsysd),
	}
	line, to := secretKeys(t)
	conf, confLine := sopsFile(t)
	values["key of age"] = strings.TrimSpace(line)
	quoted := func(name string) string { // as YAML and JSON have it
		b, err := json.Marshal(values[name])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	w.git.Require(values["token for Git"])
	w.level = "debug"
	w.configure("secrets: {ageKeyFile: " + w.write("age.key", line+confLine) + ", refresh: 200ms}\n")
	b, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.write("config.yaml", edit(t, string(b), `pollInterval: 200ms`, "pollInterval: 200ms, auth: {tokenFile: "+w.write("git-token", values["token for Git"])+"}"))
	w.google.AddSecret("api-token", values["value of Secret Manager"])

	files := map[string]string{
		"secrets/mail.age":  seal(t, "password: "+quoted("value of a file")+"\n", to),
		"secrets/conf.yaml": conf,
		"secrets/whole.age": seal(t, values["whole file"], to),
		"k8s/secret.yaml":   "apiVersion: v1\nkind: Secret\nmetadata: {name: manifest}\nstringData: {password: " + quoted("value of a manifest") + "}\n",
	}
	stack := fmt.Sprintf(secretStack, w.stack) + "manifests: [k8s/*.yaml]\n"
	stack = edit(t, stack, `(?m)^  made:`, "  whole: {fromFile: secrets/whole.age, key: blob}\n  made:")
	push := func(message string, change map[string]string) string {
		t.Helper()
		var flat []string
		for _, all := range []map[string]string{files, change} {
			for name, content := range all {
				flat = append(flat, name, content)
			}
		}
		return w.push(message, stack, flat...)
	}

	// Everything that recsysd says is kept, and searched in the end.
	said := map[string]string{}
	ask := func(when string) {
		t.Helper()
		for _, args := range [][]string{
			{"plan"}, {"plan", "-o", "json"}, {"status"}, {"status", "-o", "json"}, {"history", w.stack}, {"history", w.stack, "-o", "json"},
			{"drift"}, {"drift", "-o", "json"}, {"output"}, {"sync", w.stack}, {"apply", "--once"},
		} {
			out, err := w.recsysd(args...)
			said[fmt.Sprintf("%s: %s", when, strings.Join(args, " "))] = fmt.Sprint(out, err)
		}
		for _, page := range []string{"metrics", "api/v1/status", "healthz", "readyz"} {
			answer, err := http.Get("http://" + w.address() + "/" + page)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			said[when+": /"+page] = string(b)
		}
	}
	w.start()
	commit := push("the stack", nil)
	w.eventually("the stack converges", w.converged(commit))
	values["generated value"] = w.secretValue("made", "password")
	ask("converged")

	// A hand's edit is seen and put back while a webhook refuses every write of a Secret and quotes it whole.
	w.kubectl("patch", "secret", "mail", "--field-manager=kubectl-edit", "-p", `{"stringData":{"password":`+quoted("value of a hand")+`,"more":`+quoted("value of a hand")+`}}`)
	w.eventually("the edit is put back", func() error { return same(w.secretValue("mail", "password"), values["value of a file"]) })
	ask("put back")
	refused := make(chan struct{}, 1)
	remove, err := kube.Webhook(t.Context(), w.stack, "", []string{"secrets"}, func(a kubetest.Admission) error {
		meta, _ := a.Object["metadata"].(map[string]any)
		if meta["namespace"] != w.stack {
			return nil
		}
		select {
		case refused <- struct{}{}:
		default:
		}
		plain := ""
		for _, v := range a.Object["data"].(map[string]any) {
			b, _ := base64.StdEncoding.DecodeString(fmt.Sprint(v))
			plain += string(b) + " "
		}
		whole, _ := json.Marshal(a.Object)
		return fmt.Errorf("no: %s %s %v", plain, whole, a.Old)
	})
	if err != nil {
		t.Fatal(err)
	}
	push("a new value", map[string]string{"secrets/whole.age": seal(t, values["whole file"]+" ", to)})
	select {
	case <-refused:
	case <-time.After(30 * time.Second):
		t.Fatal("the webhook was not in the way")
	}
	w.eventually("the refusal is told", func() error {
		out, err := w.recsysd("status")
		if err != nil || !strings.Contains(out, "admission webhook") {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
	ask("refused by a webhook")
	remove()

	// Files that cannot be used, each with a value at the very place of the mistake.
	for _, c := range []struct{ name, file, content, sign string }{
		{"bad YAML in a file", "secrets/mail.age", seal(t, "password: *"+strings.ReplaceAll(values["value in a bad file"], " ", "")+"\nmore: {", to), "secrets/mail.age:"},
		{"values within values", "secrets/mail.age", seal(t, "password: ["+quoted("value in a bad file")+"]\n", to), "must be a text"},
		{"a file that nobody encrypted", "secrets/mail.age", "password: " + quoted("value in a plain file") + "\n", "not encrypted"},
		{"a value that is no base64", "k8s/secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: manifest}\ndata: {password: \"" + values["value that is no base64"] + "\"}\n", "manifest"},
		{"a value of another type", "k8s/secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: manifest}\nstringData: {password: [" + quoted("value of a manifest") + "]}\n", "manifest"},
	} {
		commit := push(c.name, map[string]string{c.file: c.content})
		w.eventually(c.name+" is told", func() error {
			out, err := w.recsysd("status")
			if err != nil || !strings.Contains(out, commit[:12]) || !strings.Contains(out, c.sign) || strings.Contains(out, "  converged") {
				return fmt.Errorf("%v: %s", err, out)
			}
			return nil
		})
		ask(c.name)
	}

	// Git turns the token down.
	w.git.Require("another")
	if _, err := w.recsysd("sync", w.stack); err == nil {
		t.Error("sync is well although Git turned the token down")
	}
	ask("Git says no")

	// What a crash leaves behind.
	w.daemon.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-w.daemon.done:
	case <-time.After(30 * time.Second):
		t.Fatal("SIGQUIT did not end the daemon")
	}
	log, err := os.ReadFile(w.daemon.log)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "goroutine ") || !strings.Contains(string(log), `"level":"debug"`) {
		t.Error("the log lacks the crash, or its details: nothing is proved")
	}
	said["the log, with a crash"] = string(log)
	err = filepath.WalkDir(w.path("state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		said["state directory: "+path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range said {
		leaks(t, where, text, values)
	}
	if len(said) < 100 {
		t.Errorf("only %d things were searched", len(said))
	}
}

// A search that finds nothing anywhere proves nothing.
func TestLeaksAreFound(t *testing.T) {
	const value = `mk "<&>+/é 7f3a`
	for form, s := range forms(value) {
		if len(s) < 8 {
			t.Errorf("%s: %q is too short to tell", form, s)
		}
	}
	quoted, _ := json.Marshal(map[string]string{"a": value})
	for _, text := range []string{
		"x" + value, string(quoted), fmt.Sprintf("%q", value), "?q=" + url.QueryEscape(value),
		base64.StdEncoding.EncodeToString([]byte(value)), base64.StdEncoding.EncodeToString([]byte("y" + value + "z")), base64.StdEncoding.EncodeToString([]byte("ab" + value)),
	} {
		found := &recorder{TB: t}
		leaks(found, "a text", text, map[string]string{"value": value})
		if !found.failed {
			t.Errorf("not found in %s", text)
		}
	}
}

// recorder notes that a test would have failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }
