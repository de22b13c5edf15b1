package spend

import (
	"slices"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// rate is what a resource costs at a time, as a month of it would.
type rate struct {
	live  cost.Money
	saved cost.Money // what it would cost beyond that if it were not asleep
}

// rates are those of a stack. What costs nothing and saves nothing is not in them.
type rates map[resource.Ref]rate

// sum is the rate of all.
func (rs rates) sum() (all rate) {
	for _, r := range rs {
		all.live, all.saved = all.live.Plus(r.live), all.saved.Plus(r.saved)
	}
	return all
}

// after are the rates when p has been reckoned as r. What p could not see keeps the rate that it had: what nobody could look at has not
// become free. guessed reports whether there is any such.
func (rs rates) after(r *Reckoning, p *reconcile.Pass) (next rates, guessed bool) {
	next = rates{}
	full, now := months(r.Desired), months(r.Live)
	seen := map[resource.Ref]bool{}
	for i := range r.seen {
		s := &r.seen[i]
		if s.unknown {
			continue
		}
		seen[s.Ref] = true
		of := rate{live: now[s.Ref]}
		if more := full[s.Ref].Minus(of.live); s.asleep && more.Sign() > 0 {
			of.saved = more
		}
		if of != (rate{}) {
			next[s.Ref] = of
		}
	}
	for ref, was := range rs {
		if !seen[ref] && !slices.Contains(r.foreign, ref) && (r.unread(ref) || p.Missed(ref)) {
			next[ref], guessed = was, true
		}
	}
	return next, guessed
}

// unread reports whether the resource is there, and could not be read.
func (r *Reckoning) unread(ref resource.Ref) bool {
	return slices.ContainsFunc(r.seen, func(s sighting) bool { return s.unknown && s.Ref == ref })
}

// months are the sums of a report by resource.
func months(r *cost.Report) map[resource.Ref]cost.Money {
	all := make(map[resource.Ref]cost.Money, len(r.Resources))
	for i := range r.Resources {
		all[r.Resources[i].Ref] = r.Resources[i].Month
	}
	return all
}
