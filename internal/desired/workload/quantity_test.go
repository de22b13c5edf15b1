package workload_test

import (
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired/workload"
)

func TestBytes(t *testing.T) {
	for text, want := range map[string]string{
		"1Gi": "1Gi", "1024Mi": "1Gi", "1.5Gi": "1536Mi", "1G": "1G", "512M": "512M", "2000000k": "2G", "1e9": "1e9", "1048576": "1048576",
	} {
		got, err := workload.ParseBytes(text)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", text, got, err, want)
		}
	}
	for text, hint := range map[string]string{
		"1GB": "use 1Gi or 1G", "1 GB": "use 1Gi or 1G", "512MB": "use 512Mi or 512M", "1gb": "use 1Gi or 1G", "1g": "use 1Gi or 1G", "1GiB": "use 1Gi or 1G",
		"64kb": "use 64Ki or 64k", "512m": "use 512Mi or 512M", "512": "a number without a unit is in bytes", "-1Gi": "more than nothing", "0": "more than nothing",
		"much": "such as 512Mi", "9Ei": "beyond any machine", "": "such as 512Mi",
	} {
		if _, err := workload.ParseBytes(text); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: got %v; the hint should say %q", text, err, hint)
		}
	}
}

func TestCPU(t *testing.T) {
	for text, want := range map[string]string{"500m": "500m", "0.5": "500m", "2": "2", "1000m": "1"} {
		var c workload.CPU
		if err := c.UnmarshalText([]byte(text)); err != nil || string(c) != want {
			t.Errorf("%s: got %q, %v; want %q", text, c, err, want)
		}
	}
	for _, text := range []string{"500", "5000", "0", "-1", "half", "1 core", ""} {
		var c workload.CPU
		if err := c.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted as %q", text, c)
		}
	}
}

func TestReferences(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0123456789abcdef", 4)
	for _, ref := range []string{"redis:7", "ghcr.io/mlflow/mlflow:v3.1.1", "localhost:5000/a/b:1", "a/b" + digest, "a:1" + digest, "us-central1-docker.pkg.dev/p/r/n:latest"} {
		if err := workload.CheckReference(ref); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, ref := range []string{"redis", "localhost:5000/redis", "redis:", "Redis:7", "a b:1", "", "redis@sha256:123", "https://x/y:1", "redis:7:8"} {
		if err := workload.CheckReference(ref); err == nil {
			t.Errorf("%q was accepted", ref)
		}
	}
}
