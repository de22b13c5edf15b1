package desired

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// crowd is a stack of n ConfigMaps of 1 KB in files of a hundred.
func crowd(n int) fstest.MapFS {
	tree := fstest.MapFS{}
	filler := strings.Repeat("0123456789abcdef", 64)
	var patterns []string
	var file strings.Builder
	for i := range n {
		fmt.Fprintf(&file, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-%05d}\ndata: {n: \"%d\", filler: %s}\n", i, i, filler)
		if i%100 == 99 || i == n-1 {
			tree[fmt.Sprintf("k8s/%03d.yaml", i/100)] = &fstest.MapFile{Data: []byte(file.String())}
			file.Reset()
		}
		if i%1000 == 0 {
			patterns = append(patterns, fmt.Sprintf(`"k8s/%02d*.yaml"`, i/1000))
		}
	}
	tree["stack.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: crowd\nproject: acme\nregion: us-central1\nmanifests: [" + strings.Join(patterns, ", ") + "]\n")}
	return tree
}

// Reading a stack after a commit that changed one object of many.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tree := hashed{crowd(n), map[string]int{}}
			o := Options{External: true, Memory: new(Memory), Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			first := tree.MapFS["k8s/005.yaml"].Data
			if _, err := Load(tree, "stack.yaml", o); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				was := string(first)
				tree.MapFS["k8s/005.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(was, `data: {n: "`, fmt.Sprintf(`data: {n: "%d`, i), 1))}
				s, err := Load(tree, "stack.yaml", o)
				if err != nil || len(s.Resources) != n+1 {
					b.Fatal(len(s.Resources), err)
				}
			}
		})
	}
}
