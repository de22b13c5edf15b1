package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are a schedule as the stack file has it.
type Settings struct {
	Timezone string   `yaml:"timezone" doc:"IANA name of the time zone of the windows and dates, such as Europe/Berlin."`
	Awake    Windows  `yaml:"awake" doc:"When it is awake: a text or a list of texts such as Mon-Fri 08:00-20:00, or always."`
	Except   []string `yaml:"except" doc:"Days on which it does not wake: dates such as 2026-12-25, or 2026-12-24..2027-01-01 with the last among them."`
}

// Always is the whole of awake for what never sleeps.
const Always = "always"

// Windows are the texts of awake. Written as a single text it is a list of one.
type Windows []string

// UnmarshalText reads a single text.
func (w *Windows) UnmarshalText(text []byte) error {
	*w = Windows{string(text)}
	return nil
}

// Over are the settings with what they leave out taken from others. What is always awake takes no exceptions from them.
func (s Settings) Over(others Settings) Settings {
	s.Timezone = cmp.Or(s.Timezone, others.Timezone)
	if s.Awake == nil {
		s.Awake = others.Awake
	}
	if s.Except == nil && !slices.Equal(s.Awake, Windows{Always}) {
		s.Except = others.Except
	}
	return s
}

// Schedule reads the settings. The error joins every mistake; each begins with the key that it is about.
func (s Settings) Schedule() (Schedule, error) {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	made := Schedule{except: readDays(s.Except, bad)}
	always := slices.Equal(s.Awake, Windows{Always})
	switch {
	case len(s.Awake) == 0:
		bad("awake", `missing; such as "Mon-Fri 08:00-20:00", or always`)
	case !always:
		made.weekly = readWindows(s.Awake, bad)
	case len(s.Except) > 0:
		bad("except", "has no meaning for what is always awake")
	}
	zone, err := readZone(s.Timezone)
	if err != nil && !(always && s.Timezone == "") {
		bad("timezone", "%v", err)
	}
	made.zone = zone
	if len(errs) > 0 {
		return Schedule{}, errors.Join(errs...)
	}
	return made, nil
}

// readZone knows IANA's names alone: what a machine calls its own zone depends on the machine.
func readZone(name string) (*time.Location, error) {
	if name == "" {
		return nil, errors.New("missing; an IANA name such as Europe/Berlin, or UTC")
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("%q is not a time zone; an IANA name such as Europe/Berlin, or UTC", name)
	}
	return zone, nil
}

// readWindows reads the windows of the week and refuses those that overlap: one of the two is a slip.
func readWindows(texts Windows, bad func(key, format string, args ...any)) []window {
	var all []window
	from := map[window]string{}
	for i, text := range texts {
		key := "awake"
		if len(texts) > 1 {
			key = fmt.Sprintf("awake[%d]", i)
		}
		ws, err := readWindow(text)
		if err != nil {
			bad(key, "%v", err)
			continue
		}
		for _, w := range ws {
			if at := slices.IndexFunc(all, w.overlaps); at >= 0 {
				if other := from[all[at]]; other != text {
					bad(key, "%q overlaps with %q on %s", text, other, names[w.day])
				} else {
					bad(key, "%q overlaps with itself, or stands here twice, on %s", text, names[w.day])
				}
				break
			}
			all, from[w] = append(all, w), text
		}
	}
	slices.SortFunc(all, func(a, b window) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.begin, b.begin)) })
	return all
}

// overlaps reports whether two windows of the week have a minute in common; the week has no end.
func (w window) overlaps(o window) bool {
	const week = 7 * minutesOfDay
	a, b := int(w.day)*minutesOfDay+w.begin, int(o.day)*minutesOfDay+o.begin
	return (b-a+week)%week < w.end-w.begin || (a-b+week)%week < o.end-o.begin
}

var names = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// readWindow reads DAYS HH:MM-HH:MM; without days it is every day.
func readWindow(text string) ([]window, error) {
	words := strings.Fields(text)
	days := []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	switch len(words) {
	case 0:
		return nil, errors.New(`is empty; such as "Mon-Fri 08:00-20:00"`)
	case 1:
		if words[0] == Always {
			return nil, errors.New("always leaves no room for windows beside it")
		}
	case 2:
		var err error
		if days, err = readWeekdays(words[0]); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%q is more than days and a time such as %q; further windows are further texts of a list", text, "Mon,Wed-Fri 08:00-20:00")
	}
	begin, end, err := readTimes(words[len(words)-1])
	if err != nil {
		return nil, err
	}
	var ws []window
	for _, d := range days {
		ws = append(ws, window{d, begin, end})
	}
	return ws, nil
}

