package gcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// wire is a service that answers what it is told, and notes when it was called.
type wire struct {
	mu     sync.Mutex
	calls  []time.Time
	answer func(n int) *http.Response
}

func (w *wire) RoundTrip(*http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, time.Now())
	return w.answer(len(w.calls)), nil
}

// reply is an answer with a body and a Retry-After.
func reply(code int, body, after string) *http.Response {
	r := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	if after != "" {
		r.Header.Set("Retry-After", after)
	}
	return r
}

// call sends one request of a caller about a project through limits.
func call(ctx context.Context, w *wire, l *Limits, caller, project string) (*http.Response, error) {
	t := &observedTransport{ctx: ctx, base: w, service: Compute, gate: Config{Limits: l, Caller: caller, Project: project}.gate(Compute)}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/", nil)
	if err != nil {
		return nil, err
	}
	return t.RoundTrip(req)
}

// Fifty stacks that never stop calling stay, in every sixty seconds, within what this process allows itself, which is at most half of Google's.
func TestNoMinuteSeesMoreThanTheLimit(t *testing.T) {
	for _, service := range []string{Container, ArtifactRegistry, Storage, Compute, IAM, ResourceManager, SecretManager, Billing, Logging, Monitoring, ServiceUsage} {
		q := QuotaOf(service)
		if q.Own <= 0 || q.Google > 0 && q.Own > q.Google/2 {
			t.Errorf("%s: %d of %d leaves too little for others", service, q.Own, q.Google)
		}
	}
	for _, service := range []string{Logging, Compute} {
		synctest.Test(t, func(t *testing.T) {
			l, began := NewLimits(), time.Now()
			var mu sync.Mutex
			var sent []time.Time
			by := map[int]int{}
			var stacks sync.WaitGroup
			for i := range 50 {
				g := Config{Limits: l, Caller: fmt.Sprint("stack-", i), Project: fmt.Sprint("project-", i)}.gate(service)
				stacks.Go(func() {
					for time.Since(began) < 5*time.Minute {
						if g.wait(t.Context()) != nil {
							time.Sleep(time.Second)
							continue
						}
						mu.Lock()
						sent, by[i] = append(sent, time.Now()), by[i]+1
						mu.Unlock()
					}
				})
			}
			stacks.Wait()
			own := QuotaOf(service).Own
			for i, first := 0, 0; i < len(sent); i++ {
				for sent[i].Sub(sent[first]) >= time.Minute {
					first++
				}
				if n := i - first + 1; n > own {
					t.Fatalf("%s: %d calls in a minute, more than %d", service, n, own)
				}
			}
			if len(sent) < 3*own {
				t.Errorf("%s: only %d calls in five minutes: what is allowed should be used", service, len(sent))
			}
			if service == Compute {
				for i := range 50 {
					if fair := len(sent) / 50; by[i] < fair*2/3 {
						t.Errorf("stack %d made %d calls where an even share is %d", i, by[i], fair)
					}
				}
			}
		})
	}
}

func TestWhoHasALongLineDelaysOthersByOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimits()
		greedy, modest := Config{Limits: l, Caller: "greedy"}.gate(Compute), Config{Limits: l, Caller: "modest"}.gate(Compute)
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		for range 2000 {
			calls.Go(func() { _ = greedy.wait(ctx) }) // most of them are in vain
		}
		synctest.Wait()
		began := time.Now()
		if err := modest.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if each := time.Minute / time.Duration(QuotaOf(Compute).Own*3/4); time.Since(began) > 3*each {
			t.Errorf("waited %v; a call is let through every %v", time.Since(began), each)
		}
		cancel()
		calls.Wait()
	})
}

