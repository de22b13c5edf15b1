package desired_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired"
)

// TestReferenceHasEveryKey: docs/stack.md lags behind no key, and knows none that is gone.
func TestReferenceHasEveryKey(t *testing.T) {
	doc, err := os.ReadFile("../../docs/stack.md")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string][]string{} // keys by chapter
	chapter := ""
	for line := range strings.Lines(string(doc)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			chapter = strings.ToLower(strings.TrimSpace(title))
		}
		if row, ok := strings.CutPrefix(line, "| `"); ok {
			key, _, _ := strings.Cut(row, "`")
			have[chapter] = append(have[chapter], key)
		}
	}
	var schema map[string]any
	if err := json.Unmarshal(desired.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	handling := have["handling"]
	if len(handling) == 0 {
		t.Fatal("no chapter about handling")
	}
	top := schema["properties"].(map[string]any)
	compare(t, "top level", slices.Sorted(maps.Keys(top)), have["top level"])
	for _, section := range []string{"networks", "clusters", "buckets", "registries", "workloads", "secrets", "schedule", "cost", "budget"} {
		entry := top[section].(map[string]any)
		if of, ok := entry["additionalProperties"].(map[string]any); ok {
			entry = of
		}
		want := slices.DeleteFunc(keysOf(entry, ""), func(key string) bool {
			_, within, nested := strings.Cut(key, ".*.") // what is part of an entry takes them too
			if !nested {
				within = key
			}
			return slices.Contains(handling, within) && !slices.Contains(have[section], key) // a cluster's mode has a row of its own
		})
		compare(t, section, want, have[section])
	}
}

func compare(t *testing.T, chapter string, want, have []string) {
	t.Helper()
	for _, key := range want {
		if !slices.Contains(have, key) {
			t.Errorf("docs/stack.md, %s: no row for %s", chapter, key)
		}
	}
	for _, key := range have {
		if !slices.Contains(want, key) {
			t.Errorf("docs/stack.md, %s: there is no key %s", chapter, key)
		}
	}
}

// keysOf lists the keys of a schema as the reference writes them: disk.size, lifecycle[].action, env.*.key.
func keysOf(s map[string]any, path string) (keys []string) {
	if choices, ok := s["anyOf"].([]any); ok {
		for _, c := range choices {
			keys = append(keys, keysOf(c.(map[string]any), path)...)
		}
		return keys
	}
	if properties, ok := s["properties"].(map[string]any); ok {
		for key, p := range properties {
			below := key
			if path != "" {
				below = path + "." + key
			}
			keys = append(append(keys, below), keysOf(p.(map[string]any), below)...)
		}
	}
	if items, ok := s["items"].(map[string]any); ok {
		keys = append(keys, keysOf(items, path+"[]")...)
	}
	if values, ok := s["additionalProperties"].(map[string]any); ok {
		keys = append(keys, keysOf(values, path+".*")...)
	}
	return keys
}
