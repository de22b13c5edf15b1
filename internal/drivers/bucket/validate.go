package bucket

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

var (
	classes     = []string{"standard", "nearline", "coldline", "archive"}
	preventions = []string{"enforced", "inherited"}

	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*[a-z0-9]$`)
	region     = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+$`)
	zone       = regexp.MustCompile(`^([a-z]+-[a-z]+[0-9]+)-[a-z]$`)
	// Google's predefined dual-regions and multi-regions.
	wide = []string{"us", "eu", "asia", "nam4", "eur4", "eur5", "eur7", "eur8", "asia1"}
)

const (
	minSoftDelete = Retention(7 * 24 * time.Hour)
	maxSoftDelete = Retention(90 * 24 * time.Hour)
	maxRules      = 100
	maxPrefixes   = 50 // of one rule
)

// Validate reports what Google would refuse in s, joined. It knows the rules, not the world: whether a name is free is not its business.
func (s Spec) Validate() error {
	errs := []error{validateName(s.Name), validateLocation(s.Location)}
	if s.Class != nil {
		errs = append(errs, oneOf(fieldClass, *s.Class, classes))
	}
	if s.PublicAccessPrevention != nil {
		errs = append(errs, oneOf(fieldPublic, *s.PublicAccessPrevention, preventions))
	}
	if s.SoftDelete != nil && *s.SoftDelete != 0 && (*s.SoftDelete < minSoftDelete || *s.SoftDelete > maxSoftDelete) {
		errs = append(errs, fmt.Errorf("%s: %s is out of range; off, or 7d to 90d", fieldSoftDelete, *s.SoftDelete))
	}
	if len(s.Lifecycle) > maxRules {
		errs = append(errs, fmt.Errorf("%s: %d rules; at most %d", fieldLifecycle, len(s.Lifecycle), maxRules))
	}
	for i, r := range s.Lifecycle {
		for _, err := range r.validate() {
			if err != nil {
				errs = append(errs, fmt.Errorf("%s[%d]: %w", fieldLifecycle, i, err))
			}
		}
	}
	errs = append(errs, gcp.ValidateLabels(s.Labels)...)
	if _, ok := s.Labels[labelForceDestroy]; ok {
		errs = append(errs, fmt.Errorf("labels: key %q: set by recsysd alone; say forceDestroy: true", labelForceDestroy))
	}
	errs = append(errs, s.validateGrants()...)
	return errors.Join(errs...)
}

func validateName(name string) error {
	fail := func(why string) error { return fmt.Errorf("name: %q: %s", name, why) }
	switch {
	case len(name) < 3:
		return fail("at least 3 characters")
	case !bucketName.MatchString(name):
		return fail("only a-z, 0-9, '-', '_' and '.', with a letter or digit at both ends")
	case strings.HasPrefix(name, "goog") || strings.Contains(name, "google") || strings.Contains(name, "g00gle"):
		return fail("names with google in them, or goog in front, are Google's own")
	case net.ParseIP(name) != nil:
		return fail("must not look like an IP address")
	case len(name) > 222:
		return fail("at most 222 characters")
	}
	for part := range strings.SplitSeq(name, ".") {
		if len(part) > 63 {
			return fail("at most 63 characters, or between two dots")
		}
		if part == "" || strings.Trim(part, "-") != part {
			return fail("dots must stand between letters or digits")
		}
	}
	return nil
}

func validateLocation(location string) error {
	l := strings.ToLower(location)
	if m := zone.FindStringSubmatch(l); m != nil {
		return fmt.Errorf("%s: %q is a zone; its region is %s", fieldLocation, location, m[1])
	}
	if !region.MatchString(l) && !slices.Contains(wide, l) {
		return fmt.Errorf("%s: %q is neither a region such as us-central1 nor one of %s", fieldLocation, location, strings.Join(wide, ", "))
	}
	return nil
}

func oneOf(field, have string, allowed []string) error {
	if slices.Contains(allowed, have) {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %s", field, have, strings.Join(allowed, ", "))
}

func (r Rule) validate() []error {
	errs := []error{oneOf("action", r.Action, []string{actionDelete, actionSetClass})}
	switch {
	case r.Action == actionSetClass && r.Class == "":
		errs = append(errs, fmt.Errorf("class: setClass needs one of %s", strings.Join(classes, ", ")))
	case r.Action == actionSetClass:
		errs = append(errs, oneOf("class", r.Class, classes))
	case r.Class != "":
		errs = append(errs, errors.New("class: only setClass has a class; to meet objects of a class is not supported"))
	}
	if r.AgeDays == nil && r.NewerVersions == nil && len(r.Prefixes) == 0 {
		errs = append(errs, errors.New("no condition; ageDays: 0 meets every object, if that is meant"))
	}
	if r.AgeDays != nil && (*r.AgeDays < 0 || *r.AgeDays > 36500) {
		errs = append(errs, fmt.Errorf("ageDays: %d is out of range; 0 to 36500", *r.AgeDays))
	}
	if r.NewerVersions != nil && (*r.NewerVersions < 1 || *r.NewerVersions > 36500) {
		errs = append(errs, fmt.Errorf("newerVersions: %d is out of range; 1 to 36500", *r.NewerVersions))
	}
	if len(r.Prefixes) > maxPrefixes {
		errs = append(errs, fmt.Errorf("prefixes: %d; at most %d", len(r.Prefixes), maxPrefixes))
	}
	for i, p := range r.Prefixes {
		if err := validatePrefix(p); err != nil {
			errs = append(errs, fmt.Errorf("prefixes[%d]: %w", i, err))
		}
	}
	return errs
}

func validatePrefix(p string) error {
	switch {
	case p == "":
		return errors.New("empty; it would meet every object")
	case strings.HasPrefix(p, "/"):
		return fmt.Errorf("%q: object names do not begin with a slash", p)
	case strings.HasPrefix(p, "gs://"):
		return fmt.Errorf("%q: only the part behind the bucket's name", p)
	case len(p) > 1024 || !utf8.ValidString(p):
		return fmt.Errorf("%.20q…: not valid UTF-8 of at most 1024 bytes", p)
	}
	return nil
}

func (s Spec) validateGrants() []error {
	var errs []error
	for _, g := range s.Grants {
		if g.Prefix == "" {
			continue
		}
		if err := validatePrefix(g.Prefix); err != nil {
			errs = append(errs, fmt.Errorf("storage of %s: prefix: %w", g.Principal, err))
		}
		if s.UniformBucketLevelAccess != nil && !*s.UniformBucketLevelAccess {
			errs = append(errs, fmt.Errorf("%s: false, but the prefix %s of %s can be granted only with uniform access", fieldUniform, g.Prefix, g.Principal))
		}
	}
	return errs
}

// Actions of a rule, as the stack file has them.
const (
	actionDelete   = "delete"
	actionSetClass = "setClass"
)

// labelForceDestroy is the mark of ForceDestroy on the bucket; its value is "true".
const labelForceDestroy = "recsysd-force-destroy"
