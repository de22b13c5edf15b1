package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"recsysd.dev/recsysd/internal/view"
)

// Client is the daemon behind a socket. It keeps no connection open.
type Client struct{ Socket string }

var _ Daemon = Client{}

// Status implements Daemon.
func (c Client) Status(ctx context.Context) (s view.Status, err error) {
	return s, c.Call(ctx, http.MethodGet, "/v1/status", "", nil, &s)
}

// History implements Daemon.
func (c Client) History(ctx context.Context, stack string) (h view.History, err error) {
	return h, c.Call(ctx, http.MethodGet, "/v1/history", stack, nil, &h)
}

// Drift implements Daemon.
func (c Client) Drift(ctx context.Context, stack string) (d view.Drift, err error) {
	return d, c.Call(ctx, http.MethodGet, "/v1/drift", stack, nil, &d)
}

// Sync implements Daemon. It returns when its pass is through.
func (c Client) Sync(ctx context.Context, stack string, o Sync) (s view.StackStatus, err error) {
	return s, c.Call(ctx, http.MethodPost, "/v1/sync", stack, o, &s)
}

// Suspend implements Daemon.
func (c Client) Suspend(ctx context.Context, stack, ref, reason string) error {
	return c.Call(ctx, http.MethodPost, "/v1/suspend", stack, order{Ref: ref, Reason: reason}, nil)
}

// Resume implements Daemon.
func (c Client) Resume(ctx context.Context, stack, ref string) error {
	return c.Call(ctx, http.MethodPost, "/v1/resume", stack, order{Ref: ref}, nil)
}

// Rest implements Daemon.
func (c Client) Rest(ctx context.Context, stack string, o Rest) (done []Rested, err error) {
	return done, c.Call(ctx, http.MethodPost, "/v1/rest", stack, o, &done)
}

// Call sends one request, in as its JSON body if it is not nil, and decodes the answer into out unless that is nil.
func (c Client) Call(ctx context.Context, method, path, stack string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	if in == nil {
		body = nil
	}
	target := "http://recsysd" + path + "?" + url.Values{"stack": {stack}}.Encode()
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.Socket)
		},
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	answer := json.NewDecoder(resp.Body)
	if resp.StatusCode != http.StatusOK {
		f := failure{Error: resp.Status}
		if err := answer.Decode(&f); err != nil {
			return fmt.Errorf("the daemon answered %s", resp.Status)
		}
		return errors.New(f.Error)
	}
	if out == nil {
		return nil
	}
	if err := answer.Decode(out); err != nil {
		return fmt.Errorf("the daemon's answer: %w", err)
	}
	return nil
}

// explain tells the ways in which nobody answers apart.
func (c Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no daemon listens at %s; is it running, and is this its controlSocket?", c.Socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: permission denied; its group may speak to the daemon", c.Socket)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("gave up waiting for the daemon: %w", err)
	default:
		return fmt.Errorf("ask the daemon at %s: %w", c.Socket, err)
	}
}
