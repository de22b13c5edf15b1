package gitsource

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// maxListing bounds the list of references, some 250,000 of them.
const maxListing = 16 << 20

// httpClient speaks Git over https; shut ends its idle connections.
func httpClient() (client *http.Client, shut func()) {
	base := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second,
	}
	return &http.Client{Transport: &guardedTransport{base}}, base.CloseIdleConnections
}

// httpParty is who is spoken to, and as whom. The endpoint is the caller's own: a redirect changes it.
func httpParty(a address, auth Auth) (*transport.Endpoint, transport.AuthMethod, error) {
	user, password, err := httpCredentials(a, auth)
	if err != nil {
		return nil, nil, err
	}
	endpoint := *a.endpoint
	if password == "" {
		return &endpoint, nil, nil
	}
	return &endpoint, &githttp.BasicAuth{Username: user, Password: password}, nil
}

// httpCredentials: the token file, else what stands in the URL. The common hosts take any user name with a token.
func httpCredentials(a address, auth Auth) (user, password string, err error) {
	user, password = a.user, a.password
	if password == "" && auth.TokenFile == "" {
		password, user = user, "" // https://TOKEN@host/…
	}
	if auth.TokenFile != "" {
		if password, err = readSecret(auth.TokenFile); err != nil {
			return "", "", fmt.Errorf("tokenFile: %w", err)
		}
	}
	return cmp.Or(auth.Username, user, "git"), password, nil
}

// readSecret reads a small file that holds one secret. Its errors name the file, never the content.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	if strings.ContainsAny(secret, "\n\r\x00") {
		return "", fmt.Errorf("%s holds more than one line", path)
	}
	return secret, nil
}

// guardedTransport tells a poll's patience of every byte that arrives, bounds what is not a pack, and notices a server that greets in
// version 2.
type guardedTransport struct{ base http.RoundTripper }

func (g *guardedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := g.base.RoundTrip(ask(req))
	if err != nil {
		return nil, err
	}
	progress(req.Context())
	body := &guardedBody{ReadCloser: res.Body, ctx: req.Context(), left: -1}
	switch {
	case res.StatusCode != http.StatusOK:
		body.left = 4 << 10
	case req.Method == http.MethodGet:
		body.left = maxListing
	}
	res.Body = body
	hear(req, res)
	return res, nil
}

// guardedBody is an answer under both.
type guardedBody struct {
	io.ReadCloser
	ctx  context.Context
	left int64 // -1: no bound here
}

func (b *guardedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errTooLong
	}
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	progress(b.ctx)
	return n, err
}
