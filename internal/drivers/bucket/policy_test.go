package bucket

import (
	"testing"
	"unicode/utf8"
)

// FuzzCondition: whatever a prefix is made of, the condition written for it is read back as that prefix, and no other is.
func FuzzCondition(f *testing.F) {
	for _, p := range []string{"models/", `a"b\c`, `x").startsWith("y`, "ü/\n", "", `") || true || ("`} {
		f.Add(p, "models/")
	}
	f.Fuzz(func(t *testing.T, prefix, other string) {
		if !utf8.ValidString(prefix) || !utf8.ValidString(other) {
			return // refused by Validate
		}
		got, ok := prefixOf("acme-data", condition("acme-data", prefix))
		if !ok || got != prefix {
			t.Errorf("%q is read back as %q, %v", prefix, got, ok)
		}
		if _, ok := prefixOf("acme-data2", condition("acme-data", prefix)); ok {
			t.Errorf("the condition of %q on one bucket is taken for one on another", prefix)
		}
		if prefix != other && condition("acme-data", prefix) == condition("acme-data", other) {
			t.Errorf("%q and %q have the same condition", prefix, other)
		}
	})
}
