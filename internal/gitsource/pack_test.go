package gitsource

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// TestPackReadsWhatGitWrote compares every object of packs full of delta chains with what git says of it.
func TestPackReadsWhatGitWrote(t *testing.T) {
	w := newWorld(t)
	lines := make([]string, 2000)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %d", i)
	}
	for i := range 20 {
		lines[i*97%2000] = fmt.Sprintf("changed %d", i)
		w.commit(t, map[string]string{"stack.yaml": strings.Join(lines, "\n"), fmt.Sprintf("d/%d", i): "x"})
	}
	for _, c := range []struct {
		name, args string
		deltas     int // at least
	}{
		{"bases by offset", "--delta-base-offset --depth=50", 15},
		{"bases by hash", "--depth=50", 15},
		{"no deltas", "--depth=0", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := filepath.Join(t.TempDir(), "p")
			cmd := "git --git-dir=" + w.repo.Dir + " rev-list --objects --all --no-object-names | git --git-dir=" + w.repo.Dir + " pack-objects -q --no-reuse-delta " + c.args + " " + base
			name, err := exec.Command("sh", "-c", cmd).Output()
			ok(t, err)
			file := must(os.Open(base + "-" + strings.TrimSpace(string(name)) + ".pack"))(t)
			p := must(openPack(t.Context(), file, nil))(t)
			want := strings.Fields(must(w.repo.Git("--git-dir="+w.repo.Dir, "rev-list", "--objects", "--all", "--no-object-names"))(t))
			if len(p.objects) != len(want) {
				t.Errorf("%d objects were found, git counts %d", len(p.objects), len(want))
			}
			deltas := 0
			for _, h := range want {
				o, found := p.find(plumbing.NewHash(h))
				if !found {
					t.Fatalf("object %s was not found", h)
				}
				content := must(p.object(o.hash, o.kind))(t)
				if plumbing.ComputeHash(o.kind, content) != o.hash || int64(len(content)) != o.size {
					t.Errorf("object %s is read as something else", h)
				}
				if chain, _, _, _ := p.chain(o.offset); len(chain) > 1 {
					deltas++
				}
			}
			if deltas < c.deltas {
				t.Errorf("only %d of the objects are deltas: this tests nothing", deltas)
			}
		})
	}
}

// TestBrokenPacks: whatever is cut off or flipped is noticed; nothing panics.
func TestBrokenPacks(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(t, map[string]string{"stack.yaml": strings.Repeat("some text\n", 50), "k8s/a": "a"})
	s := open(t, w.ways()["http"])
	ok(t, s.Poll(t.Context()))
	whole := must(os.ReadFile(s.store.path(commit)))(t)
	try := func(content []byte) error {
		file := must(os.CreateTemp(t.TempDir(), "pack"))(t)
		defer file.Close()
		must(file.Write(content))(t)
		_, err := readTree(t.Context(), file, plumbing.NewHash(commit), false, nil)
		return err
	}
	ok(t, try(whole))
	for n := range whole {
		if try(whole[:n]) == nil {
			t.Fatalf("a pack cut after %d of %d bytes passes", n, len(whole))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		broken := bytes.Clone(whole)
		i := random.IntN(len(broken))
		broken[i] ^= byte(1 << random.IntN(8))
		if try(broken) == nil {
			t.Fatalf("a pack with a flipped bit in byte %d passes", i)
		}
	}
}

// TestPackThatLacksAFile: a server may not leave out what was asked for; where it was asked to, the file counts as too large.
func TestPackThatLacksAFile(t *testing.T) {
	w := newWorld(t)
	commit := w.commit(t, map[string]string{"stack.yaml": "one"})
	base := filepath.Join(t.TempDir(), "p")
	git := "git --git-dir=" + w.repo.Dir
	name, err := exec.Command("sh", "-c", git+" rev-list --objects --filter=blob:none --no-object-names "+commit+" | "+git+" pack-objects -q "+base).Output()
	ok(t, err)
	path := base + "-" + strings.TrimSpace(string(name)) + ".pack"
	if _, err := readTree(t.Context(), must(os.Open(path))(t), plumbing.NewHash(commit), false, nil); err == nil || !strings.Contains(err.Error(), "stack.yaml") {
		t.Errorf("a pack without stack.yaml gives %v, want an error that names the file", err)
	}
	tree := must(readTree(t.Context(), must(os.Open(path))(t), plumbing.NewHash(commit), true, nil))(t)
	if _, err := tree.ReadFile("stack.yaml"); !errors.Is(err, errLarge) {
		t.Errorf("reading a file that the server left out gives %v", err)
	}
}

// TestDeltaBomb: a delta of a few bytes that makes more than is ever held.
func TestDeltaBomb(t *testing.T) {
	const size = 1 << 16
	delta := []byte{0x80, 0x80, 0x04, 0x80, 0x80, 0x80, 0x08} // from 64 KiB make 16 MiB:
	for range 256 {
		delta = append(delta, 0x80) // copy 64 KiB from the start, again and again
	}
	var file bytes.Buffer
	sum := sha1.New()
	p := &packWriter{to: io.MultiWriter(&file, sum), sum: sum}
	p.deflate = zlib.NewWriter(p.to)
	must(p.to.Write([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x02")))(t)
	base := memory(plumbing.BlobObject, make([]byte, size))
	ok(t, p.add(base))
	must(p.to.Write([]byte{0xf0 | byte(len(delta)&0x0f), byte(len(delta) >> 4)}))(t)
	hash := base.Hash()
	must(p.to.Write(hash[:]))(t)
	p.deflate.Reset(p.to)
	must(p.deflate.Write(delta))(t)
	ok(t, p.deflate.Close())
	file.Write(sum.Sum(nil))
	on := must(os.CreateTemp(t.TempDir(), "pack"))(t)
	must(on.Write(file.Bytes()))(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	opened := must(openPack(t.Context(), on, nil))(t)
	runtime.ReadMemStats(&after)
	if opened.skipped != 1 || len(opened.objects) != 1 {
		t.Errorf("%d objects and %d left out, want one each", len(opened.objects), opened.skipped)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 {
		t.Errorf("%d bytes were allocated for it", allocated)
	}
}

// TestMemoryDoesNotGrowWithTheRepository fetches a file of 64 MiB. What is allocated in all bounds what is held at once.
func TestMemoryDoesNotGrowWithTheRepository(t *testing.T) {
	w := newWorld(t)
	noise := make([]byte, 64<<20)
	must(rand.NewChaCha8([32]byte{}).Read(noise))(t)
	for _, dir := range []string{w.repo.Dir, w.repo.Work + "/.git"} { // git is to be quick about it
		must(w.repo.Git("--git-dir="+dir, "config", "core.compression", "0"))(t)
	}
	w.commit(t, map[string]string{"stack.yaml": "one", "big.bin": string(noise)})
	// The ssh library makes a new buffer for each packet, so once the size is spent in passing there.
	for name, limit := range map[string]uint64{"http": 16, "path": 16, "ssh": 64 + 32} {
		t.Run(name, func(t *testing.T) {
			s := open(t, w.ways()[name])
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			ok(t, s.Poll(t.Context()))
			runtime.ReadMemStats(&after)
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d MiB were allocated in all", allocated)
			if allocated > limit {
				t.Errorf("fetching a file of 64 MiB allocated %d MiB, want at most %d", allocated, limit)
			}
		})
	}
}
