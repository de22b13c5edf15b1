package pricelist

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/cost"
)

// Refreshed is a price book made anew: what is in it, and what became of every price.
type Refreshed struct {
	Day     string   // YYYY-MM-DD
	Changed []Change // another price than before, or the first
	Same    int      // the price that it had, with the day's date
	Stays   []Stay   // the catalog did not say, so it is what it was, of the date that it has
	Unasked []string // keys of the book that no SKU is known for; they stay too

	prices  []*cost.Price
	sources map[string]cost.Source
}

// Change is a price that differs. Before is nil where the book had none.
type Change struct{ Before, After *cost.Price }

// Stay is a price that was not found. Price is nil where the book has none either.
type Stay struct {
	Key, Region string
	Price       *cost.Price
	Why         string
}

// Refresh looks for the prices of the book in force in the catalog: those of its own regions, and of more. base is the very
// book that it was read over. What in it is of another source than the catalog is the reader's own and stays.
func Refresh(base, book *cost.Book, skus []SKU, more []string, now time.Time) *Refreshed {
	r := &Refreshed{Day: now.UTC().Format(time.DateOnly), sources: map[string]cost.Source{}}
	regions := slices.Clone(more)
	known := map[string]bool{}
	for _, p := range book.Prices() {
		regions = append(regions, p.Region)
	}
	slices.Sort(regions)
	regions = slices.Compact(regions)
	taken := map[*cost.Price]bool{} // has a successor
	tried := map[*cost.Price]bool{}
	for _, p := range patterns() {
		known[p.key] = true
		for _, region := range p.places(regions) {
			was := book.Price(p.key, region)
			tried[was] = true
			if r.look(&p, region, was, base, skus, slices.Contains(more, region)) {
				taken[was] = true
			}
		}
	}
	for _, p := range book.Prices() {
		switch {
		case known[p.Key] && !tried[p]:
			r.Stays = append(r.Stays, Stay{p.Key, p.Region, p, "no SKU is known for it in this place"})
		case !known[p.Key] && !slices.Contains(r.Unasked, p.Key):
			r.Unasked = append(r.Unasked, p.Key)
		}
		if own(base, p) && !taken[p] {
			r.prices = append(r.prices, p)
			if p.SKU == "" || p.Source != "SKU "+p.SKU {
				r.sources[p.Source] = book.Sources[p.Source]
			}
		}
	}
	maps.DeleteFunc(r.sources, func(id string, _ cost.Source) bool { _, there := base.Sources[id]; return there })
	slices.SortFunc(r.prices, byPlace)
	slices.SortFunc(r.Changed, func(a, b Change) int { return byPlace(a.After, b.After) })
	slices.SortFunc(r.Stays, func(a, b Stay) int { return strings.Compare(a.Key+" "+a.Region, b.Key+" "+b.Region) })
	return r
}

// look finds one price, and takes it down; false: it stays.
func (r *Refreshed) look(p *pattern, region string, was *cost.Price, base *cost.Book, skus []SKU, asked bool) bool {
	if was != nil && own(base, was) && was.Source != "SKU "+was.SKU {
		r.Stays = append(r.Stays, Stay{p.key, region, was, "your own, of " + was.Source})
		return false
	}
	found, why := p.find(region, skus)
	if why == "" && was != nil && was.Cap > 0 {
		if found.Cap = was.Cap; len(found.Tiers) > 1 {
			why = "the catalog has steps where the book has a cap"
		}
	}
	if why != "" {
		if was != nil || asked {
			r.Stays = append(r.Stays, Stay{p.key, region, was, why})
		}
		return false
	}
	found.AsOf = r.Day
	r.prices = append(r.prices, found)
	if was != nil && was.Known && was.USD == found.USD && slices.Equal(was.Tiers, found.Tiers) {
		r.Same++
	} else {
		r.Changed = append(r.Changed, Change{was, found})
	}
	return true
}

// own reports whether a price is of the book that lies over base.
func own(base *cost.Book, p *cost.Price) bool { return base.Price(p.Key, p.Region) != p }

func byPlace(a, b *cost.Price) int { return strings.Compare(a.Key+" "+a.Region, b.Key+" "+b.Region) }

// Found is how many prices the catalog had.
func (r *Refreshed) Found() int { return r.Same + len(r.Changed) }

// Book is the text of the new book, which lies over the embedded one as the old one did.
func (r *Refreshed) Book() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by recsysd prices refresh out of Google's Cloud Billing Catalog. Prices of other sources in it are kept when that runs again;\n# comments are not.\n")
	fmt.Fprintf(&b, "schema: 1\ncurrency: %s\ncompiled: %q\n", cost.Currency, r.Day)
	if len(r.sources) > 0 {
		fmt.Fprintf(&b, "sources:\n")
	}
	for _, id := range slices.Sorted(maps.Keys(r.sources)) {
		s := r.sources[id]
		fmt.Fprintf(&b, "  %s: {what: %s", strconv.Quote(id), strconv.Quote(s.What))
		if s.Where != "" {
			fmt.Fprintf(&b, ", where: %s", strconv.Quote(s.Where))
		}
		fmt.Fprintf(&b, ", as_of: %q}\n", s.AsOf)
	}
	fmt.Fprintf(&b, "prices:\n")
	for _, p := range r.prices {
		entry(&b, p)
	}
	return []byte(b.String())
}

// entry is one price as the loader reads it.
func entry(b *strings.Builder, p *cost.Price) {
	usd := "null"
	if p.Known {
		usd = p.USD.String()
	}
	fmt.Fprintf(b, "  - {key: %s, region: %s, unit: %s, usd: %s", p.Key, p.Region, p.Unit, usd)
	if p.Known && (len(p.Tiers) > 1) {
		var steps []string
		for _, t := range p.Tiers {
			steps = append(steps, fmt.Sprintf("{from: %s, usd: %s}", t.From, t.USD))
		}
		fmt.Fprintf(b, ", tiers: [%s]", strings.Join(steps, ", "))
	}
	if p.Cap > 0 {
		fmt.Fprintf(b, ", cap: %s", p.Cap)
	}
	fmt.Fprintf(b, ", source: %s, as_of: %q, confidence: %s", strconv.Quote(p.Source), p.AsOf, p.Confidence)
	if p.SKU != "" && p.Source != "SKU "+p.SKU {
		fmt.Fprintf(b, ", sku: %s", strconv.Quote(p.SKU))
	}
	if p.Note != "" {
		fmt.Fprintf(b, ", note: %s", strconv.Quote(p.Note))
	}
	fmt.Fprintf(b, "}\n")
}
