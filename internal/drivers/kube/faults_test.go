package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// faults stands between a driver and the API server.
type faults struct {
	mu        sync.Mutex
	list, get bool
	hang      chan struct{}           // requests have no answer until it is closed
	deny      func(*http.Request) int // an HTTP code to answer with, 0: none
	cut       []context.CancelFunc    // of the watches that run
}

// forbid changes what is forbidden and cuts the watches that run, so that it holds for them too.
func (f *faults) forbid(d *Driver, change func()) {
	f.mu.Lock()
	change()
	cuts := f.cut
	f.cut = nil
	f.mu.Unlock()
	for _, cut := range cuts {
		cut()
	}
	d.mu.Lock()
	s := d.link
	d.mu.Unlock()
	if s == nil || len(cuts) == 0 {
		return
	}
	for _, w := range s.open() { // each notices
		w.mu.Lock()
		outcome, up := w.outcome, w.up
		w.mu.Unlock()
		if up {
			<-outcome.known
		}
	}
}

func (f *faults) silence(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on {
		f.hang = make(chan struct{})
	} else {
		close(f.hang)
		f.hang = nil
	}
}

func (f *faults) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		f.mu.Lock()
		named := len(segments(req))%2 == 0
		code := 0
		if req.Method == http.MethodGet && len(segments(req)) > 0 && (named && f.get || !named && f.list) {
			code = http.StatusForbidden
		}
		if f.deny != nil && code == 0 {
			code = f.deny(req)
		}
		hang := f.hang
		if req.URL.Query().Get("watch") != "" {
			ctx, cancel := context.WithCancel(req.Context())
			f.cut = append(f.cut, cancel)
			req = req.WithContext(ctx)
		}
		f.mu.Unlock()
		if hang != nil {
			select {
			case <-req.Context().Done():
				return nil, req.Context().Err()
			case <-hang:
				return nil, errors.New("connection reset")
			}
		}
		if code != 0 {
			body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":%d,"message":"User \"x\" cannot do resource","details":{"name":"x"}}`, code)
			return &http.Response{StatusCode: code, Request: req, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(strings.NewReader(body))}, nil
		}
		return next.RoundTrip(req)
	})
}

// segments are those of the path after the group and version: an even number names an object, an odd one a list.
func segments(req *http.Request) []string {
	s := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case s[0] == "api" && len(s) > 2:
		return s[2:]
	case s[0] == "apis" && len(s) > 3:
		return s[3:]
	}
	return nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// denyApplies lets everything through but real applies.
func denyApplies(req *http.Request) int {
	if req.Method == http.MethodPatch && strings.Contains(req.Header.Get("Content-Type"), "apply-patch") && req.URL.Query().Get("dryRun") == "" {
		return http.StatusServiceUnavailable
	}
	return 0
}

type counter struct {
	mu    sync.Mutex
	all   []string
	wrote int
}

func (c *counter) add(_, method, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch method {
	case "apply", "create", "patch", "delete":
		c.wrote++
	}
	c.all = append(c.all, method+" "+code)
}

// writes is the number of writes so far.
func (c *counter) writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrote
}

// take returns the requests since the last take; watches do not count, they are no question.
func (c *counter) take() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.all {
		if !strings.HasPrefix(r, "watch") {
			all = append(all, r)
		}
	}
	c.all = nil
	return all
}
