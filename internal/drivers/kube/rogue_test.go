package kube

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/resource"
)

// rogue is an API server in memory that knows ConfigMaps and has one, as good as it can be until a stream begins: what that does is up to
// the test. It is for what a real one never does.
type rogue struct {
	stream func(ctx context.Context, version string, w io.Writer) // answers a watch that was opened; "": one that is to begin with everything

	mu     sync.Mutex
	closes func(asked int) bool // instead of an answer the connection is closed, at that request; nil: never
	made   map[string]int       // requests, by what they were
}

const rogueMap = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"%d","labels":{"recsysd.dev/stack":"s"},` +
	`"managedFields":[{"manager":"recsysd","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:k":{}}}}]},"data":{"k":"%s"}}`

func (s *rogue) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == nil {
		s.made = map[string]int{}
	}
	s.made[what]++
}

func (s *rogue) requests(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made[what]
}

// hangsUp reports whether the request that was made last is answered by closing the connection.
func (s *rogue) hangsUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closes != nil && s.closes(s.made["all"])
}

// recover has every request answered from now on.
func (s *rogue) recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closes = nil
}

func (s *rogue) RoundTrip(req *http.Request) (*http.Response, error) {
	s.count("all")
	if s.hangsUp() {
		return nil, io.EOF
	}
	reply := func(body io.ReadCloser) (*http.Response, error) {
		kind := "application/json"
		if strings.Contains(req.Header.Get("Accept"), "apidiscovery") {
			kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
		}
		return &http.Response{StatusCode: http.StatusOK, Request: req, Header: http.Header{"Content-Type": {kind}}, Body: body}, nil
	}
	text := func(s string) (*http.Response, error) { return reply(io.NopCloser(strings.NewReader(s))) }
	switch q := req.URL.Query(); {
	case req.URL.Path == "/api":
		return text(`{"kind":"APIGroupDiscoveryList","items":[{"metadata":{},"versions":[{"version":"v1","resources":[{"resource":"configmaps","scope":"Namespaced","responseKind":{"version":"v1","kind":"ConfigMap"},"verbs":["list","watch"]}]}]}]}`)
	case req.URL.Path == "/apis":
		return text(`{"kind":"APIGroupDiscoveryList","items":[]}`)
	case q.Get("watch") != "":
		s.count("watch")
		r, w := io.Pipe()
		version := q.Get("resourceVersion")
		go func() {
			s.stream(req.Context(), version, w)
			w.Close()
		}()
		context.AfterFunc(req.Context(), func() { r.CloseWithError(req.Context().Err()) })
		return reply(r)
	case req.Method == http.MethodPatch:
		s.count("dry-run")
		return text(fmt.Sprintf(rogueMap, 7, "v"))
	case len(segments(req)) == 1:
		s.count("list")
		return text(`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[` + fmt.Sprintf(rogueMap, 7, "v") + `]}`)
	default:
		s.count("get")
		return text(fmt.Sprintf(rogueMap, 7, "v"))
	}
}

// all is what a stream begins with that is to begin with everything.
func all(w io.Writer) {
	fmt.Fprintf(w, `{"type":"ADDED","object":`+rogueMap+"}\n", 7, "v")
	fmt.Fprint(w, `{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}`+"\n")
}

func bookmark(w io.Writer) {
	fmt.Fprint(w, `{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"7"}}}`+"\n")
}

// drive runs f with a driver of the rogue's, in a bubble of time.
func (s *rogue) drive(t *testing.T, f func(t *testing.T, d *Driver, look func() (resource.Seen[Object], error))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := New(t.Context(), Options{Stack: "s", Access: func(context.Context, string) (*rest.Config, error) {
			return &rest.Config{Host: "http://rogue", Transport: s}, nil
		}})
		want := placed(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: v}}`, "n", "s")
		f(t, d, func() (resource.Seen[Object], error) { return d.Observe(t.Context(), []Object{want}, true) })
		d.Close()
	})
}

