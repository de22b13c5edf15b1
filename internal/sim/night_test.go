package sim_test

import (
	"fmt"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

// half is how long a day lasts, and a night: short beside a history.
const half = 25 * time.Minute

// night says whether it is night, and until when. Once it is calm it stays as it is.
func (h *history) night(now time.Time) (night bool, until time.Time) {
	if h.calm {
		return h.seed%4 < 2, time.Time{}
	}
	n := now.Sub(h.began) / half
	return n%2 == 1, h.began.Add((n + 1) * half)
}

// asOf is a commit's stack as it reads at a moment: an app whose spec is asleep there sleeps at night.
func (h *history) asOf(want []resource.Resource, now time.Time) reconcile.Stack {
	night, until := h.night(now)
	h.dark = night
	stack := reconcile.Stack{Until: until}
	for _, r := range want {
		if r.Rest != nil {
			form := resource.Rest{Asleep: r.Rest.Asleep && night, Until: until}
			r.Spec, r.Rest = asBox(r.Spec).WithRest(form), &form
		}
		stack.Resources = append(stack.Resources, r)
	}
	return stack
}

// drowsy reports whether a wanted resource is to be asleep, where a person may have left a word on the live one.
func drowsy(r resource.Resource, word resource.Rest, dark bool) bool {
	return r.Rest != nil && resource.Rest{Asleep: r.Rest.Asleep && dark}.Heed(word, time.Now()).Asleep
}

// say has a person put something to sleep, or wake it, for a time or until further notice.
func (h *history) say(t sim.Thing) {
	r, ok := h.wanted(t.Ref)
	if !ok || r.Rest == nil {
		return
	}
	by := resource.Rest{Asleep: h.rand.IntN(2) == 0, ByHand: h.rand.IntN(4) > 0}
	if !by.Asleep || h.rand.IntN(2) == 0 {
		by.Until = time.Now().Add(time.Duration(1+h.rand.IntN(15)) * time.Minute)
	}
	err := h.daemon.SetRest(h.ctx, r, by) // in trouble, it may not be heard
	h.log = append(h.log, fmt.Sprintf("word on %v: asleep=%v until=%s hand=%v: %v", t.Ref, by.Asleep, by.Until.Format(time.TimeOnly), by.ByHand, err))
}

// turned checks the order in which things fall asleep and wake: what stands on others falls asleep before them and wakes after them, each
// when the other is through.
func (h *history) turned(w sim.Write, wrong func(format string, args ...any)) {
	things := map[resource.Ref]sim.Thing{}
	for _, t := range h.cloud.Things() {
		things[t.Ref] = t
	}
	asleep := func(ref resource.Ref) bool { return asBox(things[ref].Spec).Form.Asleep }
	ours := func(ref resource.Ref) (r resource.Resource, napping, ok bool) {
		t, exists := things[ref]
		r, wanted := h.wanted(ref)
		return r, drowsy(r, t.Word, h.dark), exists && wanted && r.Rest != nil && t.Owner == "mine"
	}
	want, _, ok := ours(w.Ref)
	if !ok || asBox(w.Had).Form.Asleep == asleep(w.Ref) {
		return
	}
	if !asleep(w.Ref) {
		for _, n := range want.Needs {
			if _, napping, ok := ours(n.Ref); ok && !napping && (asleep(n.Ref) || !things[n.Ref].State.Usable()) && !h.blind[""] && !h.blind[n.Ref.Kind] {
				wrong("it wakes before %v, which it stands on", n.Ref)
			}
		}
		return
	}
	h.fell[w.Ref] = true
	for ref := range things {
		dep, napping, ok := ours(ref)
		stands := slices.ContainsFunc(dep.Needs, func(n resource.Need) bool { return n.Ref == w.Ref })
		// What is made asleep was never awake, and a change in its sleep wakes nothing.
		through := asleep(ref) && (things[ref].State != resource.Pending || h.made[ref] || h.updated[ref] && !h.fell[ref])
		if ok && stands && napping && !through {
			wrong("it falls asleep before %v, which stands on it", ref)
		}
	}
}

// diff is how a live thing differs from what is wanted of it now.
func (j judgement) diff(r resource.Resource, t sim.Thing) []resource.Change {
	return asBox(r.Spec).WithRest(resource.Rest{Asleep: drowsy(r, t.Word, j.dark)}).Diff(asBox(t.Spec))
}

// waits: it is to turn, and waits for another that is to turn first and does not, for a reason that is judged there.
func (j judgement) waits(r resource.Resource, t sim.Thing) bool {
	nap := drowsy(r, t.Word, j.dark)
	if r.Rest == nil || nap == asBox(t.Spec).Form.Asleep {
		return false
	}
	for _, other := range j.want {
		o, exists := j.live[other.Ref]
		first, second := r, other // the second is stood on
		if nap {
			first, second = other, r
		}
		stands := slices.ContainsFunc(first.Needs, func(n resource.Need) bool { return n.Ref == second.Ref })
		if stands && exists && o.Owner == "mine" && other.Rest != nil && drowsy(other, o.Word, j.dark) == nap && asBox(o.Spec).Form.Asleep != nap {
			return true
		}
	}
	return false
}
