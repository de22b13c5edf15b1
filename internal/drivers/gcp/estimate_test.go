package gcp_test

import (
	"testing"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

func TestEstimated(t *testing.T) {
	for _, c := range []struct {
		what, estimate string
		want           resource.Amount
		unknown        string
	}{
		{"binary units", "10Gi", resource.Count(10), ""},
		{"decimal ones are smaller", "1G", resource.Ratio(1_000_000_000, 1<<30), ""},
		{"nothing is expected: that is not nothing", "", resource.Amount{}, gcp.SizeUnknown},
		{"what is no amount is not nothing either", "ten", resource.Amount{}, `size unknown: estimate "ten" is no amount of bytes`},
	} {
		u := gcp.Estimated("pd.balanced", "us-central1", c.estimate)
		if u.Quantity != c.want || u.Unknown != c.unknown || u.Estimated != (c.unknown == "") {
			t.Errorf("%s: %s, estimated %v, %q", c.what, u.Quantity, u.Estimated, u.Unknown)
		}
	}
}
