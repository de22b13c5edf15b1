package resource_test

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

func TestAmountText(t *testing.T) {
	for _, c := range []struct {
		what string
		a    resource.Amount
		want string
	}{
		{"the zero value is nothing", resource.Amount{}, "0"},
		{"half a CPU", resource.Milli(500), "0.5"},
		{"a whole number has no point", resource.Milli(3000), "3"},
		{"52Mi has an end", resource.GiB(52 << 20), "0.05078125"},
		{"a third does not: nine digits", resource.Ratio(1, 3), "0.333333333"},
		{"half up at the ninth", resource.Ratio(2, 3), "0.666666667"},
		{"rounding carries into the whole", resource.Ratio(9_999_999_999, 10_000_000_000), "1"},
		{"a byte", resource.GiB(1), "0.000000001"},
		{"the largest there is", resource.Count(math.MaxInt64), "9223372036854775807"},
		{"below zero is nothing", resource.Count(-1), "0"},
		{"no parts at all is nothing", resource.Ratio(1, 0), "0"},
	} {
		if got := c.a.String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		if b, err := json.Marshal(c.a); err != nil || string(b) != c.want {
			t.Errorf("%s: JSON has %s, %v", c.what, b, err)
		}
	}
}

func TestEqualAmountsAreTheSame(t *testing.T) {
	if resource.Milli(500) != resource.GiB(1<<29) || resource.Ratio(0, 7) != (resource.Amount{}) || resource.Ratio(4, 7) != resource.Ratio(3, 7).Rest() {
		t.Error("amounts are in lowest terms, so that == compares them")
	}
	if !resource.Ratio(8, 7).Rest().Zero() {
		t.Error("more than all leaves nothing")
	}
}

// Held against big.Rat, which cannot overflow.
func TestAmountArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dens := []int64{1, 7, 168, 1000, 1 << 30, 525_600}
	some := func() (resource.Amount, *big.Rat) {
		n, d := r.Int64N(1<<r.IntN(40)), dens[r.IntN(len(dens))]
		return resource.Ratio(n, d), big.NewRat(n, d)
	}
	rat := func(a resource.Amount) *big.Rat { return big.NewRat(a.Fraction()) }
	for range 20_000 {
		a, ra := some()
		b, rb := some()
		if want := new(big.Rat).Add(ra, rb); rat(a.Plus(b)).Cmp(want) != 0 && fits(want) {
			t.Fatalf("%s + %s = %s", ra, rb, rat(a.Plus(b)))
		}
		if want := new(big.Rat).Mul(ra, rb); rat(a.Times(b)).Cmp(want) != 0 && fits(want) {
			t.Fatalf("%s × %s = %s", ra, rb, rat(a.Times(b)))
		}
		want := new(big.Rat).Sub(ra, rb)
		if want.Sign() < 0 {
			want.SetInt64(0)
		}
		if rat(a.Minus(b)).Cmp(want) != 0 && fits(want) {
			t.Fatalf("%s - %s = %s", ra, rb, rat(a.Minus(b)))
		}
		if a.Compare(b) != ra.Cmp(rb) {
			t.Fatalf("%s against %s: %d", ra, rb, a.Compare(b))
		}
	}
}

func fits(r *big.Rat) bool { return r.Num().IsInt64() && r.Denom().IsInt64() }

func TestAmountBeyond64Bits(t *testing.T) {
	a := resource.Ratio(math.MaxInt64, 1<<30).Times(resource.Ratio(math.MaxInt64-1, 1<<20))
	if got, most := a.Float(), resource.Count(math.MaxInt64).Float(); got < most*0.999 {
		t.Errorf("2^76 does not fit and is the largest there is, not what wraps around: %g of %g", got, most)
	}
	b := resource.Ratio(math.MaxInt64, math.MaxInt64-1).Times(resource.Ratio(math.MaxInt64-2, math.MaxInt64-3))
	if got := b.Float(); got < 0.999999 || got > 1.000001 {
		t.Errorf("a fraction that does not fit is rounded: %g, want about 1", got)
	}
}

func TestAmountsDoNotAllocate(t *testing.T) {
	a, b := resource.Milli(250), resource.GiB(123_456_789)
	var c resource.Amount
	if n := testing.AllocsPerRun(100, func() { c = a.Plus(b).Times(a).Rest() }); n > 0 {
		t.Errorf("%v allocations, %s", n, c)
	}
}
