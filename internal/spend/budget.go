package spend

import (
	"fmt"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

// warned is what was told last of a budget: of which month, of which sum, and which threshold. It is told again when a higher one is
// passed, in another month, or of another sum.
type warned struct {
	month   time.Time
	budget  cost.Money
	percent int
}

// threshold is the highest one that a sum is above; 0: none.
func threshold(b *resource.Budget, sum cost.Money) (percent int) {
	for _, at := range b.WarnAt {
		if sum.Compare(cost.Dollars(b.Monthly).Part(int64(at), 100)) > 0 {
			percent = at
		}
	}
	return percent
}

// passed is the forecast of the month, and the threshold that it is above.
func (a *Account) passed() (forecast cost.Money, percent int) {
	forecast = a.ledger.forecast(a.now.rest)
	if a.budget != nil {
		percent = threshold(a.budget, forecast)
	}
	return forecast, percent
}

// warn is the line about a threshold that was passed for the first time in this month; "" where there is none.
func (a *Account) warn() string {
	if a.budget == nil || a.now.book == nil {
		return ""
	}
	forecast, percent := a.passed()
	begin, budget, told := monthOf(a.ledger.newest), cost.Dollars(a.budget.Monthly), a.warned.percent
	if !a.warned.month.Equal(begin) || a.warned.budget != budget {
		told = 0
	}
	if percent <= told {
		return ""
	}
	a.warned, a.unsaved = warned{begin, budget, percent}, true
	return exceeded(begin, forecast, percent, budget)
}

func exceeded(begin time.Time, forecast cost.Money, percent int, budget cost.Money) string {
	return fmt.Sprintf("%s will have come to $%s, more than %d %% of the budget of $%s", begin.Format("January 2006"), forecast, percent, budget)
}

// Notice is what is to be said of the budget for as long as it is so; "" while the forecast is above no threshold.
func (f Figures) Notice() string {
	if f.Passed == 0 {
		return ""
	}
	return exceeded(f.Begin, f.Forecast, f.Passed, cost.Dollars(f.Budget.Monthly))
}
