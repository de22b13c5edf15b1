package registry

import "recsysd.dev/recsysd/internal/drivers/gcp"

// Trail implements gcp.Audited.
func (s Spec) Trail(string) gcp.Trail {
	return gcp.Trail{Service: "artifactregistry.googleapis.com", Names: []string{"projects/*/locations/" + s.Location + "/repositories/" + s.Name}}
}
