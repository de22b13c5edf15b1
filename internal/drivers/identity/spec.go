// Package identity is the kind "identity": a Google service account that workloads act as, and which of them may. What such an account
// may do is not its business: that stands with the buckets and registries that it is done to.
package identity

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Kind is the Ref.Kind of every identity.
const Kind = "identity"

// Spec is a service account, wanted or live. It comes from the workloads that name it and has no section of its own.
type Spec struct {
	Name        string // the part of its address before the @; unique in the project
	DisplayName string // what people read
	Stack       string // the mark of its owner; "": nobody's. One that is wanted without it is only looked at, and its marks and name are not ours
	Namespace   string // the mark of the stack's namespace: whose workloads the stack has let in
	Protect     bool   // the mark of one that may not go, though it holds nothing
	Users       []gcp.Principal
	Disabled    bool `json:",omitempty"` // never wanted

	seen *seen // of a live one
}

// seen is what tells a live account from the same one a moment later, and from another of its name.
type seen struct {
	uid, displayName, description string
	disabled                      bool
}

// Ref is identity/NAME.
func (s Spec) Ref() resource.Ref { return resource.Ref{Kind: Kind, Name: s.Name} }

// Needs is empty: an account stands on nothing. That a workload may act as it needs a cluster to have been there once, but the account
// does not wait for that.
func (s Spec) Needs() []resource.Need { return nil }

// Lifetime is Disposable: what it was given by the stack is given again from Git, and Google keeps a deleted account for 30 days.
func (s Spec) Lifetime() resource.Lifetime {
	if s.Protect {
		return resource.Stateful
	}
	return resource.Disposable
}

// Usage is nothing: accounts are free.
func (s Spec) Usage() []resource.Usage { return nil }

// Names of the fields in a Change. That of one who may act as the account is fieldUsers and NAMESPACE/NAME.
const (
	fieldDisabled    = "disabled"
	fieldDisplayName = "displayName"
	fieldStack       = "stack"
	fieldNamespace   = "namespace"
	fieldProtect     = "protect"
	fieldUsers       = "users."
)

// What the Change of a user says.
const (
	userIs    = "may act as it"
	userIsNot = "may not act as it"
)

// Diff reports how live differs from s, sorted by field. Users are a set.
func (s Spec) Diff(live Spec) []resource.Change {
	var d []resource.Change
	add := func(field, want, have string) {
		if want != have {
			d = append(d, resource.Change{Field: field, Want: want, Have: have})
		}
	}
	add(fieldDisabled, "false", strconv.FormatBool(live.Disabled))
	if s.Stack != "" {
		add(fieldDisplayName, strconv.Quote(s.DisplayName), strconv.Quote(live.DisplayName))
		add(fieldStack, s.Stack, live.Stack)
		add(fieldNamespace, s.Namespace, live.Namespace)
		add(fieldProtect, strconv.FormatBool(s.Protect), strconv.FormatBool(live.Protect))
	}
	for _, u := range s.Users {
		if !slices.Contains(live.Users, u) {
			add(fieldUsers+u.String(), userIs, userIsNot)
		}
	}
	for _, u := range live.Users {
		if !slices.Contains(s.Users, u) {
			add(fieldUsers+u.String(), userIsNot, userIs)
		}
	}
	slices.SortFunc(d, func(a, b resource.Change) int { return strings.Compare(a.Field, b.Field) })
	return slices.Compact(d)
}

var accountID = regexp.MustCompile(`^[a-z][-a-z0-9]{4,28}[a-z0-9]$`)

// MaxDisplayName is in bytes.
const MaxDisplayName = 100

// Validate reports what Google would refuse in s, joined.
func (s Spec) Validate() error {
	var errs []error
	if !accountID.MatchString(s.Name) {
		errs = append(errs, fmt.Errorf("name: %q: 6 to 30 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'", s.Name))
	}
	if len(s.DisplayName) > MaxDisplayName {
		errs = append(errs, fmt.Errorf("displayName: %d bytes; at most %d", len(s.DisplayName), MaxDisplayName))
	}
	return errors.Join(errs...)
}
