package main

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// gcPercent is how much garbage there may be, in percent of what is in use, before it is collected. Most of the daemon's time is spent
// waiting, and between two passes nothing new is asked for: half of the runtime's own 100 costs next to no processor time and saves a fifth of
// the memory.
const gcPercent = 50

// frugal keeps the process small: less garbage than the runtime would let there be, and a soft limit below that of the container or unit it
// runs in, so that it collects harder before the kernel ends it. What GOGC and GOMEMLIMIT say wins.
func frugal() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		if limit := memoryLimit(os.DirFS("/")); limit < math.MaxInt64 {
			debug.SetMemoryLimit(limit / 10 * 8) // the rest is for what the runtime does not count: pages of the binary, the kernel's buffers
		}
	}
}

// memoryLimit is the least memory that a control group of this process, or one around it, may have, in bytes; the largest number if there is no
// limit. Where version 2 and version 1 are both there, each is asked.
func memoryLimit(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least // no Linux, or no /proc: nobody says anything
	}
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // hierarchy:controllers:group
		if len(parts) != 3 {
			continue
		}
		at, files := "sys/fs/cgroup", []string{"memory.max", "memory.high"}
		switch controllers := strings.Split(parts[1], ","); {
		case parts[1] == "":
		case len(controllers) == 1 && controllers[0] == "memory":
			at, files = "sys/fs/cgroup/memory", []string{"memory.limit_in_bytes"}
		default:
			continue
		}
		for group := path.Join("/", parts[2]); ; group = path.Dir(group) {
			for _, f := range files {
				least = min(least, bytesIn(root, path.Join(at, group, f)))
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// bytesIn reads one number; the largest if there is none, or "max", or what version 1 says where there is no limit.
func bytesIn(root fs.FS, name string) int64 {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n <= 0 || n >= 1<<62 {
		return math.MaxInt64
	}
	return n
}
