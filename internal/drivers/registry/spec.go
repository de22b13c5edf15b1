// Package registry is the kind "registry": an Artifact Registry repository and the rules by which it is cleaned up. The images in
// it are not its business.
package registry

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Kind is the Ref.Kind of every registry.
const Kind = "registry"

// Spec is a repository, wanted or live. A nil pointer means "not ours": what the stack file leaves out is neither compared nor changed.
type Spec struct {
	Name          string            `yaml:"name" doc:"Id of the repository, unique in its location. A change makes another repository."`
	Location      string            `yaml:"location" doc:"Region, or one of us, europe, asia; the stack's region by default. It cannot be changed in place."`
	Format        string            `yaml:"format" enum:"docker,maven,npm,python,apt,yum,go,generic" doc:"What it holds; docker by default. It cannot be changed in place."`
	Description   *string           `yaml:"description" doc:"What people read about it."`
	Cleanup       *Cleanup          `yaml:"cleanup" doc:"What Google deletes by itself, about once a day. {} means nothing; policies that do not stand here are removed."`
	ImmutableTags *bool             `yaml:"immutableTags" doc:"Whether a tag, once set, stays on its image. Only of docker repositories."`
	Scanning      *string           `yaml:"scanning" enum:"inherited,disabled" doc:"inherited: images are scanned if the project has Container Scanning switched on, which costs per image. disabled: never."`
	Readers       []string          `yaml:"readers" doc:"All who may pull, as members of an access policy such as serviceAccount:ci@acme.iam.gserviceaccount.com; the nodes of the stack's clusters always may. Others are removed. Left out, whoever else may pull is left alone."`
	Estimate      string            `yaml:"estimate" doc:"Bytes that are expected to be stored, for the price while no live size is known."`
	Labels        map[string]string `yaml:"labels" doc:"Labels of the repository; other labels on it are left alone."`

	Nodes    []string  `yaml:"-" json:",omitempty"` // accounts of the nodes that pull from it, by e-mail or as DefaultNodes: given the right where they lack it, never deprived of it
	Accounts []string  `yaml:"-" json:",omitempty"` // e-mails of the Google service accounts that the stack wants; their roles here are ours
	Grants   []Grant   `yaml:"-" json:",omitempty"` // of those accounts
	Running  []Running `yaml:"-" json:"-"`          // what runs from it: a matter of warnings, no part of what is wanted

	// Access is who may use a live repository, and Unread says that nobody may know. Never wanted.
	Access []Access `yaml:"-" json:",omitempty"`
	Unread bool     `yaml:"-" json:",omitempty"`

	// Bytes are what a live repository holds, as it is billed; they say nothing of what is wanted, and are no part of its version.
	Bytes int64 `yaml:"-" json:"-"`

	// Mode is what a live repository is where it is not a plain one: remote or virtual. Never wanted.
	Mode string `yaml:"-" json:",omitempty"`

	seen *seen // of a live one
}

// seen is what a live repository was when it was looked at.
type seen struct {
	labels  map[string]string // all of them
	created time.Time         // tells a repository from a later one of the same name
}

// Cleanup is what is deleted in a repository. What one rule keeps, no other deletes.
type Cleanup struct {
	KeepLast            *int          `yaml:"keepLast" json:",omitempty" doc:"Of each image, this many of the newest versions are kept. Alone it deletes nothing."`
	DeleteUntaggedAfter *gcp.Duration `yaml:"deleteUntaggedAfter" json:",omitempty" doc:"Versions without a tag are deleted when they are older than this."`
	DeleteAfter         *gcp.Duration `yaml:"deleteAfter" json:",omitempty" doc:"All versions are deleted when they are older than this."`
	DryRun              bool          `yaml:"dryRun" doc:"Delete nothing, only write to the audit log what would be deleted."`

	// Other holds, by id, policies that the stack file has no word for. Only a live repository has them, so they never equal wanted ones.
	Other map[string]string `yaml:"-" json:",omitempty"`
}

// Formats of a repository, as Google's hosts spell them.
var formats = []string{"docker", "maven", "npm", "python", "apt", "yum", "go", "generic"}

const docker = "docker"

// Ref is registry/NAME.
func (s Spec) Ref() resource.Ref { return resource.Ref{Kind: Kind, Name: s.Name} }

// Needs is empty: a repository stands on nothing.
func (s Spec) Needs() []resource.Need { return nil }

// Lifetime is Stateful: the images may be nowhere else.
func (s Spec) Lifetime() resource.Lifetime { return resource.Stateful }

// Path is where images are pushed to and pulled from, such as us-central1-docker.pkg.dev/acme/images; project is the project's id.
// A project of a domain, example.com:acme, has its colon written as a slash.
func (s Spec) Path(project string) string {
	return fmt.Sprintf("%s-%s.pkg.dev/%s/%s", s.Location, cmp.Or(s.Format, docker), strings.Replace(project, ":", "/", 1), s.Name)
}

// Names of the fields in a Change. A label's is gcp.FieldLabels and its key, that of a policy the stack file cannot say fieldPolicies and its id.
const (
	fieldLocation       = "location"
	fieldFormat         = "format"
	fieldMode           = "mode"
	fieldDescription    = "description"
	fieldCleanup        = "cleanup."
	fieldKeepLast       = fieldCleanup + "keepLast"
	fieldDeleteUntagged = fieldCleanup + "deleteUntaggedAfter"
	fieldDeleteAfter    = fieldCleanup + "deleteAfter"
	fieldDryRun         = fieldCleanup + "dryRun"
	fieldPolicies       = fieldCleanup + "policies."
	fieldImmutableTags  = "immutableTags"
	fieldScanning       = "scanning"
	fieldReadersList    = "readers"
	fieldReaders        = fieldReadersList + "." // and the member
	fieldGrants         = "grants."              // and the role and the member
)

