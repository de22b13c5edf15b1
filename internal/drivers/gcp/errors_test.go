package gcp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

func TestExplain(t *testing.T) {
	body := func(code int, name, text string) error {
		return &googleapi.Error{Code: code, Message: text, Body: fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":%q}}`, code, text, name)}
	}
	tests := []struct {
		err      error
		code     codes.Code
		rejected bool
		text     string
	}{
		{status.Error(codes.InvalidArgument, "bad\n value"), codes.InvalidArgument, true, "Op: InvalidArgument: bad value"},
		{status.Error(codes.InvalidArgument, "resourceNotReady: subnet"), codes.InvalidArgument, false, "Op: InvalidArgument: resourceNotReady: subnet"},
		{status.Error(codes.FailedPrecondition, "busy"), codes.FailedPrecondition, false, "Op: FailedPrecondition: busy"},
		{status.Error(codes.PermissionDenied, "no"), codes.PermissionDenied, false, "Op: PermissionDenied: no"},
		{status.Error(codes.Unimplemented, "no such method"), codes.Unimplemented, true, "Op: Unimplemented: no such method"},
		{status.Error(codes.ResourceExhausted, "quota"), codes.ResourceExhausted, false, "Op: ResourceExhausted: quota"},
		{body(400, "INVALID_ARGUMENT", "bad"), codes.InvalidArgument, true, "Op: InvalidArgument: bad"},
		{body(400, "FAILED_PRECONDITION", "busy"), codes.FailedPrecondition, false, "Op: FailedPrecondition: busy"},
		{body(409, "ALREADY_EXISTS", "there"), codes.AlreadyExists, false, "Op: AlreadyExists: there"},
		{&googleapi.Error{Code: 409, Message: "conflict"}, codes.Aborted, false, "Op: Aborted: conflict"},
		{&googleapi.Error{Code: 412, Message: "moved on"}, codes.Aborted, false, "Op: Aborted: moved on"},
		{&googleapi.Error{Code: 404}, codes.NotFound, false, ""},
		{&googleapi.Error{Code: 429, Message: "slow"}, codes.ResourceExhausted, false, "Op: ResourceExhausted: slow"},
		{&googleapi.Error{Code: 500, Message: "x"}, codes.Internal, false, "Op: Internal: x"},
		{&googleapi.Error{Code: 503, Message: "x"}, codes.Unavailable, false, "Op: Unavailable: x"},
		{&googleapi.Error{Code: 418, Message: "x"}, codes.Unknown, false, "Op: Unknown: x"},
		{context.DeadlineExceeded, codes.DeadlineExceeded, false, "Op: DeadlineExceeded: context deadline exceeded"},
		{errors.New("connection refused"), codes.Unknown, false, "Op: Unknown: connection refused"},
	}
	for _, tt := range tests {
		for _, err := range []error{tt.err, fmt.Errorf("wrapped: %w", tt.err)} {
			if c := gcp.Code(err); c != tt.code {
				t.Errorf("%v: want %v, have %v", err, tt.code, c)
			}
			e := gcp.Explain("Op", err)
			if errors.Is(e, resource.ErrRejected) != tt.rejected || errors.Is(e, resource.ErrUnavailable) {
				t.Errorf("%v: want rejected=%v: %v", err, tt.rejected, e)
			}
			if !errors.Is(e, tt.err) || gcp.Code(e) != tt.code {
				t.Errorf("%v: the cause should stay in the chain: %v", err, e)
			}
			if strings.Contains(e.Error(), "\n") {
				t.Errorf("an error is one line: %q", e)
			}
		}
		if e := gcp.Explain("Op", tt.err); tt.text != "" && e.Error() != tt.text {
			t.Errorf("want %q, have %q", tt.text, e)
		}
	}
	if gcp.Explain("Op", nil) != nil || gcp.Code(nil) != codes.OK || gcp.IsNotFound(nil) {
		t.Error("nil is no error")
	}
	if e := gcp.Reject(errors.New("no")); !errors.Is(e, resource.ErrRejected) || e.Error() != "no" {
		t.Errorf("%v", e)
	}
}
