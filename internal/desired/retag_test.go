package desired_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"recsysd.dev/recsysd/internal/desired"
)

// around is a stack file before and after the part that a case is about; it has what a careless editor would lose.
func around(part string) string {
	return "# the stack\nname: \"x\"   # quoted\n\n" + part + "\n\nlast: {a: [1, 2]}   # no line feed at the end"
}

func TestRetagReplacesTheTagsOwnCharacters(t *testing.T) {
	for _, c := range []struct {
		name, before, after string
		tag                 string // "": v1.0.2
	}{
		{"in a block", "workloads:\n  api:\n    image:\n      tag: v1.0.1   # what runs\n      name: v1.0.1", "workloads:\n  api:\n    image:\n      tag: v1.0.2   # what runs\n      name: v1.0.1", ""},
		{"in braces, after characters of several bytes", `workloads: {api: {note: "é 世", image: {tag: v1.0.1, name: a}}}`, `workloads: {api: {note: "é 世", image: {tag: v1.0.2, name: a}}}`, ""},
		{"double quotes stay", `workloads: {api: {image: {tag: "v1.0.1"}}}`, `workloads: {api: {image: {tag: "v1.0.2"}}}`, ""},
		{"single quotes stay", `workloads: {api: {image: {tag: 'v1.0.1'}}}`, `workloads: {api: {image: {tag: 'v1.0.2'}}}`, ""},
		{"lines that end as on Windows", "workloads:\r\n  api:\r\n    image: {tag: v1.0.1}\r\n", "workloads:\r\n  api:\r\n    image: {tag: v1.0.2}\r\n", ""},
		{"a tag that YAML takes for a number is quoted", `workloads: {api: {image: {tag: v1.0.1}}}`, `workloads: {api: {image: {tag: "1.10"}}}`, "1.10"},
		{"a tag that YAML takes for a date is quoted", `workloads: {api: {image: {tag: v1.0.1}}}`, `workloads: {api: {image: {tag: "2026-11-25"}}}`, "2026-11-25"},
		{"a tag that older YAML takes for a truth value is quoted", `workloads: {api: {image: {tag: v1.0.1}}}`, `workloads: {api: {image: {tag: "on"}}}`, "on"},
		{"a shorter one", `workloads: {api: {image: {tag: v1.0.1}}} # c`, `workloads: {api: {image: {tag: v2}}} # c`, "v2"},
		{"a variable that is the whole tag", "vars: {tag: v1.0.1}\nworkloads: {api: {image: {tag: \"${tag}\"}}}", "vars: {tag: v1.0.2}\nworkloads: {api: {image: {tag: \"${tag}\"}}}", ""},
		{"a variable that is another one", "vars:\n  a: ${b}\n  b: 'v1.0.1'\nworkloads: {api: {image: {tag: '${a}'}}}", "vars:\n  a: ${b}\n  b: 'v1.0.2'\nworkloads: {api: {image: {tag: '${a}'}}}", ""},
		{"only this workload's", `workloads: {web: {image: {tag: v1.0.1}}, api: {image: {tag: v1.0.1}}}`, `workloads: {web: {image: {tag: v1.0.1}}, api: {image: {tag: v1.0.2}}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tag := c.tag
			if tag == "" {
				tag = "v1.0.2"
			}
			got, err := desired.Retag(fstest.MapFS{"infra/stack.yaml": {Data: []byte(around(c.before))}}, "infra/stack.yaml", "", map[string]string{"api": tag})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || string(got["infra/stack.yaml"]) != around(c.after) {
				t.Errorf("got:\n%s\nwant:\n%s", got["infra/stack.yaml"], around(c.after))
			}
			again, err := desired.Retag(fstest.MapFS{"infra/stack.yaml": {Data: got["infra/stack.yaml"]}}, "infra/stack.yaml", "", map[string]string{"api": tag})
			if err != nil || len(again) != 0 {
				t.Errorf("written once more: %q, %v", again, err)
			}
		})
	}
}

func TestRetagWritesWhereTheTagCounts(t *testing.T) {
	const overlay = "environments/prod.yaml"
	for _, c := range []struct {
		name, stack, over string
		file, want        string // the one that changes, and what it becomes
	}{
		{"the overlay's, where it has one", "workloads: {api: {image: {tag: a}}}", "workloads: {api: {image: {tag: b}}}", overlay, "workloads: {api: {image: {tag: c}}}"},
		{"the stack file's, where the overlay has none", "workloads: {api: {image: {tag: a}}}", "workloads: {api: {replicas: 3}}", "stack.yaml", "workloads: {api: {image: {tag: c}}}"},
		{"the overlay's variable", "vars: {t: a}\nworkloads: {api: {image: {tag: '${t}'}}}", "vars: {t: b}", overlay, "vars: {t: c}"},
		{"the stack file's variable", "vars: {t: a}\nworkloads: {api: {image: {tag: '${t}'}}}", "vars: {u: b}", "stack.yaml", "vars: {t: c}\nworkloads: {api: {image: {tag: '${t}'}}}"},
		{"an overlay that makes it a variable", "vars: {t: a}\nworkloads: {api: {image: {tag: x}}}", "workloads: {api: {image: {tag: '${t}'}}}", "stack.yaml", "vars: {t: c}\nworkloads: {api: {image: {tag: x}}}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := desired.Retag(fstest.MapFS{"stack.yaml": {Data: []byte(c.stack)}, overlay: {Data: []byte(c.over)}}, "stack.yaml", "prod", map[string]string{"api": "c"})
			if err != nil || len(got) != 1 || string(got[c.file]) != c.want {
				t.Errorf("got %q, %v; want %s: %s", got, err, c.file, c.want)
			}
		})
	}
}

func TestRetagRefusesWhatItCannotWriteWithoutHarm(t *testing.T) {
	for _, c := range []struct{ name, stack, says string }{
		{"a tag made of parts", "workloads: {api: {image: {tag: 'v${minor}'}}}", "stack.yaml:1:32: workloads.api.image.tag: \"v${minor}\" is made of several parts"},
		{"what others are aliases of", "workloads: {api: {image: {tag: &t v1}}, web: {image: {tag: *t}}}", "stack.yaml:1:32: workloads.api.image.tag: an anchor or an alias"},
		{"an alias", "x: &t v1\nworkloads: {api: {image: {tag: *t}}}", "stack.yaml:2:32: workloads.api.image.tag: an anchor or an alias"},
		{"an alias around it", "x: &i {tag: v1}\nworkloads: {api: {image: *i}}", "workloads.api.image.tag: an anchor or an alias"},
		{"a text over lines", "workloads:\n  api:\n    image:\n      tag: >-\n        v1\n", "workloads.api.image.tag: \"v1\" is not written as plain or quoted text"},
		{"escapes", `workloads: {api: {image: {tag: "v\x31"}}}`, "is not written as plain or quoted text"},
		{"a type of its own", "workloads: {api: {image: {tag: !!str v1}}}", "is not written as plain or quoted text"},
		{"no tag", "workloads: {api: {image: {name: x}}}", "workloads.api.image.tag: not found"},
		{"what is built in", "name: x\nworkloads: {api: {image: {tag: '${name}'}}}", "vars.name: not found"},
		{"one variable for two tags", "vars: {t: v1}\nworkloads: {api: {image: {tag: '${t}'}}, web: {image: {tag: '${t}'}}}", "stack.yaml:1:11: vars.t: holds the tag of several workloads, and their policies choose v2 and v3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tags := map[string]string{"api": "v2"}
			if strings.Contains(c.says, "v3") {
				tags["web"] = "v3"
			}
			got, err := desired.Retag(fstest.MapFS{"stack.yaml": {Data: []byte(c.stack)}}, "stack.yaml", "", tags)
			if err == nil || got != nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, %v; want %s", got, err, c.says)
			}
		})
	}
}
