package gittest

import (
	"bufio"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// HTTP serves all repositories under a directory: URL/name.git.
type HTTP struct {
	URL    string
	server *httptest.Server
	git    http.Handler

	mu    sync.Mutex
	token string
	fault Fault
	count Count
	old   bool
}

// Count is what a server was asked, and what it sent.
type Count struct {
	Listings int   // requests for references, and for what the server can do
	Packs    int   // requests for objects
	Bytes    int64 // of answers' bodies
}

// Fault answers instead of git, or lets git answer.
type Fault func(w http.ResponseWriter, r *http.Request, git http.Handler)

// ServeHTTP starts a server on loopback. Close it.
func ServeHTTP(root string) (*HTTP, error) {
	dir, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, err
	}
	h := &HTTP{git: &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(dir)), "git-http-backend"),
		Env:  append(environment(), "GIT_PROJECT_ROOT="+root, "GIT_HTTP_EXPORT_ALL=1"),
	}}
	h.server = httptest.NewServer(http.HandlerFunc(h.serve))
	h.URL = h.server.URL
	return h, nil
}

// Close ends all conversations, also those that hang, and the server.
func (h *HTTP) Close() {
	h.server.CloseClientConnections()
	h.server.Close()
}

// Repo is the URL of a repository.
func (h *HTTP) Repo(name string) string { return h.URL + "/" + name + ".git" }

// Require asks for this password from now on; "" for none.
func (h *HTTP) Require(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.token = token
}

// GrowOld has the server speak version 0 of the protocol alone from now on.
func (h *HTTP) GrowOld() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.old = true
}

// Misbehave answers all requests by this from now on; nil ends it.
func (h *HTTP) Misbehave(f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = f
}

// Reset returns the count so far and begins anew.
func (h *HTTP) Reset() Count {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.count
	h.count = Count{}
	return c
}

func (h *HTTP) serve(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	token, fault := h.token, h.fault
	if h.old {
		r.Header.Del("Git-Protocol")
	}
	body := bufio.NewReader(r.Body)
	r.Body = struct {
		io.Reader
		io.Closer
	}{body, r.Body}
	if lists(r, body) {
		h.count.Listings++
	} else {
		h.count.Packs++
	}
	h.mu.Unlock()
	w = &countingWriter{w, h}
	if _, password, _ := r.BasicAuth(); token != "" && password != token {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "<html>\nwrong: "+password+"\n</html>", http.StatusUnauthorized)
		return
	}
	if fault != nil {
		fault(w, r, h.git)
		return
	}
	h.git.ServeHTTP(w, r)
}

// lists tells requests for references from those for objects.
func lists(r *http.Request, body *bufio.Reader) bool {
	const command = "0014command=ls-refs\n"
	begin, _ := body.Peek(len(command)) // shorter ones are none
	return r.Method == http.MethodGet || string(begin) == command
}

type countingWriter struct {
	http.ResponseWriter
	h *HTTP
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	c.h.count.Bytes += int64(n)
	return n, err
}

func (c *countingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Down answers with a status.
func Down(status int) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { http.Error(w, "down", status) }
}

// Hang never answers.
func Hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// HalfPack sends at most n bytes of each pack, then cuts the connection.
func HalfPack(n int64) Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		body := bufio.NewReader(r.Body)
		r.Body = io.NopCloser(body)
		if lists(r, body) {
			git.ServeHTTP(w, r)
			return
		}
		git.ServeHTTP(&cutWriter{ResponseWriter: w, left: n}, r)
		panic(http.ErrAbortHandler)
	}
}

type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		n, _ := c.ResponseWriter.Write(p[:c.left])
		c.left = 0
		http.NewResponseController(c.ResponseWriter).Flush()
		return n, io.ErrShortWrite
	}
	c.left -= int64(len(p))
	return c.ResponseWriter.Write(p)
}

// LoseAnswer has posts to a service done, and cuts the connection before the answer.
func LoseAnswer(service string) Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		if r.Method == http.MethodGet || !strings.HasSuffix(r.URL.Path, "/"+service) {
			git.ServeHTTP(w, r)
			return
		}
		git.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
}
