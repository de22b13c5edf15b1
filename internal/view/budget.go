package view

import (
	"fmt"
	"strings"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/reconcile"
)

// Budget is what a stack may come to in a month, and whether it does.
type Budget struct {
	USDPerMonth cost.Money  `json:"usdPerMonth"` // the budget
	Forecast    *cost.Money `json:"forecast"`    // what is wanted in a full month, as it is expected to run; null until priced
	Left        *cost.Money `json:"left"`        // below zero: too much; null until priced
	Over        string      `json:"over"`        // the sum that shows that the newest commit passes the budget, or ""
	Held        bool        `json:"held"`        // that commit is held for it: forecast and left are of the one before
}

// budgetOf shows the budget of a pass; nil where it has none.
func budgetOf(p reconcile.Pass) *Budget {
	if p.Budget == nil {
		return nil
	}
	return &Budget{USDPerMonth: cost.Dollars(p.Budget.Monthly), Over: p.OverBudget, Held: p.Withheld}
}

// price adds what a report by expected hours leaves of the budget.
func (b *Budget) price(r *cost.Report) {
	if b == nil {
		return
	}
	left := b.USDPerMonth.Minus(r.Month)
	b.Forecast, b.Left = &r.Month, &left
}

// text is a line for people. That a commit passes the budget and is not held is among the notices.
func (b *Budget) text() string {
	switch {
	case b == nil, b.Over != "" && !b.Held:
		return ""
	case b.Held:
		return plain(withheld(b.Over))
	case b.Forecast == nil:
		return ""
	}
	return fmt.Sprintf("Budget: %s.", cost.Budget{Monthly: b.USDPerMonth, Month: *b.Forecast})
}

// withheld says that a commit is held, and why.
func withheld(why string) string { return "The commit is held as a whole: it is " + why + "." }

// brief is why something is left as it is, without the sum that is told once for the whole commit.
func (b *Budget) brief(why string) string {
	if b == nil || !b.Held || why != b.Over {
		return why
	}
	head, _, _ := strings.Cut(why, ":")
	return head
}
