package gcp

import (
	"fmt"
	"slices"
	"strings"
)

// Silent is the regions and zones of which Compute Engine got no answer for an aggregated listing. That does not fail the call: it is
// merely said in the answer, and what is there is not absent but unknown. The zero value is none.
type Silent struct{ scopes []string }

// unreachable is how a page says it of one scope.
const unreachable = "UNREACHABLE"

// Named takes in those that a page names.
func (s *Silent) Named(scopes []string) { s.scopes = append(s.scopes, scopes...) }

// Warned takes in a scope, if that is what the warning beside it is about.
func (s *Silent) Warned(scope, code string) {
	if code == unreachable {
		s.scopes = append(s.scopes, scope)
	}
}

// Or is err, or else the error that some did not answer, or nil.
func (s *Silent) Or(err error) error {
	if err != nil || len(s.scopes) == 0 {
		return err
	}
	slices.Sort(s.scopes)
	return fmt.Errorf("no answer from %s", strings.Join(slices.Compact(s.scopes), ", "))
}
