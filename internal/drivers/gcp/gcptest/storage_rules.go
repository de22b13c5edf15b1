package gcptest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	storagev1 "google.golang.org/api/storage/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	softDeleteDefault = 7 * 24 * 3600 // seconds
	softDeleteMost    = 90 * 24 * 3600
	uniformLock       = 90 * 24 * time.Hour
)

var (
	bucketNames = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)
	multi       = []string{"US", "EU", "ASIA"}
	dual        = []string{"NAM4", "EUR4", "EUR5", "EUR7", "EUR8", "ASIA1"}
	bucketClass = []string{"STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"}
)

func validBucketName(name string) bool {
	return bucketNames.MatchString(name) && !strings.HasPrefix(name, "goog") && !strings.Contains(name, "google")
}

// fillBucket gives b what Google fills in, in the case and form in which Google answers.
func fillBucket(b *storagev1.Bucket, now time.Time) {
	b.Kind, b.Id, b.SelfLink = "storage#bucket", b.Name, "https://www.googleapis.com/storage/v1/b/"+b.Name
	if b.Location == "" {
		b.Location = "US"
	}
	b.Location = strings.ToUpper(b.Location)
	b.LocationType = locationType(b.Location)
	if b.LocationType != "region" && b.Rpo == "" {
		b.Rpo = "DEFAULT"
	}
	if b.StorageClass == "" {
		b.StorageClass = "STANDARD"
	}
	b.StorageClass = strings.ToUpper(b.StorageClass)
	fillAccess(b, now)
	if b.SoftDeletePolicy == nil {
		b.SoftDeletePolicy = &storagev1.BucketSoftDeletePolicy{RetentionDurationSeconds: softDeleteDefault}
	}
	if b.SoftDeletePolicy.EffectiveTime == "" {
		b.SoftDeletePolicy.EffectiveTime = now.Format(time.RFC3339Nano)
	}
	b.SoftDeletePolicy.ForceSendFields = []string{"RetentionDurationSeconds"}
	if b.Versioning != nil {
		b.Versioning.ForceSendFields = []string{"Enabled"}
	}
	if b.Lifecycle != nil && len(b.Lifecycle.Rule) == 0 {
		b.Lifecycle = nil
	}
	if len(b.Labels) == 0 {
		b.Labels = nil
	}
}

// fillAccess fills in who decides about access; the older name of uniform access is answered beside the newer one.
func fillAccess(b *storagev1.Bucket, now time.Time) {
	if b.IamConfiguration == nil {
		b.IamConfiguration = &storagev1.BucketIamConfiguration{}
	}
	c := b.IamConfiguration
	if c.PublicAccessPrevention == "" || c.PublicAccessPrevention == "unspecified" {
		c.PublicAccessPrevention = "inherited"
	}
	if c.UniformBucketLevelAccess == nil {
		c.UniformBucketLevelAccess = &storagev1.BucketIamConfigurationUniformBucketLevelAccess{}
	}
	u := c.UniformBucketLevelAccess
	u.ForceSendFields = []string{"Enabled"}
	switch {
	case !u.Enabled:
		u.LockedTime = ""
	case u.LockedTime == "":
		u.LockedTime = now.Add(uniformLock).Format(time.RFC3339Nano)
	}
	c.BucketPolicyOnly = &storagev1.BucketIamConfigurationBucketPolicyOnly{Enabled: u.Enabled, LockedTime: u.LockedTime, ForceSendFields: []string{"Enabled"}}
}

// locationType is "" for what is no location.
func locationType(location string) string {
	switch {
	case slices.Contains(multi, location):
		return "multi-region"
	case slices.Contains(dual, location):
		return "dual-region"
	case regions.MatchString(strings.ToLower(location)):
		return "region"
	}
	return ""
}

