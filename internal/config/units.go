package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that also reads whole days, such as 7d.
type Duration time.Duration

// UnmarshalText reads Go's form (90s, 1h30m) or a number of days.
func (d *Duration) UnmarshalText(b []byte) error {
	s := string(b)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err == nil && n >= 0 && n <= int64(math.MaxInt64/(24*time.Hour)) {
			*d = Duration(time.Duration(n) * 24 * time.Hour)
			return nil
		}
		return fmt.Errorf("%q is not a duration; such as 90s, 5m, 7d", s)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a duration; such as 90s, 5m, 7d", s)
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes.
type Size int64

var sizeUnits = []struct {
	suffix string
	factor int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}, {"", 1},
}

// UnmarshalText reads 256MiB, 256Mi, or a plain number of bytes.
func (n *Size) UnmarshalText(b []byte) error {
	s := string(b)
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || v < 0 || v > math.MaxInt64/u.factor {
			break
		}
		*n = Size(v * u.factor)
		return nil
	}
	return fmt.Errorf("%q is not a size; such as 64MiB, 1GiB", s)
}
