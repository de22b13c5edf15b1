package kube

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// requestTimeout bounds every request but a watch; the caller's context may be shorter.
const requestTimeout = 30 * time.Second

// link is all that is kept for one cluster as it is reached now: clients, known kinds, watches, and what dry-runs said.
// Another endpoint, CA or identity is another link.
type link struct {
	key     string
	o       Options
	dynamic dynamic.Interface
	meta    metadata.Interface
	kinds   mapper
	verdict verdicts
	looks   looks
	sweep   sweep
	lists   atomic.Bool // the server does not send over a watch what there is: it is listed

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	watches map[schema.GroupVersionResource]*watch
}

// linkKey tells clusters and identities apart. It holds secrets and is never shown.
func linkKey(c *rest.Config) string {
	exec := ""
	if c.ExecProvider != nil {
		exec = fmt.Sprint(c.ExecProvider.Command, c.ExecProvider.Args)
	}
	return digest(c.Host, c.APIPath, string(c.CAData), c.CAFile, c.ServerName, c.Username, c.Password, c.BearerToken,
		c.BearerTokenFile, string(c.CertData), c.CertFile, c.KeyFile, c.Impersonate.UserName, exec)
}

func newLink(ctx context.Context, c *rest.Config, o Options) (*link, error) {
	c = rest.CopyConfig(c)
	c.QPS = -1    // the limit is the gate below: so many at a time, not so many a second
	c.Timeout = 0 // it would end watches; each request has its own
	if c.UserAgent == "" {
		c.UserAgent = "recsysd"
	}
	c.WarningHandlerWithContext = rest.NoWarnings{}
	gate := make(chan struct{}, o.Width)
	c.Wrap(func(next http.RoundTripper) http.RoundTripper { return &transport{next, gate, o.Requests} })
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	host, _, err := rest.DefaultServerUrlFor(c)
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	if c.APIPath != "" {
		host = host.JoinPath(c.APIPath)
	}
	dyn, err := dynamic.NewForConfigAndClient(c, client)
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	meta, err := metadata.NewForConfigAndClient(metadata.ConfigFor(c), client)
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	s := &link{o: o, dynamic: dyn, meta: meta, kinds: mapper{client: client, host: bare(host)},
		watches: map[schema.GroupVersionResource]*watch{}}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s, nil
}

// bare is the server's root without a query.
func bare(u *url.URL) *url.URL { return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path} }

// close ends the watches and returns once they have ended.
func (s *link) close() {
	s.mu.Lock() // no watch begins after this
	s.cancel()
	s.mu.Unlock()
	s.wg.Wait()
	s.kinds.client.CloseIdleConnections()
}

// resource addresses objects of one kind, in a namespace where they have one.
func (s *link) resource(m mapping, namespace string) dynamic.ResourceInterface {
	if m.namespaced {
		return s.dynamic.Resource(m.gvr).Namespace(namespace)
	}
	return s.dynamic.Resource(m.gvr)
}

// watch returns the watch of a kind, begun if there is none.
func (s *link) watch(m mapping) *watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.watches[m.gvr]
	if ok {
		return w
	}
	w = newWatch(s, m)
	if s.ctx.Err() != nil {
		w.err, w.ended = errClosed, true
		return w
	}
	s.watches[m.gvr] = w
	s.wg.Go(func() { w.run(s.ctx) })
	return w
}

// forget drops a watch whose kind the server no longer has.
func (s *link) forget(w *watch) {
	s.kinds.forget(w.gvk)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[w.gvr] == w {
		delete(s.watches, w.gvr)
	}
}

// open returns the watches there are.
func (s *link) open() []*watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*watch, 0, len(s.watches))
	for _, w := range s.watches {
		all = append(all, w)
	}
	return all
}
