package cost

import (
	"fmt"

	"recsysd.dev/recsysd/internal/resource"
)

// Some prices are of all resources together. Their sum is worked out first, exactly as it is billed, and then shared:
//
//   - Steps: the quantities of one key and region are added up, and each step takes what lies in it. Every resource has the part of
//     the sum that its quantity is of the whole, so all pay one average price. The free step that many prices begin with is the billing
//     account's; it is counted as this stack's, because the list price says so and nothing else is known.
//   - Forwarding rules of one region: the first five together pay the minimum, each further one the additional price. All rules have
//     the same part. (Google counts by project; the stack is taken for the project's only one.)
//   - The credit for clusters: at most its amount, at most the management fees of the clusters that it is given for. In the order of
//     their names each gets its whole fee until it is used up.
//
// Parts are cut off at the eighteenth digit, and the last has what that leaves: they add up to the sum itself.

// Keys that have a rule of their own.
const (
	keyRules       = "lb.forwarding_rule.minimum"
	keyFurtherRule = "lb.forwarding_rule.additional"
	keyCredit      = "gke.free_tier.credit"
)

// rulesOfMinimum are the forwarding rules that the minimum is for.
const rulesOfMinimum = 5

// group is the components that one price is of together.
type group struct {
	price *Price
	of    []int // in sheet.components
	whole resource.Amount
}

func (s *sheet) together(p *Price, component int, q resource.Amount) {
	i, ok := s.byPrice[p]
	if !ok {
		if s.byPrice == nil {
			s.byPrice = map[*Price]int{}
		}
		i = len(s.groups)
		s.byPrice[p] = i
		s.groups = append(s.groups, group{price: p})
	}
	g := &s.groups[i]
	g.of, g.whole = append(g.of, component), g.whole.Plus(q)
}

// share gives every component of a group its part.
func (s *sheet) share() {
	for i := range s.groups {
		g := &s.groups[i]
		sum, note, lacks := s.sum(g)
		var until resource.Amount
		var given Money
		for _, j := range g.of {
			c := &s.components[j]
			until = until.Plus(c.Quantity)
			upTo := sum.share(until, g.whole)
			c.Month, c.Note, c.Unpriced = upTo.Minus(given), note, lacks
			given = upTo
		}
	}
}

// sum is the price of all that a group has, and why it is not quantity times price; lacks says what of it has no price.
func (s *sheet) sum(g *group) (sum Money, note, lacks string) {
	if g.price.Key != keyRules {
		return stepped(g.price, g.whole)
	}
	hours := g.price.Unit.hours()
	one, five := resource.Count(1), resource.Count(rulesOfMinimum)
	if g.whole.Compare(one) <= 0 { // a rule that is there for a part of the hours
		return g.price.USD.times(g.whole, hours), "", ""
	}
	sum = g.price.USD.times(one, hours)
	note = fmt.Sprintf("part of %s for %s rules: the first %d together pay the minimum", sum, g.whole, rulesOfMinimum)
	if g.whole.Compare(five) <= 0 {
		return sum, note, ""
	}
	further, lacks := s.book.Lookup(keyFurtherRule, g.price.Region)
	if further == nil {
		return sum, note, lacks
	}
	sum = sum.Plus(further.USD.times(above(g.whole, five), hours))
	return sum, fmt.Sprintf("part of %s for %s rules: the first %d together pay the minimum, each further one %s/%s",
		sum, g.whole, rulesOfMinimum, further.USD, further.Unit), ""
}

// stepped is the price of a month's quantity that has steps.
func stepped(p *Price, q resource.Amount) (sum Money, note, lacks string) {
	month := q.Times(resource.Count(p.Unit.hours()))
	for i, t := range p.Tiers {
		in := above(month, t.From)
		if i+1 < len(p.Tiers) {
			if next := p.Tiers[i+1].From; month.Compare(next) > 0 {
				in = above(next, t.From)
			}
		}
		sum = sum.Plus(t.USD.times(in, 1))
	}
	if p.Tiers[0].USD == 0 {
		unit := p.Unit.Noun()
		if unitForms[p.Unit].hourly {
			unit = "hours"
		}
		return sum, fmt.Sprintf("the first %s %s of the billing account are free", p.Tiers[1].From, unit), ""
	}
	return sum, "an average of the steps of the price", ""
}

// above is what of q lies above from.
func above(q, from resource.Amount) resource.Amount {
	if q.Compare(from) <= 0 {
		return resource.Amount{}
	}
	return q.Minus(from)
}

// credit gives back what the billing account is given for clusters. Resources are in order.
func (s *sheet) credit(all []Cost) {
	var left Money // below zero
	begun := false
	for i := range all {
		var fee Money
		for _, c := range all[i].Components {
			if c.Name == resource.ComponentManagement {
				fee = fee.Plus(c.Month)
			}
		}
		for j := range all[i].Components {
			c := &all[i].Components[j]
			if c.Key != keyCredit || c.Price == nil {
				continue
			}
			if !begun {
				left, begun = c.Price.USD.times(resource.Count(1), 1), true
			}
			c.Month = left
			if back := fee.Negative(); left.Compare(back) < 0 {
				c.Month = back
			}
			left = left.Minus(c.Month)
			c.Note = "one for the billing account, at most the management fee"
		}
	}
}
