package view

import (
	"fmt"
	"io"
	"strings"

	"recsysd.dev/recsysd/internal/cost"
)

// Prices is a price book, or the part of it that was asked for.
type Prices struct {
	PriceBook string                `json:"priceBook"`
	Compiled  string                `json:"compiled"`
	Currency  string                `json:"currency"`
	Prices    []Price               `json:"prices"`
	Sources   map[string]CostSource `json:"sources"`
}

// Price is one price; usd is null where nobody has found a figure.
type Price struct {
	Key        string     `json:"key"`
	Region     string     `json:"region"`
	Unit       string     `json:"unit"`
	USD        *cost.Rate `json:"usd"`
	Tiers      []Tier     `json:"tiers"`
	Source     string     `json:"source"`
	AsOf       string     `json:"asOf"`
	Confidence string     `json:"confidence"`
	SKU        string     `json:"sku"`
	Note       string     `json:"note"`
}

// Tier is a step of a price, in units of a month.
type Tier struct {
	From string    `json:"from"`
	USD  cost.Rate `json:"usd"`
}

// PricesOf shows the prices whose key or region has filter in it.
func PricesOf(book *cost.Book, filter string) Prices {
	v := Prices{PriceBook: book.Name, Compiled: book.Compiled, Currency: cost.Currency, Prices: []Price{}, Sources: map[string]CostSource{}}
	for _, p := range book.Prices() {
		if !strings.Contains(p.Key, filter) && !strings.Contains(p.Region, filter) {
			continue
		}
		row := Price{
			Key: p.Key, Region: p.Region, Unit: string(p.Unit), Tiers: []Tier{},
			Source: p.Source, AsOf: p.AsOf, Confidence: p.Confidence, SKU: p.SKU, Note: p.Note,
		}
		if p.Known {
			row.USD = &p.USD
		}
		for _, t := range p.Tiers {
			row.Tiers = append(row.Tiers, Tier{t.From.String(), t.USD})
		}
		s := book.Sources[p.Source]
		v.Sources[p.Source] = CostSource{s.What, s.Where, s.AsOf}
		v.Prices = append(v.Prices, row)
	}
	return v
}

// Text writes the prices for people, and beneath them what their sources are.
func (v Prices) Text(w io.Writer, p Paint) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n\n", plain(v.PriceBook), v.Currency)
	var t table
	t.row(faint, "key", "region", "price", "confidence", "source", "")
	named := map[string]bool{}
	var order []string
	for _, r := range v.Prices {
		t.row("", r.Key, r.Region, r.price(), r.Confidence, r.Source+" "+r.AsOf, plain(r.Note))
		if !named[r.Source] {
			named[r.Source] = true
			order = append(order, r.Source)
		}
	}
	if err := t.write(&b, p, ""); err != nil {
		return err
	}
	fmt.Fprintln(&b)
	for _, id := range order {
		s := v.Sources[id]
		fmt.Fprintln(&b, p.as(faint, strings.TrimSpace(fmt.Sprintf("%s: %s, %s %s", id, plain(s.What), s.AsOf, plain(s.Where)))))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Price) price() string {
	if r.USD == nil {
		return "?/" + r.Unit
	}
	text := r.USD.String() + "/" + r.Unit
	if len(r.Tiers) > 1 {
		var steps []string
		for _, t := range r.Tiers {
			steps = append(steps, fmt.Sprintf("%s from %s", t.USD, t.From))
		}
		text += " (" + strings.Join(steps, ", ") + ")"
	}
	return text
}
