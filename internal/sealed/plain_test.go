package sealed

import (
	"strings"
	"testing"
)

// Plain texts as people write them, and those that are refused.
func TestTexts(t *testing.T) {
	cases := []struct{ why, plain, key, value, wrong string }{
		{"a number is the text that was written", "port: 0123", "port", "0123", ""},
		{"so is a date", "day: 2026-01-01", "day", "2026-01-01", ""},
		{"so is a bool", "on: yes", "on", "yes", ""},
		{"a block keeps its lines", "pem: |\n  a\n  b\n", "pem", "a\nb\n", ""},
		{"an empty text is a value", `a: ""`, "a", "", ""},
		{"JSON", `{"a": "\u00fc\/\ud83d\ude00", "b": 1.50}`, "a", "ü/😀", ""},
		{"a number of JSON", `{"a": "x", "b": 1.50}`, "b", "1.50", ""},
		{"YAML in braces is not JSON", `{a: b}`, "a", "b", ""},
		{"a key twice", "a: secret\na: secret", "", "", `line 2, column 4: "a" stands here twice`},
		{"a key twice in JSON", "{\"a\": \"secret\",\n\"a\": \"secret\"}", "", "", `line 2, column 13: "a" stands here twice`},
		{"a list", "[secret]", "", "", "line 1, column 1: must be a mapping of keys to values; a file that is one value is named with key"},
		{"one text", "secret", "", "", "line 1, column 1: must be a mapping of keys to values; a file that is one value is named with key"},
		{"an alias", "a: &x secret\nb: *x", "", "", "line 2, column 4: aliases are not used here; write the value out"},
		{"an anchor that is not there", "a: *secret", "", "", "line 1, column 4: not YAML that can be read; does a text need quotes?"},
		{"a merge", "a: {secret: secret}\n<<: {b: secret}", "", "", "line 2, column 1: a key must be plain text"},
		{"a tag", "a: !!binary c2VjcmV0", "", "", "line 1, column 4: a YAML tag that is not understood here"},
		{"a tag of one's own", "a: !secret b", "", "", "line 1, column 4: a YAML tag that is not understood here"},
		{"two documents", "a: secret\n---\nb: secret", "", "", "line 2, column 1: a second document"},
		{"nothing", "\n\n", "", "", "empty; a mapping of keys to values is expected"},
		{"remarks alone", "# secret\n", "", "", "line 1, column 1: empty; a mapping of keys to values is expected"},
		{"too deep", strings.Repeat("[", 30) + strings.Repeat("]", 30), "", "", "line 1, column 22: too many values, or too deep"},
		{"a tab", "a:\n\t- secret", "", "", "not YAML that can be read"},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			got, err := texts([]byte(c.plain))
			if c.wrong == "" {
				if err != nil || string(got[c.key]) != c.value {
					t.Errorf("got %q, %v; want %q", got[c.key], err, c.value)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %q and no value", err, c.wrong)
			}
		})
	}
}

// FuzzTexts: a plain text is read or refused, and never repeated.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"a: b", `{"a": "b"}`, "a: [x, {b: c}]", "a: &x y\nb: *x", "? [a]\n: b", "%YAML 1.2\n---\na: |2-\n   x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const marked = "0f5f1c9a7d"
		got, err := texts([]byte(strings.ReplaceAll(s, "x", marked)))
		if err != nil && len(got) == 0 && strings.Contains(err.Error(), marked) && !strings.Contains(err.Error(), `"`) {
			t.Errorf("a value is repeated: %v", err)
		}
	})
}
