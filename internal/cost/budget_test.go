package cost_test

import (
	"testing"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

// disks is a report of disks of so many GiB at 0.10 a month, by name: Filestore's, snapshots' and others' prices have steps or hours.
func disks(t *testing.T, gib map[string]resource.Amount, more ...cost.Bill) *cost.Report {
	t.Helper()
	bills := more
	for name, n := range gib {
		u := use(resource.ComponentDisk, "pd.balanced", "us-central1", 0, 1)
		u.Quantity = n
		bills = append(bills, bill(name, u))
	}
	return cost.Of(book(t), bills, cost.Expected, cost.Options{})
}

func TestBudget(t *testing.T) {
	unknown := bill("x", resource.Usage{Component: resource.ComponentStorage, Unknown: "size unknown"})
	second := bill("y", resource.Usage{Component: resource.ComponentStorage, Unknown: "size unknown"})
	for _, c := range []struct {
		reason  string
		report  *cost.Report
		monthly resource.Amount
		over    bool
		says    string
	}{
		{"below it", disks(t, map[string]resource.Amount{"a": resource.Count(100)}), resource.Ratio(221, 20), false, "$10.00 of $11.05 a month, $1.05 left"},
		{"what comes to the budget itself does not pass it", disks(t, map[string]resource.Amount{"a": resource.Count(100)}), resource.Count(10), false, "$10.00 of $10.00 a month, $0.00 left"},
		{"above it", disks(t, map[string]resource.Amount{"a": resource.Count(101)}), resource.Count(10), true,
			"over the budget: $10.10 a month, the budget is $10.00: $0.10 too much"},
		{"a tenth of a cent above is above, and shown with as many digits as it takes", disks(t, map[string]resource.Amount{"a": resource.Ratio(10001, 100)}), resource.Count(10), true,
			"over the budget: $10.001 a month, the budget is $10.000: $0.001 too much"},
		{"a tenth of a cent below is below", disks(t, map[string]resource.Amount{"a": resource.Ratio(9999, 100)}), resource.Count(10), false, "$10.00 of $10.00 a month, $0.00 left"},
		{"what has no price is not counted, and told", disks(t, map[string]resource.Amount{"a": resource.Count(50)}, unknown), resource.Count(10), false,
			"$5.00 of $10.00 a month, $5.00 left; one thing that is billed has no price and is not in it"},
		{"also of what passes it", disks(t, map[string]resource.Amount{"a": resource.Count(200)}, unknown, second), resource.Count(10), true,
			"over the budget: $20.00 a month, the budget is $10.00: $10.00 too much; 2 things that are billed have no price and are not in it"},
	} {
		left := c.report.Against(&resource.Budget{Monthly: c.monthly})
		if left.Over() != c.over || left.String() != c.says {
			t.Errorf("%s: over %v, %q; want %v, %q", c.reason, left.Over(), left, c.over, c.says)
		}
	}
}

func TestWhyACommitIsHeld(t *testing.T) {
	n := resource.Count
	budget := &resource.Budget{Monthly: n(10)}
	for _, c := range []struct {
		reason      string
		now, before *cost.Report
		says        string
	}{
		{"one thing grows", disks(t, map[string]resource.Amount{"a": n(150), "b": n(20)}), disks(t, map[string]resource.Amount{"a": n(50), "b": n(20)}),
			"over the budget: $17.00 a month with this commit, the budget is $10.00; it adds $10.00: thing/a +$10.00"},
		{"the largest come first, what shrinks last, and what goes counts", disks(t, map[string]resource.Amount{"a": n(60), "b": n(150)}),
			disks(t, map[string]resource.Amount{"a": n(50), "b": n(20), "c": n(25)}),
			"over the budget: $21.00 a month with this commit, the budget is $10.00; it adds $11.50: thing/b +$13.00, thing/a +$1.00, thing/c -$2.50"},
		{"a reason fits on a line, whatever the commit does", disks(t, map[string]resource.Amount{"a": n(50), "b": n(50), "c": n(50), "d": n(20), "e": n(10)}),
			disks(t, map[string]resource.Amount{"z": n(5)}),
			"over the budget: $18.00 a month with this commit, the budget is $10.00; it adds $17.50: thing/a +$5.00, thing/b +$5.00, thing/c +$5.00 and 3 more, together +$2.50"},
		{"nothing is known of before", disks(t, map[string]resource.Amount{"a": n(150)}), nil,
			"over the budget: $15.00 a month with this commit, the budget is $10.00; no commit before it is known, so all of it counts: thing/a +$15.00"},
	} {
		if got := c.now.Withheld(budget, c.before); got != c.says {
			t.Errorf("%s:\n got %s\nwant %s", c.reason, got, c.says)
		}
	}
}
