package view_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/spend"
	"recsysd.dev/recsysd/internal/view"

	"recsysd.dev/recsysd/internal/resource"
)

// dollars reads a sum.
func dollars(t *testing.T, s string) cost.Money {
	t.Helper()
	m, err := cost.ParseMoney(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMoneyOfAStack(t *testing.T) {
	month := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	figures := func(change func(*spend.Figures)) spend.Figures {
		f := spend.Figures{
			Reckoning: &spend.Reckoning{
				Desired: &cost.Report{Month: dollars(t, "80.1")}, Scheduled: &cost.Report{Month: dollars(t, "73.5912274")}, Live: &cost.Report{},
			},
			Now: dollars(t, "72.104"), Spent: dollars(t, "341.2"), Saved: dollars(t, "12"), Month: dollars(t, "41.199"), Forecast: dollars(t, "73.0049"),
			Since: month.AddDate(0, -3, 2), Begin: month,
		}
		change(&f)
		return f
	}
	for _, c := range []struct {
		why    string
		change func(*spend.Figures)
		want   string
	}{
		{"without a budget", func(*spend.Figures) {}, "cost: $73.59 a month as wanted, $72.10 now; $41.20 this month so far, $73.00 forecast"},
		{"with one, and with what nobody knows", func(f *spend.Figures) {
			f.Budget, f.Passed, f.Unpriced = &resource.Budget{Monthly: resource.Count(80), WarnAt: []int{50}}, 50, 2
		}, "cost: $73.59 a month as wanted, $72.10 now; $41.20 this month so far, $73.00 forecast (budget $80.00); 2 without a price"},
		{"a month that it was not seen from its beginning", func(f *spend.Figures) { f.Since = month.AddDate(0, 0, 11) },
			"cost: $73.59 a month as wanted, $72.10 now; $41.20 since 12 November, $73.00 forecast"},
	} {
		v := view.StackOf("recsys", nil, time.Time{})
		v.Cost = view.StackCostOf(figures(c.change))
		b, err := json.Marshal(v) // as the command line gets it
		if err != nil {
			t.Fatal(err)
		}
		var got view.StackStatus
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := got.Text(&text, view.Paint{}, month); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(text.String(), "\n"); lines[1] != "  "+c.want {
			t.Errorf("%s:\n%s\nwant %s", c.why, text.String(), c.want)
		}
	}
	if view.StackCostOf(spend.Figures{}) != nil {
		t.Error("before its first pass nothing is known, which is not nothing")
	}
}
