package reconcile

import (
	"maps"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// A field that was put back so many times within so long is fought over: it is left alone, until it has not moved for so long.
const (
	fightAfter = 3
	fightSpan  = 10 * time.Minute
)

// Fight is a field that another sets again whenever it is put back, and that is left alone.
type Fight struct {
	Field string    `json:"field"`
	Want  string    `json:"want"`
	Have  string    `json:"have"`
	Rival string    `json:"rival"`          // the field manager that set it last; "": not known
	Since time.Time `json:"since"`          // left alone since
	Moved time.Time `json:"moved"`          // when it was last seen to change
	Spec  string    `json:"spec,omitempty"` // hash of the spec that asks for Want, where Want is not the value itself
}

// asks is what c asks for: where its text is not the value itself, another spec may ask for another value by the same text.
func asks(c resource.Change, spec string) demand {
	if c.Veiled {
		return demand{c.Want, spec}
	}
	return demand{want: c.Want}
}

type demand struct{ want, spec string }

func (f Fight) asks() demand { return demand{f.Want, f.Spec} }

// moved reports whether somebody has set the field since. Of a value that is not shown only the time can tell.
func (f Fight) moved(c resource.Change) bool {
	return c.Have != f.Have || c.Veiled && c.At.After(f.Moved)
}

// Equal reports whether two fights are the same and stand the same.
func (f Fight) Equal(o Fight) bool {
	sameTimes := f.Since.Equal(o.Since) && f.Moved.Equal(o.Moved)
	f.Since, f.Moved = o.Since, o.Moved
	return sameTimes && f == o
}

// Fights are, per resource, the fields that are left alone because another sets them again whenever they are put back.
func (p Pass) Fights() map[resource.Ref][]Fight { return p.fights }

// efforts are the times at which each field was put back lately.
type efforts map[effortOn]*effort

type effortOn struct {
	ref   resource.Ref
	field string
}

type effort struct {
	asks    demand // to put back anything else is another effort
	at      []time.Time
	written bool // and not yet seen as it should be
}

// wrote notes what the pass has written. It counts once it is seen as it should be: what a provider takes its time for, or takes in parts,
// is no fight.
func (e efforts) wrote(p *Pass) {
	var specs map[resource.Ref]string
	for i, res := range p.Results {
		if res.Verb != plan.Update || res.Outcome != plan.OK {
			continue
		}
		for _, c := range p.Plan.Steps[i].Drift {
			if c.Mark {
				continue
			}
			if specs == nil {
				specs = hashes(p.Want)
			}
			on, asked := effortOn{res.Ref, c.Field}, asks(c, specs[res.Ref])
			if e[on] == nil || e[on].asks != asked {
				e[on] = &effort{asks: asked}
			}
			e[on].written = true
		}
	}
}

// look counts what has been written and is now as it should be, and forgets what is too long ago.
func (e efforts) look(seen []resource.Observation, now time.Time) {
	if len(e) == 0 {
		return
	}
	differs, known := map[effortOn]bool{}, map[resource.Ref]bool{}
	for _, o := range seen {
		known[o.Ref] = o.State != resource.Unknown
		for _, c := range o.Diff {
			differs[effortOn{o.Ref, c.Field}] = true
		}
	}
	for on, t := range e {
		if t.written && known[on.ref] && !differs[on] {
			t.at, t.written = append(t.at, now), false
		}
		t.at = slices.DeleteFunc(t.at, func(at time.Time) bool { return now.Sub(at) >= fightSpan })
		if len(t.at) == 0 && !t.written {
			delete(e, on)
		}
	}
}

// enough reports whether what is asked of a field was put back as often as it is worth it.
func (e efforts) enough(on effortOn, asked demand) bool {
	t := e[on]
	return t != nil && t.asks == asked && len(t.at) >= fightAfter
}

// again allows one more try at what was fought over.
func (e efforts) again(ref resource.Ref, f Fight, now time.Time) {
	e[effortOn{ref, f.Field}] = &effort{asks: f.asks(), at: slices.Repeat([]time.Time{now}, fightAfter-1)}
}

// fight finds what is fought over as things stand before a plan. A person who asks for a pass lets everything be tried anew.
func (r *Reconciler) fight(p *Pass, anew bool) {
	now := p.Start
	if anew {
		clear(r.Memory.Fights)
		clear(r.efforts)
	}
	if len(r.Memory.Fights) == 0 && len(r.efforts) == 0 {
		p.fights = map[resource.Ref][]Fight{}
		return // nothing was put back lately
	}
	specs := hashes(p.Want)
	maps.DeleteFunc(r.Memory.Fights, func(ref resource.Ref, _ []Fight) bool { _, wanted := specs[ref]; return !wanted })
	r.efforts.look(p.Seen, now)
	for _, o := range p.Seen {
		spec, wanted := specs[o.Ref]
		if o.State == resource.Unknown || !wanted {
			continue
		}
		before := r.Memory.Fights[o.Ref]
		after := r.efforts.rounds(o, spec, before, now)
		if len(after) == 0 {
			delete(r.Memory.Fights, o.Ref)
			continue
		}
		r.Memory.Fights[o.Ref] = after
		if slices.ContainsFunc(after, func(f Fight) bool { return f.Since.Equal(now) }) {
			p.Fought = append(p.Fought, o.Ref)
		}
	}
	p.fights = maps.Clone(r.Memory.Fights)
}

// rounds are the fights over one resource: those that last, and those that begin. spec is the hash of what it should be.
func (e efforts) rounds(o resource.Observation, spec string, before []Fight, now time.Time) []Fight {
	var after []Fight
	for _, c := range o.Diff {
		asked := asks(c, spec)
		i := slices.IndexFunc(before, func(f Fight) bool { return f.Field == c.Field })
		switch {
		case c.Mark:
		case i < 0 && e.enough(effortOn{o.Ref, c.Field}, asked):
			after = append(after, Fight{Field: c.Field, Want: c.Want, Have: c.Have, Rival: c.Manager, Since: now, Moved: now, Spec: asked.spec})
		case i < 0:
		case before[i].asks() != asked: // a commit asks for something else
		default:
			f := before[i]
			if f.moved(c) {
				f.Have, f.Rival, f.Moved = c.Have, c.Manager, now
			}
			if f.Moved.After(now) { // the clock has gone back
				f.Moved = now
			}
			if now.Sub(f.Moved) >= fightSpan {
				e.again(o.Ref, f, now)
				continue
			}
			after = append(after, f)
		}
	}
	for _, f := range before {
		if !slices.ContainsFunc(o.Diff, func(c resource.Change) bool { return c.Field == f.Field }) {
			e.again(o.Ref, f, now)
		}
	}
	return after
}

// hashes are those of what is wanted.
func hashes(want []resource.Resource) map[resource.Ref]string {
	all := make(map[resource.Ref]string, len(want))
	for _, w := range want {
		all[w.Ref] = w.Hash
	}
	return all
}

// rivals is who fights for what.
func rivals(fights map[resource.Ref][]Fight) map[resource.Ref]map[string]string {
	all := map[resource.Ref]map[string]string{}
	for ref, fs := range fights {
		all[ref] = map[string]string{}
		for _, f := range fs {
			all[ref][f.Field] = f.Rival
		}
	}
	return all
}
