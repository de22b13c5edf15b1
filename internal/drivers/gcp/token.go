package gcp

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

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
