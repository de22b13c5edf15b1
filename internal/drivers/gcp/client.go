package gcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/impersonate"
	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Names of Google's services, as the configuration's endpoints and the metrics spell them.
const (
	Container        = "container"
	ArtifactRegistry = "artifactregistry"
	Storage          = "storage"
	ResourceManager  = "resourcemanager"
	IAM              = "iam"
	ServiceUsage     = "serviceusage"
	SecretManager    = "secretmanager"
	Compute          = "compute"
	Billing          = "billing"
	Monitoring       = "monitoring"
	Logging          = "logging"
)

// Scopes of the tokens that recsysd asks for. The second lets the cluster see the account's e-mail address rather than its number.
const (
	scopePlatform = "https://www.googleapis.com/auth/cloud-platform"
	scopeEmail    = "https://www.googleapis.com/auth/userinfo.email"
)

// Config says how Google's services are reached, and as whom. The zero value is Google itself with the default credentials.
type Config struct {
	Project string
	// Endpoints replaces a service's address: host:port is gRPC, an http or https URL is REST. Of Logging, Monitoring and Billing, which
	// are spoken to over REST alone, host:port is the host of that.
	Endpoints map[string]string
	// Insecure allows plain text to the addresses in Endpoints that are on the loopback interface. Others are refused.
	Insecure bool
	// AccessTokenFile holds a bearer token that is used instead of the default credentials. It is read again when it changes.
	AccessTokenFile string
	// Impersonate is the service account to act as.
	Impersonate string
	// APIKey is sent over REST in place of any credentials: it says which project asks, not who.
	APIKey string
	// Observe, if set, is told of every request that was answered or failed: code is a gRPC code's name or an HTTP status.
	Observe   func(service, method, code string)
	UserAgent string
	// Limits, if set, keeps the calls within Google's quotas. It is shared by everything in the process that speaks to Google.
	Limits *Limits
	Caller string // whose calls these are, to be fair between those who share the limits: the stack's
}

// REST reports whether service is to be spoken to over JSON and HTTP, because its endpoint is a URL. It says nothing of services
// that know no other way.
func (c Config) REST(service string) bool {
	e := c.Endpoints[service]
	return strings.HasPrefix(e, "http://") || strings.HasPrefix(e, "https://")
}

// PlainText reports whether service is an emulator on this machine, spoken to without TLS. Its clients have no credentials other
// than AccessTokenFile.
func (c Config) PlainText(service string) bool {
	e := c.Endpoints[service]
	return c.Insecure && e != "" && !strings.HasPrefix(e, "https://")
}

// GRPC is the options of service's gRPC client.
func (c Config) GRPC(ctx context.Context, service string) ([]option.ClientOption, error) {
	if err := c.check(service); err != nil {
		return nil, err
	}
	opts := []option.ClientOption{
		option.WithTelemetryDisabled(),
		option.WithGRPCConnectionPool(1),
		option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(c.observeGRPC(service))),
	}
	if c.UserAgent != "" {
		opts = append(opts, option.WithUserAgent(c.UserAgent))
	}
	if e := c.Endpoints[service]; e != "" {
		opts = append(opts, option.WithEndpoint(e))
	}
	var bearer oauth2.TokenSource
	switch {
	case c.PlainText(service):
		opts = append(opts, option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
		if c.AccessTokenFile != "" {
			bearer = newFileToken(c.AccessTokenFile)
		}
	case c.AccessTokenFile != "" || c.Impersonate != "":
		var err error
		if bearer, err = c.TokenSource(ctx); err != nil {
			return nil, err
		}
	default:
		return opts, nil // the library finds the default credentials, and the quota project that belongs to them
	}
	opts = append(opts, option.WithoutAuthentication())
	if bearer != nil {
		opts = append(opts, option.WithGRPCDialOption(grpc.WithPerRPCCredentials(bearerCredentials{bearer, !c.PlainText(service)})))
	}
	return opts, nil
}

// HTTP is the options of service's REST client. Requests that the client library sends without a context, as it does for
// listings, end with ctx.
func (c Config) HTTP(ctx context.Context, service string) ([]option.ClientOption, error) {
	client, err := c.client(ctx, service)
	if err != nil {
		return nil, err
	}
	opts := []option.ClientOption{option.WithHTTPClient(client)}
	if e := c.base(service); e != "" {
		opts = append(opts, option.WithEndpoint(e))
	}
	return opts, nil
}

