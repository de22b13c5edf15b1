package view

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/reconcile"
)

// HeadOf shows how a stack stands by its last pass, without its resources and what they tell; a nil pass is a stack before its first.
// lastConverged may be zero.
func HeadOf(name string, p *reconcile.Pass, lastConverged time.Time) StackStatus {
	v := StackStatus{
		Name: name, Outputs: map[string]string{}, Resources: []ResourceStatus{}, Blind: map[string]string{}, Notices: []string{},
	}
	if p == nil {
		return v
	}
	v.Attempted, v.Applied, v.LastPass = p.Attempted, p.Applied, &p.End
	outcome := p.Outcome()
	v.Converged, v.Outcome, v.Suspended = outcome == reconcile.Converged, string(outcome), p.Suspended
	v.Left, v.Budget = p.Left(), budgetOf(*p)
	if !lastConverged.IsZero() {
		v.LastConverged = &lastConverged
	}
	if err := errors.Join(p.SourceErr, p.StackErr, p.Err); err != nil {
		v.Error = err.Error()
	}
	for _, o := range p.Broken() {
		v.Error = strings.TrimPrefix(fmt.Sprintf("%s\n%s is broken: %s", v.Error, o.Ref, o.Detail), "\n")
	}
	return v
}
