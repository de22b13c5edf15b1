package cluster

import "recsysd.dev/recsysd/internal/drivers/gcp"

// Trail implements gcp.Audited. Calls of the older form of the API, which know zones alone, stand there under zones.
func (s Spec) Trail(string) gcp.Trail {
	return gcp.Trail{Service: "container.googleapis.com", Names: []string{
		"projects/*/locations/" + s.Location + "/clusters/" + s.Name, "projects/*/zones/" + s.Location + "/clusters/" + s.Name,
	}}
}
