package reconcile

import (
	"maps"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// Drift is, per resource, what differs now behind the stack's back; a difference that a commit made is a change, not drift.
func (p Pass) Drift() map[resource.Ref]DriftFact { return p.drift }

// Repairs is, per resource, the drift that was put back last, if that was within a day: this process has to have seen it.
func (p Pass) Repairs() map[resource.Ref]Repair { return p.repairs }

// GoneField is the one field in drift of a resource that somebody removed.
const GoneField = "resource"

// gone is the one field in which a resource that somebody removed differs.
var gone = []resource.Change{{Field: GoneField, Want: "present", Have: "absent"}}

// missed notes on every creation of what was there before that somebody has removed it.
func (r *Reconciler) missed(p *Pass) {
	if !slices.ContainsFunc(p.Plan.Steps, func(s plan.Step) bool { return s.Verb == plan.Create || s.Held == plan.Create }) {
		return
	}
	specs := hashes(p.Want)
	for i, s := range p.Plan.Steps {
		if was, known := r.Memory.InSync[s.Ref]; known && specOf(was) == specs[s.Ref] && (s.Verb == plan.Create || s.Held == plan.Create) {
			p.Plan.Steps[i].Drift = gone
		}
	}
}

// observedOnly: what is another stack's, used or not, has no drift that concerns this one.
func (r *Reconciler) observedOnly(w resource.Resource, o resource.Observation) bool {
	return o.State != resource.Absent && !o.Owned
}

// compare tells drift from change for one wanted resource. It is drift if the resource was last seen in sync with the same desired
// hash, or if that is not known and the resource is ours. What is to turn is not in drift, whatever form it is remembered in: a process
// that was killed has not written down its own last turn.
func (r *Reconciler) compare(p *Pass, w resource.Resource, before, after map[resource.Ref]resource.Observation) {
	blind := p.Plan.Blind[w.Ref.Kind] != ""
	if o, exists := after[w.Ref]; o.State == resource.Unknown || !exists && blind {
		return // what was known of it stays
	}
	was, is := r.drifted(w, before), r.drifted(w, after)
	_, noted := r.Memory.DriftSince[w.Ref]
	if len(was)+len(is) > 0 && !noted {
		p.Detected = append(p.Detected, w.Ref)
		r.Memory.DriftSince[w.Ref] = p.Start
	}
	r.astray(w, was, before)
	if len(is) > 0 {
		p.drift[w.Ref] = r.fact(w, is, after)
	}
	o, exists := after[w.Ref]
	inSync := exists && o.Owned && len(o.Diff) == 0
	if _, noted := r.Memory.DriftSince[w.Ref]; noted && len(is) == 0 {
		if inSync && r.pace.wrote(w.Ref) {
			p.Corrected = append(p.Corrected, w.Ref)
			d := r.strays[w.Ref].DriftFact
			d.Done = DoneCorrected
			r.repairs[w.Ref] = Repair{DriftFact: d, At: time.Now()}
		}
		delete(r.Memory.DriftSince, w.Ref)
		delete(r.strays, w.Ref)
	}
	if inSync {
		r.Memory.InSync[w.Ref] = form(w, o)
		r.pace.settle(w.Ref)
	} else if last, known := r.Memory.InSync[w.Ref]; created(p, w.Ref) && (!known || last != form(w, o)) {
		r.Memory.InSync[w.Ref] = "" // known, and in sync with nothing yet: what is left to do is a change
	}
}

// drifted is what of w is in drift as it was seen.
func (r *Reconciler) drifted(w resource.Resource, seen map[resource.Ref]resource.Observation) []resource.Change {
	last, known := r.Memory.InSync[w.Ref]
	o, exists := seen[w.Ref]
	switch {
	case o.State == resource.Unknown, r.Destroy:
		return nil
	case !exists && known && specOf(last) == w.Hash:
		return gone
	case exists && o.Owned && o.Turn() == "" && (!known || last == form(w, o)):
		return o.Diff
	}
	return nil
}

// fact is the drift of w in fields, as it was seen.
func (r *Reconciler) fact(w resource.Resource, fields []resource.Change, seen map[resource.Ref]resource.Observation) DriftFact {
	o, wanted := seen[w.Ref], w.Usage()
	return DriftFact{
		Fields: fields, Since: r.Memory.DriftSince[w.Ref], Live: o.Monthly(wanted), Wanted: resource.Measured(wanted, o.Usage()),
	}
}

// stray is what was last seen of drift that lasts, before anything was done about it.
type stray struct {
	DriftFact
	written bool // something has been done about it
}

// astray notes what is in drift before the steps. What takes more than one pass to put back is remembered as it was before the first.
func (r *Reconciler) astray(w resource.Resource, fields []resource.Change, before map[resource.Ref]resource.Observation) {
	last := r.strays[w.Ref]
	if len(fields) == 0 {
		return
	}
	now := stray{r.fact(w, fields, before), last.written || r.pace.wrote(w.Ref)}
	if last.written {
		now.Live = last.Live
		for _, c := range last.Fields {
			if !slices.ContainsFunc(fields, func(n resource.Change) bool { return n.Field == c.Field }) {
				now.Fields = append(slices.Clip(now.Fields), c)
			}
		}
	}
	r.strays[w.Ref] = now
}

// recall gives the pass the repairs that are worth telling still.
func (r *Reconciler) recall(p *Pass) {
	const worth = 24 * time.Hour
	maps.DeleteFunc(r.repairs, func(_ resource.Ref, d Repair) bool { return p.End.Sub(d.At) > worth })
	p.repairs = maps.Clone(r.repairs)
}
