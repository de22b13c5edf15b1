package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// The bases of recsysd_cost_usd_per_month.
const (
	desired   = "desired"   // what is wanted, at full hours
	scheduled = "scheduled" // what is wanted, with its sleep and what is expected of autoscalers
	live      = "live"      // what the pass saw
)

// PriceBook sets the prices that passes are reckoned in from the next one on.
func (c *Collector) PriceBook(b *cost.Book) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.book = b
}

// prices are a stack's figures, with what they were made from. They are made anew only where that has changed: not in a scrape, and
// not in a pass that found everything as before. The zero value has none.
type prices struct {
	book    *cost.Book
	credit  bool
	want    []resource.Resource
	foreign []resource.Ref // others pay for them
	seen    []cost.Bill    // of all that is there, in the order of the pass; what costs nothing now has no usages

	desired, scheduled, live *cost.Report
	idle                     []resource.Ref // there, and billed for nothing now, although it is by the stack: 0 is known of them
	unpriced                 int
}

// update takes a pass in.
func (s *prices) update(book *cost.Book, p reconcile.Pass) {
	if book == nil {
		*s = prices{}
		return
	}
	wanted := s.book == book && s.credit == p.Credit && same(s.want, p.Want)
	if wanted && s.sees(p.Seen) {
		return
	}
	o := cost.Options{FreeTierCredit: p.Credit}
	if !wanted {
		var bills []cost.Bill
		bills, s.foreign = cost.BillsOf(p.Want)
		s.book, s.credit, s.want = book, p.Credit, p.Want
		s.desired, s.scheduled = cost.Of(book, bills, cost.Full, o), cost.Of(book, bills, cost.Expected, o)
	}
	s.look(p.Seen)
	s.live = cost.Of(book, s.seen, cost.Full, o)
	s.sum()
}

// same reports whether the stack has not been read again.
func same(a, b []resource.Resource) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// counts reports whether the resource is there, as far as anybody knows, and not another's.
func (s *prices) counts(o *resource.Observation) bool {
	return o.State != resource.Unknown && o.State != resource.Absent && !slices.Contains(s.foreign, o.Ref)
}

// sees reports whether all is there that was before, and is billed for the same. Versions do not tell: how much is stored is no part of
// them.
func (s *prices) sees(all []resource.Observation) bool {
	n := 0
	for i := range all {
		o := &all[i]
		if !s.counts(o) {
			continue
		}
		if n == len(s.seen) || s.seen[n].Ref != o.Ref || !slices.Equal(s.seen[n].Usages, o.Usage()) {
			return false
		}
		n++
	}
	return n == len(s.seen)
}

func (s *prices) look(all []resource.Observation) {
	s.seen = make([]cost.Bill, 0, len(all))
	for i := range all {
		if o := &all[i]; s.counts(o) {
			s.seen = append(s.seen, cost.Bill{Ref: o.Ref, Usages: o.Usage()})
		}
	}
}

// sum counts what has no price, by the stack or as it was seen: of each resource the larger of the two, since most of it is in both.
func (s *prices) sum() {
	lacks := map[resource.Ref]int{}
	for _, r := range s.desired.Resources {
		lacks[r.Ref] = r.Unpriced()
	}
	s.idle = nil
	for _, b := range s.seen {
		if _, billed := lacks[b.Ref]; billed && len(b.Usages) == 0 {
			s.idle = append(s.idle, b.Ref)
		}
	}
	for _, r := range s.live.Resources {
		lacks[r.Ref] = max(lacks[r.Ref], r.Unpriced())
	}
	s.unpriced = 0
	for _, n := range lacks {
		s.unpriced += n
	}
}

func (s *prices) collect(gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	if s.book == nil {
		return
	}
	for _, of := range []struct {
		basis  string
		report *cost.Report
	}{{desired, s.desired}, {scheduled, s.scheduled}, {live, s.live}} {
		for i := range of.report.Resources {
			if r := &of.report.Resources[i]; r.Priced() { // else it is in unpriced alone: never a zero
				gauge(usdPerMonth, r.Month.Float(), r.Ref.Kind, r.Ref.Name, of.basis)
			}
		}
	}
	for _, ref := range s.idle {
		gauge(usdPerMonth, 0, ref.Kind, ref.Name, live)
	}
	gauge(unpriced, float64(s.unpriced))
}
