package main

import (
	"strings"
	"testing"
)

// TestAPriceBookWithAMistakeIsNotTakenUp: whatever is wrong with the new one, the previous book stays in use, and it is said where the mistake is.
func TestAPriceBookWithAMistakeIsNotTakenUp(t *testing.T) {
	const head = "schema: 1\ncurrency: USD\ncompiled: \"2027-01-15\"\nsources: {list: {what: a list, as_of: \"2027\"}}\nprices:\n"
	const row = "- {key: pd.balanced, region: us-central1, unit: GiB-month, usd: 0.08, source: list, as_of: \"2027\", confidence: high}\n"
	h := newHouse(t)
	h.write("prices.yaml", head+row)
	h.write("config.yaml", read(t, h.config)+"prices: prices.yaml\n")
	d, _ := h.startDaemon()
	inForceOf := func(region string) string {
		book := d.book.Load()
		p, why := book.Lookup("pd.balanced", region)
		if p == nil {
			return why
		}
		return p.USD.String() + " of " + book.Compiled
	}
	inForce := func() string { return inForceOf("us-central1") }
	if got := inForce(); got != "0.08 of 2027-01-15" {
		t.Fatalf("the book that the daemon was started with: %s", got)
	}
	for _, c := range []struct{ what, book, said string }{
		{"a negative price", head + strings.Replace(row, "0.08", "-0.08", 1), "prices.yaml:6:65: prices[0].usd: negative price -0.08"},
		{"an unknown unit", head + strings.Replace(row, "GiB-month", "GB-month", 1), `prices.yaml:6:49: prices[0].unit: unknown unit "GB-month"`},
		{"a duplicate key", head + row + row, "prices.yaml:7:3: prices[1]: pd.balanced of us-central1 is given twice; first at prices.yaml:6:3"},
		{"two currencies", head + strings.Replace(row, "usd: 0.08", "usd: 0.08, currency: EUR", 1), `prices.yaml:6:81: prices[0].currency: "EUR" beside USD`},
		{"a tier out of order", head + strings.Replace(row, "usd: 0.08", "usd: 0.08, tiers: [{from: 0, usd: 0.1}, {from: 9, usd: 0.08}, {from: 3, usd: 0.05}]", 1), "prices.yaml:6:129: prices[0].tiers[2].from: 3 is not above the step before it, 9"},
		{"a day that no month has", strings.Replace(head, "2027-01-15", "2026-02-31", 1) + row, `prices.yaml:3:11: compiled: "2026-02-31" is no date`},
		{"half a file", head + row[:40], "prices.yaml:7:1: not YAML that can be read"},
		{"no file's worth", "", "prices.yaml:1:1: the file is empty"},
	} {
		h.write("prices.yaml", c.book)
		d.reload(nil)
		s, err := h.client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(s.ConfigError, c.said) {
			t.Errorf("%s: said %q, want %q", c.what, s.ConfigError, c.said)
		}
		if got := inForce(); got != "0.08 of 2027-01-15" {
			t.Errorf("%s: in force is %s", c.what, got)
		}
		if _, metrics := get(t, d.address, "/metrics"); !strings.Contains(metrics, "recsysd_price_book_timestamp_seconds 1.7999712e+09") {
			t.Errorf("%s: the metrics have another book", c.what)
		}
	}
	// A region that the book lacks is no mistake of the book: it is named where it is asked for.
	if why := inForceOf("europe-north1"); !strings.Contains(why, "not of europe-north1") {
		t.Errorf("a missing region is named: %q", why)
	}
	h.write("prices.yaml", strings.ReplaceAll(head+row, "0.08", "0.07"))
	d.reload(nil)
	if got := inForce(); got != "0.07 of 2027-01-15" {
		t.Errorf("a sound book is taken up: %s", got)
	}
}
