package webhook_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"recsysd.dev/recsysd/internal/webhook"
)

const secret, body = "a secret of some length", `{"ref": "refs/heads/main"}`

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, body)
	return hex.EncodeToString(mac.Sum(nil))
}

// told is what a receiver has said.
type told struct {
	pushed  atomic.Int64
	refused atomic.Int64
	last    atomic.Value
}

func receiver() (*told, http.Handler) {
	t := &told{}
	r := &webhook.Receiver{
		Secret: func(stack string) ([]byte, error) {
			switch stack {
			case "recsys":
				return []byte(secret), nil
			case "unreadable":
				return nil, errors.New("open /etc/recsysd/hook: permission denied")
			}
			return nil, nil
		},
		Pushed: func(string) { t.pushed.Add(1) },
		Answered: func(code int, err error) {
			if (err != nil) != (code != http.StatusAccepted) {
				panic("an answer without a reason, or a reason for nothing")
			}
			if err != nil {
				t.refused.Add(1)
				t.last.Store(err.Error())
			}
		},
	}
	return t, r.Handler()
}

func send(h http.Handler, method, path string, headers map[string]string, body io.Reader) *httptest.ResponseRecorder {
	q := httptest.NewRequest(method, path, body)
	for name, value := range headers {
		q.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q)
	return w
}

func TestWhoIsHeard(t *testing.T) {
	old := hmac.New(sha1.New, []byte(secret))
	io.WriteString(old, body)
	ours, theirs := sign(body), sign(body+" ")
	for _, c := range []struct {
		reason  string
		method  string
		path    string
		headers map[string]string
		body    string
		code    int
	}{
		{"GitHub signs twice, and the better signature counts", "POST", "/hooks/recsys",
			map[string]string{"X-Hub-Signature-256": "sha256=" + ours, "X-Hub-Signature": "sha1=" + hex.EncodeToString(old.Sum(nil))}, body, 202},
		{"Gitea and Forgejo sign without a prefix", "POST", "/hooks/recsys", map[string]string{"X-Gitea-Signature": ours}, body, 202},
		{"Bitbucket has an older header for the newer sum", "POST", "/hooks/recsys", map[string]string{"X-Hub-Signature": "sha256=" + ours}, body, 202},
		{"anything else may sign too", "POST", "/hooks/recsys", map[string]string{"X-Signature-256": "sha256=" + ours}, body, 202},
		{"GitLab sends the secret", "POST", "/hooks/recsys", map[string]string{"X-Gitlab-Token": secret}, body, 202},
		{"a body that is no JSON is a hint like any other", "POST", "/hooks/recsys", map[string]string{"X-Signature-256": sign("}{")}, "}{", 202},
		{"an empty body is signed too", "POST", "/hooks/recsys", map[string]string{"X-Signature-256": sign("")}, "", 202},
		{"without a signature nobody is heard", "POST", "/hooks/recsys", nil, body, 401},
		{"a signature of another body", "POST", "/hooks/recsys", map[string]string{"X-Hub-Signature-256": "sha256=" + theirs}, body, 401},
		{"a signature that is cut short", "POST", "/hooks/recsys", map[string]string{"X-Hub-Signature-256": "sha256=" + ours[:32]}, body, 401},
		{"a signature that is no hexadecimal", "POST", "/hooks/recsys", map[string]string{"X-Hub-Signature-256": "sha256=" + strings.Repeat("x", 64)}, body, 401},
		{"GitHub's old sum alone proves too little", "POST", "/hooks/recsys", map[string]string{"X-Hub-Signature": "sha1=" + hex.EncodeToString(old.Sum(nil))}, body, 401},
		{"a token that is a part of the secret", "POST", "/hooks/recsys", map[string]string{"X-Gitlab-Token": secret[:5]}, body, 401},
		{"no token", "POST", "/hooks/recsys", map[string]string{"X-Gitlab-Token": ""}, body, 401},
		{"a stack that is not there is not told apart", "POST", "/hooks/nobody", map[string]string{"X-Hub-Signature-256": "sha256=" + ours}, body, 401},
		{"a secret that cannot be read is our trouble, not theirs", "POST", "/hooks/unreadable", map[string]string{"X-Hub-Signature-256": "sha256=" + ours}, body, 503},
		{"only POST", "GET", "/hooks/recsys", nil, "", 405},
		{"nothing else is there", "POST", "/metrics", nil, "", 404},
		{"nor below", "POST", "/hooks/recsys/x", nil, "", 404},
	} {
		told, h := receiver()
		got := send(h, c.method, c.path, c.headers, strings.NewReader(c.body))
		if got.Code != c.code {
			t.Errorf("%s: %d, want %d", c.reason, got.Code, c.code)
		}
		if pushed := told.pushed.Load(); pushed != int64(map[bool]int{true: 1}[c.code == 202]) {
			t.Errorf("%s: %d looks", c.reason, pushed)
		}
		if said, _ := told.last.Load().(string); strings.Contains(said, secret) || strings.Contains(got.Body.String(), secret) {
			t.Errorf("%s: the secret shows", c.reason)
		}
	}
}

// endless is a body that never ends and says how much of it was read.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.read += int64(len(p))
	return len(p), nil
}

func TestBodyIsBounded(t *testing.T) {
	told, h := receiver()
	flood := &endless{}
	if got := send(h, "POST", "/hooks/recsys", map[string]string{"X-Signature-256": sign("")}, flood); got.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", got.Code)
	}
	if flood.read > 26<<20 || told.pushed.Load() != 0 {
		t.Errorf("%d bytes were read, %d looks", flood.read, told.pushed.Load())
	}
	if got := send(h, "POST", "/hooks/recsys", map[string]string{"X-Signature-256": sign("")}, io.MultiReader(strings.NewReader("x"), brokenReader{})); got.Code != http.StatusBadRequest {
		t.Errorf("a body that breaks off: %d", got.Code)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("reset by peer") }

// A thousand requests a second for ten seconds, from one address; then another address that has done nothing.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told, h := receiver()
		post := func(from string) *httptest.ResponseRecorder {
			q := httptest.NewRequest("POST", "/hooks/recsys", strings.NewReader(body))
			q.RemoteAddr = from
			q.Header.Set("X-Hub-Signature-256", "sha256="+sign(body))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			return w
		}
		late := map[int]int{}
		for range 10_000 {
			w := post("192.0.2.1:4711")
			late[w.Code]++
			if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") != "1" {
				t.Fatal("it is not said when to come again")
			}
			time.Sleep(time.Millisecond)
		}
		if n := told.pushed.Load(); n < 50 || n > 80 || late[http.StatusAccepted] != int(n) {
			t.Errorf("%d looks: %v", n, late)
		}
		if w := post("192.0.2.2:4711"); w.Code != http.StatusAccepted {
			t.Errorf("the flood speaks for all: %d", w.Code)
		}
		for host := range 5000 { // more addresses than are counted
			post("[2001:db8::" + hex.EncodeToString([]byte{byte(host >> 8), byte(host)}) + "]:1")
		}
		if n := told.pushed.Load(); n > 300 {
			t.Errorf("many addresses get more than all together may have: %d", n)
		}
	})
}
