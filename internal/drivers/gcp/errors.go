package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"recsysd.dev/recsysd/internal/resource"
)

// ErrCredentials: there are none, or none that give a token, so nothing was asked.
var ErrCredentials = errors.New("credentials")

// Error is a refusal by one of Google's services, in one line. What is to be done about it is what it wraps: resource.ErrRejected,
// resource.ErrUnavailable, or neither, which means to try again later.
type Error struct {
	Op   string // the method
	Code codes.Code
	Text string // Google's own

	class error
	cause error
}

func (e *Error) Error() string {
	text := e.Op + ": " + e.Code.String()
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// Unwrap gives what to do about it, and the library's own error.
func (e *Error) Unwrap() []error {
	if e.class == nil {
		return []error{e.cause}
	}
	return []error{e.class, e.cause}
}

// Explain tells err, which a Google client library returned for op, by what happens next. An argument that Google calls invalid is
// rejected for good, unless something that it names is merely not ready; everything else is to be tried again. FailedPrecondition
// says too little for that: whether it means "busy" or "no" is for the kind to find out. nil stays nil.
func Explain(op string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Code: Code(err), Text: message(err), cause: err}
	switch e.Code {
	case codes.InvalidArgument, codes.OutOfRange, codes.Unimplemented:
		if !strings.Contains(e.Text, "resourceNotReady") && !strings.Contains(e.Text, "is not ready") {
			e.class = resource.ErrRejected
		}
	}
	return e
}

// Reject marks err as one that no repetition mends.
func Reject(err error) error { return &classed{err, resource.ErrRejected} }

// classed is an error with what to do about it; its text is the error's alone.
type classed struct {
	error
	class error
}

func (c *classed) Unwrap() []error { return []error{c.class, c.error} }

// IsNotFound reports whether Google says that the thing does not exist.
func IsNotFound(err error) bool { return Code(err) == codes.NotFound }

// Code is the gRPC code of an error of either kind of client library; OK for nil, Unknown for what is no answer of Google's.
// Of HTTP the status in the body counts first; then 409 and 412 are Aborted: somebody was faster.
func Code(err error) codes.Code {
	if err == nil {
		return codes.OK
	}
	var own *Error
	if errors.As(err, &own) {
		return own.Code
	}
	var g *googleapi.Error
	if errors.As(err, &g) {
		return httpCode(g)
	}
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	}
	return codes.Unknown
}

var byHTTP = map[int]codes.Code{
	http.StatusBadRequest:          codes.InvalidArgument,
	http.StatusUnauthorized:        codes.Unauthenticated,
	http.StatusForbidden:           codes.PermissionDenied,
	http.StatusNotFound:            codes.NotFound,
	http.StatusConflict:            codes.Aborted,
	http.StatusPreconditionFailed:  codes.Aborted,
	http.StatusTooManyRequests:     codes.ResourceExhausted,
	http.StatusInternalServerError: codes.Internal,
	http.StatusNotImplemented:      codes.Unimplemented,
	http.StatusBadGateway:          codes.Unavailable,
	http.StatusServiceUnavailable:  codes.Unavailable,
	http.StatusGatewayTimeout:      codes.DeadlineExceeded,
}

// httpCode prefers the name of the code in the body, which newer services send, to the number, which says less: 403 may mean that there
// were too many calls.
func httpCode(g *googleapi.Error) codes.Code {
	if g.Code == http.StatusForbidden && readRefusal([]byte(g.Body)).tooMany() {
		return codes.ResourceExhausted
	}
	var body struct {
		Error struct {
			Status string `json:"status"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(g.Body), &body) == nil && body.Error.Status != "" {
		var c codes.Code
		if c.UnmarshalJSON([]byte(`"`+body.Error.Status+`"`)) == nil {
			return c
		}
	}
	if c, ok := byHTTP[g.Code]; ok {
		return c
	}
	return codes.Unknown
}

// message is Google's text in one line.
func message(err error) string {
	var text string
	var g *googleapi.Error
	var u *url.Error
	if errors.As(err, &g) {
		text = g.Message
	} else if errors.As(err, &u) { // the operation says what was asked; the address is long, and says no more
		text = u.Err.Error()
	} else if s, ok := status.FromError(err); ok {
		text = s.Message()
	}
	if text == "" {
		text = err.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}
