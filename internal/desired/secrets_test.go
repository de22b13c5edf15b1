package desired_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/sealed"
)

const secretsStack = `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: recsys
project: acme
region: us-central1
clusters: {primary: {}}
secrets:
  made: {generate: [password]}
  mail: {fromFile: secrets/mail.age}
  conf: {fromFile: secrets/conf.yaml}
  blob: {fromFile: secrets/blob.age, key: blob.bin}
  token: {fromSecretManager: api-token}
  two: {fromSecretManager: {id: id, key: {secret: key, version: 3}}}
workloads:
  api:
    image: nginx:1.27
    cpu: 100m
    memory: 64Mi
    user: 1000
    env: {A: {secret: mail, key: password}, B: {secret: token, key: value}, C: {secret: made, key: password}}
    secrets: {conf: /etc/conf, two: /etc/two}
  plain: {image: "nginx:1.27", cpu: 100m, memory: 64Mi, env: {C: {secret: made, key: password}}, secrets: {made: /etc/made}}
`

// sealedTree is a repository with files that age and sops themselves encrypted.
func sealedTree(t *testing.T) fstest.MapFS {
	t.Helper()
	tree := fstest.MapFS{"stack.yaml": {Data: []byte(secretsStack)}}
	for name, from := range map[string]string{"mail.age": "armored.age", "conf.yaml": "values.yaml", "blob.age": "whole.age"} {
		data, err := os.ReadFile("../sealed/testdata/" + from)
		if err != nil {
			t.Fatal(err)
		}
		tree["secrets/"+name] = &fstest.MapFile{Data: data}
	}
	return tree
}

func sealedKeys() (sealed.Keys, error) {
	data, err := os.ReadFile("../sealed/testdata/age.key")
	if err != nil {
		return sealed.Keys{}, err
	}
	return sealed.ParseKeys(data)
}

// objects are the Kubernetes objects of a stack, by reference.
func objects(t *testing.T, s *desired.Stack) map[string]kube.Object {
	t.Helper()
	all := map[string]kube.Object{}
	for _, r := range s.Resources {
		if o, ok := r.Spec.(kube.Object); ok {
			all[r.Ref.String()] = o
		}
	}
	return all
}

func data(o kube.Object, key string) string {
	values, _ := o.Manifest["data"].(map[string]any)
	text, _ := values[key].(string)
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err.Error()
	}
	return string(plain)
}