// checkBucket refuses what Google refuses.
func checkBucket(b *storagev1.Bucket) error {
	switch keep := b.SoftDeletePolicy.RetentionDurationSeconds; {
	case b.LocationType == "":
		return bad("The specified location constraint is not valid.")
	case !slices.Contains(bucketClass, b.StorageClass):
		return bad("The specified storage class is not valid: %s", b.StorageClass)
	case keep != 0 && (keep < softDeleteDefault || keep > softDeleteMost):
		return bad("Soft delete policies must have a retention duration of 0 or between 7 and 90 days.")
	case !slices.Contains([]string{"inherited", "enforced"}, b.IamConfiguration.PublicAccessPrevention):
		return bad("Invalid value for public access prevention: %s", b.IamConfiguration.PublicAccessPrevention)
	case len(b.Labels) > 64:
		return bad("Too many labels: %d", len(b.Labels))
	}
	for k, v := range b.Labels {
		if !labelKeys.MatchString(k) || !labelValues.MatchString(v) {
			return bad("Invalid label: %q: %q", k, v)
		}
	}
	if b.Lifecycle == nil {
		return nil
	}
	for _, r := range b.Lifecycle.Rule {
		if err := checkRule(r); err != nil {
			return err
		}
	}
	return nil
}

func checkRule(r *storagev1.BucketLifecycleRule) error {
	if r.Action == nil || r.Condition == nil {
		return bad("A lifecycle rule must have an action and a condition.")
	}
	switch a := r.Action; a.Type {
	case "Delete", "AbortIncompleteMultipartUpload":
		if a.StorageClass != "" {
			return bad("Only SetStorageClass has a storage class.")
		}
	case "SetStorageClass":
		if !slices.Contains(bucketClass, a.StorageClass) {
			return bad("Invalid storage class in a lifecycle rule: %q", a.StorageClass)
		}
	default:
		return bad("Invalid lifecycle action: %q", a.Type)
	}
	b, err := json.Marshal(r.Condition)
	if err != nil || string(b) == "{}" {
		return bad("A lifecycle rule must have at least one condition.")
	}
	return nil
}

// etag is how Google writes a metageneration: CAE= is the first.
func etag(metageneration int64) string {
	return base64.StdEncoding.EncodeToString(binary.AppendUvarint([]byte{8}, uint64(metageneration)))
}

// refusal is an error as Cloud Storage tells it.
type refusal struct {
	http         int
	reason, text string
}

func (r refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.http, r.reason, r.text) }

// GRPCStatus is what the record of calls shows.
func (r refusal) GRPCStatus() *status.Status {
	c, ok := map[int]codes.Code{
		http.StatusBadRequest: codes.InvalidArgument, http.StatusForbidden: codes.PermissionDenied, http.StatusNotFound: codes.NotFound,
		http.StatusConflict: codes.AlreadyExists, http.StatusPreconditionFailed: codes.FailedPrecondition,
	}[r.http]
	if !ok {
		c = codes.Unknown
	}
	return status.New(c, r.text)
}

func bad(format string, args ...any) error {
	return refusal{http.StatusBadRequest, "invalid", fmt.Sprintf(format, args...)}
}

func conflict(text string) error { return refusal{http.StatusConflict, "conflict", text} }

func stale() error {
	return refusal{http.StatusPreconditionFailed, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."}
}

func denied(permission, what string) error {
	return refusal{http.StatusForbidden, "forbidden", fmt.Sprintf(
		"tester@example.com does not have %s access to the %s. Permission '%s' denied on resource (or it may not exist).", permission, what, permission)}
}

// writeJSON answers with b; nil is an answer without content.
func writeJSON(w http.ResponseWriter, b []byte) {
	if b == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(b) // the client has gone; nobody is left to tell
}

// writeStorageError answers in the older form of Google's errors: a reason, no name of a code.
func writeStorageError(w http.ResponseWriter, err error) {
	var r refusal
	if !errors.As(err, &r) {
		s := status.Convert(err)
		r = refusal{httpStatus(s.Code()), "backendError", s.Message()}
		askLater(w, s)
	}
	b, err := json.Marshal(map[string]any{"error": map[string]any{
		"code": r.http, "message": r.text, "errors": []map[string]string{{"message": r.text, "domain": "global", "reason": r.reason}},
	}})
	if err != nil {
		r.http, b = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(r.http)
	_, _ = w.Write(b) // the client has gone; nobody is left to tell
}

// FailStorage is Fail for answers of Cloud Storage that no gRPC code has a word for, such as 412.
func (s *Server) FailStorage(method string, httpStatus int, reason, text string, times int) {
	s.addFault(&fault{of: method, err: refusal{httpStatus, reason, text}, times: times})
}
