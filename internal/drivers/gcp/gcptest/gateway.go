package gcptest

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// rest serves one method of a gRPC service as Google's front end does over HTTP: build makes the request from the path, the query and
// the body.
func rest[Q, A proto.Message](mux *http.ServeMux, pattern string, build func(r *http.Request, body []byte) (Q, error), call func(context.Context, Q) (A, error)) {
	mux.HandleFunc(pattern, restHandler(build, call))
}

func restHandler[Q, A proto.Message](build func(r *http.Request, body []byte) (Q, error), call func(context.Context, Q) (A, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			writeError(w, status.Error(codes.InvalidArgument, err.Error()))
			return
		}
		q, err := build(r, body)
		if err != nil {
			writeError(w, err)
			return
		}
		a, err := call(r.Context(), q)
		if err != nil {
			writeError(w, err)
			return
		}
		b, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(a)
		if err != nil {
			writeError(w, status.Error(codes.Internal, err.Error()))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b) // the client has gone; nobody is left to tell
	}
}

// readJSON fills m from a request's body. What the service does not know it refuses.
func readJSON(body []byte, m proto.Message) error {
	if err := protojson.Unmarshal(body, m); err != nil {
		return status.Error(codes.InvalidArgument, "Invalid JSON payload received. "+err.Error())
	}
	return nil
}

// location is the resource name up to the location that the path names.
func location(r *http.Request) string {
	return "projects/" + r.PathValue("p") + "/locations/" + r.PathValue("l")
}

// writeError answers as Google's front end does. A status that HTTP has no number for is told apart by its name in the body.
func writeError(w http.ResponseWriter, err error) {
	s := status.Convert(err)
	code := httpStatus(s.Code())
	name := codeNames[s.Code()]
	b, merr := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": s.Message(), "status": name}})
	if merr != nil {
		code, b = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	askLater(w, s)
	w.WriteHeader(code)
	_, _ = w.Write(b) // the client has gone; nobody is left to tell
}

// askLater says in a header when to come again, if s says so.
func askLater(w http.ResponseWriter, s *status.Status) {
	for _, d := range s.Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.GetRetryDelay().AsDuration().Seconds()))))
		}
	}
}

var codeNames = map[codes.Code]string{
	codes.Canceled: "CANCELLED", codes.InvalidArgument: "INVALID_ARGUMENT", codes.FailedPrecondition: "FAILED_PRECONDITION",
	codes.OutOfRange: "OUT_OF_RANGE", codes.Unauthenticated: "UNAUTHENTICATED", codes.PermissionDenied: "PERMISSION_DENIED",
	codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS", codes.Aborted: "ABORTED",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.Unimplemented: "UNIMPLEMENTED", codes.Unavailable: "UNAVAILABLE",
	codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.Internal: "INTERNAL", codes.Unknown: "UNKNOWN",
}
