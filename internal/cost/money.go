package cost

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// Rate is a price of one unit, in 1e-12 dollars: every price that Google lists is a whole number of them.
type Rate int64

const rateDigits = 12

// RateOf is so many dollars and billionths of a dollar, times a number of units: how Google's catalog writes a price. Not ok: it is
// beyond any price.
func RateOf(dollars, nanos, times int64) (r Rate, ok bool) {
	n := new(big.Int).Mul(big.NewInt(dollars), big.NewInt(1_000_000_000))
	n.Add(n, big.NewInt(nanos))
	n.Mul(n, big.NewInt(times)).Mul(n, big.NewInt(1000))
	return Rate(n.Int64()), n.IsInt64()
}

// String is the rate as a plain decimal of dollars, without zeros at its end.
func (r Rate) String() string {
	sign, n := "", uint64(r)
	if r < 0 {
		sign, n = "-", -n
	}
	return sign + trimmed(n, rateDigits)
}

// MarshalJSON writes the decimal as a number.
func (r Rate) MarshalJSON() ([]byte, error) { return []byte(r.String()), nil }

// Money is an exact sum of dollars, in 1e-18 of them: 128 bits, of which all dollars of this world take 90. A product of a rate, a quantity and hours is
// rounded once, at the eighteenth digit; sums are exact. The zero value is nothing. Beyond 1.7e20 dollars it stays there.
type Money struct {
	hi int64
	lo uint64
}

const (
	moneyDigits = 18
	perRate     = 1_000_000 // Money units in one of Rate
)

var most = Money{math.MaxInt64, math.MaxUint64}

// Plus is the sum.
func (m Money) Plus(o Money) Money {
	lo, carry := bits.Add64(m.lo, o.lo, 0)
	hi, _ := bits.Add64(uint64(m.hi), uint64(o.hi), carry)
	sum := Money{int64(hi), lo}
	if m.Sign() == o.Sign() && sum.Sign() != m.Sign() && m.Sign() != 0 {
		if m.Sign() > 0 {
			return most
		}
		return most.Negative()
	}
	return sum
}

// Minus is the difference.
func (m Money) Minus(o Money) Money { return m.Plus(o.Negative()) }

// Negative is 0 - m.
func (m Money) Negative() Money {
	lo, borrow := bits.Sub64(0, m.lo, 0)
	hi, _ := bits.Sub64(0, uint64(m.hi), borrow)
	return Money{int64(hi), lo}
}

// Sign is -1, 0 or 1.
func (m Money) Sign() int {
	switch {
	case m.hi < 0:
		return -1
	case m.hi == 0 && m.lo == 0:
		return 0
	}
	return 1
}

// Compare is -1, 0 or 1.
func (m Money) Compare(o Money) int { return m.Minus(o).Sign() }

// Part is m × num/den, rounded once: an hour of a month is Part(1, 730). num is not below zero, den above it.
func (m Money) Part(num, den int64) Money {
	size, negative := m.size()
	if part, over, ok := size.scaled(uint64(num), uint64(den)); ok {
		return part.up(over, uint64(den)).signed(negative)
	}
	n := new(big.Int).Mul(m.big(), big.NewInt(num))
	return fromBig(quotient(n, big.NewInt(den)))
}

// times is r × hours × q, rounded once. Almost always it fits into 128 bits.
func (r Rate) times(q resource.Amount, hours int64) Money {
	num, den := q.Fraction()
	size := uint64(r)
	if r < 0 {
		size = -size
	}
	hi, lo := bits.Mul64(size, uint64(hours)*perRate)
	if hi>>62 == 0 {
		if m, over, ok := (Money{int64(hi), lo}).scaled(uint64(num), uint64(den)); ok {
			return m.up(over, uint64(den)).signed(r < 0)
		}
	}
	n := new(big.Int).Mul(big.NewInt(int64(r)), big.NewInt(hours*perRate))
	return fromBig(quotient(n.Mul(n, big.NewInt(num)), big.NewInt(den)))
}

// share is m × part/whole, cut off: shares of growing parts add up to m when the last part is the whole. m is not below zero.
func (m Money) share(part, whole resource.Amount) Money {
	pn, pd := part.Fraction()
	wn, wd := whole.Fraction()
	if num, den, ok := ratio(pn, pd, wn, wd); ok {
		if s, _, ok := m.scaled(num, den); ok {
			return s
		}
	}
	n := new(big.Int).Mul(m.big(), big.NewInt(pn))
	n.Mul(n, big.NewInt(wd))
	return fromBig(n.Quo(n, new(big.Int).Mul(big.NewInt(pd), big.NewInt(wn))))
}

