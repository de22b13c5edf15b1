package bucket

import (
	"maps"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Usage is what is stored. Of a live bucket that has been measured, all bytes by class: noncurrent versions, what soft delete keeps and
// unfinished uploads are billed like any other. Else it is the estimate, at the bucket's own class: what lifecycle rules have moved to
// another one is then not known, and soft-deleted bytes are in it only if its author has thought of them. Operations are not counted.
func (s Spec) Usage() []resource.Usage {
	class, estimate, region := "standard", s.Estimate, strings.ToLower(s.Location)
	if s.Class != nil {
		class = *s.Class
	}
	if s.stored != nil {
		estimate = s.stored.estimate
		if len(s.stored.bytes) > 0 {
			var all []resource.Usage
			for _, class := range slices.Sorted(maps.Keys(s.stored.bytes)) {
				all = append(all, resource.Usage{
					Component: resource.ComponentStorage, Price: "gcs.storage." + class, Region: region, Quantity: resource.GiB(s.stored.bytes[class]),
				})
			}
			return all
		}
	}
	return []resource.Usage{gcp.Estimated("gcs.storage."+class, region, estimate)}
}