const none = "none"

// Diff reports how live differs from s, sorted by field. Lengths of time are compared, not their spelling; of labels only the
// keys of s count.
func (s Spec) Diff(live Spec) []resource.Change {
	d := gcp.DiffLabels(s.Labels, live.Labels)
	add := func(field, want, have string) {
		if want != have {
			recreate := field == fieldLocation || field == fieldFormat || field == fieldMode
			d = append(d, resource.Change{Field: field, Want: want, Have: have, Recreate: recreate})
		}
	}
	add(fieldLocation, strings.ToLower(s.Location), strings.ToLower(live.Location))
	add(fieldFormat, cmp.Or(s.Format, docker), cmp.Or(live.Format, docker))
	add(fieldMode, cmp.Or(s.Mode, "standard"), cmp.Or(live.Mode, "standard"))
	if s.Description != nil {
		add(fieldDescription, strconv.Quote(*s.Description), text(live.Description, strconv.Quote))
	}
	if s.ImmutableTags != nil {
		add(fieldImmutableTags, strconv.FormatBool(*s.ImmutableTags), text(live.ImmutableTags, strconv.FormatBool))
	}
	if s.Scanning != nil {
		add(fieldScanning, *s.Scanning, text(live.Scanning, func(v string) string { return v }))
	}
	if s.Cleanup != nil {
		var have Cleanup
		if live.Cleanup != nil {
			have = *live.Cleanup
		}
		add(fieldKeepLast, text(s.Cleanup.KeepLast, strconv.Itoa), text(have.KeepLast, strconv.Itoa))
		add(fieldDeleteUntagged, text(s.Cleanup.DeleteUntaggedAfter, gcp.Duration.String), text(have.DeleteUntaggedAfter, gcp.Duration.String))
		add(fieldDeleteAfter, text(s.Cleanup.DeleteAfter, gcp.Duration.String), text(have.DeleteAfter, gcp.Duration.String))
		add(fieldDryRun, strconv.FormatBool(s.Cleanup.DryRun), strconv.FormatBool(have.DryRun))
		for id, policy := range have.Other {
			add(fieldPolicies+id, none, policy)
		}
	}
	d = append(d, s.diffAccess(live)...)
	slices.SortFunc(d, func(a, b resource.Change) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Have, b.Have))
	})
	return d
}

// text is a value that may be missing.
func text[T any](v *T, str func(T) string) string {
	if v == nil {
		return none
	}
	return str(*v)
}

var (
	repositoryID   = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
	region         = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+$`)
	zone           = regexp.MustCompile(`^([a-z]+-[a-z]+[0-9]+)-[a-z]$`)
	multiRegions   = []string{"us", "europe", "asia"}
	scannings      = []string{inherited, disabled}
	maxDescription = 1024 // characters
	maxKeep        = 100_000
)

// Values of Scanning.
const (
	inherited = "inherited"
	disabled  = "disabled"
)

// Validate reports what Google would refuse in s, joined. It knows the rules, not the world.
func (s Spec) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if !repositoryID.MatchString(s.Name) {
		bad("name", "%q: at most 63 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'", s.Name)
	}
	if m := zone.FindStringSubmatch(s.Location); m != nil {
		bad(fieldLocation, "%q is a zone; its region is %s", s.Location, m[1])
	} else if !region.MatchString(s.Location) && !slices.Contains(multiRegions, s.Location) {
		bad(fieldLocation, "%q is neither a region such as us-central1 nor one of %s", s.Location, strings.Join(multiRegions, ", "))
	}
	if s.Format != "" && !slices.Contains(formats, s.Format) {
		bad(fieldFormat, "%q is not one of %s", s.Format, strings.Join(formats, ", "))
	}
	if s.Description != nil && len([]rune(*s.Description)) > maxDescription {
		bad(fieldDescription, "%d characters; at most %d", len([]rune(*s.Description)), maxDescription)
	}
	if s.Scanning != nil && !slices.Contains(scannings, *s.Scanning) {
		bad(fieldScanning, "%q is not one of %s", *s.Scanning, strings.Join(scannings, ", "))
	}
	if s.ImmutableTags != nil && *s.ImmutableTags && cmp.Or(s.Format, docker) != docker {
		bad(fieldImmutableTags, "only a docker repository has them")
	}
	if c := s.Cleanup; c != nil {
		if c.KeepLast != nil && (*c.KeepLast < 1 || *c.KeepLast > maxKeep) {
			bad(fieldKeepLast, "%d is out of range; 1 to %d", *c.KeepLast, maxKeep)
		}
		for _, rule := range []struct {
			field string
			after *gcp.Duration
		}{{fieldDeleteUntagged, c.DeleteUntaggedAfter}, {fieldDeleteAfter, c.DeleteAfter}} {
			if rule.after != nil && *rule.after <= 0 {
				bad(rule.field, "%s would delete everything at once; a day is 1d", *rule.after)
			}
		}
	}
	s.validateAccess(bad)
	errs = append(errs, gcp.ValidateLabels(s.Labels)...)
	return errors.Join(errs...)
}
