package gitsource

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noise is text that no compression makes smaller than three quarters.
func noise(seed uint64, size int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(' ' + r.IntN(90))
	}
	return string(b)
}

// A commit brings what it changed, not what there is; whoever starts again finds all of it; and what was removed comes back whole.
func TestACommitBringsWhatItChanged(t *testing.T) {
	for _, name := range []string{"http", "old http", "ssh", "old ssh", "path"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t) // a server that has what it is asked for elsewhere in its history does other things
			cfg := w.ways()[name]
			files := map[string]string{"stack.yaml": "zero", "gone/file": noise(99, 8<<10)}
			for i := range 50 {
				files[fmt.Sprintf("much/%d/file", i)] = noise(uint64(i), 8<<10)
			}
			w.commit(t, files)
			cfg.Dir = t.TempDir()
			s := open(t, cfg)
			ok(t, s.Poll(t.Context()))
			whole := size(t, cfg.Dir)
			step := func(content string, files map[string]string) string {
				files["stack.yaml"] = name + content
				return w.commit(t, files)
			}
			step("one", map[string]string{"much/7/file": noise(1007, 8<<10)})
			ok(t, s.Poll(t.Context()))
			must(w.repo.Git("rm", "-rq", "gone"))(t)
			step("two", map[string]string{})
			ok(t, s.Poll(t.Context()))
			if strings.HasPrefix(name, "old") {
				step("three", map[string]string{"much/8/file": noise(1008, 8<<10)})
				ok(t, s.Poll(t.Context()))
			} else {
				step("three, not looked at", map[string]string{"much/8/file": noise(1008, 8<<10)})
			}
			back := step("four", map[string]string{"gone/file": files["gone/file"]})
			ok(t, s.Poll(t.Context()))
			if got := size(t, cfg.Dir); got > whole+64<<10 {
				t.Errorf("%d KiB after a few small commits on one of %d KiB", got>>10, whole>>10)
			}
			for reason, s := range map[string]*Source{"the same process": s, "the next": open(t, cfg)} {
				r := must(s.Fetch(t.Context()))(t)
				wantContent(t, r, back, name+"four")
				for file, want := range map[string]string{
					"gone/file": files["gone/file"], "much/3/file": files["much/3/file"],
					"much/7/file": noise(1007, 8<<10), "much/8/file": noise(1008, 8<<10),
				} {
					if got, err := fs.ReadFile(r.Tree, file); err != nil || string(got) != want {
						t.Errorf("%s: %s is not what was committed: %v", reason, file, err)
					}
				}
			}
		})
	}
}

func size(t testing.TB, dir string) (sum int64) {
	t.Helper()
	for _, e := range must(os.ReadDir(dir))(t) {
		sum += must(e.Info())(t).Size()
	}
	return sum
}

// A branch that goes to and fro between commits that stand on each other is read rightly at each of them, also by the next process.
func TestToAndFro(t *testing.T) {
	w := newWorld(t)
	var commits []string
	for i := range 6 {
		commits = append(commits, w.commit(t, map[string]string{"stack.yaml": fmt.Sprint("content ", i), fmt.Sprint("file", i): noise(uint64(i), 2000)}))
	}
	cfg := Config{URL: w.repo.Dir, Dir: t.TempDir(), AllowRewrite: true}
	s := open(t, cfg)
	random := rand.New(rand.NewPCG(3, 4))
	for range 150 {
		i := random.IntN(len(commits))
		ok(t, os.WriteFile(filepath.Join(w.repo.Dir, "refs", "heads", "main"), []byte(commits[i]+"\n"), 0o644))
		if random.IntN(4) == 0 {
			s = open(t, cfg)
		}
		ok(t, s.Poll(t.Context()))
		r := must(s.Fetch(t.Context()))(t)
		wantContent(t, r, commits[i], fmt.Sprint("content ", i))
		for j := range i + 1 {
			if got, err := fs.ReadFile(r.Tree, fmt.Sprint("file", j)); err != nil || string(got) != noise(uint64(j), 2000) {
				t.Fatalf("at commit %d file %d cannot be read: %v", i, j, err)
			}
		}
		if random.IntN(3) == 0 {
			ok(t, s.Keep(t.Context(), r))
		}
		if kept, found, err := s.Kept(t.Context()); err != nil {
			t.Fatalf("what was kept cannot be read: %v", err)
		} else if found {
			must(fs.ReadFile(kept.Tree, "file0"))(t)
		}
	}
}

// A server that leaves out what it thinks to be here is asked again for everything; one that was rewritten is refused and nothing of it kept.
func TestAServerThatLeavesOutTooMuch(t *testing.T) {
	w := newWorld(t)
	w.commit(t, map[string]string{"stack.yaml": "one", "k8s/a": noise(1, 4000)})
	cfg := w.ways()["http"]
	cfg.Dir = t.TempDir()
	s := open(t, cfg)
	ok(t, s.Poll(t.Context()))
	second := w.commit(t, map[string]string{"stack.yaml": "two", "k8s/b": noise(2, 4000)})
	fetches := 0
	w.http.Misbehave(func(rw http.ResponseWriter, r *http.Request, git http.Handler) {
		body := new(strings.Builder)
		buf := make([]byte, 8192)
		n, _ := r.Body.Read(buf)
		body.Write(buf[:n])
		ask := body.String()
		if strings.Contains(ask, "command=fetch") {
			fetches++
			if fetches == 1 { // as if nothing but the commit and its directories were new
				ask = strings.Replace(ask, "0010no-progress\n", "0010no-progress\n0015filter blob:none\n", 1)
				filter := strings.Index(ask, "filter blob:limit")
				if filter >= 0 {
					end := filter + strings.IndexByte(ask[filter:], '\n') + 1
					ask = ask[:filter-4] + ask[end:]
				}
			}
		}
		q := r.Clone(r.Context())
		q.Body, q.ContentLength = io.NopCloser(strings.NewReader(ask)), int64(len(ask))
		git.ServeHTTP(rw, q)
	})
	must(w.repo.Git("--git-dir="+w.repo.Dir, "config", "uploadpack.allowFilter", "true"))(t)
	s.origin.(*remote).open = must(New(cfg))(t).origin.(*remote).open // it has not greeted this one yet
	ok(t, s.Poll(t.Context()))
	wantRevision(t, s, second, "two")
	r := must(s.Fetch(t.Context()))(t)
	if got, err := fs.ReadFile(r.Tree, "k8s/b"); err != nil || string(got) != noise(2, 4000) || fetches != 2 {
		t.Errorf("after %d fetches the file that was left out: %v", fetches, err)
	}
	w.http.Misbehave(nil)
	before := len(must(filepath.Glob(filepath.Join(cfg.Dir, "*")))(t))
	must(w.repo.Rewrite("another", map[string]string{"stack.yaml": "other"}))(t)
	if err := s.Poll(t.Context()); !errors.Is(err, ErrRewritten) {
		t.Errorf("a rewritten branch gives %v", err)
	}
	if after := len(must(filepath.Glob(filepath.Join(cfg.Dir, "*")))(t)); after > before {
		t.Errorf("of the commit that was refused %d files are left", after-before)
	}
}
