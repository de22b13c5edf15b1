package gitsource

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/gitsource/gittest"
)

// A poll that finds nothing new, of a repository with 5,000 branches. The processor time is this process's: over ssh and
// http the servers' Go side is in it, too, git itself is not. The floor is git ls-remote of the one branch.
func BenchmarkPollUnchanged(b *testing.B) {
	w := newWorld(b)
	w.commit(b, map[string]string{"stack.yaml": "one"})
	w.crowd(b, 5000)
	for _, name := range []string{"http", "old http", "ssh", "old ssh", "path"} {
		b.Run(name, func(b *testing.B) {
			cfg := w.ways()[name]
			s := open(b, cfg)
			ok(b, s.Poll(b.Context()))
			served := map[string]*gittest.HTTP{"http": w.http, "old http": w.oldHTTP}[name]
			if served != nil {
				served.Reset()
			}
			ssh := map[string]*gittest.SSH{"ssh": w.ssh, "old ssh": w.oldSSH}[name]
			var sent int64
			if ssh != nil {
				sent = ssh.Sent()
			}
			before := spent(syscall.RUSAGE_SELF)
			b.ReportAllocs()
			for b.Loop() {
				ok(b, s.Poll(b.Context()))
			}
			n := float64(b.N)
			cpu := (spent(syscall.RUSAGE_SELF) - before).Seconds() * 1000 / n
			b.ReportMetric(cpu, "cpu-ms/op")
			switch {
			case served != nil:
				c := served.Reset()
				b.ReportMetric(float64(c.Bytes)/n, "wire-bytes/op")
				b.ReportMetric(float64(c.Listings)/n, "requests/op")
				children := spent(syscall.RUSAGE_CHILDREN)
				for range 10 {
					must(w.repo.Git("ls-remote", "--exit-code", cfg.URL, "refs/heads/main"))(b)
				}
				floor := (spent(syscall.RUSAGE_CHILDREN) - children).Seconds() * 1000 / 10 // with git's own server
				b.ReportMetric(floor, "floor-ms")
				b.ReportMetric(cpu/floor, "cpu-x-floor")
			case ssh != nil:
				b.ReportMetric(float64(ssh.Sent()-sent)/n, "wire-bytes/op")
			}
		})
	}
}

// spent is processor time.
func spent(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What a repository of many files costs: the first fetch, a commit that changes one of them, and the memory that is held after each, with
// the garbage given back.
func BenchmarkManyFiles(b *testing.B) {
	for _, n := range []int{1000, 20_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b)
			many(b, w, n)
			for b.Loop() {
				before := resident()
				cfg := w.ways()["http"]
				cfg.MaxBytes, cfg.Timeout = 1<<30, 5*time.Minute
				s := open(b, cfg)
				start, cpu := time.Now(), spent(syscall.RUSAGE_SELF)
				ok(b, s.Poll(b.Context()))
				b.ReportMetric(time.Since(start).Seconds(), "first-s")
				b.ReportMetric((spent(syscall.RUSAGE_SELF) - cpu).Seconds(), "first-cpu-s")
				b.ReportMetric(float64(peak()-before)/(1<<20), "peak-MiB-more")
				w.http.Reset()
				must(w.repo.Git("--git-dir="+w.repo.Dir, "-c", "alias.import=!git --git-dir="+w.repo.Dir+" fast-import --quiet --force <"+script(b, w, "from refs/heads/main^0\nM 644 inline stack.yaml\ndata 4\nnext\n"), "import"))(b)
				start, cpu = time.Now(), spent(syscall.RUSAGE_SELF)
				ok(b, s.Poll(b.Context()))
				b.ReportMetric(time.Since(start).Seconds()*1000, "next-ms")
				b.ReportMetric((spent(syscall.RUSAGE_SELF)-cpu).Seconds()*1000, "next-cpu-ms")
				b.ReportMetric(float64(w.http.Reset().Bytes), "next-bytes")
				debug.FreeOSMemory()
				b.ReportMetric(float64(resident()-before)/(1<<20), "MiB-more")
				runtime.KeepAlive(s)
			}
		})
	}
}

// many makes the repository one of n files of 4 KB that cannot be compressed, a hundred in a folder.
func many(b *testing.B, w *world, n int) {
	r := rand.NewChaCha8(sha256.Sum256([]byte("many")))
	var all strings.Builder
	all.WriteString("M 644 inline stack.yaml\ndata 3\none\n")
	content := make([]byte, 4<<10)
	for i := range n {
		r.Read(content)
		fmt.Fprintf(&all, "M 644 inline d%03d/f%05d\ndata %d\n%s\n", i/100, i, len(content), content)
	}
	must(w.repo.Git("-c", "alias.import=!git --git-dir="+w.repo.Dir+" fast-import --quiet <"+script(b, w, all.String()), "import"))(b)
}

// script is a file for git fast-import with one commit to main.
func script(b *testing.B, w *world, changes string) string {
	file := must(os.Create(filepath.Join(w.root, "script")))(b)
	out := bufio.NewWriter(file)
	fmt.Fprintf(out, "commit refs/heads/main\ncommitter T <t@example.com> 1000000000 +0000\ndata 1\nx\n%s", changes)
	ok(b, out.Flush())
	ok(b, file.Close())
	return file.Name()
}

func resident() int64 { debug.FreeOSMemory(); return status("VmRSS:") }
func peak() int64     { return status("VmHWM:") }

func status(line string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, after, _ := strings.Cut(string(text), line)
	var kib int64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		panic(err)
	}
	return kib << 10
}
