package registry

import (
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Usage is what is stored: of a live repository as Google measures it, else as the stack file expects. A remote or virtual repository
// is billed for what it has stored like any other. Scans are not counted.
func (s Spec) Usage() []resource.Usage {
	const price = "artifactregistry.storage"
	if s.seen == nil {
		return []resource.Usage{gcp.Estimated(price, s.Location, s.Estimate)}
	}
	return []resource.Usage{{Component: resource.ComponentStorage, Price: price, Region: s.Location, Quantity: resource.GiB(s.Bytes)}}
}
