package kube

import "recsysd.dev/recsysd/internal/resource"

// Usage is nothing yet.
func (o Object) Usage() []resource.Usage { return nil }
