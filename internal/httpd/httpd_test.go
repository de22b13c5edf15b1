package httpd

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func pages(health, ready error) Pages {
	return Pages{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "recsysd_x 1\n") }),
		Healthy: func() error { return health },
		Ready:   func() error { return ready },
		Status:  func() any { return map[string]any{"stacks": []string{}} },
	}
}

func TestPages(t *testing.T) {
	stuck := errors.Join(errors.New("stack a: stuck in a pass since 12:04"), errors.New("stack b: stuck in a pass since 12:05"))
	for _, c := range []struct {
		reason       string
		pages        Pages
		method, path string
		code         int
		body         string
	}{
		{"metrics are handed through", pages(nil, nil), "GET", "/metrics", 200, "recsysd_x 1\n"},
		{"well is one word", pages(nil, nil), "GET", "/healthz", 200, "ok\n"},
		{"a no says why, one line per reason", pages(stuck, nil), "GET", "/healthz", 503, "stack a: stuck in a pass since 12:04\nstack b: stuck in a pass since 12:05\n"},
		{"health and readiness are two questions", pages(stuck, nil), "GET", "/readyz", 200, "ok\n"},
		{"not ready says why", pages(nil, errors.New("stack a: no pass yet")), "GET", "/readyz", 503, "stack a: no pass yet\n"},
		{"status is JSON", pages(nil, nil), "GET", "/api/v1/status", 200, "{\"stacks\":[]}\n"},
		{"the listener is read only", pages(nil, nil), "POST", "/api/v1/status", 405, "Method Not Allowed\n"},
		{"profiles are not for everybody", pages(nil, nil), "GET", "/debug/pprof/", 404, "404 page not found\n"},
	} {
		w := httptest.NewRecorder()
		c.pages.Handler().ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code || w.Body.String() != c.body {
			t.Errorf("%s: %s %s = %d %q, want %d %q", c.reason, c.method, c.path, w.Code, w.Body, c.code, c.body)
		}
	}
}

func TestWhatJSONCannotHoldIsSaid(t *testing.T) {
	w := httptest.NewRecorder()
	writeJSON(w, 200, math.NaN())
	if w.Code != 500 || !strings.Contains(w.Body.String(), "NaN") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	waits := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done() // such as a sync that waits for its pass
		io.WriteString(w, "stopping")
	})
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, waits, 0) }()
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-arrived
	stop()
	if got := <-answer; got != "stopping" {
		t.Errorf("a request that waits is told of the stop and may still answer: %s", got)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("a server that was asked to stop ends well: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server did not stop")
	}
}

func TestServeReportsALostListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), l, http.NotFoundHandler(), time.Second); err == nil {
		t.Error("a server that cannot accept any longer must say so, or the daemon would run on blind")
	}
}