// readWeekdays reads days and ranges of days, with commas between them. A range may go over the end of the week.
func readWeekdays(text string) ([]time.Weekday, error) {
	var days []time.Weekday
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err := readWeekday(from)
		if err != nil {
			return nil, err
		}
		last, err := readWeekday(to)
		if err != nil {
			return nil, err
		}
		for d := first; ; d = (d + 1) % 7 {
			if slices.Contains(days, d) {
				return nil, fmt.Errorf("%q names %s twice", text, names[d])
			}
			days = append(days, d)
			if d == last {
				break
			}
		}
	}
	return days, nil
}

func readWeekday(text string) (time.Weekday, error) {
	for d, name := range names {
		if text == name {
			return time.Weekday(d), nil
		}
	}
	hint := "Mon, Tue, Wed, Thu, Fri, Sat or Sun"
	for _, name := range names {
		if len(text) >= 2 && strings.EqualFold(text[:2], name[:2]) {
			hint = fmt.Sprintf("did you mean %s?", name)
		}
	}
	return 0, fmt.Errorf("%q is not a day; %s", text, hint)
}

// readTimes reads HH:MM-HH:MM. An end before the beginning is on the next day; 24:00 is the end of the day.
func readTimes(text string) (begin, end int, err error) {
	from, to, ok := strings.Cut(text, "-")
	if !ok {
		return 0, 0, fmt.Errorf("%q is not a time such as 08:00-20:00", text)
	}
	if begin, err = readTime(from); err != nil {
		return 0, 0, err
	}
	if end, err = readTime(to); err != nil {
		return 0, 0, err
	}
	switch {
	case begin == minutesOfDay:
		return 0, 0, fmt.Errorf("%q begins at the end of a day; that is 00:00 of the next", text)
	case begin == end, begin == 0 && end == 0:
		return 0, 0, fmt.Errorf("%q is empty; a whole day is 00:00-24:00", text)
	case end < begin:
		end += minutesOfDay
	}
	return begin, end, nil
}

func readTime(text string) (minute int, err error) {
	h, m, ok := strings.Cut(text, ":")
	hours, errH := strconv.ParseUint(h, 10, 8)
	minutes, errM := strconv.ParseUint(m, 10, 8)
	minute = int(hours*60 + minutes)
	if !ok || errH != nil || errM != nil || len(h) != 2 || len(m) != 2 || minutes > 59 || minute > minutesOfDay {
		return 0, fmt.Errorf("%q is not a time such as 08:00; hours are 00 to 24, minutes 00 to 59", text)
	}
	return minute, nil
}

// maxSpan bounds what one exception may keep asleep: a year is taken for a slip of the pen.
const maxSpan = 366

func readDays(texts []string, bad func(key, format string, args ...any)) []span {
	var all []span
	for i, text := range texts {
		key := fmt.Sprintf("except[%d]", i)
		from, to, isRange := strings.Cut(text, "..")
		if !isRange {
			to = from
		}
		first, err := time.Parse(time.DateOnly, strings.TrimSpace(from))
		last, errLast := time.Parse(time.DateOnly, strings.TrimSpace(to))
		s := span{dateOf(first), dateOf(last)}
		switch {
		case err != nil, errLast != nil:
			bad(key, "%q is not a date such as 2026-12-25, nor a range such as 2026-12-24..2027-01-01", text)
		case first.Year() < 2000 || last.Year() > 2100:
			bad(key, "%q is not of this century", text)
		case s.last < s.first:
			bad(key, "%q ends before it begins", text)
		case s.last-s.first >= maxSpan:
			bad(key, "%q is more than a year; to let it sleep that long, remove it or give it no replicas", text)
		case slices.ContainsFunc(all, func(o span) bool { return o.first <= s.last && s.first <= o.last }):
			bad(key, "%q names a day that stands here already", text)
		default:
			all = append(all, s)
		}
	}
	return all
}
