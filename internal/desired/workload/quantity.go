package workload

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Bytes is an amount of memory or disk as Kubernetes writes it, such as 1Gi; empty if nothing was said.
type Bytes string

// CPU is an amount of processor time as Kubernetes writes it, such as 500m; empty if nothing was said.
type CPU string

// nearBytes fits amounts as people write them: with a B, a space, or the wrong case. In Kubernetes a small m is a thousandth.
var nearBytes = regexp.MustCompile(`^([0-9.]+) ?([kKmMgGtTpPeE])([iI]?[bB]?)$`)

var kubernetesUnit = regexp.MustCompile(`^[0-9.]+([KMGTPE]i|[kMGTPE])$`)

// ParseBytes reads an amount of bytes and returns its canonical form. A near miss gets a hint.
func ParseBytes(text string) (Bytes, error) {
	if m := nearBytes.FindStringSubmatch(text); m != nil && !kubernetesUnit.MatchString(text) {
		unit := strings.ToUpper(m[2])
		decimal := unit
		if unit == "K" {
			decimal = "k" // Kubernetes writes this one small
		}
		return "", fmt.Errorf("%q is not an amount of bytes; use %s%si or %s%s", text, m[1], unit, m[1], decimal)
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return "", fmt.Errorf("%q is not an amount of bytes such as 512Mi or 1Gi", text)
	}
	switch n := q.Value(); {
	case q.Sign() <= 0:
		return "", fmt.Errorf("%q must be more than nothing", text)
	case n < 1<<20:
		return "", fmt.Errorf("%q is less than 1Mi; a number without a unit is in bytes", text)
	case n > 1<<57:
		return "", fmt.Errorf("%q is beyond any machine", text)
	}
	return Bytes(q.String()), nil
}

// count is the number of bytes; 0 for what is no amount.
func (b Bytes) count() int64 {
	q, err := resource.ParseQuantity(string(b))
	if err != nil {
		return 0
	}
	return q.Value()
}

// UnmarshalText is ParseBytes.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBytes(string(text))
	return err
}

// Pattern is a regular expression that every accepted text fits, for editors.
func (Bytes) Pattern() string { return `^[0-9.]+(Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E|e[0-9]+)?$` }

// UnmarshalText reads cores (2, 0.5) or thousandths of one (500m).
func (c *CPU) UnmarshalText(text []byte) error {
	q, err := resource.ParseQuantity(string(text))
	if err != nil {
		return fmt.Errorf("%q is not an amount of CPU such as 500m or 2", text)
	}
	switch n := q.MilliValue(); {
	case q.Sign() <= 0:
		return fmt.Errorf("%q must be more than nothing", text)
	case n > 1_000_000:
		return fmt.Errorf("%q is %d whole cores; thousandths of one have an m, such as 500m", text, n/1000)
	case n > 256_000:
		return fmt.Errorf("%q is more cores than any node has; thousandths of one have an m, such as 500m", text)
	}
	*c = CPU(q.String())
	return nil
}

// Pattern is a regular expression that every accepted text fits, for editors.
func (CPU) Pattern() string { return `^[0-9.]+m?$` }
