package e2e_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// secretStack has a Secret of each source, a workload that uses those from outside, and one that uses none of them.
const secretStack = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: %s
project: acme
region: us-central1
clusters: {primary: {name: acme-gke}}
secrets:
  made: {generate: [password]}
  mail: {fromFile: secrets/mail.age}
  conf: {fromFile: secrets/conf.yaml}
  token: {fromSecretManager: api-token, key: token}
workloads:
  api:
    image: nginx:1.27
    port: 80
    cpu: 100m
    memory: 64Mi
    user: 1000
    env: {MAIL: {secret: mail, key: password}, TOKEN: {secret: token, key: token}}
    secrets: {conf: /etc/conf}
  plain: {image: "nginx:1.27", port: 80, cpu: 100m, memory: 64Mi, env: {P: {secret: made, key: password}}}
`

// secretKeys is a new key for age, as a key file's line and as a recipient.
func secretKeys(t testing.TB) (line string, to age.Recipient) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.String() + "\n", id.Recipient()
}

// seal encrypts text as age -a does.
func seal(t testing.TB, text string, to ...age.Recipient) string {
	t.Helper()
	var out bytes.Buffer
	a := armor.NewWriter(&out)
	w, err := age.Encrypt(a, to...)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// sopsFile is a file that sops encrypted, with the line of a key that opens it.
func sopsFile(t testing.TB) (file, line string) {
	t.Helper()
	var texts [2]string
	for i, name := range []string{"values.yaml", "age.key"} {
		b, err := os.ReadFile("../../internal/sealed/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(b)
	}
	return texts[0], texts[1]
}

// secretValue is a value of a Secret in the cluster.
func (w *world) secretValue(secret, key string) string {
	w.Helper()
	b, err := base64.StdEncoding.DecodeString(w.kubectl("get", "secret", secret, "-o", "jsonpath={.data."+key+"}"))
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}

// making is what the pods of api say of a Secret that they use.
func (w *world) making(secret string) string {
	w.Helper()
	return w.kubectl("get", "deployment", "api", "-o", `jsonpath={.spec.template.metadata.annotations.secret\.recsysd\.dev/`+secret+"}")
}

// newSecretWorld has the stack's files; push them with the stack.
func newSecretWorld(t *testing.T, name string) (w *world, files []string, line string, to age.Recipient) {
	w = newWorld(t, name)
	line, to = secretKeys(t)
	conf, confLine := sopsFile(t)
	w.configure("secrets: {ageKeyFile: " + w.write("age.key", line+confLine) + ", refresh: 200ms}\n")
	w.google.AddSecret("api-token", "token-one")
	return w, []string{"secrets/mail.age", seal(t, "password: mail-one\n", to), "secrets/conf.yaml", conf}, line, to
}

func TestSecrets(t *testing.T) {
	w, files, line, to := newSecretWorld(t, "e2e-secrets")
	stack := fmt.Sprintf(secretStack, w.stack)
	w.start()
	w.eventually("the stack converges", w.converged(w.push("the stack", stack, files...)))
	for _, c := range [][3]string{{"mail", "password", "mail-one"}, {"conf", "password", "correct horse"}, {"conf", "lines", "one\ntwo\n"}, {"token", "token", "token-one"}} {
		if got := w.secretValue(c[0], c[1]); got != c[2] {
			t.Errorf("%s.%s is %q, want %q", c[0], c[1], got, c[2])
		}
	}
	if mode := w.kubectl("get", "deployment", "api", "-o", "jsonpath={.spec.template.spec.volumes[?(@.secret)].secret.defaultMode}"); mode != "256" {
		t.Errorf("the files of a Secret have mode %s, want 256, which is 0400", mode)
	}
	w.quiet()

	t.Run("asking Secret Manager costs one listing an interval, and no value", func(t *testing.T) {
		w := w.in(t)
		w.google.Forget()
		w.eventually("it was asked again", func() error {
			if w.google.Count("ListSecretVersions") == 0 {
				_, err := w.recsysd("sync", w.stack)
				return fmt.Errorf("not yet: %w", err)
			}
			return nil
		})
		if n := w.google.Count("AccessSecretVersion"); n > 0 {
			t.Errorf("%d values were read without a newer version", n)
		}
	})

	t.Run("a hand's edits are put back, and shown without a value", func(t *testing.T) {
		w := w.in(t)
		w.kubectl("patch", "secret", "mail", "--field-manager=kubectl-edit", "-p", `{"stringData":{"password":"by-hand","more":"by-hand-too"}}`)
		w.eventually("the edits are put back", func() error {
			if data := w.kubectl("get", "secret", "mail", "-o", "jsonpath={.data}"); data != fmt.Sprintf(`{"password":%q}`, base64.StdEncoding.EncodeToString([]byte("mail-one"))) {
				return fmt.Errorf("the Secret holds %s", data)
			}
			return nil
		})
		w.eventually("history tells of it", func() error {
			out, err := w.recsysd("history", w.stack, "-o", "json")
			if err != nil || !strings.Contains(out, "data.password") || !strings.Contains(out, "kubectl-edit") {
				return fmt.Errorf("%v: %s", err, out)
			}
			for _, value := range []string{"by-hand", "mail-one", "YnktaGFuZ", "bWFpbC1vbm"} {
				if strings.Contains(out, value) {
					t.Fatalf("history holds %q", value)
				}
			}
			return nil
		})
	})

	t.Run("a file that is encrypted anew replaces the pods that use it, and no others", func(t *testing.T) {
		w := w.in(t)
		before := w.making("mail")
		mark := kube.Mark()
		w.google.Forget()
		files[1] = seal(t, "password: mail-two\n", to)
		w.eventually("the new value converges", w.converged(w.push("a new value", stack, files...)))
		if got := w.secretValue("mail", "password"); got != "mail-two" || w.making("mail") == before {
			t.Errorf("the value is %q, and the pods' making %s was %s", got, w.making("mail"), before)
		}
		w.wrote(mark, "secrets/mail", "deployments/api")
		w.quiet()
	})

	t.Run("so does a new version in Secret Manager, without a commit", func(t *testing.T) {
		w := w.in(t)
		mark := kube.Mark()
		w.google.AddSecret("api-token", "token-two")
		w.eventually("the new version is used", func() error {
			return same(w.secretValue("token", "token")+" "+w.making("token"), "token-two token=api-token/2")
		})
		w.google.SetVersion("api-token", 2, "DISABLED")
		w.eventually("the version before it is used again", func() error {
			return same(w.secretValue("token", "token")+" "+w.making("token"), "token-one token=api-token/1")
		})
		w.google.Forget()
		w.wrote(mark, "secrets/token", "deployments/api")
	})

	t.Run("a file for another key is invalid at its place, until the key file has that too", func(t *testing.T) {
		w := w.in(t)
		otherLine, other := secretKeys(t)
		files[1] = seal(t, "password: mail-three\n", other)
		commit := w.push("another key", stack, files...)
		w.eventually("it is invalid", func() error {
			v, err := ask[statusView](w, "status")
			if err != nil || v.Stacks[0].Attempted != commit || !strings.Contains(v.Stacks[0].Error, "stack.yaml:9:20: secrets.mail.fromFile: secrets/mail.age cannot be opened: it was not encrypted for the given key") {
				return fmt.Errorf("%v, error %q", err, v.Stacks[0].Error)
			}
			return nil
		})
		if got := w.secretValue("mail", "password"); got != "mail-two" {
			t.Errorf("the Secret holds %q", got)
		}
		_, confLine := sopsFile(t)
		w.write("age.key", line+confLine+otherLine)
		w.eventually("with both keys it converges", w.converged(commit))
		if got := w.secretValue("mail", "password"); got != "mail-three" {
			t.Errorf("the Secret holds %q", got)
		}
	})

	t.Run("an entry that is removed takes its Secret along", func(t *testing.T) {
		w := w.in(t)
		less := edit(t, stack, `(?m)^  token: .*\n`, "")
		less = edit(t, less, `, TOKEN: \{secret: token, key: token\}`, "")
		w.eventually("the smaller stack converges", w.converged(w.push("without token", less)))
		if names := w.kubectl("get", "secret", "-o", "jsonpath={.items[*].metadata.name}"); slices.Contains(strings.Fields(names), "token") {
			t.Errorf("the secrets are %s", names)
		}
	})
}

// Secret Manager may be away for long: what runs goes on, also over a restart, and what is new waits without holding up the rest.
func TestSecretManagerAway(t *testing.T) {
	w, files, _, _ := newSecretWorld(t, "e2e-secrets-away")
	stack := fmt.Sprintf(secretStack, w.stack)
	w.start()
	commit := w.push("the stack", stack, files...)
	w.eventually("the stack converges", w.converged(commit))
	untouched := func(mark int64, when string) {
		t.Helper()
		for range 2 {
			if _, err := w.recsysd("sync", w.stack); err != nil {
				t.Fatal(err)
			}
		}
		if writes, err := kube.Writes(kubetest.Recsysd, mark); err != nil || len(writes) > 0 {
			t.Errorf("%s, the API server was written to: %v, %v", when, writes, err)
		}
		if got := w.secretValue("token", "token"); got != "token-one" {
			t.Errorf("%s the value is %q", when, got)
		}
	}

	w.google.Fail("secretmanager", codes.Unavailable, "try later", gcptest.Forever)
	untouched(kube.Mark(), "while it is away")
	w.eventually("it is still converged", w.converged(commit))

	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	mark := kube.Mark()
	w.start()
	w.eventually("it has converged without an answer", w.converged(commit))
	untouched(mark, "after a restart without an answer")
	w.eventually("status says why", func() error {
		out, err := w.recsysd("status")
		if err != nil || !strings.Contains(out, "keeps the values that it has: ") || !strings.Contains(out, "secret manager: secret api-token: ") {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})

	// A new Secret waits with what uses it; another change goes through.
	more := edit(t, stack, `(?m)^workloads:\n`, "  late: {fromSecretManager: late}\nworkloads:\n  late: {image: \"nginx:1.27\", cpu: 100m, memory: 64Mi, env: {L: {secret: late, key: value}}}\n")
	more = edit(t, more, `(?m)^    image: nginx:1\.27$`, "    image: nginx:1.28")
	commit = w.push("a new one", more, files...)
	w.eventually("api has its new image", func() error {
		return same(w.kubectl("get", "deployment", "api", "-o", "jsonpath={..image}"), "nginx:1.28")
	})
	w.eventually("the new ones wait", func() error {
		out, err := w.recsysd("status")
		for _, line := range []string{"creating Secret/" + w.stack + "/late: not available yet: secret manager: secret late: ", "waits for Secret/" + w.stack + "/late"} {
			if err != nil || !strings.Contains(out, line) {
				return fmt.Errorf("%v: no %q in %s", err, line, out)
			}
		}
		return nil
	})
	if w.making("token") != "token=api-token/1" || w.secretValue("token", "token") != "token-one" {
		t.Error("what lives was touched together with the change")
	}
	w.google.AddSecret("late", "late-one")
	w.google.Heal()
	w.eventually("with an answer everything converges", w.converged(commit))
	w.quiet()
}
