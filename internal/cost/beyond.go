package cost

import (
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// Stray is a resource that is not as it is wanted: what it is billed for as it is, and what it would be billed for as wanted.
type Stray struct{ Live, Wanted []resource.Usage }

// Excess is what a stray resource comes to in a month beyond what is wanted; below zero where it is less.
type Excess struct {
	Month    Money
	Unpriced string // why Month is not known; "": it is
}

// Beyond prices strays, each by itself among the others of the stack as they are wanted: a sixth forwarding rule costs what a sixth one
// does. What is billed for the same as it would be as wanted has no entry.
func Beyond(book *Book, wanted []resource.Resource, strays map[resource.Ref]Stray, o Options) map[resource.Ref]Excess {
	var all map[resource.Ref]Excess
	var company []Bill // made for the first that needs it
	for ref, s := range strays {
		differ := append(without(s.Live, s.Wanted), without(s.Wanted, s.Live)...)
		if len(differ) == 0 {
			continue
		}
		if all == nil {
			all, company = map[resource.Ref]Excess{}, pricedTogether(book, wanted)
		}
		all[ref] = excess(book, company, ref, s, differ, o)
	}
	return all
}

func excess(book *Book, company []Bill, ref resource.Ref, s Stray, differ []resource.Usage, o Options) Excess {
	for _, c := range Of(book, []Bill{{ref, differ}}, Expected, o).Resources {
		for i := range c.Components {
			if why := c.Components[i].Unpriced; why != "" {
				return Excess{Unpriced: c.Components[i].Name + ": " + why}
			}
		}
	}
	others := slices.DeleteFunc(slices.Clone(company), func(b Bill) bool { return b.Ref == ref })
	month := func(usages []resource.Usage) Money {
		return Of(book, append(slices.Clone(others), Bill{ref, usages}), Expected, o).Month
	}
	return Excess{Month: month(s.Live).Minus(month(s.Wanted))}
}

// without are the usages of a that b has not. Whether a quantity is measured or expected makes no difference here.
func without(a, b []resource.Usage) []resource.Usage {
	b = slices.Clone(b)
	var left []resource.Usage
	for _, u := range a {
		i := slices.IndexFunc(b, func(w resource.Usage) bool {
			w.Estimated = u.Estimated
			return u == w
		})
		if i < 0 {
			left = append(left, u)
		} else {
			b = slices.Delete(b, i, i+1)
		}
	}
	return left
}

// pricedTogether are the bills of what the price of others depends on: see shared.go.
func pricedTogether(book *Book, wanted []resource.Resource) []Bill {
	bills, _ := BillsOf(wanted)
	var shared []Bill
	for _, b := range bills {
		usages := slices.DeleteFunc(slices.Clone(b.Usages), func(u resource.Usage) bool {
			p, _ := book.Lookup(u.Price, u.Region)
			return u.Component != resource.ComponentManagement && (p == nil || p.Key != keyRules && p.Key != keyCredit && len(p.Tiers) <= 1)
		})
		if len(usages) > 0 {
			shared = append(shared, Bill{b.Ref, usages})
		}
	}
	return shared
}
