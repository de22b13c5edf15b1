package cost

import (
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

// Part is m × num/den, rounded once: an hour of a month is Part(1, 730). den is above zero.
func (m Money) Part(num, den int64) Money {
	n := new(big.Int).Mul(m.big(), big.NewInt(num))
	return fromBig(quotient(n, big.NewInt(den)))
}

// times is r × hours × q. Almost always it fits into 128 bits.
func (r Rate) times(q resource.Amount, hours int64) Money {
	num, den := q.Fraction()
	size := uint64(r)
	if r < 0 {
		size = -size
	}
	hi, lo := bits.Mul64(size, uint64(hours)*perRate)
	hi, lo, ok := times64(hi, lo, uint64(num))
	if !ok || hi>>62 != 0 {
		n := new(big.Int).Mul(big.NewInt(int64(r)), big.NewInt(hours*perRate))
		return fromBig(quotient(n.Mul(n, big.NewInt(num)), big.NewInt(den)))
	}
	d := uint64(den)
	qhi, rest := hi/d, hi%d
	qlo, rest := bits.Div64(rest, lo, d)
	m := Money{int64(qhi), qlo}
	if rest >= d-rest {
		m = m.Plus(Money{0, 1})
	}
	if r < 0 {
		return m.Negative()
	}
	return m
}

// times64 is a 128-bit number times a 64-bit one, if that fits.
func times64(hi, lo, by uint64) (uint64, uint64, bool) {
	over, high := bits.Mul64(hi, by)
	carry, low := bits.Mul64(lo, by)
	high, c := bits.Add64(high, carry, 0)
	return high, low, over == 0 && c == 0
}

// share is m × part/whole, cut off: shares of growing parts add up to m when the last part is the whole.
func (m Money) share(part, whole resource.Amount) Money {
	pn, pd := part.Fraction()
	wn, wd := whole.Fraction()
	n := new(big.Int).Mul(m.big(), big.NewInt(pn))
	n.Mul(n, big.NewInt(wd))
	d := new(big.Int).Mul(big.NewInt(pd), big.NewInt(wn))
	return fromBig(n.Quo(n, d))
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
	size := m
	if m.Sign() < 0 {
		size = m.Negative()
	}
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
