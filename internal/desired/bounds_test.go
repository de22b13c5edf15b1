package desired_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v4"
	"golang.org/x/tools/txtar"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/test/ratio"
)

func one(data []byte) fstest.MapFS { return fstest.MapFS{"stack.yaml": {Data: data, Mode: 0o644}} }

// TestHostileFiles: whatever is pushed, reading it ends, and in one line.
func TestHostileFiles(t *testing.T) {
	for _, c := range []struct {
		reason string
		data   []byte
		want   string
	}{
		{"a file of 10 MB", bytes.Repeat([]byte("a: b\n"), 2<<20), "stack.yaml:1:1: larger than 1024 KiB"},
		{"a binary file", []byte{0x7f, 'E', 'L', 'F', 0, 1, 2}, "stack.yaml:1:1: not a text file; YAML in UTF-8 is expected"},
		{"a file in another encoding", []byte("name: caf\xe9\n"), "stack.yaml:1:1: not a text file; YAML in UTF-8 is expected"},
		{"brackets nested deeper than any stack", []byte("a: " + strings.Repeat("[", 9000)), ""},
		{"mappings nested deeper than any stack", []byte(strings.Repeat("{a: ", 2000) + "1" + strings.Repeat("}", 2000)), ""},
		{"more values than any stack", []byte("a: [" + strings.Repeat("1,", 200_000) + "]"), "stack.yaml:1:1: more than 100000 values; aliases that repeat each other are not expanded any further"},
		{"an anchor within itself", []byte("a: &a [*a]\n"), ""},
		{"control characters", []byte("name: \"\x01\"\n"), ""},
	} {
		_, err := desired.Load(one(c.data), "stack.yaml", desired.Options{})
		switch {
		case err == nil:
			t.Errorf("%s: accepted", c.reason)
		case c.want != "" && err.Error() != c.want, strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: got %v", c.reason, err)
		}
	}
}

func TestHopelessFileIsCutShort(t *testing.T) {
	var b strings.Builder
	b.WriteString(head)
	for i := range 50_000 {
		fmt.Fprintf(&b, "key%d: x\n", i)
	}
	_, err := desired.Load(one([]byte(b.String())), "stack.yaml", desired.Options{})
	if n := strings.Count(err.Error(), "\n"); n != 50 || !strings.HasSuffix(err.Error(), "and 49950 more") {
		t.Errorf("%d lines, the last: %s", n+1, err.Error()[strings.LastIndex(err.Error(), "\n")+1:])
	}
}

// FuzzLoad: nothing that is pushed makes the reader crash, and what it says has a place.
func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if file.Name != "want" && file.Name != "options" {
				f.Add(file.Data, []byte("kind: List\nitems: []\n"))
			}
		}
	}
	example, err := os.ReadFile("../../examples/stack.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(example, "manifests: [m.yaml]\n"...), []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{image: a}]}\n"))
	f.Add([]byte(head+"manifests: [m.yaml, k]\n"), []byte("resources: [../m.yaml]\n"))
	f.Fuzz(func(t *testing.T, stack, manifest []byte) {
		tree := one(stack)
		tree["m.yaml"] = &fstest.MapFile{Data: manifest}
		tree["k/kustomization.yaml"] = &fstest.MapFile{Data: manifest}
		tree["environments/e.yaml"] = &fstest.MapFile{Data: manifest}
		for _, environment := range []string{"", "e"} {
			s, err := desired.Load(tree, "stack.yaml", desired.Options{Environment: environment, Offline: true})
			if err == nil {
				if len(s.Resources) == 0 {
					t.Error("an empty stack was accepted")
				}
				continue
			}
			for line := range strings.Lines(err.Error()) {
				if strings.Count(line, ":") < 3 {
					t.Errorf("no place in %q", line)
				}
			}
		}
	})
}

// FuzzOverlay: whatever an environment lays over a good stack, what comes of it is a stack again or mistakes with their places; and
// the same overlay gives the same.
func FuzzOverlay(f *testing.F) {
	example, err := os.ReadFile("../../examples/stack.yaml")
	if err != nil {
		f.Fatal(err)
	}
	names, err := filepath.Glob("../../examples/team/environments/*.yaml")
	if err != nil || len(names) == 0 {
		f.Fatalf("no overlays among the examples: %v", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, over := range []string{
		"name: other\nworkloads: {redis: null}\n", "workloads: null\nsecrets: null\n", "buckets: {data: null, more: {}}\n", "vars: {tag: ${name}}\n",
		"workloads: {api: {uses: [], env: null, replicas: 3}}\n", "labels: [a]\n", "apiVersion: null\n", "project: {}\n", "a: null\n", "environments: {e: {}}\n",
	} {
		f.Add([]byte(over))
	}
	f.Fuzz(func(t *testing.T, over []byte) {
		tree := one(example)
		tree["environments/e.yaml"] = &fstest.MapFile{Data: over}
		load := func() (*desired.Stack, error) {
			return desired.Load(tree, "stack.yaml", desired.Options{Environment: "e", Offline: true})
		}
		s, err := load()
		again, errAgain := load()
		if fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Fatalf("once:\n%v\nand once:\n%v", err, errAgain)
		}
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if strings.Count(line, ":") < 3 {
					t.Errorf("no place in %q", line)
				}
			}
			return
		}
		for i, r := range s.Resources {
			if r.Ref != again.Resources[i].Ref || r.Hash != again.Resources[i].Hash {
				t.Errorf("once %s (%s) and once %s (%s)", r.Ref, r.Hash, again.Resources[i].Ref, again.Resources[i].Hash)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	tree := os.DirFS("../../examples")
	for b.Loop() {
		if _, err := desired.Load(tree, "stack.yaml", desired.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkManifests loads a stack of 1,000 plain objects in ten files. Its floor is to decode the same files by the YAML library alone.
func BenchmarkManifests(b *testing.B) {
	b.ReportAllocs()
	tree := fstest.MapFS{"stack.yaml": {Data: []byte("apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: crowd\nproject: acme\nregion: us-central1\nmanifests: [\"k8s/*.yaml\"]\n")}}
	filler := strings.Repeat("0123456789abcdef", 128)
	for file := range 10 {
		var text bytes.Buffer
		for i := range 50 {
			fmt.Fprintf(&text, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-%d-%d}\ndata: {n: \"%d\", filler: %s}\n", file, i, i, filler)
			fmt.Fprintf(&text, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d-%d-%d}\nspec:\n  replicas: 0\n  selector: {matchLabels: {app: d-%d-%d}}\n"+
				"  template:\n    metadata: {labels: {app: d-%d-%d}}\n    spec: {containers: [{name: main, image: \"busybox:1\", resources: {requests: {cpu: 10m, memory: 16Mi}}}]}\n", file, i, file, i, file, i)
		}
		tree[fmt.Sprintf("k8s/%d.yaml", file)] = &fstest.MapFile{Data: text.Bytes()}
	}
	ratio.Loop(b, func() error {
		s, err := desired.Load(tree, "stack.yaml", desired.Options{External: true})
		if err == nil && len(s.Resources) < 1000 {
			err = fmt.Errorf("%d resources", len(s.Resources))
		}
		return err
	}, func() error {
		for name, file := range tree {
			for d := yaml.NewDecoder(bytes.NewReader(file.Data)); ; {
				var v any
				if err := d.Decode(&v); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
		return nil
	})
}
