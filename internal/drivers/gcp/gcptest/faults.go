package gcptest

import (
	"context"
	"net/http"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Forever is a number of times for Fail.
const Forever = 0

// fault is what goes wrong with calls of a method, or of a service.
type fault struct {
	of    string
	err   error
	hang  bool
	lost  bool
	times int // left; 0: for ever
}

// Fail refuses the next calls of a method (CreateCluster), or of a whole service (container), times times or Forever. The
// call has no effect.
func (s *Server) Fail(of string, code codes.Code, text string, times int) {
	s.addFault(&fault{of: of, err: status.Error(code, text), times: times})
}

// Throttle refuses the next calls of a method or service, times times or Forever, because there were too many, and asks to come again
// after a while; 0: it does not say when.
func (s *Server) Throttle(of string, after time.Duration, times int) {
	st := status.New(codes.ResourceExhausted, "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service '"+of+"'.")
	if after > 0 {
		with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
		if err != nil {
			panic(err) // the detail is a message that can be encoded
		}
		st = with
	}
	s.addFault(&fault{of: of, err: st.Err(), times: times})
}

// Forbid refuses all calls of a method or service for want of a permission.
func (s *Server) Forbid(of string) {
	s.Fail(of, codes.PermissionDenied, "Permission denied on resource (or it may not exist): "+of, Forever)
}

// Hang leaves all calls of a method or service without an answer until the client gives up.
func (s *Server) Hang(of string) { s.addFault(&fault{of: of, hang: true}) }

// Lose performs the next calls of a method or service, times times or Forever, and answers Unavailable all the same.
func (s *Server) Lose(of string, times int) {
	s.addFault(&fault{of: of, err: status.Error(codes.Unavailable, "the connection was lost"), lost: true, times: times})
}

// Allow takes back the faults of a method or service, as they were given.
func (s *Server) Allow(of string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *fault) bool { return f.of == of })
}

// Heal takes all faults back.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) addFault(f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// faultFor uses up one time of the first fault that fits.
func (s *Server) faultFor(c Call) *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.of != c.Method && f.of != c.Service {
			continue
		}
		if f.times > 0 {
			if f.times--; f.times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f
	}
	return nil
}

// RequireToken makes every service refuse calls that do not carry this bearer token. "" takes it back.
func (s *Server) RequireToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

func (s *Server) authorized(header string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token == "" || header == "Bearer "+s.token
}

const unauthenticated = "Request had invalid authentication credentials."

func (s *Server) authorizeGRPC(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	var header string
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		if v := md.Get("authorization"); len(v) > 0 {
			header = v[0]
		}
	}
	if !s.authorized(header) {
		return nil, status.Error(codes.Unauthenticated, unauthenticated)
	}
	return handle(ctx, req)
}

func (s *Server) authorizeHTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.authorized(r.Header.Get("Authorization")) {
			writeError(w, status.Error(codes.Unauthenticated, unauthenticated))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), agentKey{}, r.UserAgent())))
	})
}

var httpStatuses = map[codes.Code]int{
	codes.OK:                 http.StatusOK,
	codes.Canceled:           499,
	codes.InvalidArgument:    http.StatusBadRequest,
	codes.FailedPrecondition: http.StatusBadRequest,
	codes.OutOfRange:         http.StatusBadRequest,
	codes.Unauthenticated:    http.StatusUnauthorized,
	codes.PermissionDenied:   http.StatusForbidden,
	codes.NotFound:           http.StatusNotFound,
	codes.AlreadyExists:      http.StatusConflict,
	codes.Aborted:            http.StatusConflict,
	codes.ResourceExhausted:  http.StatusTooManyRequests,
	codes.Unimplemented:      http.StatusNotImplemented,
	codes.Unavailable:        http.StatusServiceUnavailable,
	codes.DeadlineExceeded:   http.StatusGatewayTimeout,
}

// httpStatus is the HTTP status by which Google's front end answers a code; 500 for those that it has no better one for.
func httpStatus(c codes.Code) int {
	if n, ok := httpStatuses[c]; ok {
		return n
	}
	return http.StatusInternalServerError
}
