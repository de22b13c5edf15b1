package desired

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// budget is what the stack may come to.
type budget struct {
	Monthly  dollars `yaml:"monthly" required:"true" doc:"Dollars that the stack may come to in a full month. Required."`
	WarnAt   []int   `yaml:"warnAt" doc:"Percents of it, ascending, that are told of when a month's forecast passes them; 50, 80 and 100 by default."`
	OnExceed string  `yaml:"onExceed" enum:"warn,hold" doc:"What becomes of a commit that comes to more than the budget: warn, the default, tells; hold leaves what exists as it is."`
}

// mostPercent is the largest percentage that warnAt takes: beyond ten budgets it is more likely a mistake than a wish.
const mostPercent = 1000

// said is the budget with its defaults, once checkBudget has found nothing wrong with it; nil: there is none.
func (g *budget) said(pos place) *resource.Budget {
	if g == nil {
		return nil
	}
	said := &resource.Budget{Monthly: g.Monthly.amount(), WarnAt: g.WarnAt, Hold: g.OnExceed == "hold", Pos: pos.String()}
	if g.WarnAt == nil {
		said.WarnAt = []int{50, 80, 100}
	}
	return said
}

// checkBudget reports what is wrong with the budget and no single value of it tells.
func (b *builder) checkBudget() {
	g := b.file.Budget
	if g == nil || b.p.unusable[b.at("budget")] {
		return
	}
	if g.Monthly == 0 && !b.p.has("budget.monthly") && !b.p.unusable[b.at("budget.monthly")] {
		b.p.add(b.at("budget"), "budget.monthly", "missing; the dollars that the stack may come to in a month, such as 80 or 110.50")
	}
	for i, percent := range g.WarnAt {
		at := indexed("budget.warnAt", i)
		switch {
		case b.p.unusable[b.at(at)]:
		case percent <= 0 || percent > mostPercent:
			b.p.add(b.at(at), at, "%d is not a percentage of the budget from 1 to %d", percent, mostPercent)
		case i > 0 && percent <= g.WarnAt[i-1]:
			b.p.add(b.at(at), at, "%d comes after %d; percentages ascend", percent, g.WarnAt[i-1])
		}
	}
}

// dollars is a sum of money in millionths, so that every way to write it is exact.
type dollars int64

const (
	dollarDigits = 6
	perDollar    = 1_000_000
)

var (
	dollarForm = regexp.MustCompile(`^([0-9]{1,9})(?:\.([0-9]{1,6}))?$`)
	belowZero  = regexp.MustCompile(`^-[0-9.]+$`)
)

// UnmarshalText reads 80 and 110.50.
func (d *dollars) UnmarshalText(text []byte) error {
	m := dollarForm.FindStringSubmatch(string(text))
	switch {
	case m == nil && belowZero.Match(text):
		return fmt.Errorf("%s is below zero; dollars, such as 80 or 110.50", text)
	case m == nil:
		return fmt.Errorf("%q is not a sum of dollars such as 80 or 110.50", text)
	}
	n, err := strconv.ParseInt(m[1]+m[2]+strings.Repeat("0", dollarDigits-len(m[2])), 10, 64)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("must be above zero; a stack without a budget leaves the key out")
	}
	*d = dollars(n)
	return nil
}

// Pattern is the form, for the schema.
func (dollars) Pattern() string { return dollarForm.String() }

// AboveZero says, for the schema, that nothing and less are no sums.
func (dollars) AboveZero() {}

func (d dollars) amount() resource.Amount { return resource.Ratio(int64(d), perDollar) }
