package network

import "recsysd.dev/recsysd/internal/resource"

// Usage is nothing: networks and subnets are free. Cloud NAT is not priced yet.
func (s Spec) Usage() []resource.Usage { return nil }
