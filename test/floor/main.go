// Floor does bare what recsysd does: the same requests, through the same client libraries, with nothing decided, compared or kept. Each
// subject runs in a process of its own, so that its processor time and memory are measured like the daemon's; what recsysd costs is then
// told as a ratio to it, which a slow or busy machine changes far less than the figures themselves. test/e2e runs it; by hand:
//
//	go run ./test/floor idle 5s
//
// A new subject is a file with one function, and a line in subjects. It says where its preparation ends (begin), and may give figures of
// its own (note). It prints nothing: main prints one line of JSON at the end.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// subjects are what can be done bare, by name. A subject ends by itself when its work is done, or when ctx does if it has no end of its own.
func subjects() map[string]func(ctx context.Context, args []string) error {
	return map[string]func(context.Context, []string) error{
		"apply":   apply,
		"compare": compare,
		"idle":    idle,
		"pull":    pull,
		"reads":   reads,
		"repair":  repair,
	}
}

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	all := subjects()
	if len(os.Args) < 2 || all[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: floor SUBJECT [ARGUMENT...]; subjects: %s\n", strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		return 2
	}
	m := newMeter(os.Stdout)
	ctx = context.WithValue(ctx, meterKey{}, m)
	if err := all[os.Args[1]](ctx, os.Args[2:]); err != nil && !(errors.Is(err, context.Canceled) && ctx.Err() != nil) {
		fmt.Fprintln(os.Stderr, "floor "+os.Args[1]+":", err)
		return 1
	}
	if err := m.print(); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		return 1
	}
	return 0
}

// meter measures this process. It travels in the subject's context.
type meter struct {
	out   io.Writer
	began time.Time
	cpu   time.Duration // spent when it began

	mu  sync.Mutex
	own map[string]float64
}

type meterKey struct{}

func newMeter(out io.Writer) *meter {
	return &meter{out: out, began: time.Now(), own: map[string]float64{}}
}

// begin says that what came before was preparation: time counts from here. It prints a line, for which whoever started the process may
// wait.
func begin(ctx context.Context) {
	m := ctx.Value(meterKey{}).(*meter)
	fmt.Fprintln(m.out, "begun")
	m.began, m.cpu = time.Now(), processor()
}

// note adds a figure of the subject's own, such as how many rounds it made.
func note(ctx context.Context, name string, v float64) {
	m := ctx.Value(meterKey{}).(*meter)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.own[name] = v
}

// print writes what was spent since begin as one line of JSON, with the memory that the process has, and has had at most.
func (m *meter) print() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	figures := maps.Clone(m.own)
	figures["cpu-ms"] = (processor() - m.cpu).Seconds() * 1000
	figures["wall-ms"] = time.Since(m.began).Seconds() * 1000
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line, name := range map[string]string{"VmRSS:": "rss-MiB", "VmHWM:": "peak-MiB"} {
		_, after, _ := strings.Cut(string(status), line)
		var kib float64
		if _, err := fmt.Sscan(after, &kib); err != nil {
			return fmt.Errorf("%s in /proc/self/status: %w", line, err)
		}
		figures[name] = kib / 1024
	}
	return json.NewEncoder(m.out).Encode(figures)
}

// processor is the time that this process has spent computing.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no way to fail for oneself
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
