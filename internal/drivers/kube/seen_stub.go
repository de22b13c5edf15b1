package kube

import "recsysd.dev/recsysd/internal/resource"

type sighting struct{}
type prediction struct{}

// Diff reports how live differs from what is wanted.
func (o Object) Diff(live Object) []resource.Change { panic("not built yet") }