// base is the URL that a service's REST client begins its requests with; "": Google's own.
func (c Config) base(service string) string {
	e := c.Endpoints[service]
	switch {
	case e == "" || c.REST(service) || service != Logging && service != Monitoring && service != Billing:
		return e
	case c.Insecure:
		return "http://" + e + "/"
	}
	return "https://" + e + "/"
}

// client is what service's REST client sends with.
func (c Config) client(ctx context.Context, service string) (*http.Client, error) {
	if err := c.check(service); err != nil {
		return nil, err
	}
	var rt http.RoundTripper = &observedTransport{
		ctx: ctx, base: http.DefaultTransport.(*http.Transport).Clone(), gate: c.gate(service), service: service, agent: c.UserAgent, observe: c.Observe,
	}
	switch {
	case c.APIKey != "":
		rt = &keyTransport{key: c.APIKey, base: rt}
	case c.PlainText(service):
		if c.AccessTokenFile != "" {
			rt = &oauth2.Transport{Source: newFileToken(c.AccessTokenFile), Base: rt}
		}
	case c.AccessTokenFile != "" || c.Impersonate != "":
		ts, err := c.TokenSource(ctx)
		if err != nil {
			return nil, err
		}
		rt = &oauth2.Transport{Source: ts, Base: rt}
	default:
		rt = &defaultTransport{ctx: ctx, base: rt, service: service}
	}
	return &http.Client{Transport: rt}, nil
}

// defaultTransport sends requests with the default credentials, which it looks for when the first is sent: a service that a stack does
// not use needs none.
type defaultTransport struct {
	ctx     context.Context
	base    http.RoundTripper
	service string

	mu   sync.Mutex
	with http.RoundTripper // nil: not found yet
}

// RoundTrip implements http.RoundTripper.
func (t *defaultTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	rt, err := t.found()
	if err != nil {
		if r.Body != nil {
			err = errors.Join(err, r.Body.Close())
		}
		return nil, err
	}
	return rt.RoundTrip(r)
}

func (t *defaultTransport) found() (http.RoundTripper, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.with == nil {
		rt, err := htransport.NewTransport(t.ctx, t.base, option.WithScopes(scopePlatform), option.WithTelemetryDisabled())
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", t.service, ErrCredentials, err)
		}
		t.with = rt
	}
	return t.with, nil
}

// TokenSource gives tokens of whom the configuration says to be. One that is asked of the network is not waited for longer than any
// other read. ctx is used for as long as the source is.
func (c Config) TokenSource(ctx context.Context) (oauth2.TokenSource, error) {
	var base oauth2.TokenSource
	if c.AccessTokenFile != "" {
		base = newFileToken(c.AccessTokenFile)
	}
	if c.Impersonate != "" {
		var opts []option.ClientOption
		if base != nil {
			opts = append(opts, option.WithTokenSource(base))
		}
		ts, err := impersonate.CredentialsTokenSource(ctx, impersonate.CredentialsConfig{
			TargetPrincipal: c.Impersonate, Scopes: []string{scopePlatform, scopeEmail},
		}, opts...)
		if err != nil {
			return nil, fmt.Errorf("%w: act as %s: %w", ErrCredentials, c.Impersonate, err)
		}
		return &promptToken{source: ts}, nil
	}
	if base != nil {
		return base, nil
	}
	ts, err := google.DefaultTokenSource(ctx, scopePlatform, scopeEmail)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	return &promptToken{source: ts}, nil
}

// check refuses to speak in plain text to anything but this machine.
func (c Config) check(service string) error {
	e := c.Endpoints[service]
	if e == "" {
		return nil
	}
	host := e
	if c.REST(service) {
		u, err := url.Parse(e)
		if err != nil || u.Host == "" {
			return fmt.Errorf("%s: endpoint %q is not a URL", service, e)
		}
		if u.Scheme == "http" && !c.Insecure {
			return fmt.Errorf("%s: endpoint %q is plain text; say insecure: true if it is an emulator on this machine", service, e)
		}
		host = u.Host
	}
	if c.PlainText(service) && !loopback(host) {
		return fmt.Errorf("%s: endpoint %q: %w", service, e, errNotLoopback)
	}
	return nil
}

var errNotLoopback = errors.New("insecure is only for addresses of this machine (127.0.0.1, ::1, localhost)")

func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
