package desired_test

import (
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/resource"
)

// TestClusterInANetwork: keys become names, the only subnet of the region is taken, and the cluster waits for its network.
func TestClusterInANetwork(t *testing.T) {
	for _, c := range []struct {
		why, nat, mode string
		notices        int
	}{
		{"private nodes without NAT reach Google alone, which is told", "false", "apply", 1},
		{"with NAT all is well", "true", "apply", 0},
		{"of another stack's network it is not known", "false", "observe", 0},
	} {
		stack, err := desired.Load(one([]byte(head+`
networks:
  main:
    mode: `+c.mode+`
    nat: `+c.nat+`
    subnets:
      nodes: {range: 10.0.0.0/20, secondaryRanges: {pods: 10.4.0.0/14, services: 10.8.0.0/20}}
clusters:
  primary: {network: main, podRange: pods, serviceRange: services, privateNodes: true}
`)), "stack.yaml", desired.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(stack.Notices); n != c.notices || n > 0 && !strings.Contains(stack.Notices[0], "has no nat") {
			t.Errorf("%s: %q", c.why, stack.Notices)
		}
		for _, r := range stack.Resources {
			if r.Ref.Kind == "cluster" && (len(r.Needs) != 1 || r.Needs[0] != (resource.Need{Ref: resource.Ref{Kind: "network", Name: "acme-recsys-main"}})) {
				t.Errorf("the cluster should stand on its network: %v", r.Needs)
			}
		}
	}
}