// However a server's streams go wrong: what is there is seen or is unknown, never absent; nothing spins; memory stays bounded.
func TestRogueStreams(t *testing.T) {
	for _, c := range []struct {
		what   string
		stream func(ctx context.Context, version string, w io.Writer)
		blind  bool // it may be unknown at times
		looks  int  // a minute apart; 0: for an hour
	}{
		{what: "every stream ends as it begins", stream: func(_ context.Context, version string, w io.Writer) {}},
		{what: "every stream ends after what there is", stream: func(_ context.Context, version string, w io.Writer) {
			if version == "" {
				all(w)
			}
		}},
		{what: "garbage instead of events", stream: func(_ context.Context, version string, w io.Writer) {
			if version == "" {
				all(w)
			}
			io.WriteString(w, "<html>this is a proxy</html>\n")
		}},
		{what: "an event that never ends", looks: 5, stream: func(_ context.Context, version string, w io.Writer) {
			if version == "" {
				all(w)
			}
			io.WriteString(w, `{"type":"ADDED","object":{"data":{"k":"`)
			for chunk := strings.Repeat("x", 1<<20); ; {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}},
		{what: "what was asked for is gone, always", stream: func(_ context.Context, version string, w io.Writer) {
			if version == "" {
				all(w)
				return
			}
			fmt.Fprint(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`+"\n")
		}},
		{what: "the server says nothing, ever", stream: func(ctx context.Context, version string, w io.Writer) { <-ctx.Done() }},
		{what: "a stream falls silent after its first bookmark", blind: true, stream: func(ctx context.Context, version string, w io.Writer) {
			if version == "" {
				all(w)
			}
			bookmark(w)
			<-ctx.Done()
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := &rogue{stream: c.stream}
			s.drive(t, func(t *testing.T, _ *Driver, look func() (resource.Seen[Object], error)) {
				for minute := range cmp.Or(c.looks, 60) {
					seen, err := look()
					if err != nil && !c.blind || err == nil && len(seen.Live) != 1 {
						t.Errorf("minute %d: %v, and seen are %v", minute, err, seen.Live)
					}
					time.Sleep(time.Minute)
				}
			})
			if n := s.requests("watch") + s.requests("list"); n > 1000 { // four for each look, and for each attempt of the watch's own
				t.Errorf("in an hour with 60 looks the server was asked %d times: %v", n, s.made)
			}
			if n := s.requests("dry-run"); n > 3 {
				t.Errorf("nothing has changed, and %d dry-runs were made", n)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > 256<<20 {
				t.Errorf("%d MiB are held", m.HeapAlloc>>20)
			}
		})
	}
}

// A stream that has fallen silent is found out by the bookmarks that do not come, and taken up where it was; what happened meanwhile is told of.
func TestSilence(t *testing.T) {
	s := &rogue{}
	s.stream = func(ctx context.Context, version string, w io.Writer) {
		switch s.requests("watch") {
		case 1:
			all(w)
			bookmark(w)
		default:
			fmt.Fprintf(w, `{"type":"MODIFIED","object":`+rogueMap+"}\n", 9, "edited")
		}
		<-ctx.Done()
	}
	s.drive(t, func(t *testing.T, d *Driver, look func() (resource.Seen[Object], error)) {
		told := make(chan []resource.Ref, 10) // of the bubble
		d.o.Notify = func(refs []resource.Ref) { told <- refs }
		if _, err := look(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		refs := <-told
		if took := time.Since(began); len(refs) != 1 || took > longestSilence+time.Second {
			t.Errorf("after %s %v were told of", took, refs)
		}
		if lists := s.requests("list"); lists > 0 || s.requests("watch") != 2 {
			t.Errorf("the server was asked %v", s.made)
		}
	})
}

// A server whose database was restored from an older copy has forgotten versions, and an edit. What it had told before is not kept.
func TestServerGoesBack(t *testing.T) {
	s := &rogue{}
	s.stream = func(ctx context.Context, version string, w io.Writer) {
		if version != "" {
			fmt.Fprint(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`+"\n")
			return
		}
		all(w)
		if s.requests("watch") == 1 {
			fmt.Fprintf(w, `{"type":"MODIFIED","object":`+rogueMap+"}\n", 90, "edited")
			fmt.Fprintf(w, `{"type":"ADDED","object":`+strings.Replace(rogueMap, `"name":"a"`, `"name":"b"`, 1)+"}\n", 91, "v")
			return
		}
		<-ctx.Done()
	}
	s.drive(t, func(t *testing.T, d *Driver, look func() (resource.Seen[Object], error)) {
		if _, err := look(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		seen, err := look()
		if err != nil || len(seen.Live) != 1 || text(seen.Live[0].Spec.Manifest, "data", "k") != "v" {
			t.Errorf("seen are %v: %v", seen.Live, err)
		}
		if s.requests("watch") != 3 {
			t.Errorf("the server was asked %v", s.made)
		}
	})
}

// A server that closes connections instead of answering, from its first one or after a while, always or mostly: what is there is seen or is
// unknown, never absent; it is asked a bounded number of times; and when it answers again, everything is seen again.
func TestConnectionsAreClosed(t *testing.T) {
	for what, closes := range map[string]func(asked int) bool{
		"every connection, from the first": func(int) bool { return true },
		"every connection, after some":     func(asked int) bool { return asked > 5 },
		"two of three":                     func(asked int) bool { return asked%3 > 0 },
		"all but the first of each ten":    func(asked int) bool { return asked%10 > 0 },
		"every other":                      func(asked int) bool { return asked%2 > 0 },
	} {
		t.Run(what, func(t *testing.T) {
			s := &rogue{closes: closes, stream: func(ctx context.Context, version string, w io.Writer) {
				if version == "" {
					all(w)
				}
			}} // which ends each stream as soon as it has begun
			s.drive(t, func(t *testing.T, _ *Driver, look func() (resource.Seen[Object], error)) {
				for minute := range 60 {
					if seen, err := look(); err == nil && len(seen.Live) != 1 {
						t.Errorf("minute %d: nothing is said to be there", minute)
					}
					time.Sleep(time.Minute)
				}
				if n := s.requests("all"); n > 60*40 { // client-go asks again by itself where a connection is closed
					t.Errorf("in an hour with 60 looks the server was asked %d times", n)
				}
				s.recover()
				time.Sleep(time.Minute)
				if seen, err := look(); err != nil || len(seen.Live) != 1 {
					t.Errorf("once it answers again: %v, %v", seen.Live, err)
				}
			})
		})
	}
}
