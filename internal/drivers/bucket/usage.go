package bucket

import (
	"strings"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Usage is what is stored, at the bucket's own class: what lifecycle rules have moved to another one is not known. Bytes that soft
// delete keeps are billed like all others and are in the estimate only if its author has thought of them. Operations are not counted.
func (s Spec) Usage() []resource.Usage {
	class := "standard"
	if s.Class != nil {
		class = *s.Class
	}
	return []resource.Usage{gcp.Estimated("gcs.storage."+class, strings.ToLower(s.Location), s.Estimate)}
}
