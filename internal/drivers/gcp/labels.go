package gcp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"recsysd.dev/recsysd/internal/resource"
)

// The marks that recsysd leaves on what it manages. Labels are the only memory of ownership there is.
const (
	LabelManagedBy   = "managed-by"
	LabelStack       = "recsysd-stack"
	LabelUnprotected = "recsysd-unprotected" // the first 12 digits of the commit that lifted the protection
	LabelNamespace   = "recsysd-namespace"   // whose service accounts the stack has given access; after a change, the former one

	ManagedBy = "recsysd" // the value of LabelManagedBy

	maxLabels    = 64
	maxLabelSize = 63 // characters
)

// FieldLabels is the beginning of the Change.Field of a label; its key follows.
const FieldLabels = "labels."

// OwnedBy reports whether labels carry the mark of the stack.
func OwnedBy(labels map[string]string, stack string) bool {
	return stack != "" && labels[LabelStack] == stack
}

// Declared keeps of the live labels those that declared names: of labels only the declared keys are ours.
func Declared(live, declared map[string]string) map[string]string {
	kept := map[string]string{}
	for k := range declared {
		if v, ok := live[k]; ok {
			kept[k] = v
		}
	}
	return kept
}

// Undeclared is a notice for each live label that the stack does not declare, sorted. Google's own (goog-…) and recsysd's marks are no news.
func Undeclared(live, declared map[string]string) []string {
	var notices []string
	for _, k := range slices.Sorted(maps.Keys(live)) {
		_, ours := declared[k]
		if ours || strings.HasPrefix(k, "goog-") || strings.HasPrefix(k, "recsysd-") {
			continue
		}
		notices = append(notices, fmt.Sprintf("label %s=%s is not in the stack file; left alone", k, live[k]))
	}
	return notices
}

// DiffLabels compares the declared labels with the live ones. Keys that want does not have are not compared. The labels that say
// whose a resource is are told apart from the rest; another namespace is a change like any other.
func DiffLabels(want, live map[string]string) []resource.Change {
	var d []resource.Change
	for _, k := range slices.Sorted(maps.Keys(want)) {
		have, ok := live[k]
		if ok && have == want[k] {
			continue
		}
		c := resource.Change{Field: FieldLabels + k, Want: labelText(want[k]), Have: "absent", Owner: k == LabelManagedBy || k == LabelStack || k == LabelNamespace}
		if ok {
			c.Have, c.Owner = labelText(have), c.Owner && k != LabelNamespace
		}
		d = append(d, c)
	}
	return d
}

// An absent label and an empty one are two things; quoting tells them apart.
func labelText(v string) string {
	if v == "" || v == "absent" {
		return fmt.Sprintf("%q", v)
	}
	return v
}

// MergeLabels is the whole map to write: live's labels, over them the declared ones whose field stands in drift, and the
// mark of resource.FieldUnprotected as drift asks for it. Neither argument is changed.
func MergeLabels(live, want map[string]string, drift []resource.Change) map[string]string {
	merged := map[string]string{}
	maps.Copy(merged, live)
	for _, c := range drift {
		if c.Field == resource.FieldUnprotected {
			if c.Want == "" {
				delete(merged, LabelUnprotected)
			} else {
				merged[LabelUnprotected] = c.Want
			}
			continue
		}
		if k, ok := strings.CutPrefix(c.Field, FieldLabels); ok {
			if v, ok := want[k]; ok {
				merged[k] = v
			}
		}
	}
	return merged
}

// TouchesLabels reports whether any of drift is written through the labels.
func TouchesLabels(drift []resource.Change) bool {
	return slices.ContainsFunc(drift, func(c resource.Change) bool {
		return c.Field == resource.FieldUnprotected || strings.HasPrefix(c.Field, FieldLabels)
	})
}

// ValidateLabels reports what Google would refuse in labels, in the order of their keys.
func ValidateLabels(labels map[string]string) []error {
	var errs []error
	if len(labels) > maxLabels {
		errs = append(errs, fmt.Errorf("labels: %d of them; Google takes at most %d", len(labels), maxLabels))
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		first, _ := utf8.DecodeRuneInString(k)
		switch {
		case !small(first):
			errs = append(errs, fmt.Errorf("labels: key %q: must begin with a small letter", k))
		case !labelChars(k):
			errs = append(errs, fmt.Errorf("labels: key %q: at most %d of small letters, digits, '-' and '_'", k, maxLabelSize))
		case strings.HasPrefix(k, "goog-"):
			errs = append(errs, fmt.Errorf("labels: key %q: goog- is reserved for Google", k))
		case k == LabelUnprotected:
			errs = append(errs, fmt.Errorf("labels: key %q: set by recsysd alone; say protect: false", k))
		}
		if !labelChars(labels[k]) {
			errs = append(errs, fmt.Errorf("labels: %s: value %q: at most %d of small letters, digits, '-' and '_'", k, labels[k], maxLabelSize))
		}
	}
	return errs
}

func small(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Lo, r) }

func labelChars(s string) bool {
	for _, r := range s {
		if !small(r) && !unicode.IsNumber(r) && r != '-' && r != '_' {
			return false
		}
	}
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxLabelSize
}
