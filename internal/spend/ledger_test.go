package spend

import (
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

// hourly is a ledger that has cost a dollar an hour since noon of the 15th of June 2000.
func hourly() (*ledger, time.Time) {
	noon := time.Date(2000, time.June, 15, 12, 0, 0, 0, time.UTC)
	l := &ledger{}
	l.reach(noon)
	l.rate = rate{live: cost.Dollars(resource.Count(730)), saved: cost.Dollars(resource.Count(1460))}
	return l, noon
}

func TestTheClock(t *testing.T) {
	const day = 24 * time.Hour
	type read struct {
		at    time.Duration // since noon
		spent string
		month string
		told  string
	}
	for _, c := range []struct {
		why   string
		reads []read
	}{
		{"it goes", []read{{time.Hour, "1.00", "1.00", ""}, {90 * time.Minute, "1.50", "1.50", ""}, {90 * time.Minute, "1.50", "1.50", ""}}},
		{"a millisecond is not lost", []read{{3600 * time.Millisecond, "0.00", "0.00", ""}, {36 * time.Second, "0.01", "0.01", ""}}},
		{"somebody asked while the pass was written down", []read{{time.Hour, "1.00", "1.00", ""}, {time.Hour - 20*time.Second, "1.00", "1.00", ""}, {2 * time.Hour, "2.00", "2.00", ""}}},
		{"back by an hour: nothing is taken back, and each hour after it counts", []read{
			{3 * time.Hour, "3.00", "3.00", ""},
			{2 * time.Hour, "3.00", "3.00", "the clock went back from 2000-06-15T15:00:00Z to 2000-06-15T14:00:00Z: what a stack has cost goes on from there"},
			{3 * time.Hour, "4.00", "4.00", ""},
			{4 * time.Hour, "5.00", "5.00", ""},
		}},
		{"back to before it began", []read{
			{time.Hour, "1.00", "1.00", ""},
			{-5 * time.Hour, "1.00", "1.00", "the clock went back from 2000-06-15T13:00:00Z to 2000-06-15T07:00:00Z: what a stack has cost goes on from there"},
			{-4 * time.Hour, "2.00", "2.00", ""},
		}},
		{"back into the month before: what that has cost is not known any more", []read{
			{16 * day, "384.00", "12.00", ""},
			{15 * day, "384.00", "0.00", "the clock went back from 2000-07-01T12:00:00Z to 2000-06-30T12:00:00Z: what a stack has cost goes on from there"},
			{16 * day, "408.00", "12.00", ""},
		}},
		{"ahead by years and back: 62 days were counted, and no more", []read{
			{time.Hour, "1.00", "1.00", ""},
			{3650 * day, "1489.00", "0.00", "nobody looked from 2000-06-15T13:00:00Z to 2010-06-13T12:00:00Z: 62 days of that are counted in what the stack has cost"},
			{2 * time.Hour, "1489.00", "0.00", "the clock went back from 2010-06-13T12:00:00Z to 2000-06-15T14:00:00Z: what a stack has cost goes on from there"},
			{3 * time.Hour, "1490.00", "1.00", ""},
		}},
		{"away for 62 days is plausible", []read{{62 * day, "1488.00", "372.00", ""}}},
		{"over the turn of a month", []read{{15*day + 11*time.Hour, "371.00", "371.00", ""}, {15*day + 12*time.Hour, "372.00", "0.00", ""}, {15*day + 14*time.Hour, "374.00", "2.00", ""}}},
	} {
		l, noon := hourly()
		for _, r := range c.reads {
			if told := l.reach(noon.Add(r.at)); told != r.told {
				t.Errorf("%s: at %s\n told %q\n want %q", c.why, r.at, told, r.told)
			}
			spent, saved, month := l.sums()
			if spent.String() != r.spent || month.String() != r.month {
				t.Errorf("%s: at %s $%s spent, $%s in the month; by hand $%s, $%s", c.why, r.at, spent, month, r.spent, r.month)
			}
			if twice := spent.Plus(spent); saved.Minus(twice).Text(6) != "0.000000" {
				t.Errorf("%s: at %s $%s saved, by hand $%s", c.why, r.at, saved, twice)
			}
		}
	}
}

// However often it is settled, a sum is what the time makes of it: a rate that cannot be divided by its hours loses less than a
// millionth of a cent in a year of minutes.
func TestSettlingLosesNothing(t *testing.T) {
	l, noon := hourly()
	l.rate.live = cost.Dollars(resource.Count(1))
	for i := range 365 * 24 * 60 {
		l.reach(noon.Add(time.Duration(i+1) * time.Minute))
		l.settle()
	}
	if got := l.spent.Text(8); got != "12.00000000" { // 8760 hours of 730
		t.Errorf("a dollar a month is $%s a year", got)
	}
}

func TestTheHoursOfRealMonths(t *testing.T) {
	for _, c := range []struct {
		month string
		want  string // what 730 dollars a month come to
	}{
		{"2026-01", "744.00"}, {"2026-02", "672.00"}, {"2028-02", "696.00"}, {"2100-02", "672.00"}, {"2026-04", "720.00"}, {"2026-12", "744.00"},
	} {
		begin, err := time.Parse("2006-01", c.month)
		if err != nil {
			t.Fatal(err)
		}
		l := &ledger{}
		l.reach(begin)
		l.rate.live = cost.Dollars(resource.Count(730))
		if got := l.forecast(l.rate.live).String(); got != c.want {
			t.Errorf("%s will have come to $%s, by hand $%s", c.month, got, c.want)
		}
		l.reach(begin.AddDate(0, 1, 0).Add(-time.Millisecond))
		if got := l.forecast(l.rate.live).String(); got != c.want {
			t.Errorf("%s, at its end, has come to $%s, by hand $%s", c.month, got, c.want)
		}
		l.reach(begin.AddDate(0, 1, 0))
		if _, _, month := l.sums(); month.Sign() != 0 {
			t.Errorf("%s: the next begins with $%s", c.month, month)
		}
	}
}
