package cost

import (
	"fmt"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// Budget is what a report leaves of a budget.
type Budget struct {
	Monthly  Money
	Month    Money // the report's
	Unpriced int   // things billed that are not in Month
}

// Against compares the report, which should be by Expected hours, with a budget. It is exact: no cent is rounded first.
func (r *Report) Against(b *resource.Budget) Budget {
	return Budget{Monthly: Dollars(b.Monthly), Month: r.Month, Unpriced: r.Unpriced}
}

// Left is what may be added; below zero, what is too much.
func (b Budget) Left() Money { return b.Monthly.Minus(b.Month) }

// Over reports whether the report passes the budget. What comes to the budget itself does not.
func (b Budget) Over() bool { return b.Left().Sign() < 0 }

// String says for people how the two compare.
func (b Budget) String() string {
	if b.Over() {
		digits := b.digits()
		return fmt.Sprintf("over the budget: $%s a month, the budget is $%s: $%s too much%s",
			b.Month.Text(digits), b.Monthly.Text(digits), b.Left().Negative().Text(digits), b.lacks())
	}
	return fmt.Sprintf("$%s of $%s a month, $%s left%s", b.Month, b.Monthly, b.Left(), b.lacks())
}

// digits are as many behind the point as it takes to see that one sum is above the other.
func (b Budget) digits() int {
	for digits := 2; digits < moneyDigits; digits++ {
		if b.Month.Text(digits) != b.Monthly.Text(digits) {
			return digits
		}
	}
	return moneyDigits
}

func (b Budget) lacks() string {
	switch b.Unpriced {
	case 0:
		return ""
	case 1:
		return "; one thing that is billed has no price and is not in it"
	}
	return fmt.Sprintf("; %d things that are billed have no price and are not in it", b.Unpriced)
}

// Growth is what resources come to beyond what they came to before.
type Growth struct {
	Sum   Money
	Parts []Share // those that differ, the largest first; what shrinks comes last
}

// Share is the part of one resource.
type Share struct {
	Ref resource.Ref
	USD Money
}

// Since compares the report with the one before; nil: with nothing.
func (r *Report) Since(before *Report) Growth {
	g := Growth{Sum: r.Month}
	was := map[resource.Ref]Money{}
	if before != nil {
		g.Sum = g.Sum.Minus(before.Month)
		for i := range before.Resources {
			was[before.Resources[i].Ref] = before.Resources[i].Month
		}
	}
	part := func(ref resource.Ref, more Money) {
		if more.Sign() != 0 {
			g.Parts = append(g.Parts, Share{ref, more})
		}
	}
	for i := range r.Resources {
		c := &r.Resources[i]
		part(c.Ref, c.Month.Minus(was[c.Ref]))
		delete(was, c.Ref)
	}
	for ref, money := range was {
		part(ref, money.Negative())
	}
	slices.SortFunc(g.Parts, func(a, b Share) int {
		if c := b.USD.Compare(a.USD); c != 0 {
			return c
		}
		return a.Ref.Compare(b.Ref)
	})
	return g
}

// fewShares are named one by one; a reason has to fit on a line.
const fewShares = 3

// Text names the largest parts, with a word on the rest.
func (g Growth) Text() string {
	var named []string
	for _, s := range g.Parts[:min(fewShares, len(g.Parts))] {
		named = append(named, s.Ref.String()+" "+signed(s.USD))
	}
	text := strings.Join(named, ", ")
	if rest := len(g.Parts) - len(named); rest > 0 {
		left := g.Sum
		for _, s := range g.Parts[:len(named)] {
			left = left.Minus(s.USD)
		}
		text += fmt.Sprintf(" and %d more, together %s", rest, signed(left))
	}
	return text
}

// signed is money with its sign and the dollar's.
func signed(m Money) string {
	if m.Sign() < 0 {
		return "-$" + m.Negative().String()
	}
	return "+$" + m.String()
}

// Withheld says why a commit is held: the budget that its report passes, and what it adds to the one before; nil: that is not known.
func (r *Report) Withheld(b *resource.Budget, before *Report) string {
	a := r.Against(b)
	digits := a.digits()
	g := r.Since(before)
	text := fmt.Sprintf("over the budget: $%s a month with this commit, the budget is $%s", a.Month.Text(digits), a.Monthly.Text(digits))
	if before == nil {
		return text + "; no commit before it is known, so all of it counts: " + g.Text() + a.lacks()
	}
	return text + fmt.Sprintf("; it adds $%s: %s", g.Sum, g.Text()) + a.lacks()
}
