package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Handler answers for d. A stack's name is the query parameter stack.
func Handler(d Daemon) *http.ServeMux {
	mux := http.NewServeMux()
	handle(mux, "GET /v1/status", func(r *http.Request, _ struct{}) (any, error) { return d.Status(r.Context()) })
	handle(mux, "GET /v1/history", func(r *http.Request, _ struct{}) (any, error) { return d.History(r.Context(), stack(r)) })
	handle(mux, "GET /v1/drift", func(r *http.Request, _ struct{}) (any, error) { return d.Drift(r.Context(), stack(r)) })
	handle(mux, "POST /v1/sync", func(r *http.Request, o Sync) (any, error) { return d.Sync(r.Context(), stack(r), o) })
	handle(mux, "POST /v1/suspend", func(r *http.Request, o order) (any, error) {
		if o.Reason == "" {
			return nil, fmt.Errorf("%w: say why (--reason)", ErrInvalid)
		}
		return struct{}{}, d.Suspend(r.Context(), stack(r), o.Ref, o.Reason)
	})
	handle(mux, "POST /v1/rest", func(r *http.Request, o Rest) (any, error) {
		if o.Workload == "" || o.For < 0 {
			return nil, fmt.Errorf("%w: name a workload, and a time above zero", ErrInvalid)
		}
		return d.Rest(r.Context(), stack(r), o)
	})
	handle(mux, "POST /v1/resume", func(r *http.Request, o order) (any, error) {
		return struct{}{}, d.Resume(r.Context(), stack(r), o.Ref)
	})
	return mux
}

func stack(r *http.Request) string { return r.URL.Query().Get("stack") }

// Handle adds one more order to those of Handler, without a body. Clients give it with Call.
func Handle[Out any](mux *http.ServeMux, pattern string, answer func(context.Context) (Out, error)) {
	handle(mux, pattern, func(r *http.Request, _ struct{}) (any, error) { return answer(r.Context()) })
}

// handle decodes a request's body strictly, if it has one, and encodes the answer or the error.
func handle[In any](mux *http.ServeMux, pattern string, answer func(*http.Request, In) (any, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var in In
		body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		body.DisallowUnknownFields()
		if err := body.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
			reply(w, http.StatusBadRequest, failure{fmt.Sprintf("%v: %v", ErrInvalid, err)})
			return
		}
		out, err := answer(r, in)
		if err != nil {
			reply(w, code(err), failure{err.Error()})
			return
		}
		reply(w, http.StatusOK, out)
	})
}

func code(err error) int {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return http.StatusInternalServerError
}

func reply(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		code, body = http.StatusInternalServerError, []byte(`{"error": "an answer that JSON cannot hold"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(body) // an error means that the client has gone
}
