package bucket

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Google's words for the actions of a lifecycle rule.
const (
	googleDelete   = "Delete"
	googleSetClass = "SetStorageClass"
)

// fromAttrs is a live bucket as a Spec, without its grants. Every field that a stack file may set has a value.
func fromAttrs(a *storage.BucketAttrs) Spec {
	class := strings.ToLower(a.StorageClass)
	uniform := a.UniformBucketLevelAccess.Enabled
	prevention := "inherited"
	if a.PublicAccessPrevention == storage.PublicAccessPreventionEnforced {
		prevention = "enforced"
	}
	versioning := a.VersioningEnabled
	var keep Retention
	if a.SoftDeletePolicy != nil {
		keep = Retention(a.SoftDeletePolicy.RetentionDuration)
	}
	labels := maps.Clone(a.Labels)
	delete(labels, labelForceDestroy)
	delete(labels, gcp.LabelUnprotected)
	return Spec{
		Name: a.Name, Location: strings.ToLower(a.Location), Class: &class, UniformBucketLevelAccess: &uniform,
		PublicAccessPrevention: &prevention, Versioning: &versioning, SoftDelete: &keep, Lifecycle: fromLifecycle(a.Lifecycle),
		ForceDestroy: a.Labels[labelForceDestroy] == "true", Labels: labels,
		seen: seen{metageneration: a.MetaGeneration, created: a.Created},
	}
}

// toAttrs is a wanted bucket as it is created. What the stack leaves out is Google's choice, but for access from outside.
func toAttrs(s Spec) *storage.BucketAttrs {
	a := &storage.BucketAttrs{
		Location:                 s.Location,
		UniformBucketLevelAccess: storage.UniformBucketLevelAccess{Enabled: s.UniformBucketLevelAccess == nil || *s.UniformBucketLevelAccess},
		PublicAccessPrevention:   toPrevention("enforced"),
		Lifecycle:                toLifecycle(s.Lifecycle),
		Labels:                   map[string]string{},
	}
	maps.Copy(a.Labels, s.Labels)
	if s.ForceDestroy {
		a.Labels[labelForceDestroy] = "true"
	}
	if s.Class != nil {
		a.StorageClass = strings.ToUpper(*s.Class)
	}
	if s.PublicAccessPrevention != nil {
		a.PublicAccessPrevention = toPrevention(*s.PublicAccessPrevention)
	}
	if s.Versioning != nil {
		a.VersioningEnabled = *s.Versioning
	}
	if s.SoftDelete != nil {
		a.SoftDeletePolicy = &storage.SoftDeletePolicy{RetentionDuration: time.Duration(*s.SoftDelete)}
	}
	return a
}

func toPrevention(p string) storage.PublicAccessPrevention {
	if p == "enforced" {
		return storage.PublicAccessPreventionEnforced
	}
	return storage.PublicAccessPreventionInherited
}

// toLifecycle is never nil in meaning: no rules clears them. An age of zero is "all objects" to the library, which drops the number.
func toLifecycle(rules []Rule) storage.Lifecycle {
	var l storage.Lifecycle
	for _, r := range rules {
		to := storage.LifecycleRule{Action: storage.LifecycleAction{Type: googleDelete}}
		if r.Action == actionSetClass {
			to.Action = storage.LifecycleAction{Type: googleSetClass, StorageClass: strings.ToUpper(r.Class)}
		}
		if r.AgeDays != nil {
			to.Condition.AgeInDays, to.Condition.AllObjects = *r.AgeDays, *r.AgeDays == 0
		}
		if r.NewerVersions != nil {
			to.Condition.NumNewerVersions = *r.NewerVersions
		}
		if len(r.Prefixes) > 0 {
			to.Condition.MatchesPrefix = sortedSet(r.Prefixes)
		}
		l.Rules = append(l.Rules, to)
	}
	return l
}

// fromLifecycle is never nil; the rules are in the order of their text.
func fromLifecycle(l storage.Lifecycle) []Rule {
	rules := []Rule{}
	for _, from := range l.Rules {
		r := Rule{Action: from.Action.Type, Other: others(from.Condition)}
		switch from.Action.Type {
		case googleDelete:
			r.Action = actionDelete
		case googleSetClass:
			r.Action, r.Class = actionSetClass, strings.ToLower(from.Action.StorageClass)
		}
		if age := from.Condition.AgeInDays; age > 0 || from.Condition.AllObjects {
			r.AgeDays = &age
		}
		if n := from.Condition.NumNewerVersions; n > 0 {
			r.NewerVersions = &n
		}
		if p := from.Condition.MatchesPrefix; len(p) > 0 {
			r.Prefixes = sortedSet(p)
		}
		rules = append(rules, r)
	}
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.String(), b.String()) })
	return rules
}

// others puts conditions that the stack file has no word for into words.
func others(c storage.LifecycleCondition) string {
	var words []string
	date := func(what string, t time.Time) {
		if !t.IsZero() {
			words = append(words, what+" "+t.Format(time.DateOnly))
		}
	}
	days := func(what string, n int64) {
		if n > 0 {
			words = append(words, fmt.Sprintf("%s %dd", what, n))
		}
	}
	list := func(what string, l []string) {
		if len(l) > 0 {
			words = append(words, what+" "+strings.Join(sortedSet(l), " or "))
		}
	}
	switch c.Liveness {
	case storage.Live:
		words = append(words, "live")
	case storage.Archived:
		words = append(words, "noncurrent")
	}
	date("created before", c.CreatedBefore)
	date("custom time before", c.CustomTimeBefore)
	date("noncurrent before", c.NoncurrentTimeBefore)
	days("since custom time", c.DaysSinceCustomTime)
	days("since noncurrent", c.DaysSinceNoncurrentTime)
	list("class", c.MatchesStorageClasses)
	list("suffix", c.MatchesSuffix)
	return strings.Join(words, " and ")
}
