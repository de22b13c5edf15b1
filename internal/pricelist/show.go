package pricelist

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"recsysd.dev/recsysd/internal/cost"
)

// View is what a refresh came to, for programs.
type View struct {
	Day       string       `json:"day"`
	Written   string       `json:"written"` // the file; "" if none was
	Changed   []ViewChange `json:"changed"`
	Unchanged int          `json:"unchanged"`
	Stays     []ViewStay   `json:"stays"`
	Unasked   []string     `json:"unasked"`
}

// ViewChange is a price that differs; from is null where there was none.
type ViewChange struct {
	Key    string     `json:"key"`
	Region string     `json:"region"`
	Unit   string     `json:"unit"`
	From   *ViewPrice `json:"from"`
	To     *ViewPrice `json:"to"`
	SKU    string     `json:"sku"`
}

// ViewStay is a price that the catalog did not tell, as it is in the book; price is null where the book has none.
type ViewStay struct {
	Key    string     `json:"key"`
	Region string     `json:"region"`
	Price  *ViewPrice `json:"price"`
	Reason string     `json:"reason"`
}

// ViewPrice is the figure of a price, and of which date it is.
type ViewPrice struct {
	USD   cost.Rate  `json:"usd"`
	Tiers []ViewTier `json:"tiers"` // where there is more than one
	AsOf  string     `json:"asOf"`
}

// ViewTier is a step of it.
type ViewTier struct {
	From string    `json:"from"`
	USD  cost.Rate `json:"usd"`
}

// View shows what became of every price; written is the file that the book went to.
func (r *Refreshed) View(written string) View {
	v := View{Day: r.Day, Written: written, Unchanged: r.Same, Changed: []ViewChange{}, Stays: []ViewStay{}, Unasked: append([]string{}, r.Unasked...)}
	for _, c := range r.Changed {
		v.Changed = append(v.Changed, ViewChange{c.After.Key, c.After.Region, string(c.After.Unit), figure(c.Before), figure(c.After), c.After.SKU})
	}
	for _, s := range r.Stays {
		v.Stays = append(v.Stays, ViewStay{s.Key, s.Region, figure(s.Price), s.Why})
	}
	return v
}

func figure(p *cost.Price) *ViewPrice {
	if p == nil || !p.Known {
		return nil
	}
	v := &ViewPrice{USD: p.USD, Tiers: []ViewTier{}, AsOf: p.AsOf}
	for _, t := range p.Tiers {
		if len(p.Tiers) > 1 {
			v.Tiers = append(v.Tiers, ViewTier{t.From.String(), t.USD})
		}
	}
	return v
}

func (p *ViewPrice) String() string {
	if p == nil {
		return "?"
	}
	if len(p.Tiers) == 0 {
		return p.USD.String()
	}
	var steps []string
	for _, t := range p.Tiers {
		steps = append(steps, fmt.Sprintf("%s from %s", t.USD, t.From))
	}
	return strings.Join(steps, ", ")
}

// Text writes it for people.
func (v View) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Cloud Billing Catalog of %s: %d prices changed, %d as before, %d stay as they were\n", v.Day, len(v.Changed), v.Unchanged, len(v.Stays))
	rows := func(title string, of func(row func(cells ...any))) error {
		fmt.Fprintf(&b, "\n%s\n", title)
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		of(func(cells ...any) { fmt.Fprintf(t, strings.Repeat("  %v\t", len(cells)-1)+"  %v\n", cells...) })
		return t.Flush()
	}
	if len(v.Changed) > 0 {
		if err := rows("changed:", func(row func(...any)) {
			for _, c := range v.Changed {
				row(c.Key, c.Region, fmt.Sprintf("%s -> %s", c.From, c.To), c.Unit, "SKU "+c.SKU)
			}
		}); err != nil {
			return err
		}
	}
	if len(v.Stays) > 0 {
		if err := rows("stay as they were:", func(row func(...any)) {
			for _, s := range v.Stays {
				asOf := ""
				if s.Price != nil {
					asOf = "of " + s.Price.AsOf
				}
				row(s.Key, s.Region, s.Price, asOf, s.Reason)
			}
		}); err != nil {
			return err
		}
	}
	if len(v.Unasked) > 0 {
		fmt.Fprintf(&b, "\nno SKU is known for: %s\n", strings.Join(v.Unasked, ", "))
	}
	if v.Written != "" {
		fmt.Fprintf(&b, "\nwritten to %s; a running daemon takes it up at its next reload, if its configuration says prices: %s\n", v.Written, v.Written)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
