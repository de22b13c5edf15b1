package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const minimal = "stacks: [{name: recsys, project: acme, git: {url: /srv/infra}}]\n"

func TestTheContractsFileIsTheDefaults(t *testing.T) {
	full, err := Load("testdata/full.yaml")
	if err != nil {
		t.Fatalf("every key of the contract, each with its documented value, must be accepted: %v", err)
	}
	small, err := Parse("small.yaml", []byte(minimal))
	if err != nil {
		t.Fatalf("name, project and git.url are all that must be said: %v", err)
	}
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := full.Stacks[0].Git.Auth.TokenFile, filepath.Join(dir, "keys/token"); got != want {
		t.Errorf("a relative path is taken from the file's folder: %s, want %s", got, want)
	}
	full.Stacks[0].Git.Auth.TokenFile = ""
	small.Stacks[0].Git.URL = full.Stacks[0].Git.URL
	full.UndoManagers = nil
	if !reflect.DeepEqual(full, small) {
		t.Errorf("the documented values are the defaults:\nwritten out %+v\ndefault     %+v", full, small)
	}
}

func TestMistakes(t *testing.T) {
	stack := func(more string) string {
		return "stacks:\n  - name: recsys\n    project: acme\n    git: {url: /srv/infra}\n" + more
	}
	for _, c := range []struct{ reason, file, want string }{
		{"an empty file configures nothing", "", "f:1:1: not YAML that can be read: no documents in stream"},
		{"no stacks at all", "{}\n", "f:1:1: stacks: no stack is configured"},
		{"a misspelt key names the right one", stack("    interwal: 5s\n"), `f:5:5: stacks[0].interwal: unknown field; did you mean "interval"?`},
		{"a key from nowhere lists what there is", "lg: 1\n" + minimal, `f:1:1: lg: unknown field; did you mean "log"?`},
		{"a key given twice names both places", stack("    width: 2\n    width: 3\n"), "f:6:5: stacks[0].width: given twice; first in line 5"},
		{"text where a number belongs", stack("    width: many\n"), `f:5:12: stacks[0].width: must be a whole number, not "many"`},
		{"a number where true or false belongs", stack("    prune: 1\n"), `f:5:12: stacks[0].prune: must be true or false, not "1"`},
		{"a list where a mapping belongs", "stacks: [{name: a, project: p, git: []}]\n", "f:1:37: stacks[0].git: must be a mapping, not a list\nf:1:37: stacks[0].git.url: missing"},
		{"a mapping where a list belongs", "stacks: {}\n", "f:1:9: stacks: must be a list, not a mapping\nf:1:9: stacks: no stack is configured"},
		{"a duration without a unit", stack("    interval: 60\n"), `f:5:15: stacks[0].interval: "60" is not a duration; such as 90s, 5m, 7d`},
		{"an interval of nothing would spin", stack("    interval: 0s\n"), "f:5:15: stacks[0].interval: must be more than zero"},
		{"nothing at once does nothing", stack("") + "width: 0\n", "f:5:8: width: must be more than zero"},
		{"a size in other people's units", "stacks: [{name: a, project: p, git: {url: u, maxBytes: 1TB}}]\n", `f:1:56: stacks[0].git.maxBytes: "1TB" is not a size; such as 64MiB, 1GiB`},
		{"a branch that Git would not have", stack("    imageUpdates: {push: a..b}\n"), `f:5:26: stacks[0].imageUpdates.push: "a..b" is not the name of a branch`},
		{"an author that would break a commit", stack("    imageUpdates: {author: {name: 'a <b', email: ''}}\n"), `f:5:35: stacks[0].imageUpdates.author.name: "a <b" cannot stand on a commit` + "\n" + `f:5:50: stacks[0].imageUpdates.author.email: "" cannot stand on a commit`},
		{"tags listed without a pause", stack("    imageUpdates: {interval: 0s}\n"), "f:5:30: stacks[0].imageUpdates.interval: must be more than zero"},
		{"a mode that does not exist", stack("    mode: aply\n"), `f:5:11: stacks[0].mode: "aply" is not one of apply, observe`},
		{"a name that cannot be a label", "stacks: [{name: Rec_sys, project: p, git: {url: u}}]\n", `f:1:17: stacks[0].name: "Rec_sys" is not a stack's name; lower-case letters, digits and dashes, a letter first, at most 63`},
		{"two stacks of one name in one project", "stacks:\n- {name: a, project: p, git: {url: u}}\n- {name: a, project: p, git: {url: u}}\n", `f:3:10: stacks[1].name: "a" is stacks[0] already; a stack's name is unique in a daemon, whatever its project`},
		{"two stacks of one name in two projects", "stacks:\n- {name: a, project: p, git: {url: u}}\n- {name: a, project: q, git: {url: u}}\n", `f:3:10: stacks[1].name: "a" is stacks[0] already; a stack's name is unique in a daemon, whatever its project`},
		{"a password in the URL would be shown", "stacks: [{name: a, project: p, git: {url: 'https://u:s3cret@h/r'}}]\n", "f:1:43: stacks[0].git.url: holds a password; put it in a file and name that as git.auth.tokenFile"},
		{"a path out of the repository", "stacks: [{name: a, project: p, git: {url: u, path: ../x.yaml}}]\n", `f:1:52: stacks[0].git.path: "../x.yaml" must be a path within the repository`},
		{"plain text beyond this machine", "gcp: {insecure: true, endpoints: {container: 'example.com:443'}}\n" + minimal, `f:1:46: gcp.endpoints.container: "example.com:443" would be spoken to in plain text; that is allowed for loopback addresses only`},
		{"http without saying so", "gcp: {endpoints: {storage: 'http://127.0.0.1/storage/v1/'}}\n" + minimal, `f:1:28: gcp.endpoints.storage: "http://127.0.0.1/storage/v1/" is plain text; say gcp.insecure: true if it is an emulator on this machine`},
		{"http beyond this machine", "gcp: {insecure: true, endpoints: {storage: 'http://10.0.0.1/storage/v1/'}}\n" + minimal, `f:1:44: gcp.endpoints.storage: "http://10.0.0.1/storage/v1/" would be spoken to in plain text; that is allowed for loopback addresses only`},
		{"an address without a port", "listen: localhost\n" + minimal, `f:1:9: listen: "localhost" is not HOST:PORT`},
		{"webhooks without a port", "webhook: {listen: hooks.example.com}\n" + minimal, `f:1:19: webhook.listen: "hooks.example.com" is not HOST:PORT`},
		{"an alias could make a small file huge", "x: &a [b]\nstacks: *a\n", "f:1:1: x: unknown field; there is stacks, listen, controlSocket, stateDir, width, log, undoManagers, gcp, prices, webhook\nf:2:9: stacks: aliases are not used here; write the value out\nf:2:9: stacks: no stack is configured"},
		{"two documents", minimal + "---\n" + minimal, "f:1:1: not YAML that can be read: expected single document, found multiple"},
		{"a file cut in the middle", "stacks: [{name: a,", "f:2:1: not YAML that can be read: did not find expected node content"},
		{"bytes that are no text", "\x00\x01\x02", "f:1:1: not YAML that can be read: control characters are not allowed (value: 0)"},
		{"all mistakes come at once, in the file's order", stack("    width: 0\n    mode: x\nlog: {level: loud}\n"), "f:5:12: stacks[0].width: must be more than zero\n" + `f:6:11: stacks[0].mode: "x" is not one of apply, observe` + "\n" + `f:7:14: log.level: "loud" is not one of debug, info, warn, error`},
	} {
		_, err := Parse("f", []byte(c.file))
		if err == nil {
			t.Errorf("%s: accepted", c.reason)
			continue
		}
		if err.Error() != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.reason, err, c.want)
		}
	}
}

