package resource

import (
	"math"
	"math/bits"
	"strconv"
)

// Amount is an exact quantity that is not below zero: a fraction in lowest terms, so that equal amounts are ==. The zero value is 0.
// Beyond 64 bits, which no quantity of a real stack comes near, it is rounded to a fraction that fits, at most the largest whole number.
type Amount struct{ num, less int64 } // num / (less+1)

// Count is a whole number; 0 for what is below zero.
func Count(n int64) Amount { return Ratio(n, 1) }

// Milli is n thousandths: of a CPU, most of all.
func Milli(n int64) Amount { return Ratio(n, 1000) }

// GiB is so many bytes in GiB of 2^30, the unit of every price of memory and storage.
func GiB(bytes int64) Amount { return Ratio(bytes, 1<<30) }

// Ratio is num/den; 0 where either is not above zero.
func Ratio(num, den int64) Amount {
	if num <= 0 || den <= 0 {
		return Amount{}
	}
	d := gcd(uint64(num), uint64(den))
	return Amount{num / int64(d), den/int64(d) - 1}
}

// Fraction is the amount as num/den in lowest terms.
func (a Amount) Fraction() (num, den int64) { return a.num, a.less + 1 }

// Zero reports whether there is nothing.
func (a Amount) Zero() bool { return a.num == 0 }

// Times is the product.
func (a Amount) Times(o Amount) Amount {
	an, ad := a.Fraction()
	on, od := o.Fraction()
	if an == 0 || on == 0 {
		return Amount{}
	}
	// Crosswise first: what can be cancelled cannot overflow.
	if d := gcd(uint64(an), uint64(od)); d > 1 {
		an, od = an/int64(d), od/int64(d)
	}
	if d := gcd(uint64(on), uint64(ad)); d > 1 {
		on, ad = on/int64(d), ad/int64(d)
	}
	nh, nl := bits.Mul64(uint64(an), uint64(on))
	dh, dl := bits.Mul64(uint64(ad), uint64(od))
	return fitted(nh, nl, dh, dl)
}

// Plus is the sum.
func (a Amount) Plus(o Amount) Amount {
	if a.Zero() {
		return o
	}
	if o.Zero() {
		return a
	}
	an, ad := a.Fraction()
	on, od := o.Fraction()
	d := int64(gcd(uint64(ad), uint64(od)))
	h1, l1 := bits.Mul64(uint64(an), uint64(od/d))
	h2, l2 := bits.Mul64(uint64(on), uint64(ad/d))
	nl, carry := bits.Add64(l1, l2, 0)
	nh, _ := bits.Add64(h1, h2, carry) // each is below 2^126
	dh, dl := bits.Mul64(uint64(ad), uint64(od/d))
	return fitted(nh, nl, dh, dl)
}

// Minus is the difference; nothing where o is more.
func (a Amount) Minus(o Amount) Amount {
	if a.Compare(o) <= 0 {
		return Amount{}
	}
	an, ad := a.Fraction()
	on, od := o.Fraction()
	d := int64(gcd(uint64(ad), uint64(od)))
	h1, l1 := bits.Mul64(uint64(an), uint64(od/d))
	h2, l2 := bits.Mul64(uint64(on), uint64(ad/d))
	nl, borrow := bits.Sub64(l1, l2, 0)
	nh, _ := bits.Sub64(h1, h2, borrow)
	dh, dl := bits.Mul64(uint64(ad), uint64(od/d))
	return fitted(nh, nl, dh, dl)
}

// Rest is what a share of at most 1 leaves of 1: 3/7 leave 4/7, and more than all leaves nothing.
func (a Amount) Rest() Amount {
	n, d := a.Fraction()
	return Ratio(d-n, d)
}

// Compare is -1, 0 or 1.
func (a Amount) Compare(o Amount) int {
	an, ad := a.Fraction()
	on, od := o.Fraction()
	h1, l1 := bits.Mul64(uint64(an), uint64(od))
	h2, l2 := bits.Mul64(uint64(on), uint64(ad))
	switch {
	case h1 == h2 && l1 == l2:
		return 0
	case h1 < h2 || h1 == h2 && l1 < l2:
		return -1
	}
	return 1
}

// Float is the nearest floating-point number, for gauges. No price is made from it.
func (a Amount) Float() float64 {
	n, d := a.Fraction()
	return float64(n) / float64(d)
}

// String is a decimal of at most 9 digits behind the point, rounded half up, without zeros at its end.
func (a Amount) String() string { return string(a.AppendText(nil)) }

// AppendText appends String.
func (a Amount) AppendText(b []byte) []byte {
	n, d := a.Fraction()
	const digits, scale = 9, 1_000_000_000
	whole, rest := uint64(n/d), uint64(n%d)
	hi, lo := bits.Mul64(rest, scale)
	part, over := bits.Div64(hi, lo, uint64(d))
	if over >= uint64(d)-over {
		part++
	}
	if part == scale {
		whole, part = whole+1, 0
	}
	b = strconv.AppendUint(b, whole, 10)
	if part == 0 {
		return b
	}
	b = append(b, '.')
	for unit := uint64(scale / 10); part > 0; unit /= 10 {
		b = append(b, byte('0'+part/unit))
		part %= unit
	}
	return b
}

// MarshalJSON writes the decimal as a number.
func (a Amount) MarshalJSON() ([]byte, error) { return a.AppendText(nil), nil }

// fitted is a fraction of two 128-bit numbers, the first of which is not zero, halved until both fit.
func fitted(nh, nl, dh, dl uint64) Amount {
	for nh > 0 || dh > 0 || nl > math.MaxInt64 || dl > math.MaxInt64 {
		nh, nl = nh>>1, nh<<63|nl>>1
		dh, dl = dh>>1, dh<<63|dl>>1
	}
	return Ratio(int64(nl), int64(max(dl, 1)))
}

func gcd(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}