// ratio is (pn/pd) / (wn/wd) in lowest terms, if those fit.
func ratio(pn, pd, wn, wd int64) (num, den uint64, ok bool) {
	p, w := resource.Ratio(pn, wn), resource.Ratio(wd, pd)
	a, b := p.Fraction()
	c, d := w.Fraction()
	x, y := resource.Ratio(a, d), resource.Ratio(c, b)
	a, d = x.Fraction()
	c, b = y.Fraction()
	high, num := bits.Mul64(uint64(a), uint64(c))
	wide, den := bits.Mul64(uint64(b), uint64(d))
	return num, den, high == 0 && wide == 0
}

// scaled is m × num/den cut off, and what is over of it; not ok if m × num does not fit. m is not below zero.
func (m Money) scaled(num, den uint64) (part Money, over uint64, ok bool) {
	beyond, hi := bits.Mul64(uint64(m.hi), num)
	carry, lo := bits.Mul64(m.lo, num)
	hi, c := bits.Add64(hi, carry, 0)
	if beyond != 0 || c != 0 || hi>>62 != 0 {
		return Money{}, 0, false
	}
	qhi, rest := hi/den, hi%den
	qlo, rest := bits.Div64(rest, lo, den)
	return Money{int64(qhi), qlo}, rest, true
}

// up is m, one more if what was cut off is at least a half.
func (m Money) up(over, den uint64) Money {
	if over >= den-over {
		return m.Plus(Money{0, 1})
	}
	return m
}

func (m Money) size() (size Money, negative bool) {
	if m.Sign() < 0 {
		return m.Negative(), true
	}
	return m, false
}

func (m Money) signed(negative bool) Money {
	if negative {
		return m.Negative()
	}
	return m
}

func (m Money) big() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(m.hi), 64)
	return n.Add(n, new(big.Int).SetUint64(m.lo))
}

// quotient rounds half away from zero. den is above zero.
func quotient(n, den *big.Int) *big.Int {
	half := new(big.Int).Rsh(den, 1)
	if n.Sign() < 0 {
		half.Neg(half)
	}
	return new(big.Int).Quo(new(big.Int).Add(n, half), den)
}

func fromBig(n *big.Int) Money {
	if n.BitLen() > 127 {
		if n.Sign() < 0 {
			return most.Negative()
		}
		return most
	}
	size := new(big.Int).Abs(n)
	lo := new(big.Int).And(size, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	m := Money{int64(new(big.Int).Rsh(size, 64).Uint64()), lo}
	if n.Sign() < 0 {
		return m.Negative()
	}
	return m
}

// Text is the sum as a decimal of dollars with so many digits behind the point, rounded half up, away from zero: Text(2) is what people read.
// What is less than nothing and rounds to nothing has no sign.
func (m Money) Text(digits int) string {
	size, _ := m.size()
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(moneyDigits-digits)), nil)
	n := quotient(size.big(), unit)
	text := n.String()
	if digits > 0 {
		text = strings.Repeat("0", max(digits+1-len(text), 0)) + text
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	if m.Sign() < 0 && n.Sign() != 0 {
		return "-" + text
	}
	return text
}

// String is Text(2): dollars and cents.
func (m Money) String() string { return m.Text(2) }

// programDigits are behind the point in JSON: enough that sums of components equal totals far below a cent.
const programDigits = 6

// MarshalJSON writes a number of dollars with at most six digits behind the point.
func (m Money) MarshalJSON() ([]byte, error) {
	return []byte(strings.TrimSuffix(strings.TrimRight(m.Text(programDigits), "0"), ".")), nil
}

// Float is the nearest floating-point number, for gauges. Nothing is reckoned with it.
func (m Money) Float() float64 {
	f, err := strconv.ParseFloat(m.Text(moneyDigits), 64)
	if err != nil { // Text writes nothing else
		return math.NaN()
	}
	return f
}

// trimmed is n/10^digits as a decimal.
func trimmed(n uint64, digits int) string {
	text := strconv.FormatUint(n, 10)
	text = strings.Repeat("0", max(digits+1-len(text), 0)) + text
	whole, part := text[:len(text)-digits], strings.TrimRight(text[len(text)-digits:], "0")
	if part == "" {
		return whole
	}
	return whole + "." + part
}

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Money) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) > 64 {
		return fmt.Errorf("%.64q is no sum of dollars", b)
	}
	sum, err := ParseMoney(string(b))
	if err != nil {
		return err
	}
	*m = sum
	return nil
}
