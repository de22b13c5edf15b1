package kube

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// transport lets so many requests at a time through, watches apart, and counts them all.
type transport struct {
	next  http.RoundTripper
	gate  chan struct{}
	count func(service, method, code string)
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	method := method(req)
	if method != "watch" {
		select {
		case t.gate <- struct{}{}:
			defer func() { <-t.gate }()
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	resp, err := t.next.RoundTrip(req)
	code := "error"
	if err == nil {
		code = strconv.Itoa(resp.StatusCode)
	}
	t.count("kubernetes", method, code)
	if err == nil && method == "watch" && resp.StatusCode == http.StatusOK {
		resp.Body = &lines{ReadCloser: resp.Body}
	}
	return resp, err
}

// lines is the body of a watch, of which every line is an event. One that does not end is not taken in: who decodes it would keep it whole.
type lines struct {
	io.ReadCloser
	length int // of the line so far
}

// longestLine is several times what etcd takes of one object.
const longestLine = 8 << 20

var errEndless = errors.New("an event without end in a watch's stream")

func (l *lines) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if end := bytes.LastIndexByte(p[:n], '\n'); end >= 0 {
		l.length = n - end - 1
	} else {
		l.length += n
	}
	if l.length > longestLine {
		return 0, errEndless
	}
	return n, err
}

// method names what a request does, for the metric.
func method(req *http.Request) string {
	q := req.URL.Query()
	switch {
	case q.Get("watch") != "":
		return "watch"
	case q.Get("dryRun") != "":
		return "dry-run"
	case req.Method == http.MethodPatch && strings.Contains(req.Header.Get("Content-Type"), "apply-patch"):
		return "apply"
	case req.Method == http.MethodPost:
		return "create"
	}
	return strings.ToLower(req.Method)
}
