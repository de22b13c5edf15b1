package terraform_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/terraform"
)

var update = flag.Bool("update", false, "write the expected stack files anew")

// TestImports reads every file of testdata. It begins with a sentence that says what is being asked; then come states (.tfstate),
// configurations (.tf), values (.tfvars) and args (name=, project=, region=, var NAME=VALUE, only FILE), and what is to come of them:
// the stack file, the notices, or the error. Every stack file must be one that recsysd check accepts, unless what it says is expected too, as check.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := outcome(t, a)
			inputs := slices.DeleteFunc(slices.Clone(a.Files), func(f txtar.File) bool { return isOutcome(f.Name) })
			if *update {
				a.Files = append(inputs, got...)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := slices.DeleteFunc(slices.Clone(a.Files), func(f txtar.File) bool { return !isOutcome(f.Name) })
			if g, w := txtar.Format(&txtar.Archive{Files: got}), txtar.Format(&txtar.Archive{Files: want}); string(g) != string(w) {
				t.Errorf("%s\ngot\n%s\nwant\n%s", strings.TrimSpace(string(a.Comment)), g, w)
			}
		})
	}
}

func isOutcome(name string) bool {
	return name == "stack.yaml" || name == "notices" || name == "error" || name == "check"
}

// outcome is what becomes of the files of a case.
func outcome(t *testing.T, a *txtar.Archive) []txtar.File {
	var id terraform.Identity
	o := terraform.Options{Given: map[string]string{}}
	var sources []terraform.Source
	var models []terraform.Model
	var errs []error
	for _, f := range a.Files {
		switch {
		case f.Name == "args":
			for line := range strings.Lines(string(f.Data)) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				switch name, isVar := strings.CutPrefix(key, "var "); {
				case isVar:
					o.Given[name] = value
				case key == "only":
					o.Only = append(o.Only, value)
				default:
					*map[string]*string{"name": &id.Name, "project": &id.Project, "region": &id.Region}[key] = value
				}
			}
		case strings.HasSuffix(f.Name, ".tf"), strings.HasSuffix(f.Name, ".tf.json"):
			sources = append(sources, terraform.Source{Name: f.Name, Data: f.Data})
		case strings.HasSuffix(f.Name, ".tfvars"):
			o.Values = append(o.Values, terraform.Source{Name: f.Name, Data: f.Data})
		case strings.HasSuffix(f.Name, ".tfstate"), strings.HasSuffix(f.Name, ".json"):
			m, err := terraform.ReadState(f.Name, f.Data)
			models, errs = append(models, m), append(errs, err)
		case !isOutcome(f.Name):
			t.Fatalf("unknown file %s", f.Name)
		}
	}
	if len(sources) > 0 {
		m, err := terraform.ReadConfig(sources, o)
		models, errs = append(models, m), append(errs, err)
	}
	err := errors.Join(errs...)
	var stack terraform.Stack
	if err == nil {
		stack, err = terraform.Convert(terraform.Merge(models...), id)
	}
	if err != nil {
		return []txtar.File{{Name: "error", Data: []byte(err.Error() + "\n")}}
	}
	out := []txtar.File{{Name: "stack.yaml", Data: []byte(stack.Text)}}
	if len(stack.Notices) > 0 {
		out = append(out, txtar.File{Name: "notices", Data: []byte(strings.Join(stack.Notices, "\n") + "\n")})
	}
	if err := check(stack.Text); err != nil {
		out = append(out, txtar.File{Name: "check", Data: []byte(err.Error() + "\n")})
	}
	return out
}

// check is what recsysd check says of a stack file.
func check(text string) error {
	_, err := desired.Load(fstest.MapFS{"stack.yaml": {Data: []byte(text)}}, "stack.yaml", desired.Options{Offline: true})
	return err
}

