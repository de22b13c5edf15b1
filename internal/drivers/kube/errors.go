package kube

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"recsysd.dev/recsysd/internal/resource"
)

// answer is the API server's own account of an error; ok is false if the error did not come from it.
func answer(err error) (metav1.Status, bool) {
	var s apierrors.APIStatus
	if !errors.As(err, &s) {
		return metav1.Status{}, false
	}
	return s.Status(), true
}

// translate says by its class what happens next after a failed write of o.
func translate(err error, o Object) error {
	status, ok := answer(err)
	if err == nil || !ok {
		return err
	}
	said := explain(err, o)
	switch {
	case isMissing(status) || isEnding(status):
		return fmt.Errorf("%w: %s", resource.ErrUnavailable, said)
	case isRefused(status):
		return fmt.Errorf("%w: %s", resource.ErrRejected, said)
	}
	return errors.New(said)
}

// explain is the server's message; of a Secret, what can be said without repeating it.
func explain(err error, o Object) string {
	status, ok := answer(err)
	if !ok || o.GVK().GroupKind() != secretKind {
		return err.Error()
	}
	return veiledStatus(status, o)
}

func causes(s metav1.Status) []metav1.StatusCause {
	if s.Details == nil {
		return nil
	}
	return s.Details.Causes
}

// isMissing: the namespace, or the whole kind, is not there (yet).
func isMissing(s metav1.Status) bool {
	return s.Code == http.StatusNotFound && (s.Details == nil || s.Details.Name == "" || s.Details.Kind == "namespaces")
}

// isEnding: the namespace is on its way out.
func isEnding(s metav1.Status) bool {
	for _, c := range causes(s) {
		if c.Type == "NamespaceTerminating" {
			return true
		}
	}
	return false
}

// forbiddenByRights matches what the authorizer says, not what an admission controller says under the same code.
var forbiddenByRights = regexp.MustCompile(`(?s)User ".*" cannot \w+ resource`)

// isRefused: the request was understood, may be made, and will not be taken as it stands. What stands between us and the API
// server (a proxy, a load balancer) has no say in that: its answers are no Status, and client-go marks them so.
func isRefused(s metav1.Status) bool {
	for _, c := range causes(s) {
		if c.Type == metav1.CauseTypeUnexpectedServerResponse {
			return false
		}
	}
	switch s.Code {
	case http.StatusUnprocessableEntity, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return true
	case http.StatusForbidden:
		// A quota may have room later.
		return !forbiddenByRights.MatchString(s.Message) && !strings.Contains(s.Message, "exceeded quota") && !isEnding(s)
	}
	// A webhook chooses its own code; a field that the schema does not have is a 500.
	return strings.Contains(s.Message, "denied the request") ||
		strings.Contains(s.Message, "failed to create typed patch object")
}

// unchangeable matches the messages of validations that compare old and new.
var unchangeable = regexp.MustCompile(`(?i)immutable|(may|can|can ?not|must|should) not (be )?(change|modif|update)|cannot (be )?(change|modif|update)|updates? to .+ (is|are) forbidden|not be changed|cannot be unset|once set`)

// immutable returns the fields that the server will not change in place, if that is its only complaint.
func immutable(err error) (fields []string, only bool) {
	status, ok := answer(err)
	if !ok || status.Code != http.StatusUnprocessableEntity || len(causes(status)) == 0 {
		return nil, false
	}
	for _, c := range causes(status) {
		if !unchangeable.MatchString(c.Message) {
			return nil, false
		}
		fields = append(fields, c.Field)
	}
	return fields, true
}

var (
	errMoved      = errors.New("the object has changed since it was looked at")
	errUnreadable = errors.New("managed fields that cannot be read")
)

// ofCluster reports whether an error concerns the way to the cluster and not one object: no answer came, or it does not
// know who asks.
func ofCluster(err error) bool {
	status, ok := answer(err)
	if ok {
		return status.Code == http.StatusUnauthorized
	}
	return err != nil && !errors.Is(err, errMoved) && !errors.Is(err, errUnreadable)
}
