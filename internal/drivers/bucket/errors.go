package bucket

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/api/googleapi"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// code is the HTTP status of Google's answer; 0 if err is no answer.
func code(err error) int {
	var g *googleapi.Error
	if errors.As(err, &g) {
		return g.Code
	}
	return 0
}

func isForbidden(err error) bool { return code(err) == http.StatusForbidden }

// explain is gcp.Explain, and knows that Cloud Storage answers 412 both when a bucket has changed meanwhile, which another
// look mends, and when a rule of the organisation is against it, which nothing mends.
func explain(op string, err error) error {
	e := gcp.Explain("storage."+op, err)
	if code(err) == http.StatusPreconditionFailed && strings.Contains(err.Error(), "constraint") {
		return gcp.Reject(e)
	}
	return e
}

// explainPolicy is explain for a policy that was written.
func explainPolicy(err error) error {
	if waits := gcp.MemberMissing(err); waits != nil {
		return waits
	}
	return explain("buckets.setIamPolicy", err)
}

// explainGet is explain for a bucket that was read by name. Of a bucket that may not be read Google does not say whose it is.
func explainGet(err error) error {
	e := explain("buckets.get", err)
	if isForbidden(err) {
		return fmt.Errorf("%w (either the bucket is somebody else's, for names are shared by all of Google Cloud, or this account lacks storage.buckets.get)", e)
	}
	return e
}
