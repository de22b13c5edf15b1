package gcp

import (
	"math/rand/v2"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
)

// How long one attempt of a call may take, whatever its context allows: a service that hangs must not hold up the rest of a pass
// for long. The clients' transports see to it, since gax.WithTimeout counts for nothing where the context has a deadline already.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 60 * time.Second
	readAttempts = 3
)

// Read is the options of every call that reads: repeated twice and soon if the service is not there for a moment. The next pass reads
// again anyway.
func Read() []gax.CallOption {
	return []gax.CallOption{gax.WithRetry(func() gax.Retryer { return &retryer{left: readAttempts - 1} })}
}

// Write is the options of every call that changes something: sent once. Whether a lost one has arrived is for the next look to say.
func Write() []gax.CallOption {
	return []gax.CallOption{gax.WithRetry(func() gax.Retryer { return &retryer{} })}
}

// rpcTimeout is that of a gRPC method by its full name.
func rpcTimeout(method string) time.Duration {
	if name := path.Base(method); strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List") {
		return readTimeout
	}
	return writeTimeout
}

// httpTimeout is that of a request by its method.
func httpTimeout(method string) time.Duration {
	if method == http.MethodGet || method == http.MethodHead {
		return readTimeout
	}
	return writeTimeout
}

// retryer repeats a call that found nobody, a few times.
type retryer struct{ left int }

func (r *retryer) Retry(err error) (pause time.Duration, again bool) {
	if r.left == 0 || Code(err) != codes.Unavailable {
		return 0, false
	}
	r.left--
	return 100*time.Millisecond + rand.N(200*time.Millisecond), true
}
