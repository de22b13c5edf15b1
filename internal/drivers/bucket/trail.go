package bucket

import "recsysd.dev/recsysd/internal/drivers/gcp"

// Trail implements gcp.Audited. Buckets stand there without their project.
func (s Spec) Trail(string) gcp.Trail {
	return gcp.Trail{Service: "storage.googleapis.com", Names: []string{"projects/_/buckets/" + s.Name}}
}
