package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
)

// A proof is made while the body passes through it.
type proof interface {
	Write(p []byte) (int, error)
	holds() bool // in constant time
}

// signatures are the headers that carry an HMAC-SHA-256 of the body in hexadecimal, after "sha256=" or by itself.
var signatures = []string{
	"X-Hub-Signature-256", // GitHub; Gitea and Forgejo send it too
	"X-Gitea-Signature",
	"X-Hub-Signature", // Bitbucket. Of GitHub it is a SHA-1, which proves nothing here
	"X-Signature-256", // whoever has no manner of its own
}

// tokenHeader is how GitLab sends the secret itself.
const tokenHeader = "X-Gitlab-Token"

// proofOf is what has to hold of a request with these headers; nil: nothing in them could.
func proofOf(h http.Header, secret []byte) proof {
	for _, name := range signatures {
		mac, err := hex.DecodeString(strings.TrimPrefix(h.Get(name), "sha256="))
		if err == nil && len(mac) == sha256.Size {
			return &signature{hmac.New(sha256.New, secret), mac}
		}
	}
	if token := h.Get(tokenHeader); token != "" {
		return shared{[]byte(token), secret}
	}
	return nil
}

// signature is an HMAC of the body.
type signature struct {
	hash.Hash
	want []byte
}

func (s *signature) holds() bool { return hmac.Equal(s.Sum(nil), s.want) }

// shared is the secret itself. The sums are compared, so that not even its length can be learned by the time that takes.
type shared struct{ got, want []byte }

func (s shared) Write(p []byte) (int, error) { return len(p), nil }

func (s shared) holds() bool {
	got, want := sha256.Sum256(s.got), sha256.Sum256(s.want)
	return hmac.Equal(got[:], want[:])
}
