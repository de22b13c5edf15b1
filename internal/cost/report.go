package cost

import (
	"slices"

	"recsysd.dev/recsysd/internal/resource"
)

// Bill is what one resource is billed for.
type Bill struct {
	Ref    resource.Ref
	Usages []resource.Usage
}

// BillsOf are the bills of wanted resources, and the refs of those that others pay for.
func BillsOf(wanted []resource.Resource) (bills []Bill, foreign []resource.Ref) {
	for i := range wanted {
		if wanted[i].Foreign {
			foreign = append(foreign, wanted[i].Ref)
		} else if u := wanted[i].Usage(); len(u) > 0 {
			bills = append(bills, Bill{wanted[i].Ref, u})
		}
	}
	return bills, foreign
}

// Basis says which hours and which quantities a report is about.
type Basis uint8

const (
	Full     Basis = iota // every hour, and what the stack file says: the figure named desired; of what is live, the one named live
	Least                 // with sleep, and the fewest that an autoscaler keeps
	Expected              // with sleep
	Most                  // with sleep, and the most that an autoscaler makes
)

// quantity is what counts of a usage.
func (b Basis) quantity(u *resource.Usage) resource.Amount {
	q := u.Quantity
	switch {
	case b == Full:
		return q
	case u.Most.Zero():
	case b == Least:
		q = u.Least
	case b == Most:
		q = u.Most
	}
	if u.Asleep.Zero() {
		return q
	}
	return q.Times(u.Asleep.Rest())
}

// Options are what the stack says about its billing account.
type Options struct {
	FreeTierCredit bool // the account's one credit for clusters is spent on this stack
}

// Report is the price of a stack.
type Report struct {
	Book      *Book
	Resources []Cost // by Ref; those that are billed for anything at all
	Month     Money  // of everything that has a price
	Unpriced  int    // components without one
}

// Cost is the price of one resource.
type Cost struct {
	Ref        resource.Ref
	Components []Component
	Month      Money // the sum of its components
}

// Unpriced counts the components that have no price, or one that is not all of it.
func (c Cost) Unpriced() int {
	n := 0
	for i := range c.Components {
		if c.Components[i].Unpriced != "" {
			n++
		}
	}
	return n
}

// Priced reports whether Month says anything: some component has a price.
func (c Cost) Priced() bool {
	return slices.ContainsFunc(c.Components, func(c Component) bool { return c.Unpriced == "" || c.Month.Sign() != 0 })
}

// Component is the price of one thing that a resource is billed for.
type Component struct {
	Name      string // such as cpu
	Key       string // in the price book
	Region    string
	Quantity  resource.Amount // as it was priced: of what sleeps, the average of all hours
	Price     *Price          // nil where there is none
	Month     Money
	Estimated bool
	Unpriced  string // why it has no price, or, with a Month, why that is not all
	Note      string // why Month is not Quantity × Price, where it is not
}

// Hour is an average hour of a month's sum.
func (m Money) Hour() Money { return m.Part(1, HoursPerMonth) }

// Of prices a stack. It depends on no order: the resources of bills, each of which stands there once, are told apart by their Ref.
// What is priced for all resources together (steps of a price, forwarding rules, the credit) is shared among them as shared.go says.
func Of(book *Book, bills []Bill, basis Basis, o Options) *Report {
	byRef := func(a, b Bill) int { return a.Ref.Compare(b.Ref) }
	if !slices.IsSortedFunc(bills, byRef) {
		bills = slices.Clone(bills)
		slices.SortFunc(bills, byRef)
	}
	n := 0
	for _, b := range bills {
		n += len(b.Usages)
	}
	s := &sheet{book: book, options: o, components: make([]Component, 0, n)}
	r := &Report{Book: book, Resources: make([]Cost, 0, len(bills))}
	for i := range bills {
		first := len(s.components)
		for j := range bills[i].Usages {
			s.add(&bills[i].Usages[j], basis)
		}
		if own := s.components[first:len(s.components):len(s.components)]; len(own) > 0 {
			r.Resources = append(r.Resources, Cost{Ref: bills[i].Ref, Components: own})
		}
	}
	s.share()
	s.credit(r.Resources)
	for i := range r.Resources {
		c := &r.Resources[i]
		for j := range c.Components {
			c.Month = c.Month.Plus(c.Components[j].Month)
		}
		r.Unpriced += c.Unpriced()
		r.Month = r.Month.Plus(c.Month)
	}
	return r
}

// sheet is a report in the making.
type sheet struct {
	book       *Book
	options    Options
	components []Component
	groups     []group // what is priced together
	byPrice    map[*Price]int
}

// add takes one usage in, and prices it unless it has to wait for the others.
func (s *sheet) add(u *resource.Usage, basis Basis) {
	if u.Price == keyCredit && !s.options.FreeTierCredit {
		return
	}
	c := Component{Name: u.Component, Key: u.Price, Region: u.Region, Quantity: basis.quantity(u), Estimated: u.Estimated, Unpriced: u.Unknown}
	if c.Unpriced == "" {
		c.Price, c.Unpriced = s.book.Lookup(u.Price, u.Region)
		if c.Quantity.Zero() {
			c.Unpriced = "" // nothing of it is there, whatever it would be
		}
	}
	if c.Price != nil && !c.Quantity.Zero() {
		switch {
		case c.Price.Key == keyCredit:
		case c.Price.Key == keyRules || len(c.Price.Tiers) > 1:
			s.together(c.Price, len(s.components), c.Quantity)
		default:
			c.Month = c.Price.USD.times(c.Quantity, c.Price.Unit.hours())
			if most := c.Price.Cap.times(resource.Count(1), c.Price.Unit.hours()); c.Price.Cap > 0 && c.Month.Compare(most) > 0 {
				c.Month, c.Note = most, "the most that is taken"
			}
		}
	}
	s.components = append(s.components, c)
}
