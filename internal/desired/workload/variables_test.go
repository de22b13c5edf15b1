package workload_test

import (
	"fmt"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired/workload"
)

// Variables say where the used buckets are, under the bucket's key.
func TestVariablesOfBuckets(t *testing.T) {
	for _, c := range []struct {
		why, want string
		buckets   []workload.Bucket
	}{
		{"a whole bucket", "DATA_BUCKET=acme-data DATA_URL=gs://acme-data", []workload.Bucket{{Key: "data", Name: "acme-data"}}},
		{"a prefix, without the slash at its end", "DATA_BUCKET=acme-data DATA_URL=gs://acme-data/models/v1", []workload.Bucket{{Key: "data", Name: "acme-data", Prefix: "models/v1/"}}},
		{"two prefixes of one: the bucket itself, once", "DATA_BUCKET=acme-data DATA_URL=gs://acme-data",
			[]workload.Bucket{{Key: "data", Name: "acme-data", Prefix: "a/"}, {Key: "data", Name: "acme-data", Prefix: "b/"}}},
		{"two buckets, in the order of the file", "RAW_DATA_BUCKET=r RAW_DATA_URL=gs://r MODELS_BUCKET=m MODELS_URL=gs://m/x",
			[]workload.Bucket{{Key: "raw-data", Name: "r"}, {Key: "models", Name: "m", Prefix: "x/"}}},
	} {
		s := here
		s.Buckets = c.buckets
		var got []string
		for _, e := range container(t, made(valid(), s)["Deployment"])["env"].([]any) {
			got = append(got, fmt.Sprint(at(t, e, "name"), "=", at(t, e, "value")))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.why, got, c.want)
		}
	}
}
