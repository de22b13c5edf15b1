// Package spend says what a stack costs now, what it has cost, and what this month will have come to, from passes and a price book. It is pure:
// it reads no file, asks no service and has no clock; whoever asks says what time it is. What prices are is the business of the room of cost.
package spend

import (
	"slices"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// Reckoning is the monthly list price of a stack, as it is wanted and as a pass saw it. It is made anew only where what it was made from has
// changed; a pass that found everything as before costs no allocation. The zero value knows nothing.
type Reckoning struct {
	Desired   *cost.Report // what is wanted, at full hours
	Scheduled *cost.Report // what is wanted, with its sleep and what is expected of autoscalers
	Live      *cost.Report // what the last pass saw
	// Idle is there, and billed for nothing now, although it is by the stack: 0 is known of it.
	Idle     []resource.Ref
	Unpriced int // things without a price, by the stack or as seen

	rest    cost.Money // what the rest of the month is expected to come to, as a month of it would: Scheduled, by what is stored already
	book    *cost.Book
	credit  bool
	want    []resource.Resource
	bills   []cost.Bill    // of it
	foreign []resource.Ref // others pay for them
	seen    []sighting     // all that is there, as far as anybody knows, in the order of the pass
	blind   []string       // kinds, sorted
	failed  bool           // the pass did not come to its end
}

// sighting is what counts of a look at one resource.
type sighting struct {
	cost.Bill
	unknown bool // it could not be read
	asleep  bool
}

// take makes the figures of a pass, and reports whether they may differ from those before.
func (r *Reckoning) take(book *cost.Book, p *reconcile.Pass) bool {
	wanted := r.book == book && r.credit == p.Credit && same(r.want, p.Want)
	if wanted && r.failed == (p.Err != nil) && r.seesAsBefore(p) {
		return false
	}
	o := cost.Options{FreeTierCredit: p.Credit}
	if !wanted {
		r.bills, r.foreign = cost.BillsOf(p.Want)
		r.book, r.credit, r.want = book, p.Credit, p.Want
		r.Desired, r.Scheduled = cost.Of(book, r.bills, cost.Full, o), cost.Of(book, r.bills, cost.Expected, o)
	}
	r.look(p)
	var bills []cost.Bill
	for i := range r.seen {
		if s := &r.seen[i]; !s.unknown {
			bills = append(bills, s.Bill)
		}
	}
	r.Live = cost.Of(book, bills, cost.Full, o)
	r.rest = r.Scheduled.Month
	if measured, other := r.measured(); other {
		r.rest = cost.Of(book, measured, cost.Expected, o).Month
	}
	r.sum()
	return true
}

// measured are the bills of what is wanted, with what was seen of it in place of what the stack file only expects, or does not know; other
// reports whether there is any such.
func (r *Reckoning) measured() (bills []cost.Bill, other bool) {
	seen := make(map[resource.Ref][]resource.Usage, len(r.seen))
	for i := range r.seen {
		if s := &r.seen[i]; !s.unknown {
			seen[s.Ref] = s.Usages
		}
	}
	bills = slices.Clone(r.bills)
	for i := range bills {
		b := &bills[i]
		if expects := func(u resource.Usage) bool { return u.Estimated || u.Unknown != "" }; slices.ContainsFunc(b.Usages, expects) {
			b.Usages, other = resource.Measured(b.Usages, seen[b.Ref]), true
		}
	}
	return bills, other
}

// same reports whether the stack has not been read again.
func same(a, b []resource.Resource) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// counts reports whether the resource may be there, and is not another's.
func (r *Reckoning) counts(o *resource.Observation) bool {
	return o.State != resource.Absent && !slices.Contains(r.foreign, o.Ref)
}

// seesAsBefore reports whether all is there that was before, and is billed for the same. Versions do not tell: how much is stored is no
// part of them.
func (r *Reckoning) seesAsBefore(p *reconcile.Pass) bool {
	if len(p.Plan.Blind) != len(r.blind) {
		return false
	}
	for _, kind := range r.blind {
		if _, still := p.Plan.Blind[kind]; !still {
			return false
		}
	}
	if p.Same { // and was taken in then
		return true
	}
	n := 0
	for i := range p.Seen {
		o := &p.Seen[i]
		if !r.counts(o) {
			continue
		}
		if n == len(r.seen) {
			return false
		}
		s := &r.seen[n]
		if s.Ref != o.Ref || s.unknown != (o.State == resource.Unknown) || s.asleep != o.Asleep || !slices.Equal(s.Usages, o.Usage()) {
			return false
		}
		n++
	}
	return n == len(r.seen)
}

func (r *Reckoning) look(p *reconcile.Pass) {
	r.failed, r.blind = p.Err != nil, r.blind[:0]
	for kind := range p.Plan.Blind {
		r.blind = append(r.blind, kind)
	}
	r.seen = make([]sighting, 0, len(p.Seen))
	for i := range p.Seen {
		if o := &p.Seen[i]; r.counts(o) {
			r.seen = append(r.seen, sighting{cost.Bill{Ref: o.Ref, Usages: o.Usage()}, o.State == resource.Unknown, o.Asleep})
		}
	}
}

// sum counts what has no price, by the stack or as it was seen: of each resource the larger of the two, since most of it is in both.
func (r *Reckoning) sum() {
	lacks := map[resource.Ref]int{}
	for _, c := range r.Desired.Resources {
		lacks[c.Ref] = c.Unpriced()
	}
	r.Idle = nil
	for _, s := range r.seen {
		if _, billed := lacks[s.Ref]; billed && !s.unknown && len(s.Usages) == 0 {
			r.Idle = append(r.Idle, s.Ref)
		}
	}
	for _, c := range r.Live.Resources {
		lacks[c.Ref] = max(lacks[c.Ref], c.Unpriced())
	}
	r.Unpriced = 0
	for _, n := range lacks {
		r.Unpriced += n
	}
}
