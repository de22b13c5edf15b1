// Package httpd is what the daemon shows over HTTP to anybody who can reach its address: metrics, health and status. It is read
// only and knows nothing of passes; what it shows is given to it. Orders come over the control socket instead.
package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Pages is what there is to show.
type Pages struct {
	Metrics http.Handler
	Healthy func() error // nil: the daemon makes progress. The error is shown, one line per reason
	Ready   func() error // nil: every stack has finished a pass
	Status  func() any   // shown as JSON
}

// Handler serves GET /metrics, /healthz, /readyz and /api/v1/status, and refuses everything else.
func (p Pages) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.Metrics)
	mux.Handle("GET /healthz", verdict(p.Healthy))
	mux.Handle("GET /readyz", verdict(p.Ready))
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, p.Status()) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, "recsysd\n\n/metrics\n/healthz\n/readyz\n/api/v1/status\n")
	})
	return mux
}

// verdict answers 200 or, with the reason, 503.
func verdict(ask func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := ask(); err != nil {
			writeText(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		writeText(w, http.StatusOK, "ok\n")
	})
}

func writeText(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	fmt.Fprint(w, body) // an error means that the client has gone
}

// writeJSON answers with v. What cannot be put in JSON is a 500 that says so.
func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		writeText(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	w.Write(append(body, '\n')) // an error means that the client has gone
}

// Limits of a server: how long a request may take to arrive and an answer to leave, and how long a stop waits for answers on their way.
const (
	readTimeout = 10 * time.Second
	idleTimeout = 2 * time.Minute
	stopTimeout = 3 * time.Second
)

// Serve answers on l until ctx is done, then lets answers on their way out finish, briefly, and returns nil. Requests see ctx end too.
// writeTimeout bounds an answer; 0 is for handlers that wait on purpose.
func Serve(ctx context.Context, l net.Listener, h http.Handler, writeTimeout time.Duration) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan error, 1)
	serving, served := context.WithCancel(ctx)
	go func() {
		<-serving.Done()
		// The requests' own context has ended, so what is still open is on its way out.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err := srv.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close()
		}
		stopped <- err
	}()
	err := srv.Serve(l)
	served()
	if stop := <-stopped; errors.Is(err, http.ErrServerClosed) {
		err = stop
	}
	if err != nil {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}
