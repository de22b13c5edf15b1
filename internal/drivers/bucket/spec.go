// Package bucket is the kind "bucket": a Cloud Storage bucket, its rules and who of the stack's own workloads may use it. Objects
// are not its business, except that a bucket which is to go with everything in it is emptied first.
package bucket

import (
	"fmt"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Kind is the Ref.Kind of every bucket.
const Kind = "bucket"

// Spec is a bucket, wanted or live. A nil pointer or slice means "not ours": what the stack file leaves out is neither
// compared nor changed. At creation two things that are left out get a safe value rather than Google's: uniformBucketLevelAccess
// true and publicAccessPrevention enforced.
type Spec struct {
	Name                     string            `yaml:"name" doc:"Name of the bucket; unique in the whole of Google Cloud. A change makes another bucket."`
	Location                 string            `yaml:"location" doc:"Region, dual-region or multi-region; the stack's region by default. It cannot be changed in place."`
	Class                    *string           `yaml:"class" enum:"standard,nearline,coldline,archive" doc:"Storage class of new objects."`
	UniformBucketLevelAccess *bool             `yaml:"uniformBucketLevelAccess" doc:"Access by IAM alone, without object ACLs; true at creation unless said otherwise. Google refuses to switch it off 90 days after it was switched on."`
	PublicAccessPrevention   *string           `yaml:"publicAccessPrevention" enum:"enforced,inherited" doc:"enforced keeps the public out whatever else is granted; enforced at creation unless said otherwise."`
	Versioning               *bool             `yaml:"versioning" doc:"Keep overwritten and deleted objects as noncurrent versions."`
	SoftDelete               *Retention        `yaml:"softDelete" doc:"How long deleted objects can be restored, and are paid for: off, or 7d to 90d."`
	Lifecycle                []Rule            `yaml:"lifecycle" doc:"Rules by which objects are deleted or change class; the order does not matter, [] means none."`
	ForceDestroy             bool              `yaml:"forceDestroy" doc:"Allow the bucket to be deleted with everything in it."`
	Estimate                 string            `yaml:"estimate" doc:"Bytes that are expected to be stored, for the price while no live size is known."`
	Labels                   map[string]string `yaml:"labels" doc:"Labels of the bucket; other labels on it are left alone."`

	Namespace string   `yaml:"-"`                   // the stack's own; a grant to a principal of another is not ours
	Accounts  []string `yaml:"-" json:",omitempty"` // e-mails of the Google service accounts that the stack wants; grants to those are ours too
	Grants    []Grant  `yaml:"-"`                   // to the workloads of Namespace or their Google service accounts, from their storage entries and roles

	// Project is the number of the project that has the bucket where that is not the stack's own; never wanted.
	Project string `yaml:"-" json:",omitempty"`

	seen   seen    // of a live one
	stored *stored // in a live one; only prices are made from it
}

// seen is what tells a live bucket from the same one a moment later; writes are refused by Google if it has moved on.
type seen struct {
	metageneration int64
	created        time.Time
	formerly       string // the namespace whose principals were ours when the bucket was last marked, if it is another by now
}

// Rule is one lifecycle rule: the action is taken for objects that meet every condition.
type Rule struct {
	Action        string   `yaml:"action" enum:"delete,setClass" doc:"What happens to the object."`
	Class         string   `yaml:"class" json:",omitempty" enum:"standard,nearline,coldline,archive" doc:"The class that setClass gives."`
	AgeDays       *int64   `yaml:"ageDays" json:",omitempty" doc:"Days since the object was made; 0 meets every object."`
	NewerVersions *int64   `yaml:"newerVersions" json:",omitempty" doc:"Versions of the object that are newer."`
	Prefixes      []string `yaml:"prefixes" json:",omitempty" doc:"Beginnings of object names, one of which must fit."`

	// Other is a condition that the stack file has no word for. Only a live rule has it, so it never equals a wanted one.
	Other string `yaml:"-" json:",omitempty"`
}

// Grant lets one service account use the bucket, or the objects under a prefix of it.
type Grant struct {
	gcp.Principal
	Role   string // in full, such as roles/storage.objectViewer
	Prefix string `json:",omitempty"` // "" is the whole bucket

	// Condition is one that recsysd would not write, and Gone the unique id of an account that was deleted. Only a live grant has
	// them, so it never equals a wanted one.
	Condition string `json:",omitempty"`
	Gone      string `json:",omitempty"`
}

// Ref is bucket/NAME.
func (s Spec) Ref() resource.Ref { return resource.Ref{Kind: Kind, Name: s.Name} }

// Needs is empty: a bucket stands on nothing. Its grants need a cluster to have been there once, but the bucket does not wait.
func (s Spec) Needs() []resource.Need { return nil }

// Lifetime is Stateful: the objects are nowhere else.
func (s Spec) Lifetime() resource.Lifetime { return resource.Stateful }

// Retention is how long something is kept. Zero is "off".
type Retention gcp.Duration

// String is "off", else as gcp.Duration has it.
func (r Retention) String() string {
	if r == 0 {
		return "off"
	}
	return gcp.Duration(r).String()
}

// MarshalText is String.
func (r Retention) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads "off" and what gcp.Duration reads.
func (r *Retention) UnmarshalText(b []byte) error {
	if string(b) == "off" {
		*r = 0
		return nil
	}
	return (*gcp.Duration)(r).UnmarshalText(b)
}

// String is the rule in words, such as "delete when age 90d and prefix tmp/".
func (r Rule) String() string {
	text := r.Action
	if r.Class != "" {
		text += " " + r.Class
	}
	var when []string
	if r.AgeDays != nil {
		when = append(when, fmt.Sprintf("age %dd", *r.AgeDays))
	}
	if r.NewerVersions != nil {
		when = append(when, fmt.Sprintf("%d newer versions", *r.NewerVersions))
	}
	if len(r.Prefixes) > 0 {
		when = append(when, "prefix "+strings.Join(sortedSet(r.Prefixes), " or "))
	}
	if r.Other != "" {
		when = append(when, r.Other)
	}
	if len(when) == 0 {
		return text
	}
	return text + " when " + strings.Join(when, " and ")
}

// String is the grant without the service account, such as "roles/storage.objectViewer on models/".
func (g Grant) String() string {
	switch {
	case g.Gone != "":
		return g.Role + " of a deleted account, uid " + g.Gone
	case g.Condition != "":
		return g.Role + " if " + g.Condition
	case g.Prefix != "":
		return g.Role + " on " + g.Prefix
	}
	return g.Role
}
