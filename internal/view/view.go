// Package view shows passes to people and to their programs: plan, status, history and drift, each as a struct whose JSON keys
// are a contract (they stay, more may come) and as text for a terminal. It computes nothing that a pass does not say, reads no
// clock and masks nothing: secrets are masked before they come into a pass.
package view

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"recsysd.dev/recsysd/internal/resource"
)

// JSON writes v as programs get it: indented, one document, a newline at the end.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Change is one field that differs.
type Change struct {
	Field   string    `json:"field"`
	Want    string    `json:"want"`
	Have    string    `json:"have"`
	Manager string    `json:"manager"`        // who set have, where that is known
	At      time.Time `json:"at,omitzero"`    // when, where that is known
	Note    string    `json:"note,omitempty"` // what the change costs, or how to make it
}

// changes is never nil, so that JSON has an empty list.
func changes(cs []resource.Change) []Change {
	out := make([]Change, 0, len(cs))
	for _, c := range cs {
		out = append(out, Change{c.Field, c.Want, c.Have, c.Manager, c.At, c.Note})
	}
	return out
}

// Paint colours text for a terminal. The zero value does not.
type Paint struct{ On bool }

// The few colours that are used, by what they say.
const (
	good   = "32"
	change = "33"
	bad    = "31"
	faint  = "2"
	strong = "1"
)

func (p Paint) as(colour, s string) string {
	if !p.On || s == "" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// How much is shown in text; JSON has all of it. A value is recognised by its beginning, but the end of a reason is what to do about
// it, or the cause of the failure.
const (
	maxValue = 120
	maxLine  = 2000
)

// plain makes any text safe for one line of a terminal: what is live may have been written by anybody.
func plain(s string) string { return shown(s, maxLine) }

func shown(s string, limit int) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		s = strconv.Quote(s)
	}
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return s
}

// value shows an empty text as such.
func value(s string) string {
	if s == "" {
		return "(none)"
	}
	return shown(s, maxValue)
}

// Short is how a commit is named to people: its first 12 digits.
func Short(commit string) string {
	if len(commit) > 12 {
		return commit[:12]
	}
	return commit
}

// ago tells a time span roughly, as people do.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// fields lists, per field, what is wanted and what is there. since is when a pass first saw that, for where nobody knows when it was
// set; zero: not of interest.
func fields(w io.Writer, p Paint, cs []Change, recreate map[string]bool, since time.Time) error {
	var t table
	for _, c := range cs {
		var notes []string
		if c.Manager != "" {
			notes = append(notes, byOrSeen(c, since))
		}
		if recreate[c.Field] {
			notes = append(notes, "cannot change in place")
		} else if c.Note != "" {
			notes = append(notes, plain(c.Note))
		}
		t.row("", plain(c.Field), "want "+value(c.Want), "have "+value(c.Have), strings.Join(notes, ", "))
	}
	return t.write(w, p, "        ")
}

// by says who set what is there, and when.
func by(c Change) string {
	if c.At.IsZero() {
		return "set by " + plain(c.Manager)
	}
	return "set by " + plain(c.Manager) + " at " + c.At.Local().Format(time.DateTime)
}

// byOrSeen is by, with when the drift was first seen where the server keeps no time, as of a kubectl scale.
func byOrSeen(c Change, since time.Time) string {
	if !c.At.IsZero() || since.IsZero() {
		return by(c)
	}
	return by(c) + ", first seen at " + since.Local().Format(time.DateTime)
}

// A table lines columns up. Colours would upset the widths, so a whole line is painted or none.
type table struct {
	rows  [][]string
	paint []string
}

func (t *table) row(colour string, cells ...string) {
	t.rows = append(t.rows, cells)
	t.paint = append(t.paint, colour)
}

func (t *table) write(w io.Writer, p Paint, indent string) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, cells := range t.rows {
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for i, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		if i >= len(t.rows) {
			break
		}
		line = strings.TrimRight(line, " ")
		if t.paint[i] != "" {
			line = p.as(t.paint[i], line)
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(indent+line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// blindness is the kinds that could not be observed for one reason.
type blindness struct{ kinds, reason string }

// byReason gathers kinds under what keeps them from being seen: a cluster that does not answer is one trouble, not one per kind.
func byReason(blind map[string]string) []blindness {
	kinds := map[string][]string{}
	for _, kind := range slices.Sorted(maps.Keys(blind)) {
		kinds[blind[kind]] = append(kinds[blind[kind]], kind)
	}
	var all []blindness
	for reason, of := range kinds {
		all = append(all, blindness{strings.Join(of, ", "), reason})
	}
	slices.SortFunc(all, func(a, b blindness) int { return strings.Compare(a.kinds, b.kinds) })
	return all
}
