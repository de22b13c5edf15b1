package view

import (
	"fmt"
	"io"
	"strings"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

// Cost is the price of a stack. In JSON sums are exact to a millionth of a dollar; nobody but people gets them rounded to cents.
type Cost struct {
	Stack         string                `json:"stack"`
	Currency      string                `json:"currency"`
	PriceBook     string                `json:"priceBook"`
	Region        string                `json:"region"`
	HoursPerMonth int                   `json:"hoursPerMonth"`
	Resources     []ResourceCost        `json:"resources"`
	Total         Sums                  `json:"total"`
	Unpriced      []Unpriced            `json:"unpriced"`
	NotCounted    []Named               `json:"notCounted"` // what others pay for
	Budget        *Budget               `json:"budget"`     // null: the stack has none
	Sources       map[string]CostSource `json:"sources"`    // those that the components name
}

// ResourceCost is the price of one resource.
type ResourceCost struct {
	Named
	Sums
	Components []ComponentCost `json:"components"`
}

// Named is a resource by its name.
type Named struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Sums are what something comes to: at full hours, and with sleep and the range of what is autoscaled. They are null where nothing of it
// has a price.
type Sums struct {
	USDPerMonth *cost.Money `json:"usdPerMonth"`
	USDPerHour  *cost.Money `json:"usdPerHour"`
	Scheduled   *Range      `json:"scheduled"`
}

func sums(month cost.Money, r Range) Sums {
	hour := month.Hour()
	return Sums{&month, &hour, &r}
}

// Range is of a month.
type Range struct {
	Minimum  cost.Money `json:"minimum"`
	Expected cost.Money `json:"expected"`
	Maximum  cost.Money `json:"maximum"`
}

// ComponentCost is the price of one thing that a resource is billed for, at full hours. Price and sums are null where there is none.
type ComponentCost struct {
	Component   string          `json:"component"`
	Quantity    resource.Amount `json:"quantity"`
	Unit        string          `json:"unit"`
	Price       *cost.Rate      `json:"price"` // of the unit
	Source      string          `json:"source"`
	AsOf        string          `json:"asOf"`
	Confidence  string          `json:"confidence"`
	Key         string          `json:"key"`    // in the price book
	Region      string          `json:"region"` // of the price
	Estimated   bool            `json:"estimated"`
	Note        string          `json:"note"` // why usdPerMonth is not quantity × price, where it is not
	USDPerHour  *cost.Money     `json:"usdPerHour"`
	USDPerMonth *cost.Money     `json:"usdPerMonth"`

	noun string
}

// Unpriced is a component without a price, or with one that is not all of it.
type Unpriced struct {
	Named
	Component string `json:"component"`
	Reason    string `json:"reason"`
}

// CostSource is where prices were read.
type CostSource struct {
	What  string `json:"what"`
	Where string `json:"where"`
	AsOf  string `json:"asOf"`
}

// Priced is a stack with its price book, about to be shown.
type Priced struct {
	Stack, Region string
	Book          *cost.Book
	Bills         []cost.Bill
	Foreign       []resource.Ref
	Entries       map[resource.Ref]string // of the stack file, each with what it makes; nil: nobody asks
	Options       cost.Options
	Budget        *resource.Budget // nil: there is none
}

// CostOf shows the price of a stack.
func CostOf(p Priced) Cost {
	full := cost.Of(p.Book, p.Bills, cost.Full, p.Options)
	var ranges [3]*cost.Report
	for i, basis := range []cost.Basis{cost.Least, cost.Expected, cost.Most} {
		ranges[i] = cost.Of(p.Book, p.Bills, basis, p.Options)
	}
	v := Cost{
		Stack: p.Stack, Currency: cost.Currency, PriceBook: p.Book.Name, Region: p.Region, HoursPerMonth: cost.HoursPerMonth,
		Resources: []ResourceCost{}, Unpriced: []Unpriced{}, NotCounted: []Named{}, Sources: map[string]CostSource{},
		Total: sums(full.Month, Range{ranges[0].Month, ranges[1].Month, ranges[2].Month}),
	}
	if p.Budget != nil {
		left := ranges[1].Against(p.Budget)
		v.Budget = &Budget{USDPerMonth: left.Monthly}
		v.Budget.price(ranges[1])
		if left.Over() {
			v.Budget.Over = left.String()
		}
	}
	for _, ref := range p.Foreign {
		v.NotCounted = append(v.NotCounted, Named{ref.Kind, ref.Name})
	}
	for i, r := range full.Resources { // the same in every basis, and in the same order
		row := ResourceCost{Named: Named{r.Ref.Kind, r.Ref.Name}, Components: []ComponentCost{}}
		for _, c := range r.Components {
			shown := v.component(p.Book, c)
			row.Components = append(row.Components, shown)
			if shown.USDPerMonth != nil {
				row.Sums = sums(r.Month, Range{ranges[0].Resources[i].Month, ranges[1].Resources[i].Month, ranges[2].Resources[i].Month})
			}
			if c.Unpriced != "" {
				v.Unpriced = append(v.Unpriced, Unpriced{row.Named, c.Name, c.Unpriced})
			}
		}
		v.Resources = append(v.Resources, row)
	}
	return v
}

func (v *Cost) component(book *cost.Book, c cost.Component) ComponentCost {
	row := ComponentCost{Component: c.Name, Quantity: c.Quantity, Key: c.Key, Region: c.Region, Estimated: c.Estimated, Note: c.Note}
	if c.Unpriced == "" || c.Month.Sign() != 0 {
		hour := c.Month.Hour()
		row.USDPerMonth, row.USDPerHour = &c.Month, &hour
	}
	if p := c.Price; p != nil {
		row.Unit, row.Price, row.noun = string(p.Unit), &p.USD, p.Unit.Noun()
		row.Source, row.AsOf, row.Confidence, row.Region = p.Source, p.AsOf, p.Confidence, p.Region
		s := book.Sources[p.Source]
		v.Sources[p.Source] = CostSource{s.What, s.Where, s.AsOf}
	}
	return row
}

// Text writes a price for people, in cents.
func (v Cost) Text(w io.Writer, p Paint) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s: list prices in %s, a month of %d hours\n%s\n\n", p.as(strong, plain(v.Stack)), v.Region, v.Currency, v.HoursPerMonth, plain(v.PriceBook))
	var t table
	t.row(faint, "", "quantity", "price", "an hour", "a month", "source")
	for _, r := range v.Resources {
		t.row(strong, r.Kind+"/"+plain(r.Name), "", "", sum(r.USDPerHour, 4), sum(r.USDPerMonth, 2), "")
		for _, c := range r.Components {
			t.row("", c.cells()...)
		}
	}
	total := "total"
	if len(v.Unpriced) > 0 {
		total = "total of what has a price"
	}
	t.row(strong, total, "", "", sum(v.Total.USDPerHour, 4), sum(v.Total.USDPerMonth, 2), "")
	if err := t.write(&b, p, ""); err != nil {
		return err
	}
	if s, full := v.Total.Scheduled, *v.Total.USDPerMonth; s.Minimum != full || s.Expected != full || s.Maximum != full {
		fmt.Fprintf(&b, "\nWith sleep and autoscaling: %s a month expected, at least %s, at most %s.\n", s.Expected, s.Minimum, s.Maximum)
	}
	switch {
	case v.Budget == nil:
	case v.Budget.Over != "":
		fmt.Fprintf(&b, "\n%s\n", p.as(bad, "The stack is "+v.Budget.Over+"."))
	default:
		fmt.Fprintf(&b, "\n%s\n", v.Budget.text())
	}
	v.remarks(&b, p)
	_, err := io.WriteString(w, b.String())
	return err
}

