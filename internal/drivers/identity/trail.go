package identity

import "recsysd.dev/recsysd/internal/drivers/gcp"

// Trail implements gcp.Audited.
func (s Spec) Trail(project string) gcp.Trail {
	return gcp.Trail{Service: "iam.googleapis.com", Account: gcp.AccountEmail(project, s.Name)}
}
