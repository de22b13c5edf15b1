package view

import (
	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// Excess is what a resource in drift costs in a month beyond what is wanted, by the list price; below zero where it is less.
type Excess struct {
	USDPerMonth *cost.Money `json:"usdPerMonth"`        // 0 where the drift changes nothing of the price; null where that is not known
	Unpriced    string      `json:"unpriced,omitempty"` // why it is not known
}

// text is the price for people; "" where there is none to tell.
func (e Excess) text() string {
	switch {
	case e.Unpriced != "":
		return "price not known: " + plain(e.Unpriced)
	case e.USDPerMonth == nil || e.USDPerMonth.Sign() == 0:
		return ""
	case e.USDPerMonth.Sign() > 0:
		return "+$" + e.USDPerMonth.Text(2) + " a month"
	}
	return "-$" + e.USDPerMonth.Negative().Text(2) + " a month"
}

// excesses prices facts of drift of a pass with the book in force; without a book there are none.
func excesses(p *reconcile.Pass, facts map[resource.Ref]reconcile.DriftFact, book *cost.Book) func(resource.Ref) Excess {
	if book == nil {
		return func(resource.Ref) Excess { return Excess{} }
	}
	strays := make(map[resource.Ref]cost.Stray, len(facts))
	for ref, d := range facts {
		strays[ref] = cost.Stray{Live: d.Live, Wanted: d.Wanted}
	}
	all := cost.Beyond(book, p.Want, strays, cost.Options{FreeTierCredit: p.Credit})
	return func(ref resource.Ref) Excess {
		e := all[ref] // none is nothing
		if e.Unpriced != "" {
			return Excess{Unpriced: e.Unpriced}
		}
		return Excess{USDPerMonth: &e.Month}
	}
}

// repaired are the facts of what was put back.
func repaired(repairs map[resource.Ref]reconcile.Repair) map[resource.Ref]reconcile.DriftFact {
	facts := make(map[resource.Ref]reconcile.DriftFact, len(repairs))
	for ref, d := range repairs {
		facts[ref] = d.DriftFact
	}
	return facts
}

// Price adds what the drift costs.
func (v *Drift) Price(p *reconcile.Pass, book *cost.Book) {
	if p == nil {
		return
	}
	of := excesses(p, p.Drift(), book)
	for i := range v.Resources {
		r := &v.Resources[i]
		r.Excess = of(resource.Ref{Kind: r.Kind, Name: r.Name})
	}
}

// PriceDrift adds what drift costs that is there, and what it did cost that was put back.
func (v *StackStatus) PriceDrift(p *reconcile.Pass, book *cost.Book) {
	if p == nil {
		return
	}
	is, was := excesses(p, p.Drift(), book), excesses(p, repaired(p.Repairs()), book)
	for i := range v.Resources {
		r := &v.Resources[i]
		ref := resource.Ref{Kind: r.Kind, Name: r.Name}
		if r.Drift > 0 {
			e := is(ref)
			r.Excess = &e
		}
		if r.Repaired != nil {
			r.Repaired.Excess = was(ref)
		}
	}
}

// Price adds to the steps that are about drift what that costs, or did.
func (h *HistoryPass) Price(p *reconcile.Pass, book *cost.Book) {
	facts := map[resource.Ref]reconcile.DriftFact{}
	for _, s := range h.Steps {
		if ref := (resource.Ref{Kind: s.Kind, Name: s.Name}); s.Done != "" {
			facts[ref], _ = factOf(p, ref)
		}
	}
	of := excesses(p, facts, book)
	for i := range h.Steps {
		if s := &h.Steps[i]; s.Done != "" {
			e := of(resource.Ref{Kind: s.Kind, Name: s.Name})
			s.Excess = &e
		}
	}
}

// factOf is the drift that a pass found on a resource, put back or not.
func factOf(p *reconcile.Pass, ref resource.Ref) (reconcile.DriftFact, bool) {
	if d, ok := p.Drift()[ref]; ok {
		return d, true
	}
	for _, c := range p.Corrected {
		if c == ref {
			return p.Repairs()[ref].DriftFact, true
		}
	}
	return reconcile.DriftFact{}, false
}

// done says what was done about drift: the word, and why where there is more to say.
func done(word reconcile.Done, why string) string {
	switch {
	case why != "":
		return string(word) + ": " + plain(why)
	case word == reconcile.DoneWaits:
		return string(word) + ": it is to be put back"
	}
	return string(word)
}