// remarks are what the table cannot say.
func (v Cost) remarks(b *strings.Builder, p Paint) {
	if len(v.Unpriced) > 0 {
		fmt.Fprintf(b, "\n%s\n", p.as(bad, "Not in the total, for want of a price:"))
		for _, u := range v.Unpriced {
			fmt.Fprintf(b, "  %s/%s %s: %s\n", u.Kind, plain(u.Name), u.Component, plain(u.Reason))
		}
	}
	if len(v.NotCounted) > 0 {
		fmt.Fprintf(b, "\nNot counted, because others pay for it (mode: observe):\n")
		for _, n := range v.NotCounted {
			fmt.Fprintf(b, "  %s/%s\n", n.Kind, plain(n.Name))
		}
	}
	said := map[string]bool{}
	for _, r := range v.Resources {
		for _, c := range r.Components {
			for _, line := range []string{c.remark(r.Kind), c.doubt()} {
				if line != "" && !said[line] {
					if len(said) == 0 {
						fmt.Fprintln(b)
					}
					said[line] = true
					fmt.Fprintln(b, p.as(faint, plain(line)))
				}
			}
		}
	}
}

// remark is why a component of such a resource does not cost quantity × price; "": it does.
func (c ComponentCost) remark(kind string) string {
	if c.Note == "" {
		return ""
	}
	return kind + " " + c.Component + ": " + c.Note
}

// doubt tells of a price that is little known; "": it is well known.
func (c ComponentCost) doubt() string {
	if c.Confidence != "low" {
		return ""
	}
	return fmt.Sprintf("%s: the price of %s in %s is of low confidence; see recsysd prices show %s", c.Component, c.Key, c.Region, c.Key)
}

// cells is a component as a line of the table.
func (c ComponentCost) cells() []string {
	quantity, price := strings.TrimSpace(c.Quantity.String()+" "+c.noun), ""
	if c.Estimated {
		quantity += ", estimated"
	}
	if c.Price != nil {
		price = c.Price.String() + "/" + c.Unit
	}
	if c.USDPerMonth == nil && c.Price == nil && c.Quantity.Zero() {
		quantity = ""
	}
	return []string{"  " + c.Component, quantity, price, sum(c.USDPerHour, 4), sum(c.USDPerMonth, 2), strings.TrimSpace(c.Source + " " + c.AsOf)}
}

// sum is right-aligned; a question mark where there is none.
func sum(m *cost.Money, digits int) string {
	text := "?"
	if m != nil {
		text = m.Text(digits)
	}
	return fmt.Sprintf("%10s", text)
}
