package gcp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// answer is what a call's end says of further calls.
type answer struct {
	ok      bool          // it was done
	tooMany bool          // there were too many
	after   time.Duration // when to come again; 0: not said
}

// rpcAnswer reads the end of a gRPC call.
func rpcAnswer(err error) answer {
	s := status.Convert(err)
	a := answer{ok: s.Code() == codes.OK, tooMany: s.Code() == codes.ResourceExhausted}
	if !a.tooMany && s.Code() != codes.Unavailable {
		return a
	}
	for _, d := range s.Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok && r.GetRetryDelay().CheckValid() == nil {
			a.after = max(0, r.GetRetryDelay().AsDuration())
		}
	}
	return a
}

// restAnswer reads the end of a REST call. Of a refusal it looks into the body, which stays to be read.
func restAnswer(resp *http.Response) answer {
	a := answer{ok: resp.StatusCode < 300}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusForbidden:
	default:
		return a
	}
	r := readRefusal(peek(resp))
	// Compute Engine and other older services say it with the code of a missing permission.
	a.tooMany = resp.StatusCode == http.StatusTooManyRequests || r.tooMany()
	if a.tooMany || resp.StatusCode == http.StatusServiceUnavailable {
		a.after = cmp.Or(retryAfter(resp.Header.Get("Retry-After"), time.Now()), r.after())
	}
	return a
}

// retryAfter is how long a header asks to wait: seconds, or a date. 0: it does not say, or nothing that can be gone by.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if strings.Trim(header, "0123456789") == "" {
		seconds, err := strconv.ParseInt(header, 10, 64)
		if err != nil || seconds > int64(longestHold/time.Second) {
			return longestHold
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), longestHold)
}

// maxPeek is more than an answer that refuses anything has.
const maxPeek = 64 << 10

// peek reads the body's beginning without taking it away.
func peek(resp *http.Response) []byte {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxPeek))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b), rest), resp.Body}
	return b
}

// failing is a reader that has failed.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// refusal is as much of an error's body as says something of further calls.
type refusal struct {
	Error struct {
		Errors, Details []struct {
			Reason     string `json:"reason"`
			RetryDelay string `json:"retryDelay"` // 3.5s
		}
	} `json:"error"`
}

// readRefusal is empty where the body is not what Google sends.
func readRefusal(body []byte) (r refusal) {
	if json.Unmarshal(body, &r) != nil {
		return refusal{}
	}
	return r
}

// rateReasons are how a refusal tells that it is for the number of calls.
var rateReasons = []string{"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"}

func (r refusal) tooMany() bool {
	for _, d := range slices.Concat(r.Error.Errors, r.Error.Details) {
		if slices.Contains(rateReasons, d.Reason) {
			return true
		}
	}
	return false
}

func (r refusal) after() time.Duration {
	for _, d := range r.Error.Details {
		if delay, err := time.ParseDuration(d.RetryDelay); err == nil {
			return max(0, delay)
		}
	}
	return 0
}
