package bucket

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Names of the fields in a Change. That of a service account's grants is "grants.NAMESPACE/NAME", or "grants.EMAIL".
const (
	fieldProject      = "project"
	fieldLocation     = "location"
	fieldClass        = "class"
	fieldUniform      = "uniformBucketLevelAccess"
	fieldPublic       = "publicAccessPrevention"
	fieldVersioning   = "versioning"
	fieldSoftDelete   = "softDelete"
	fieldLifecycle    = "lifecycle"
	fieldForceDestroy = "forceDestroy"
	fieldGrants       = "grants."
)

// Diff reports how live differs from s, sorted by field. Rules and grants are sets; the location's case says nothing; of labels
// only the keys of s count.
func (s Spec) Diff(live Spec) []resource.Change {
	var d []resource.Change
	add := func(c resource.Change) {
		if c.Want != c.Have {
			d = append(d, c)
		}
	}
	if live.Project != s.Project {
		add(resource.Change{Field: fieldProject, Want: "the stack's own", Have: "number " + live.Project, Recreate: true})
	}
	add(resource.Change{Field: fieldLocation, Want: strings.ToLower(s.Location), Have: strings.ToLower(live.Location), Recreate: true})
	add(ours(fieldClass, s.Class, live.Class, asIs))
	add(ours(fieldUniform, s.UniformBucketLevelAccess, live.UniformBucketLevelAccess, strconv.FormatBool))
	add(ours(fieldPublic, s.PublicAccessPrevention, live.PublicAccessPrevention, asIs))
	add(ours(fieldVersioning, s.Versioning, live.Versioning, strconv.FormatBool))
	add(ours(fieldSoftDelete, s.SoftDelete, live.SoftDelete, Retention.String))
	if s.Lifecycle != nil {
		add(resource.Change{Field: fieldLifecycle, Want: rulesText(s.Lifecycle), Have: rulesText(live.Lifecycle)})
	}
	add(resource.Change{Field: fieldForceDestroy, Want: strconv.FormatBool(s.ForceDestroy), Have: strconv.FormatBool(live.ForceDestroy), Mark: true})
	d = append(d, gcp.DiffLabels(s.Labels, live.Labels)...)
	want, have := grantsByAccount(s.Grants), grantsByAccount(live.Grants)
	for account := range union(want, have) {
		add(resource.Change{Field: fieldGrants + account, Want: grantsText(want[account]), Have: grantsText(have[account])})
	}
	slices.SortFunc(d, func(a, b resource.Change) int { return strings.Compare(a.Field, b.Field) })
	return d
}

// ours compares a field that may be left out. A live value that is missing differs from every wanted one.
func ours[T comparable](field string, want, have *T, text func(T) string) resource.Change {
	c := resource.Change{Field: field}
	if want == nil {
		return c
	}
	c.Want = text(*want)
	if have != nil {
		c.Have = text(*have)
	}
	return c
}

func asIs(s string) string { return s }

// rulesText is the same for the same set of rules.
func rulesText(rules []Rule) string {
	if len(rules) == 0 {
		return "none"
	}
	var lines []string
	for _, r := range rules {
		lines = append(lines, r.String())
	}
	return strings.Join(sortedSet(lines), "; ")
}

func grantsText(grants []Grant) string {
	if len(grants) == 0 {
		return "none"
	}
	var lines []string
	for _, g := range grants {
		lines = append(lines, g.String())
	}
	return strings.Join(sortedSet(lines), ", ")
}

func grantsByAccount(grants []Grant) map[string][]Grant {
	by := map[string][]Grant{}
	for _, g := range grants {
		by[g.Principal.String()] = append(by[g.Principal.String()], g)
	}
	return by
}

func union[V any](a, b map[string]V) map[string]V {
	u := maps.Clone(a)
	maps.Copy(u, b)
	return u
}

func sortedSet(s []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(s)))
}