func TestPlainTextOnLoopbackIsForEmulators(t *testing.T) {
	file := "gcp: {insecure: true, endpoints: {container: '127.0.0.1:4000', storage: 'http://[::1]:4443/storage/v1/', iam: 'http://localhost:1/'}}\n" + minimal
	c, err := Parse("f", []byte(file))
	if err != nil {
		t.Fatalf("emulators on this machine must be reachable: %v", err)
	}
	if got := c.GCP.Endpoints.Map(); len(got) != 3 || got["container"] != "127.0.0.1:4000" {
		t.Errorf("only endpoints that are set are handed on: %v", got)
	}
}

func TestUnits(t *testing.T) {
	c, err := Parse("f", []byte("stacks: [{name: a, project: 123, interval: 1d, git: {url: u, maxBytes: 2Gi}}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Stacks[0]
	if time.Duration(s.Interval) != 24*time.Hour || s.Git.MaxBytes != 2<<30 || s.Project != "123" {
		t.Errorf("days, binary sizes and numbers as text: %+v", s)
	}
}

func TestEveryKeyHasAName(t *testing.T) {
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			if f.Tag.Get("yaml") == "" {
				t.Errorf("%s.%s: without a yaml tag the decoder would accept the empty key", typ, f.Name)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Config]())
}

func TestStackByName(t *testing.T) {
	one, two := Config{Stacks: []Stack{{Name: "a"}}}, Config{Stacks: []Stack{{Name: "a"}, {Name: "b"}}}
	if s, err := one.Stack(""); err != nil || s.Name != "a" {
		t.Errorf("the only stack needs no name: %v, %v", s.Name, err)
	}
	if _, err := two.Stack(""); err == nil || !strings.Contains(err.Error(), "a b") {
		t.Errorf("of several, one must be named, and the error lists them: %v", err)
	}
	if _, err := two.Stack("c"); err == nil {
		t.Error("a stack that is not configured is an error")
	}
}

func TestLoadRefusesWhatIsNoConfiguration(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "absent.yaml")); err == nil {
		t.Error("a missing file is an error")
	}
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a huge file is refused by its size: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("stacks: [{name: a, git: {auth: {username: !!binary x}}}]\nlog: ~\n? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("either a configuration or an error: %v, %v", c, err)
		}
	})
}
