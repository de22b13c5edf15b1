package cost

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

// dollars is an exact sum for tests.
func dollars(text string) Money {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(text)
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(moneyDigits), nil)))
	return fromBig(quotient(r.Num(), r.Denom()))
}

func TestRoundingIsForPeopleHalfUp(t *testing.T) {
	for _, c := range []struct{ what, sum, cents, json string }{
		{"nothing", "0", "0.00", "0"},
		{"below half a cent", "0.0049999999999", "0.00", "0.005"},
		{"half a cent goes up", "0.005", "0.01", "0.005"},
		{"even though the digit before it is even", "2.345", "2.35", "2.345"},
		{"and odd", "2.355", "2.36", "2.355"},
		{"the last digit there is decides", "2.344999999999999999", "2.34", "2.345"},
		{"it carries through", "99.995", "100.00", "99.995"},
		{"below zero away from zero", "-0.005", "-0.01", "-0.005"},
		{"there is no minus nothing", "-0.0049", "0.00", "-0.0049"},
		{"nor for programs", "-0.0000000001", "0.00", "0"},
		{"whole dollars have no point for programs", "73", "73.00", "73"},
		{"an atom", "0.000000000000000001", "0.00", "0"},
		{"a large sum", "123456789012345.675", "123456789012345.68", "123456789012345.675"},
	} {
		m := dollars(c.sum)
		if got := m.String(); got != c.cents {
			t.Errorf("%s: %s to people is %s, want %s", c.what, c.sum, got, c.cents)
		}
		if b, err := m.MarshalJSON(); err != nil || string(b) != c.json {
			t.Errorf("%s: %s to programs is %s (%v), want %s", c.what, c.sum, b, err, c.json)
		}
	}
}

func TestRateText(t *testing.T) {
	for r, want := range map[Rate]string{0: "0", 1: "0.000000000001", 44_500_000_000: "0.0445", -74_400_000_000_000: "-74.4", 1_000_000_000_000: "1"} {
		if got := r.String(); got != want {
			t.Errorf("%d is %s, want %s", int64(r), got, want)
		}
	}
}

// Products of every size, against arithmetic that cannot overflow.
func TestProductsAreRoundedOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50_000 {
		rate := Rate(r.Int64N(1<<(1+r.IntN(62)))) - 1
		num, den := r.Int64N(1<<(1+r.IntN(62))), 1+r.Int64N(1<<(1+r.IntN(50)))
		q := resource.Ratio(num, den)
		n, d := q.Fraction()
		exact := new(big.Rat).SetFrac(big.NewInt(n), big.NewInt(d))
		exact.Mul(exact, new(big.Rat).SetInt64(int64(rate)))
		exact.Mul(exact, new(big.Rat).SetInt64(HoursPerMonth*perRate))
		want := fromBig(quotient(new(big.Int).Set(exact.Num()), exact.Denom()))
		if got := rate.times(q, HoursPerMonth); got != want {
			t.Fatalf("%d × %d/%d × 730 = %v, want %v", rate, n, d, got, want)
		}
		if got := (-rate).times(q, HoursPerMonth); got != want.Negative() {
			t.Fatalf("-%d × %d/%d × 730 = %v, want %v", rate, n, d, got, want.Negative())
		}
	}
}

func TestSums(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		a, b := Money{r.Int64() >> r.IntN(62) >> 2, r.Uint64()}, Money{-(r.Int64() >> r.IntN(62) >> 2), r.Uint64()}
		if got, want := a.Plus(b).big(), new(big.Int).Add(a.big(), b.big()); got.Cmp(want) != 0 {
			t.Fatalf("%v + %v = %v", a.big(), b.big(), got)
		}
		if got, want := a.Compare(b), a.big().Cmp(b.big()); got != want {
			t.Fatalf("%v against %v: %d", a.big(), b.big(), got)
		}
	}
	if most.Plus(dollars("1")) != most || most.Negative().Plus(dollars("-1")).Sign() >= 0 {
		t.Error("a sum that does not fit stays at the end, on its own side of nothing")
	}
}

func TestPart(t *testing.T) {
	for _, c := range []struct {
		what, sum string
		num, den  int64
		want      string
	}{
		{"an hour of a cluster", "73", 1, 730, "0.1"},
		{"a third is cut at the end", "1", 1, 3, "0.333333333333333333"},
		{"two thirds go up", "1", 2, 3, "0.666666666666666667"},
		{"of a credit too", "-1", 2, 3, "-0.666666666666666667"},
		{"of half an atom", "0.000000000000000001", 1, 2, "0.000000000000000001"},
	} {
		if got := dollars(c.sum).Part(c.num, c.den).Text(moneyDigits); dollars(got) != dollars(c.want) {
			t.Errorf("%s: %s × %d/%d = %s, want %s", c.what, c.sum, c.num, c.den, got, c.want)
		}
	}
}

func TestFloat(t *testing.T) {
	if got := dollars("59.67").Float(); math.Abs(got-59.67) > 1e-12 {
		t.Error(got)
	}
}

func TestProductsDoNotAllocate(t *testing.T) {
	q := resource.GiB(52 << 20)
	var m Money
	if n := testing.AllocsPerRun(100, func() { m = m.Plus(Rate(4_922_500_000).times(q, HoursPerMonth)) }); n > 0 {
		t.Errorf("%v allocations, %s", n, m)
	}
}
