package cost

import (
	"fmt"
	"math/big"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// Exact is the sum as a decimal of dollars, with all its digits and no zeros at its end. ParseMoney reads it.
func (m Money) Exact() string {
	text := strings.TrimRight(m.Text(moneyDigits), "0")
	return strings.TrimSuffix(text, ".")
}

// ParseMoney reads a plain decimal number of dollars, exactly. What has more than eighteen digits behind the point is refused, and so is
// what is beyond all dollars of this world.
func ParseMoney(s string) (Money, error) {
	m := decimal.FindStringSubmatch(s)
	if m == nil {
		return Money{}, fmt.Errorf("%q is no plain decimal number of dollars", s)
	}
	part := strings.TrimRight(m[3], "0")
	if len(part) > moneyDigits {
		return Money{}, fmt.Errorf("%q has more than %d digits behind the point", s, moneyDigits)
	}
	n, ok := new(big.Int).SetString(m[1]+m[2]+part+strings.Repeat("0", moneyDigits-len(part)), 10)
	if !ok || n.BitLen() > 127 {
		return Money{}, fmt.Errorf("%q is beyond any sum of dollars", s)
	}
	return fromBig(n), nil
}

// Dollars is so many of them.
func Dollars(n resource.Amount) Money { return Rate(1e12).times(n, 1) }
