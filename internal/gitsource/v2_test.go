package gitsource

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

// crowd gives the repository n further branches and tags, packed as in a repository that has grown.
func (w *world) crowd(t testing.TB, n int) {
	t.Helper()
	tip := must(w.repo.Git("--git-dir="+w.repo.Dir, "rev-parse", "main"))(t)
	var packed strings.Builder
	packed.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	for i := range n {
		fmt.Fprintf(&packed, "%s refs/heads/feature/%05d\n", tip, i)
	}
	fmt.Fprintf(&packed, "%s refs/heads/main\n", tip)
	ok(t, os.Remove(filepath.Join(w.repo.Dir, "refs/heads/main")))
	ok(t, os.WriteFile(filepath.Join(w.repo.Dir, "packed-refs"), []byte(packed.String()), 0o644))
}

// A poll is told of one branch, whatever else there is; where the server speaks the old protocol only, of all of them.
func TestAPollAsksForOneBranch(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(t, map[string]string{"stack.yaml": "one"})
	w.crowd(t, 5000)
	for _, c := range []struct {
		reason       string
		way          string
		served       *gittest.HTTP
		bytes, least int64
	}{
		{"the branch alone", "http", w.http, 200, 50},
		{"an old server lists everything first", "old http", w.oldHTTP, 500_000, 300_000},
	} {
		s := open(t, w.ways()[c.way])
		ok(t, s.Poll(t.Context()))
		c.served.Reset()
		ok(t, s.Poll(t.Context()))
		if n := c.served.Reset(); n.Listings != 1 || n.Packs != 0 || n.Bytes > c.bytes || n.Bytes < c.least {
			t.Errorf("%s: an unchanged poll cost %+v", c.reason, n)
		}
		wantRevision(t, s, commit, "one")
	}
	for _, c := range []struct {
		way   string
		bytes int64
	}{{"ssh", 8 << 10}, {"old ssh", 600_000}} {
		s := open(t, w.ways()[c.way])
		ok(t, s.Poll(t.Context()))
		server := map[string]*gittest.SSH{"ssh": w.ssh, "old ssh": w.oldSSH}[c.way]
		before := server.Sent()
		ok(t, s.Poll(t.Context()))
		if n := server.Sent() - before; n > c.bytes || n < 500 {
			t.Errorf("an unchanged poll over %s received %d bytes", c.way, n)
		}
	}
}

// A branch whose name begins like that of another is another.
func TestBranchesThatBeginAlike(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(t, map[string]string{"stack.yaml": "one"})
	must(w.repo.Git("push", "-q", "origin", "HEAD:refs/heads/main-2", "HEAD:refs/heads/zmain"))(t)
	for name, cfg := range w.ways() {
		if name == "worktree" {
			continue // it has but one
		}
		wantRevision(t, open(t, cfg), commit, "one")
		cfg.Branch = "mai"
		wantError(t, open(t, cfg).Poll(t.Context()), "branch mai does not exist; there are: main, main-2, zmain")
	}
}

// What is remembered of a server saves requests, and is forgotten as soon as it does not hold.
func TestAServerThatChanges(t *testing.T) {
	w := newWorld(t)
	first := w.commit(t, map[string]string{"stack.yaml": "one"})
	s := open(t, w.ways()["http"])
	wantRevision(t, s, first, "one")
	w.http.GrowOld() // its upgrade was taken back
	second := w.commit(t, map[string]string{"stack.yaml": "two"})
	ok(t, s.Poll(t.Context()))
	wantRevision(t, s, second, "two")

	const token = "glpat-for-one-host"
	cfg := Config{URL: w.oldHTTP.Repo("infra"), Auth: Auth{TokenFile: filepath.Join(t.TempDir(), "token")}}
	ok(t, os.WriteFile(cfg.Auth.TokenFile, []byte(token), 0o600))
	heard := make(chan string, 10)
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { // of somebody else
		_, password, _ := r.BasicAuth()
		heard <- r.Method + " " + password
		rw.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		fmt.Fprint(rw, "000eversion 2\n0012fetch=shallow\n0000")
	}))
	defer other.Close()
	for _, as := range []string{"", "somebody:else@"} {
		w.oldHTTP.Misbehave(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(rw, r, strings.Replace(other.URL, "://", "://"+as, 1)+r.URL.String(), http.StatusFound)
		})
		wantError(t, open(t, cfg).Poll(t.Context()), "instead of git's own")
		if get, post := <-heard, <-heard; get != "GET " || post != "POST " {
			t.Errorf("the server that another one has led to, as %q, was sent %q and %q", as, get, post)
		}
	}
}

// Whatever a server answers in version 2, it becomes one line, and nothing of it is taken over.
func TestNonsenseInVersion2(t *testing.T) {
	w := newWorld(t)
	first := w.commit(t, map[string]string{"stack.yaml": "one"})
	s := open(t, w.ways()["http"])
	wantRevision(t, s, first, "one")
	packet := func(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }
	hash := strings.Repeat("12", 20)
	greets := func(can string) string { return greetingV2 + packet("ls-refs\n") + packet(can+"\n") + "0000" }
	for _, c := range []struct{ reason, greeting, list, pack, says string }{
		{"a repository of the newer format", greets("object-format=sha256"), "", "", "SHA-256"},
		{"a greeting that ends", greetingV2 + "00", "", "", "in the middle"},
		{"a list that ends", greets("fetch=shallow"), packet(hash + " refs/heads/main\n"), "", "in the middle"},
		{"a list of something else", greets("fetch=shallow"), packet("refs/heads/main "+hash) + "0000", "", `not understood: "refs/heads/main`},
		{"a packet of no size", greets("fetch=shallow"), "0003", "", "invalid pkt-len"},
		{"a list without end", greets("fetch=shallow"), strings.Repeat(packet(hash+" refs/heads/"+strings.Repeat("a", 60000)), 300), "", "too long"},
		{"a refusal", greets("fetch=shallow"), packet("ERR not today\n"), "", "not today"},
		{"a server that sends whole histories only", greets("fetch"), packet(hash+" refs/heads/main\n") + "0000", "", "no shallow capability"},
		{"a fetch without a pack", greets("fetch=shallow"), packet(hash+" refs/heads/main\n") + "0000", packet("shallow-info\n") + packet("shallow "+hash) + "0000", "no pack"},
		{"a pack that is refused on the way", greets("fetch=shallow"), packet(hash+" refs/heads/main\n") + "0000", packet("packfile\n") + packet("\x03disk on fire") + "0000", "disk on fire"},
	} {
		w.http.Misbehave(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
			body := new(strings.Builder)
			buf := make([]byte, 4096)
			n, _ := r.Body.Read(buf)
			body.Write(buf[:n])
			rw.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			switch {
			case r.Method == http.MethodGet:
				fmt.Fprint(rw, c.greeting)
			case strings.Contains(body.String(), "command=ls-refs"):
				fmt.Fprint(rw, c.list)
			default:
				fmt.Fprint(rw, c.pack)
			}
		})
		err := s.Poll(t.Context())
		t.Log(c.reason, ":", err)
		wantError(t, err, c.says)
		r, _ := s.Fetch(t.Context())
		wantContent(t, r, first, "one")
	}
}
