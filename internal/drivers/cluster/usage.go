package cluster

import "recsysd.dev/recsysd/internal/resource"

// Usage is the management fee, which Google takes for every cluster alike, and for the sort of cluster that it is given for, a claim to the one credit
// against it that every billing account has. Whether the account has spent that elsewhere, a cluster does not know.
func (s Spec) Usage() []resource.Usage {
	fee := resource.Usage{Component: resource.ComponentManagement, Price: "gke.cluster.management", Quantity: resource.Count(1)}
	if s.Mode == Standard && !zone.MatchString(s.Location) {
		return []resource.Usage{fee}
	}
	return []resource.Usage{fee, {Component: resource.ComponentCredit, Price: "gke.free_tier.credit", Quantity: resource.Count(1)}}
}