func TestAServiceThatAsksForAPauseHasIt(t *testing.T) {
	const limited = `{"error":{"code":403,"message":"Rate Limit Exceeded","errors":[{"reason":"rateLimitExceeded"}]}}`
	in := func(d time.Duration) func() string {
		return func() string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	}
	is := func(s string) func() string { return func() string { return s } }
	tests := []struct {
		why   string
		code  int
		body  string
		after func() string
		pause time.Duration
	}{
		{"seconds are kept to the second", 429, "", is("7"), 7 * time.Second},
		{"so is a date", 429, "", in(7 * time.Second), 7 * time.Second},
		{"a service that is not there says when it will be", 503, "", is("9"), 9 * time.Second},
		{"one that does not say so is asked again at once", 503, "", is(""), 0},
		{"without a time it is a second at first", 429, "", is(""), time.Second},
		{"below nought is no time", 429, "", is("-5"), time.Second},
		{"nor is nought", 429, "", is("0"), time.Second},
		{"nor a fraction", 429, "", is("1.5"), time.Second},
		{"nor a word", 429, "", is("soon"), time.Second},
		{"nor a day that has been", 429, "", in(-time.Hour), time.Second},
		{"a year is ten minutes", 429, "", is("31536000"), 10 * time.Minute},
		{"so is a number without end", 429, "", is(strings.Repeat("9", 40)), 10 * time.Minute},
		{"so is a day next year", 429, "", in(365 * 24 * time.Hour), 10 * time.Minute},
		{"a body may say it too", 429, `{"error":{"details":[{"retryDelay":"4s"}]}}`, is(""), 4 * time.Second},
		{"what is no body says nothing", 429, `<html>`, is(""), time.Second},
		{"403 may mean too many calls", 403, limited, is(""), time.Second},
		{"and mostly means that it is forbidden", 403, `{"error":{"code":403,"errors":[{"reason":"forbidden"}]}}`, is("60"), 0},
		{"any other answer holds nobody", 404, "", is("60"), 0},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			l := NewLimits()
			w := &wire{answer: func(n int) *http.Response {
				if n == 1 {
					return reply(tt.code, tt.body, tt.after())
				}
				return reply(200, "", "")
			}}
			began := time.Now()
			resp, err := call(t.Context(), w, l, "a", "acme")
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != tt.body {
				t.Errorf("%s: the body has become %q: %v", tt.why, body, err)
			}
			for {
				_, err := call(t.Context(), w, l, "b", "acme") // another stack of the project
				if err == nil {
					break
				}
				if Code(err) != codes.ResourceExhausted || tt.pause <= longestWait {
					t.Fatalf("%s: %v", tt.why, err)
				}
				time.Sleep(time.Second)
			}
			if len(w.calls) != 2 {
				t.Fatalf("%s: %d calls: one that was refused should not have been sent", tt.why, len(w.calls))
			}
			have, late := w.calls[1].Sub(began).Truncate(time.Second), time.Duration(0)
			if tt.pause > longestWait {
				late = time.Second // it is asked every second whether the pause is over
			}
			if have < tt.pause || have > tt.pause+late {
				t.Errorf("%s: the next call came after %v, want %v", tt.why, have, tt.pause)
			}
		})
	}
}

func TestRefusalsInARowDoubleThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, code := NewLimits(), 429
		w := &wire{answer: func(int) *http.Response { return reply(code, "", "") }}
		next := func() time.Duration {
			began := time.Now()
			for {
				if _, err := call(t.Context(), w, l, "a", "acme"); err == nil {
					return time.Since(began).Truncate(time.Second)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
		for _, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60} {
			if have := next(); have != want*time.Second {
				t.Errorf("paused for %v, want %v", have, want*time.Second)
			}
		}
		code = 200
		next()
		code = 429
		next()
		if have := next(); have != time.Second {
			t.Errorf("after an answer it begins at a second again, not at %v", have)
		}
	})
}

func TestCallsThatAreRefusedTogetherAreOneRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := Config{Limits: NewLimits(), Project: "acme"}.gate(Compute)
		for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			for range 20 { // as many as a pass makes side by side
				g.answered(answer{tooMany: true})
			}
			if have := time.Until(g.paused()); have != want {
				t.Errorf("paused for %v, want %v", have, want)
			}
			time.Sleep(want)
		}
	})
}

func TestAPauseIsTheProjectsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimits()
		w := &wire{answer: func(int) *http.Response { return reply(429, "", "60") }}
		if _, err := call(t.Context(), w, l, "a", "acme"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := call(t.Context(), w, l, "a", "acme")
		want := "compute is not called now: not before " + began.Add(time.Minute).UTC().Format(time.TimeOnly) + ": it asked for that"
		if err == nil || err.Error() != want || time.Since(began) > 0 {
			t.Errorf("a call that cannot be made in time says so at once: %v after %v", err, time.Since(began))
		}
		if _, err := call(t.Context(), w, l, "b", "other"); err != nil || len(w.calls) != 2 {
			t.Errorf("the stack of another project is not held: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := call(ctx, w, l, "a", "acme"); !errors.Is(err, context.Canceled) {
			t.Errorf("a call that was given up ends as such: %v", err)
		}
	})
}

func TestAnswersOverGRPC(t *testing.T) {
	with := func(c codes.Code, d time.Duration) error {
		s, err := status.New(c, "no").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
		if err != nil {
			t.Fatal(err)
		}
		return s.Err()
	}
	tests := []struct {
		why  string
		err  error
		want answer
	}{
		{"done", nil, answer{ok: true}},
		{"too many, and when to come again", with(codes.ResourceExhausted, 3*time.Second), answer{tooMany: true, after: 3 * time.Second}},
		{"too many", status.Error(codes.ResourceExhausted, "no"), answer{tooMany: true}},
		{"a time before now is none", with(codes.ResourceExhausted, -time.Second), answer{tooMany: true}},
		{"not there, and when it will be", with(codes.Unavailable, time.Second), answer{after: time.Second}},
		{"not there", status.Error(codes.Unavailable, "no"), answer{}},
		{"any other refusal", with(codes.PermissionDenied, time.Second), answer{}},
		{"no answer at all", context.DeadlineExceeded, answer{}},
	}
	for _, tt := range tests {
		if have := rpcAnswer(tt.err); have != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.why, have, tt.want)
		}
	}
}
