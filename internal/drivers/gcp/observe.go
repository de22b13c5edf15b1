package gcp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// observeGRPC holds back, bounds and counts every attempt, those that the client library repeats by itself too.
func (c Config) observeGRPC(service string) grpc.UnaryClientInterceptor {
	gate := c.gate(service)
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if err := gate.wait(ctx); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, rpcTimeout(method))
		defer cancel()
		err := invoke(ctx, method, req, reply, cc, opts...)
		gate.answered(rpcAnswer(err))
		if c.Observe != nil {
			c.Observe(service, path.Base(method), status.Code(err).String())
		}
		return err
	}
}

// observedTransport holds back, bounds and counts requests. The method that it reports is HTTP's: paths hold names, which make no good labels.
type observedTransport struct {
	ctx            context.Context // of requests that have none
	base           http.RoundTripper
	gate           *gate
	service, agent string
	observe        func(service, method, code string)
}

func (t *observedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if ctx.Done() == nil {
		ctx = t.ctx
	}
	if err := t.gate.wait(ctx); err != nil {
		if req.Body != nil {
			err = errors.Join(err, req.Body.Close())
		}
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, httpTimeout(req.Method))
	req = req.Clone(ctx)
	if t.agent != "" {
		req.Header.Set("User-Agent", strings.TrimSpace(t.agent+" "+req.Header.Get("User-Agent")))
	}
	resp, err := t.base.RoundTrip(req)
	if t.observe != nil {
		code := "error" // nothing was answered
		if err == nil {
			code = strconv.Itoa(resp.StatusCode)
		}
		t.observe(t.service, req.Method, code)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	t.gate.answered(restAnswer(resp))
	resp.Body = &cancelBody{resp.Body, cancel}
	return resp, nil
}

// cancelBody lets go of the request's context when the answer has been read.
type cancelBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *cancelBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// CloseIdleConnections is what http.Client calls on its transport.
func (t *observedTransport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// bearerCredentials sends a token with every call. Unlike gRPC's own it can be told to do so in plain text, for emulators.
type bearerCredentials struct {
	source oauth2.TokenSource
	secure bool
}

var _ credentials.PerRPCCredentials = bearerCredentials{}

func (b bearerCredentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := b.source.Token()
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": token.Type() + " " + token.AccessToken}, nil
}

func (b bearerCredentials) RequireTransportSecurity() bool { return b.secure }