func read(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The seed's three blocks and the state that they became say the same, but for the form of the comments.
func TestTheSeedSaysTheSameEitherWay(t *testing.T) {
	config, err := terraform.ReadConfig([]terraform.Source{
		{Name: "main.tf", Data: read(t, "main.tf")}, {Name: "variables.tf", Data: read(t, "variables.tf")},
	}, terraform.Options{Given: map[string]string{"project_id": "acme"}})
	if err != nil {
		t.Fatal(err)
	}
	state, err := terraform.ReadState("seed.tfstate", read(t, "seed.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, m := range []terraform.Model{config, state} {
		s, err := terraform.Convert(m, terraform.Identity{})
		if err != nil || len(s.Notices) > 0 {
			t.Fatal(err, s.Notices)
		}
		if err := check(s.Text); err != nil {
			t.Error(err)
		}
		_, body, _ := strings.Cut(s.Text, "apiVersion:")
		texts = append(texts, body)
	}
	if texts[0] != texts[1] {
		t.Errorf("the configuration says\n%s\nthe state says\n%s", texts[0], texts[1])
	}
	if n := strings.Count(texts[0], "adopt: true"); n != 3 {
		t.Errorf("%d entries are adopted, want 3", n)
	}
	for _, secret := range []string{"c2VjcmV0", "LS0tLS1CRUdJTi", "203.0.113.10"} {
		if strings.Contains(texts[1], secret) {
			t.Errorf("%s of the state is printed", secret)
		}
	}
}

// A state that ends anywhere is an error of one line, and never half a stack.
func TestATruncatedStateIsNoStack(t *testing.T) {
	whole := read(t, "seed.tfstate")
	end := len(strings.TrimRight(string(whole), "\n"))
	for n := range end {
		_, err := terraform.ReadState("t.tfstate", whole[:n])
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "t.tfstate:") {
			t.Fatalf("cut off after %d bytes: %v", n, err)
		}
	}
}

// What is written by hand may be hostile: the depth of the parser's recursion and the size of values are bounded.
func TestBoundsOfAConfiguration(t *testing.T) {
	doubling := "locals {\n  a0 = \"xxxxxxxxxxxxxxxx\"\n"
	for i := range 60 {
		doubling += fmt.Sprintf("  a%d = \"${local.a%d}${local.a%d}\"\n  b%d = [local.a0, local.b%d, local.b%d]\n", i+1, i, i, i+1, i, i)
	}
	doubling += "  b0 = 1\n}\nresource \"google_storage_bucket\" \"b\" {\n  name = local.a60\n  labels = local.b60\n}\n"
	for name, text := range map[string]string{
		"parentheses": "a = " + strings.Repeat("(", 100_000),
		"lists":       "a = " + strings.Repeat("[", 100_000),
		"blocks":      strings.Repeat("a {\n", 100_000),
		"templates":   "a = " + strings.Repeat("\"${", 100_000),
		"not":         "a = " + strings.Repeat("!", 100_000) + "true",
		"conditions":  "a = " + strings.Repeat("true ? 1 : ", 100_000) + "1",
	} {
		if _, err := terraform.ReadConfig([]terraform.Source{{Name: "main.tf", Data: []byte(text)}}, terraform.Options{}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	m, err := terraform.ReadConfig([]terraform.Source{{Name: "main.tf", Data: []byte(doubling)}}, terraform.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := terraform.Convert(m, terraform.Identity{Name: "s", Project: "p", Region: "us-central1"}); err == nil || !strings.Contains(err.Error(), "is too long") {
		t.Errorf("a name of 16 << 60 bytes: %v", err)
	}
}

func FuzzState(f *testing.F) {
	f.Add(read(f, "seed.tfstate"))
	f.Add([]byte(`{"format_version":"1.0","values":{"root_module":{"resources":[{"mode":"managed","type":"google_storage_bucket","name":"b","values":{"name":"n","versioning":[null]}}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := terraform.ReadState("f", data)
		if err == nil {
			holdsUp(t, m)
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add(read(f, "main.tf"), "acme")
	f.Add([]byte("locals { a = format(\"%s-x\", var.p) }\nvariable \"p\" { type = string }\nresource \"google_storage_bucket\" \"b\" { name = local.a }\n"), "acme")
	f.Fuzz(func(t *testing.T, data []byte, given string) {
		m, err := terraform.ReadConfig([]terraform.Source{
			{Name: "main.tf", Data: data}, {Name: "variables.tf", Data: []byte("variable \"project_id\" { type = string }\nvariable \"region\" { default = \"us-central1\" }\n")},
		}, terraform.Options{Given: map[string]string{"project_id": given}})
		if err == nil {
			holdsUp(t, m)
		}
	})
}

// holdsUp: whatever was read, what is written is YAML of a stack, each notice is one line, and the same comes of the same.
func holdsUp(t *testing.T, m terraform.Model) {
	id := terraform.Identity{Name: "recsys", Project: "acme", Region: "us-central1"}
	s, err := terraform.Convert(m, id)
	if err != nil {
		return
	}
	for _, n := range s.Notices {
		if strings.ContainsAny(n, "\n\r\x1b") {
			t.Errorf("a notice of several lines, or one that moves a terminal: %q", n)
		}
	}
	if again, _ := terraform.Convert(m, id); again.Text != s.Text {
		t.Error("the same model is written in two ways")
	}
	if err := check(s.Text); err != nil && (strings.Contains(err.Error(), "unknown field") || strings.Contains(err.Error(), "must be a") || strings.Contains(err.Error(), "twice: ")) {
		t.Errorf("what was written is not a stack file: %v\n%s", err, s.Text)
	}
}
