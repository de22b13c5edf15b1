package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// doctor and bootstrap read the stack as the daemon does: with the key of its encrypted files, and with tags that are kept up in Git.
func TestBootstrapReadsTheStackAsTheDaemonDoes(t *testing.T) {
	h := newHouse(t)
	for _, name := range []string{"values.yaml", "age.key"} {
		b, err := os.ReadFile(filepath.Join("../../internal/sealed/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		h.write(name, string(b))
		if name == "values.yaml" {
			h.commit("secrets/"+name, string(b))
		}
	}
	h.commit("stack.yaml", `apiVersion: recsysd.dev/v1alpha1
kind: Stack
name: recsys
project: acme
region: us-central1
clusters: {primary: {}}
registries: {images: {}}
secrets: {conf: {fromFile: secrets/values.yaml}}
workloads:
  api: {image: {registry: images, name: recsys-api, tag: v1.0.1, policy: "^1.0"}, cpu: 100m, memory: 64Mi}
`)
	b, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	plain := string(b)
	h.write("config.yaml", strings.Replace(plain, "project: acme,", "project: acme, imageUpdates: {push: main}, secrets: {ageKeyFile: age.key},", 1))
	if code, out, errs := invoke(t, "bootstrap", "--config", h.config); code != 0 || !strings.Contains(out, "gcloud") {
		t.Errorf("a stack that the daemon can read: %d %s%s", code, out, errs)
	}
	h.write("config.yaml", strings.Replace(plain, "project: acme,", "project: acme, imageUpdates: {push: main},", 1))
	if code, _, errs := invoke(t, "bootstrap", "--config", h.config); code != 2 || !strings.Contains(errs, "the daemon's configuration names no key") {
		t.Errorf("a stack that the daemon cannot read: %d %s", code, errs)
	}
}
