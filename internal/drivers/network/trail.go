package network

import (
	"slices"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Trail implements gcp.Audited: the network, its subnets, and the routers that its gateways are on.
func (s Spec) Trail(string) gcp.Trail {
	names := []string{"projects/*/global/networks/" + s.Name, "projects/*/regions/*/routers/" + s.router()}
	for _, n := range s.Subnets {
		names = append(names, "projects/*/regions/"+n.Region+"/subnetworks/"+n.Name)
	}
	slices.Sort(names)
	return gcp.Trail{Service: "compute.googleapis.com", Names: names}
}
