package nodepool

import (
	"fmt"
	"regexp"
	"strconv"
)

// GiB is an amount of storage in whole gibibytes, written 50Gi or 1Ti.
type GiB int

var gibs = regexp.MustCompile(`^([1-9][0-9]{0,5})(Gi|Ti)$`)

// UnmarshalText reads 50Gi.
func (g *GiB) UnmarshalText(b []byte) error {
	m := gibs.FindStringSubmatch(string(b))
	if m == nil {
		return fmt.Errorf("%q is not a size such as 50Gi", b)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return err
	}
	if m[2] == "Ti" {
		n *= 1024
	}
	*g = GiB(n)
	return nil
}

// MarshalText writes 50Gi.
func (g GiB) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

func (g GiB) String() string { return strconv.Itoa(int(g)) + "Gi" }

// Pattern is the form, for the schema.
func (GiB) Pattern() string { return gibs.String() }
