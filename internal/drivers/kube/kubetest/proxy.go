package kubetest

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Proxy stands between a client and the API server, with a certificate of the same authority, so that a test can act between
// a request's effect and its answer, or cut the line.
type Proxy struct {
	Endpoint string // host:port

	server *http.Server
	done   chan struct{}

	mu     sync.Mutex
	answer func(*http.Request, *http.Response)
	refuse http.HandlerFunc
}

// Proxy starts one. The caller closes it.
func (c *Cluster) Proxy() (*Proxy, error) {
	certPEM, keyPEM, err := c.authority.serve("proxy")
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.authority.cert)
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "https", Host: c.Endpoint})
	forward.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 32}
	forward.FlushInterval = -1 // watches
	p := &Proxy{Endpoint: listener.Addr().String(), done: make(chan struct{})}
	forward.ModifyResponse = func(r *http.Response) error {
		p.mu.Lock()
		answer := p.answer
		p.mu.Unlock()
		if answer != nil {
			answer(r.Request, r)
		}
		return nil
	}
	p.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			refuse := p.refuse
			p.mu.Unlock()
			if refuse != nil {
				refuse(w, r)
				return
			}
			forward.ServeHTTP(w, r)
		}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ReadHeaderTimeout: 5 * time.Second,
	}
	go func() { defer close(p.done); p.server.ServeTLS(listener, "", "") }()
	return p, nil
}

// OnAnswer has hook called after the API server has done what a request asks and before the client hears of it. The hook may block.
// nil removes it.
func (p *Proxy) OnAnswer(hook func(*http.Request, *http.Response)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = hook
}

// Refuse answers every new request by handler instead of the API server; nil lets them through again.
func (p *Proxy) Refuse(handler http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = handler
}

// Close ends every connection.
func (p *Proxy) Close() {
	p.server.Close()
	<-p.done
}
