package view

import (
	"fmt"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/spend"
)

// StackCost is what a stack costs and has cost, in dollars at list price. A month of a price has 730 hours; the calendar month is that of UTC.
type StackCost struct {
	Desired   cost.Money  `json:"desiredUsdPerMonth"`   // as wanted, at full hours
	Scheduled cost.Money  `json:"scheduledUsdPerMonth"` // as wanted, with its sleep and what is expected of autoscalers
	Live      cost.Money  `json:"liveUsdPerMonth"`      // as it is now; what could not be seen counts as it was seen last
	Since     time.Time   `json:"since"`                // the first moment that is counted
	Spent     cost.Money  `json:"usd"`                  // since then
	Saved     cost.Money  `json:"savedUsd"`             // not spent since then, because what sleeps was asleep
	Month     string      `json:"month"`                // this calendar month, such as 2026-11
	MonthUSD  cost.Money  `json:"monthUsd"`             // of usd, in it
	Forecast  cost.Money  `json:"forecastUsd"`          // what it will have come to
	Budget    *cost.Money `json:"budgetUsd"`            // null: there is none
	Passed    int         `json:"passedPercent"`        // the highest threshold of the budget that the forecast is above; 0: none
	Unpriced  int         `json:"unpriced"`             // things without a price, which are in none of the sums
}

const yearMonth = "2006-01"

// StackCostOf shows the figures of an account; nil before its first pass.
func StackCostOf(f spend.Figures) *StackCost {
	if f.Reckoning == nil {
		return nil
	}
	v := &StackCost{
		Desired: f.Desired.Month, Scheduled: f.Scheduled.Month, Live: f.Now, Since: f.Since, Spent: f.Spent, Saved: f.Saved,
		Month: f.Begin.Format(yearMonth), MonthUSD: f.Month, Forecast: f.Forecast, Passed: f.Passed, Unpriced: f.Unpriced,
	}
	if f.Budget != nil {
		sum := cost.Dollars(f.Budget.Monthly)
		v.Budget = &sum
	}
	return v
}

// line is the money in a line.
func (v *StackCost) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cost: $%s a month as wanted, $%s now; ", v.Scheduled, v.Live)
	if v.Since.Format(yearMonth) == v.Month && v.Since.Day() > 1 {
		fmt.Fprintf(&b, "$%s since %s", v.MonthUSD, v.Since.Format("2 January"))
	} else {
		fmt.Fprintf(&b, "$%s this month so far", v.MonthUSD)
	}
	fmt.Fprintf(&b, ", $%s forecast", v.Forecast)
	if v.Budget != nil {
		fmt.Fprintf(&b, " (budget $%s)", *v.Budget)
	}
	if v.Unpriced > 0 {
		fmt.Fprintf(&b, "; %d without a price", v.Unpriced)
	}
	return b.String()
}
