package gcp

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time as the stack file writes it: Go's form, such as 4h, or whole days, such as 30d. Google keeps such
// lengths in whole seconds, so nothing finer is read.
type Duration time.Duration

const day = 24 * time.Hour

// String is whole days such as 30d, else Go's form without zero units: 4h, 1h30m.
func (d Duration) String() string {
	t := time.Duration(d)
	if t != 0 && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what String writes, and days before the rest: 1d12h.
func (d *Duration) UnmarshalText(b []byte) error {
	text := string(b)
	var total time.Duration
	rest := text
	if days, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 16)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a duration such as 30d, 12h or 1d12h", text)
		}
		total, rest = time.Duration(n)*day, after
	}
	if rest != "" {
		t, err := time.ParseDuration(rest)
		if err != nil || t < 0 || t%time.Second != 0 {
			return fmt.Errorf("%q is not a duration such as 30d, 12h or 1d12h", text)
		}
		total += t
	} else if text == "" {
		return fmt.Errorf("%q is not a duration such as 30d, 12h or 1d12h", text)
	}
	*d = Duration(total)
	return nil
}
