package view

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

// CostChange is the price of a stack against that of another: of an earlier revision, of another environment.
type CostChange struct {
	Stack         string         `json:"stack"`
	Against       string         `json:"against"` // what before is
	Currency      string         `json:"currency"`
	PriceBook     string         `json:"priceBook"`
	HoursPerMonth int            `json:"hoursPerMonth"`
	Resources     []ChangedCost  `json:"resources"` // those whose price is another
	Total         Deltas         `json:"total"`
	Unpriced      UnpricedChange `json:"unpriced"`
}

// ChangedCost is one resource whose price is another.
type ChangedCost struct {
	Named
	Was string `json:"was,omitempty"` // its name before, if that was another: environments have names of their own
	Deltas
}

// Deltas are at full hours, and with sleep and what is expected of autoscalers.
type Deltas struct {
	USDPerMonth Delta `json:"usdPerMonth"`
	Scheduled   Delta `json:"scheduled"`
}

// UnpricedChange is how many things billed are in none of the sums.
type UnpricedChange struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// CostChangeOf shows after against before, which against names. Both are priced by after's book.
func CostChangeOf(before, after Priced, against string) CostChange {
	v := CostChange{
		Stack: after.Stack, Against: against, Currency: cost.Currency, PriceBook: after.Book.Name, HoursPerMonth: cost.HoursPerMonth,
		Resources: []ChangedCost{},
	}
	of := func(p Priced, b cost.Basis) *cost.Report { return cost.Of(after.Book, p.Bills, b, p.Options) }
	was, is := of(before, cost.Full), of(after, cost.Full)
	wasByHours, isByHours := of(before, cost.Expected), of(after, cost.Expected)
	v.Total = Deltas{Delta{&was.Month, &is.Month}, Delta{&wasByHours.Month, &isByHours.Month}}
	v.Unpriced = UnpricedChange{was.Unpriced, is.Unpriced}
	same := namesakes(before, after)
	had, has, hadByHours, hasByHours := renamed(months(was), same), months(is), renamed(months(wasByHours), same), months(isByHours)
	formerly := make(map[resource.Ref]string, len(same))
	for old, now := range same {
		formerly[now] = old.Name
	}
	all := maps.Clone(had)
	maps.Copy(all, has)
	for _, ref := range slices.SortedFunc(maps.Keys(all), resource.Ref.Compare) {
		d := Deltas{delta(had, has, ref), delta(hadByHours, hasByHours, ref)}
		if d.USDPerMonth.changes() || d.Scheduled.changes() {
			v.Resources = append(v.Resources, ChangedCost{Named{ref.Kind, ref.Name}, formerly[ref], d})
		}
	}
	return v
}

// namesakes are those of before that after has under another name: of a kind there is but one under the same entry in each, and neither
// name is in the other.
func namesakes(before, after Priced) map[resource.Ref]resource.Ref {
	type place struct{ kind, entry string }
	only := func(of, other Priced) map[place]resource.Ref {
		found, several := map[place]resource.Ref{}, map[place]bool{}
		for _, b := range of.Bills {
			at := place{b.Ref.Kind, of.Entries[b.Ref]}
			_, twice := found[at]
			several[at] = several[at] || twice || at.entry == ""
			found[at] = b.Ref
		}
		maps.DeleteFunc(found, func(at place, ref resource.Ref) bool {
			_, there := other.Entries[ref]
			return several[at] || there
		})
		return found
	}
	same, now := map[resource.Ref]resource.Ref{}, only(after, before)
	for at, old := range only(before, after) {
		if ref, ok := now[at]; ok {
			same[old] = ref
		}
	}
	return same
}

// renamed has sums under the names that after has.
func renamed(sums map[resource.Ref]*cost.Money, same map[resource.Ref]resource.Ref) map[resource.Ref]*cost.Money {
	for old, now := range same {
		if m, ok := sums[old]; ok {
			sums[now] = m
			delete(sums, old)
		}
	}
	return sums
}

// delta is of one resource: nothing where it is billed for nothing.
func delta(before, after map[resource.Ref]*cost.Money, ref resource.Ref) Delta {
	b, billedBefore := before[ref]
	a, billedAfter := after[ref]
	return Delta{orNothing(b, billedBefore), orNothing(a, billedAfter)}
}

// changes reports whether the two differ; a price that is not known differs from one that is.
func (d Delta) changes() bool {
	if d.Before == nil || d.After == nil {
		return d.Before != d.After
	}
	return d.Before.Compare(*d.After) != 0
}

// Text writes the difference for people, in cents.
func (v CostChange) Text(w io.Writer, p Paint) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s against %s: list prices in %s, a month of %d hours\n%s\n\n", p.as(strong, plain(v.Stack)), plain(v.Against), v.Currency, v.HoursPerMonth, plain(v.PriceBook))
	var t table
	t.row(faint, "", "before", "after", "difference", "with sleep")
	for _, r := range v.Resources {
		t.row("", append([]string{r.Kind + "/" + plain(r.Name)}, r.cells()...)...)
	}
	t.row(strong, append([]string{"total"}, v.Total.cells()...)...)
	if err := t.write(&b, p, ""); err != nil {
		return err
	}
	if v.Unpriced.Before+v.Unpriced.After > 0 {
		fmt.Fprintf(&b, "\n%s\n", p.as(bad, fmt.Sprintf("Not in it, for want of a price: %d before, %d after; recsysd cost FILE names them.", v.Unpriced.Before, v.Unpriced.After)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (d Deltas) cells() []string {
	return []string{sum(d.USDPerMonth.Before, 2), sum(d.USDPerMonth.After, 2), d.USDPerMonth.signed(), d.Scheduled.signed()}
}

// signed is right-aligned; a question mark where one of the two is not known.
func (d Delta) signed() string {
	text := d.text()
	switch {
	case d.Before == nil || d.After == nil:
		text = "?"
	case text == "":
		text = "0.00"
	}
	return fmt.Sprintf("%10s", text)
}
