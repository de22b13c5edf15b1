package workload

import (
	"slices"
	"strconv"
	"strings"
)

type variable struct{ name, value string }

// variables say where the used workloads and buckets are. A bucket that is used once is named with the prefix that is used of it; of
// several uses, it is the bucket itself. A URL has no slash at its end.
func (s Setting) variables() (all []variable) {
	prefix := func(key string) string { return strings.ToUpper(strings.ReplaceAll(key, "-", "_")) }
	for _, p := range s.Uses {
		all = append(all, variable{prefix(p.Name) + "_HOST", p.Name}, variable{prefix(p.Name) + "_PORT", strconv.Itoa(p.Port)})
	}
	met := map[string]bool{}
	for _, b := range s.Buckets {
		if met[b.Key] {
			continue
		}
		met[b.Key] = true
		url := "gs://" + b.Name
		if uses := slices.DeleteFunc(slices.Clone(s.Buckets), func(o Bucket) bool { return o.Key != b.Key }); len(uses) == 1 {
			url = strings.TrimRight(url+"/"+b.Prefix, "/")
		}
		all = append(all, variable{prefix(b.Key) + "_BUCKET", b.Name}, variable{prefix(b.Key) + "_URL", url})
	}
	return all
}
