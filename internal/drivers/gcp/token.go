package gcp

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// promptToken gives up on a token that does not come. Neither oauth2 nor gRPC's credentials do so when their call's time is up, so a
// server of tokens that hangs would hold every call, and with it the pass. One request is under way at most, however many wait.
type promptToken struct {
	source oauth2.TokenSource
	asking singleflight.Group
}

var errNoToken = fmt.Errorf("%w: no token within %s", ErrCredentials, readTimeout)

// Token is safe for concurrent use.
func (p *promptToken) Token() (*oauth2.Token, error) {
	answer := p.asking.DoChan("", func() (any, error) { return p.source.Token() })
	late := time.NewTimer(readTimeout)
	defer late.Stop()
	select {
	case r := <-answer:
		token, ok := r.Val.(*oauth2.Token)
		if r.Err == nil && !ok {
			return nil, errors.New("credentials: there is no token in the answer")
		}
		return token, r.Err
	case <-late.C:
		return nil, errNoToken
	}
}

// fileToken is a bearer token that lives in a file which somebody else keeps fresh.
type fileToken struct {
	path string

	mu       sync.Mutex
	modified time.Time
	size     int64
	token    *oauth2.Token
}

func newFileToken(path string) *fileToken { return &fileToken{path: path} }

// tokenLife makes caches in between ask again soon: how long the token is really good for is not known.
const tokenLife = time.Minute

// maxTokenSize keeps a wrong path, such as a log's, from being read into memory.
const maxTokenSize = 64 << 10

// Token reads the file if it has changed since the last time. The content is never part of an error.
func (f *fileToken) Token() (*oauth2.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, fmt.Errorf("access token: %w", err)
	}
	if f.token == nil || !info.ModTime().Equal(f.modified) || info.Size() != f.size {
		if info.Size() > maxTokenSize {
			return nil, fmt.Errorf("access token: %s is %d bytes, which is no token", f.path, info.Size())
		}
		b, err := os.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("access token: %w", err)
		}
		text := strings.TrimSpace(string(b))
		if text == "" || strings.ContainsAny(text, " \t\r\n") {
			return nil, fmt.Errorf("access token: %s does not hold one token and nothing else", f.path)
		}
		f.token = &oauth2.Token{AccessToken: text, TokenType: "Bearer"}
		f.modified, f.size = info.ModTime(), info.Size()
	}
	token := *f.token
	token.Expiry = time.Now().Add(tokenLife)
	return &token, nil
}

// keyTransport sends an API key. It travels in a header: addresses stand in errors.
type keyTransport struct {
	key  string
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *keyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Goog-Api-Key", t.key)
	return t.base.RoundTrip(r)
}
