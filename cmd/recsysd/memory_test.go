package main

import (
	"math"
	"testing"
	"testing/fstest"
)

func TestMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		why   string
		files map[string]string
		want  int64
	}{
		{"a container: its group is the root that it sees", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "268435456\n"}, 256 * mib},
		{"a unit of systemd: what is throttled above counts as the limit does", map[string]string{
			"proc/self/cgroup": "0::/system.slice/recsysd.service\n",
			"sys/fs/cgroup/system.slice/recsysd.service/memory.max":  "419430400\n",
			"sys/fs/cgroup/system.slice/recsysd.service/memory.high": "268435456\n",
			"sys/fs/cgroup/system.slice/memory.max":                  "max\n"}, 256 * mib},
		{"the group around it may have less", map[string]string{
			"proc/self/cgroup":             "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n",
			"sys/fs/cgroup/a/memory.max":   "134217728\n"}, 128 * mib},
		{"version 1", map[string]string{
			"proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n",
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "134217728\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":            "9223372036854771712\n"}, 128 * mib},
		{"version 1 in a container, which sees its group as the root but is told its name outside", map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/abc\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n"}, 128 * mib},
		{"no limit", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, math.MaxInt64},
		{"what cannot be read is no limit", map[string]string{"proc/self/cgroup": "0::/\nrubbish\n", "sys/fs/cgroup/memory.max": "-5\n"}, math.MaxInt64},
		{"no Linux", nil, math.MaxInt64},
	} {
		root := fstest.MapFS{}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := memoryLimit(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.why, got, c.want)
		}
	}
}
