// Package webhook hears from Git hosts that a repository was pushed to. What it is told is a hint to look and nothing more: whoever
// sends it chooses neither repository nor commit, a hint that is sent twice costs one more look, and one that is lost is made up
// for by the next poll. It knows no Git and no stack beyond its name.
//
// A request is authentic if it is signed with the stack's own secret, in the manner of GitHub, Gitea, Forgejo and Bitbucket (an
// HMAC-SHA-256 of the body), of GitLab (the secret itself), or of anything else that can compute an HMAC.
package webhook

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits of a receiver. GitHub's payloads are the largest, 25 MB at most; a body is never held in memory, whatever its size.
const (
	maxBody = 25 << 20

	perHost, hostBurst = 5, 20   // requests a second, and at once, of one address
	perAll, allBurst   = 50, 100 // of all together
	maxHosts           = 1024    // addresses that are counted one by one
	maxAtOnce          = 16      // requests whose body is being read
	retryAfter         = time.Second
)

// Path is where the hooks of a stack are received: POST Path + its name.
const Path = "/hooks/"

// Receiver is the handler of all hooks. Fill the fields, which are called from several goroutines, before it is first used.
type Receiver struct {
	// Secret is what a stack's hooks are signed with; nil: it has none, and takes no hooks.
	Secret func(stack string) ([]byte, error)
	// Pushed is told of every authentic request. It must not block.
	Pushed func(stack string)
	// Answered is told of every answer, for counting and for the log; err says what was wrong, and holds nothing that was sent.
	Answered func(code int, err error)

	once    sync.Once
	all     *rate.Limiter
	reading chan struct{}

	mu    sync.Mutex
	hosts map[string]*rate.Limiter

	nobody [32]byte // a secret that nobody has
}

// Handler answers POST /hooks/STACK with 202 if it is authentic, and everything else with 401, 404, 405, 413, 429 or 503.
func (r *Receiver) Handler() http.Handler {
	r.once.Do(func() {
		r.all = rate.NewLimiter(perAll, allBurst)
		r.reading = make(chan struct{}, maxAtOnce)
		r.hosts = map[string]*rate.Limiter{}
		rand.Read(r.nobody[:])
	})
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path+"{stack}", func(w http.ResponseWriter, q *http.Request) {
		code, err := r.receive(w, q)
		if code == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		}
		w.WriteHeader(code)
		r.Answered(code, err)
	})
	return mux
}

var (
	errFlood   = errors.New("too many requests")
	errNotOurs = errors.New("the signature is missing or wrong, or there is no such stack")
)

// receive judges one request. A stack that is not there answers as one whose secret is another, and takes as long.
func (r *Receiver) receive(w http.ResponseWriter, q *http.Request) (int, error) {
	if !r.allow(q.RemoteAddr) {
		return http.StatusTooManyRequests, errFlood
	}
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	default:
		return http.StatusTooManyRequests, errFlood
	}
	stack := q.PathValue("stack")
	secret, err := r.Secret(stack)
	if err != nil {
		return http.StatusServiceUnavailable, err
	}
	if len(secret) == 0 {
		secret = r.nobody[:]
	}
	proof := proofOf(q.Header, secret)
	if proof == nil {
		return http.StatusUnauthorized, errNotOurs
	}
	switch _, err := io.Copy(proof, http.MaxBytesReader(w, q.Body, maxBody)); {
	case errors.As(err, new(*http.MaxBytesError)):
		return http.StatusRequestEntityTooLarge, err
	case err != nil:
		return http.StatusBadRequest, errors.New("the body did not arrive whole")
	case !proof.holds():
		return http.StatusUnauthorized, errNotOurs
	}
	r.Pushed(stack)
	return http.StatusAccepted, nil
}

// allow counts a request of an address. An address that floods is refused by itself, so that it does not speak for the others for long.
func (r *Receiver) allow(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	r.mu.Lock()
	l := r.hosts[host]
	if l == nil {
		if len(r.hosts) >= maxHosts {
			clear(r.hosts)
		}
		l = rate.NewLimiter(perHost, hostBurst)
		r.hosts[host] = l
	}
	r.mu.Unlock()
	return l.Allow() && r.all.Allow()
}
