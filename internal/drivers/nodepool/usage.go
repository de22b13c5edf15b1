package nodepool

import "recsysd.dev/recsysd/internal/resource"

// Usage is nothing yet.
func (s Spec) Usage() []resource.Usage { return nil }
