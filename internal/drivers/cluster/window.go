package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Google's rules for a window: it must be open this long at a time, and this long in any 32 days.
const (
	minWindow   = gcp.Duration(4 * time.Hour)
	maxWindow   = gcp.Duration(24 * time.Hour)
	minAvail    = 48 * time.Hour
	availPeriod = 32 // days; every weekday comes at least 4 times in it
)

var (
	weekdays  = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	timeOfDay = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
)

// String is the window in words, the same for windows that mean the same: "02:00 UTC for 6h on sat, sun".
func (w Window) String() string {
	s := w.Start + " UTC for " + w.Duration.String()
	if w.Other != "" {
		return s + " at " + w.Other
	}
	days := w.days()
	if len(days) == len(weekdays) {
		return s + " every day"
	}
	return s + " on " + strings.Join(days, ", ")
}

// days are the window's days in the order of the week, each once; all of them if none is named. Names it does not know stay.
func (w Window) days() []string {
	if len(w.Days) == 0 {
		return weekdays
	}
	days := slices.Compact(slices.Sorted(slices.Values(w.Days)))
	slices.SortStableFunc(days, func(a, b string) int { return slices.Index(weekdays, a) - slices.Index(weekdays, b) })
	return days
}

// recurrence is the window's days as an RFC 5545 rule.
func (w Window) recurrence() string {
	days := w.days()
	if len(days) == len(weekdays) {
		return "FREQ=DAILY"
	}
	var by []string
	for _, d := range days {
		by = append(by, strings.ToUpper(d[:2]))
	}
	return "FREQ=WEEKLY;BYDAY=" + strings.Join(by, ",")
}

// daysOf reads an RFC 5545 rule. ok is false for a rule that Days cannot say.
func daysOf(rule string) (days []string, ok bool) {
	var freq, by string
	for part := range strings.SplitSeq(strings.TrimPrefix(strings.ToUpper(rule), "RRULE:"), ";") {
		key, value, _ := strings.Cut(part, "=")
		switch {
		case key == "FREQ":
			freq = value
		case key == "BYDAY":
			by = value
		case key == "INTERVAL" && value == "1", key == "WKST", part == "":
		default:
			return nil, false
		}
	}
	if freq == "DAILY" && by == "" {
		return nil, true
	}
	if freq != "WEEKLY" && freq != "DAILY" || by == "" {
		return nil, false // a weekly rule without days depends on the date of its start
	}
	for short := range strings.SplitSeq(by, ",") {
		i := slices.IndexFunc(weekdays, func(d string) bool { return strings.EqualFold(d[:2], short) })
		if i < 0 {
			return nil, false
		}
		days = append(days, weekdays[i])
	}
	return days, true
}

func (w Window) validate() []error {
	var errs []error
	if !timeOfDay.MatchString(w.Start) {
		errs = append(errs, fmt.Errorf("%s.start: %q is not a time of day such as 02:00", fieldMaintenance, w.Start))
	}
	for i, d := range w.Days {
		if !slices.Contains(weekdays, d) {
			errs = append(errs, fmt.Errorf("%s.days[%d]: %q is not one of %s", fieldMaintenance, i, d, strings.Join(weekdays, ", ")))
		}
	}
	if w.Duration < minWindow || w.Duration > maxWindow {
		return append(errs, fmt.Errorf("%s.duration: %s is out of range; %s to %s", fieldMaintenance, w.Duration, minWindow, maxWindow))
	}
	times := availPeriod
	if n := len(w.days()); n < len(weekdays) {
		times = n * (availPeriod / len(weekdays))
	}
	if open := time.Duration(times) * time.Duration(w.Duration); open < minAvail {
		errs = append(errs, fmt.Errorf("%s: open %s in 32 days; Google wants at least %s: more days or a longer duration",
			fieldMaintenance, hours(open), hours(minAvail)))
	}
	return errs
}

func hours(d time.Duration) string { return fmt.Sprintf("%g hours", d.Hours()) }
