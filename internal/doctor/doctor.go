// Package doctor says whether a stack has what it needs before anything depends on it: its repository, rights, services, a way into its
// cluster. It looks and never writes, and what mends a failing check it only prints. What is wrong with the resources themselves is the
// planner's business.
package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Outcome is how a check ended.
type Outcome string

const (
	OK   Outcome = "ok"
	Fail Outcome = "fail"
	Skip Outcome = "skip" // it could not be looked at, because of something else, or nobody needs it
)

// Finding is what a check found.
type Finding struct {
	Check   string  `json:"check"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail"`
	Mend    string  `json:"mend,omitempty"` // a command, or what a person has to do
}

// Check is one thing to look at. Look ends with its context; the name of the finding is the check's.
type Check struct {
	Name string
	Look func(ctx context.Context) Finding
}

// Well is a finding without fault.
func Well(format string, args ...any) Finding {
	return Finding{Outcome: OK, Detail: fmt.Sprintf(format, args...)}
}

// Wrong is a fault and what mends it.
func Wrong(mend, format string, args ...any) Finding {
	return Finding{Outcome: Fail, Detail: fmt.Sprintf(format, args...), Mend: mend}
}

// Skipped is what was not looked at, and why.
func Skipped(format string, args ...any) Finding {
	return Finding{Outcome: Skip, Detail: fmt.Sprintf(format, args...)}
}

// Run makes all the checks side by side, each within limit, and gives their findings in the order of the checks. The trouble of one
// takes nothing from the others.
func Run(ctx context.Context, limit time.Duration, checks []Check) []Finding {
	findings := make([]Finding, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() {
			ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
			defer cancel()
			findings[i] = c.Look(ctx)
			findings[i].Check = c.Name
			if cause := context.Cause(ctx); cause != nil && findings[i].Outcome == Fail {
				findings[i].Detail = cause.Error() + ": " + findings[i].Detail
			}
		})
	}
	all.Wait()
	return findings
}

// Healthy reports whether no check failed.
func Healthy(findings []Finding) bool {
	for _, f := range findings {
		if f.Outcome == Fail {
			return false
		}
	}
	return true
}

// Text writes findings for people: a line each, and below one that failed what mends it.
func Text(w io.Writer, findings []Finding) error {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Check))
	}
	var b strings.Builder
	for _, f := range findings {
		lines := strings.Split(f.Detail, "\n")
		fmt.Fprintf(&b, "%-4s  %-*s  %s\n", f.Outcome, width, f.Check, lines[0])
		for _, more := range lines[1:] {
			fmt.Fprintf(&b, "%*s%s\n", width+8, "", more)
		}
		if f.Mend != "" {
			for line := range strings.Lines(f.Mend) {
				fmt.Fprintf(&b, "%*s> %s\n", width+8, "", strings.TrimRight(line, "\n"))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