// notes are the annotations of a Deployment's pods.
func notes(t *testing.T, o kube.Object) map[string]any {
	t.Helper()
	b, err := json.Marshal(o.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Spec struct {
			Template struct {
				Metadata struct{ Annotations map[string]any }
			}
		}
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m.Spec.Template.Metadata.Annotations
}

func TestSecretsOfEverySource(t *testing.T) {
	var asked []desired.ManagedName
	soon := time.Now().Add(time.Minute)
	load := func(version string) map[string]kube.Object {
		asked = nil
		s, err := desired.Load(sealedTree(t), "stack.yaml", desired.Options{Keys: sealedKeys, Managed: func(names []desired.ManagedName) []desired.ManagedValue {
			asked = append(asked, names...)
			values := make([]desired.ManagedValue, len(names))
			for i, n := range names {
				values[i] = desired.ManagedValue{Data: []byte("value of " + n.Secret), Version: version, Next: soon.Add(time.Duration(i) * time.Hour)}
			}
			return values
		}})
		if err != nil {
			t.Fatal(err)
		}
		if !s.Until.Equal(soon) {
			t.Errorf("the stack holds until %v, want until the first value may be another, %v", s.Until, soon)
		}
		return objects(t, s)
	}
	all := load("7")
	if len(asked) != 3 {
		t.Errorf("Secret Manager was asked for %v, want each name once", asked)
	}
	for _, c := range []struct{ secret, key, want string }{
		{"mail", "password", "correct horse"}, {"conf", "on", "true"}, {"blob", "blob.bin", "\x00\x01whole"},
		{"token", "value", "value of api-token"}, {"two", "id", "value of id"}, {"two", "key", "value of key"},
	} {
		if got := data(all["Secret/recsys/"+c.secret], c.key); got != c.want {
			t.Errorf("%s.%s is %q, want %q", c.secret, c.key, got, c.want)
		}
	}
	if all["Secret/recsys/made"].Manifest["data"] != nil || len(all["Secret/recsys/made"].Generate) != 1 {
		t.Error("a generated Secret has values before it is made")
	}
	api, again := notes(t, all["Deployment/recsys/api"]), notes(t, load("8")["Deployment/recsys/api"])
	for name, changes := range map[string]bool{"mail": false, "conf": false, "token": true, "two": true} {
		key := kube.AnnotationSecret + name
		if api[key] == nil || api[key] == "" || (api[key] != again[key]) != changes {
			t.Errorf("%s: %v with one version and %v with another", key, api[key], again[key])
		}
	}
	if _, noted := api[kube.AnnotationSecret+"made"]; noted || len(notes(t, all["Deployment/recsys/plain"])) > 0 {
		t.Error("a generated Secret, which has no source, replaces no pods")
	}
}

// A making is told by what is encrypted: the same text encrypted anew replaces the pods, and nothing told is made from the text.
func TestRevisionIsOfTheCiphertext(t *testing.T) {
	load := func(tree fstest.MapFS) map[string]any {
		s, err := desired.Load(tree, "stack.yaml", desired.Options{Keys: sealedKeys})
		if err != nil {
			t.Fatal(err)
		}
		return notes(t, objects(t, s)["Deployment/recsys/api"])
	}
	tree := sealedTree(t)
	before := load(tree)
	anew, err := os.ReadFile("../sealed/testdata/binary.age") // the same text
	if err != nil {
		t.Fatal(err)
	}
	tree["secrets/mail.age"] = &fstest.MapFile{Data: anew}
	if key := kube.AnnotationSecret + "mail"; load(tree)[key] == before[key] {
		t.Error("the text was encrypted anew and has the same revision: it was made from the text")
	}
}

// Without an answer of Secret Manager, the values are null and awaited, and so is what uses them; nothing else waits.
func TestSecretsAwaited(t *testing.T) {
	s, err := desired.Load(sealedTree(t), "stack.yaml", desired.Options{Keys: sealedKeys, Managed: func(names []desired.ManagedName) []desired.ManagedValue {
		values := make([]desired.ManagedValue, len(names))
		for i, n := range names {
			values[i] = desired.ManagedValue{Data: []byte("known"), Version: "1"}
			if n.Secret == "key" {
				values[i] = desired.ManagedValue{Err: errors.New("secret key: nobody answers")}
			}
		}
		return values
	}})
	if err != nil {
		t.Fatal(err)
	}
	for ref, o := range objects(t, s) {
		waits := ref == "Secret/recsys/two" || ref == "Deployment/recsys/api"
		if (o.Awaits != "") != waits {
			t.Errorf("%s awaits %q", ref, o.Awaits)
		}
	}
	two := objects(t, s)["Secret/recsys/two"]
	if v, ok := two.Manifest["data"].(map[string]any)["key"]; !ok || v != nil || data(two, "id") != "known" {
		t.Errorf("the value that is not known is to be null, and the other there: %v", two.Manifest["data"])
	}
	api := notes(t, objects(t, s)["Deployment/recsys/api"])
	if v, ok := api[kube.AnnotationSecret+"two"]; !ok || v != nil {
		t.Errorf("the making that is not known is %v", v)
	}
}

// check needs no key: files stay shut, which it says, and names of keys are not judged.
func TestSecretsOffline(t *testing.T) {
	tree := sealedTree(t)
	tree["stack.yaml"].Data = []byte(strings.Replace(secretsStack, "key: password}, B", "key: whatever}, B", 1))
	s, err := desired.Load(tree, "stack.yaml", desired.Options{Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	shut := 0
	for _, n := range s.Notices {
		if strings.Contains(n, "stays shut") && strings.HasPrefix(n, "stack.yaml:") {
			shut++
		}
	}
	if shut != 3 {
		t.Errorf("three files stay shut, and the notices are %q", s.Notices)
	}
	if _, err := desired.Load(tree, "stack.yaml", desired.Options{Offline: true, Keys: sealedKeys}); err == nil || !strings.Contains(err.Error(), `no key "whatever"`) {
		t.Errorf("with the key names of keys are judged, got %v", err)
	}
}
