package cluster_test

import (
	"testing"

	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/resource"
)

// Google gives its credit against the fee of zonal and Autopilot clusters.
func TestUsage(t *testing.T) {
	for _, c := range []struct {
		what   string
		spec   cluster.Spec
		credit bool
	}{
		{"Autopilot", cluster.Spec{Mode: cluster.Autopilot, Location: "us-central1"}, true},
		{"nothing said is Autopilot", cluster.Spec{Location: "us-central1"}, true},
		{"a zonal Standard one", cluster.Spec{Mode: cluster.Standard, Location: "us-central1-a"}, true},
		{"a regional Standard one", cluster.Spec{Mode: cluster.Standard, Location: "us-central1"}, false},
	} {
		fee, credit := 0, false
		for _, u := range c.spec.Usage() {
			switch u.Component {
			case resource.ComponentManagement:
				fee++
			case resource.ComponentCredit:
				credit = true
			}
		}
		if fee != 1 || credit != c.credit {
			t.Errorf("%s: %d fees, a claim to the credit: %v", c.what, fee, credit)
		}
	}
}
