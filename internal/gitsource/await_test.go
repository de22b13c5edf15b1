package gitsource

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

// heard has a server's fault look at the whole request before git does.
func heard(look func(rw http.ResponseWriter, ask string) (answered bool)) gittest.Fault {
	return func(rw http.ResponseWriter, r *http.Request, git http.Handler) {
		ask, err := io.ReadAll(r.Body)
		if err != nil || look(rw, string(ask)) {
			return
		}
		q := r.Clone(r.Context())
		q.Body = io.NopCloser(bytes.NewReader(ask))
		git.ServeHTTP(rw, q)
	}
}

// While a commit is received and proven a pass may end, and keep the one before it: what was received of the new one stays, for itself and
// for the next process.
func TestACommitIsKeptWhileAnotherIsReceived(t *testing.T) {
	w := newWorld(t)
	w.commit(t, map[string]string{"stack.yaml": "one", "much": noise(1, 64<<10)})
	cfg := w.ways()["http"]
	cfg.Dir = t.TempDir()
	s := open(t, cfg)
	before := must(s.Fetch(t.Context()))(t)
	w.commit(t, map[string]string{"stack.yaml": "two"})
	newest := w.commit(t, map[string]string{"stack.yaml": "three"})
	fetches := 0
	w.http.Misbehave(heard(func(_ http.ResponseWriter, ask string) bool {
		if strings.Contains(ask, "command=fetch") {
			if fetches++; fetches == 2 { // the first is of the files, the second the proof that they descend from what there was
				if err := s.Keep(t.Context(), before); err != nil {
					t.Error(err)
				}
			}
		}
		return false
	}))
	ok(t, s.Poll(t.Context()))
	if fetches < 2 {
		t.Fatalf("%d fetches: nothing was kept in between", fetches)
	}
	w.http.Misbehave(gittest.Down(http.StatusBadGateway))
	r, err := open(t, cfg).Fetch(t.Context())
	if err == nil {
		t.Error("a server that is away is no error")
	}
	wantContent(t, r, newest, "three")
	if got, err := fs.ReadFile(r.Tree, "much"); err != nil || string(got) != noise(1, 64<<10) {
		t.Errorf("what the commit before had cannot be read: %v", err)
	}
}

// A server that cannot tell what a commit has beyond another, or falls over it, is asked for all of it.
func TestAServerThatSendsWholeCommitsOnly(t *testing.T) {
	for _, way := range []string{"http", "old http"} {
		w := newWorld(t)
		w.commit(t, map[string]string{"stack.yaml": "one"})
		s := open(t, w.ways()[way])
		ok(t, s.Poll(t.Context()))
		second := w.commit(t, map[string]string{"stack.yaml": "two"})
		w.served(way).Misbehave(heard(func(rw http.ResponseWriter, ask string) bool {
			if strings.Contains(ask, "have ") {
				http.Error(rw, "down", http.StatusInternalServerError)
				return true
			}
			return false
		}))
		wantError(t, s.Poll(t.Context()), "500")
		ok(t, s.Poll(t.Context()))
		wantRevision(t, s, second, "two")
	}
}

func (w *world) served(way string) *gittest.HTTP {
	return map[string]*gittest.HTTP{"http": w.http, "old http": w.oldHTTP}[way]
}

// An address that leads elsewhere is asked each time where: what it has led to may answer for ever, and not be meant any more.
func TestARedirectThatEnds(t *testing.T) {
	w := newWorld(t)
	first := w.commit(t, map[string]string{"stack.yaml": "one"})
	must(w.repo.Git("clone", "-q", "--bare", w.repo.Dir, w.root+"/mirror.git"))(t)
	to := "/mirror"
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, w.http.URL+strings.Replace(r.URL.String(), "/front", to, 1), http.StatusFound)
	}))
	defer front.Close()
	s := open(t, Config{URL: front.URL + "/front.git"})
	wantRevision(t, s, first, "one")
	to = "/infra"
	second := w.commit(t, map[string]string{"stack.yaml": "two"}) // which the mirror never hears of
	ok(t, s.Poll(t.Context()))
	wantRevision(t, s, second, "two")
}
