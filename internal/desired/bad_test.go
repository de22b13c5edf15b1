package desired_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/sealed"
)

var update = flag.Bool("update", false, "write what is found as what is wanted")

// TestBadStacks holds every mistake to its exact line. A file of testdata/bad is a sentence saying what is wrong, the files of a
// repository, and under "want" what a person is told. The options file sets what the daemon's configuration would.
func TestBadStacks(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no bad stacks: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tree, o, want := unpack(a)
			_, err = desired.Load(tree, "stack.yaml", o)
			got := ""
			if err != nil {
				got = err.Error() + "\n"
			}
			if *update {
				rewrite(t, name, a, got)
				return
			}
			if got != want {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", strings.TrimSpace(string(a.Comment)), got, want)
			}
			if got == "" {
				t.Errorf("%s: accepted", strings.TrimSpace(string(a.Comment)))
			}
		})
	}
}

// unpack makes a tree of a case. A file whose content is "-> TARGET" is a symbolic link.
func unpack(a *txtar.Archive) (tree fstest.MapFS, o desired.Options, want string) {
	tree = fstest.MapFS{}
	for _, f := range a.Files {
		switch f.Name {
		case "want":
			want = string(f.Data)
		case "options":
			for line := range strings.Lines(string(f.Data)) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				switch key {
				case "environment":
					o.Environment = value
				case "project":
					o.Project = value
				case "name":
					o.Name = value
				case "ageKey": // names a file of the case
					o.Keys = func() (sealed.Keys, error) { return sealed.ParseKeys(tree[value].Data) }
				case "writeBack":
					o.WriteBack = true
				}
			}
		default:
			file := &fstest.MapFile{Data: f.Data, Mode: 0o644}
			if target, ok := strings.CutPrefix(string(f.Data), "-> "); ok {
				file = &fstest.MapFile{Data: []byte(strings.TrimSpace(target)), Mode: fs.ModeSymlink | 0o777}
			}
			tree[f.Name] = file
		}
	}
	return tree, o, want
}

func rewrite(t *testing.T, name string, a *txtar.Archive, want string) {
	for i, f := range a.Files {
		if f.Name == "want" {
			a.Files[i].Data = []byte(want)
			want = ""
		}
	}
	if want != "" {
		a.Files = append(a.Files, txtar.File{Name: "want", Data: []byte(want)})
	}
	if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}
