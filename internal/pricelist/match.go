package pricelist

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

// find is the price of a pattern in a place. Where there is not exactly one, why says so: a price is never guessed.
func (p *pattern) find(region string, skus []SKU) (found *cost.Price, why string) {
	var from SKU
	for _, s := range slices.SortedFunc(slices.Values(skus), func(a, b SKU) int { return cmp.Compare(a.ID, b.ID) }) {
		if !p.takes(&s) || !s.of(region) {
			continue
		}
		price, wrong := p.price(&s)
		switch {
		case wrong != "":
			return nil, wrong
		case found == nil:
			found, from = price, s
		case found.USD != price.USD || !slices.Equal(found.Tiers, price.Tiers):
			return nil, fmt.Sprintf("SKUs %s (%s) and %s (%s) have different prices, %s and %s", from.ID, from.Description, s.ID, s.Description, found.USD, price.USD)
		}
	}
	if found == nil {
		return nil, "no SKU fits"
	}
	found.Region = region
	return found, ""
}

// price is what a SKU says, in the unit of the book; else why it is no price of it.
func (p *pattern) price(s *SKU) (*cost.Price, string) {
	no := func(format string, args ...any) (*cost.Price, string) {
		return nil, fmt.Sprintf("SKU %s (%s) ", s.ID, s.Description) + fmt.Sprintf(format, args...)
	}
	switch {
	case len(s.Rates) == 0:
		return no("has no price")
	case s.Currency != cost.Currency:
		return no("is priced in %s, not in %s", cmp.Or(s.Currency, "several currencies"), cost.Currency)
	case s.Unit != p.unit:
		return no("is priced per %s, not per %s", cmp.Or(s.Unit, "nothing"), p.unit)
	case s.Daily && len(s.Rates) > 1:
		return no("has steps of a day, not of a month")
	}
	price := &cost.Price{Key: p.key, Unit: p.per, Known: true, Confidence: "high", Source: "SKU " + s.ID, SKU: s.ID, Note: s.Description}
	for i, r := range s.Rates {
		usd, fits := cost.RateOf(r.Dollars, r.Nanos, p.times)
		from, exact := amount(r.Start, p.times)
		switch {
		case !fits || usd < 0:
			return no("has a price that is none: %d dollars and %d billionths", r.Dollars, r.Nanos)
		case !exact || i == 0 && !from.Zero() || i > 0 && from.Compare(price.Tiers[i-1].From) <= 0:
			return no("has steps that do not go upwards from 0")
		}
		price.Tiers = append(price.Tiers, cost.Tier{From: from, USD: usd})
	}
	// The step that is paid: what is free comes before it, what is cheaper for large amounts after it.
	paid := max(slices.IndexFunc(price.Tiers, func(t cost.Tier) bool { return t.USD > 0 }), 0)
	price.USD = price.Tiers[paid].USD
	return price, ""
}

// amount is where a step begins, in units of the book. The API gives a floating-point number; its shortest decimal is what was meant.
func amount(start float64, times int64) (resource.Amount, bool) {
	whole, part, _ := strings.Cut(strconv.FormatFloat(start, 'f', -1, 64), ".")
	n, err := strconv.ParseInt(whole+part, 10, 64)
	if err != nil || n < 0 || len(part) > 6 {
		return resource.Amount{}, false
	}
	a := resource.Ratio(n, int64(math.Pow10(len(part)))*times)
	_, den := a.Fraction()
	return a, 1_000_000_000%den == 0 // it can be written out
}
