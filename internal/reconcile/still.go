package reconcile

import (
	"maps"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/resource"
)

// Most passes find everything as the pass before left it. As long as nothing is wanted, seen, remembered or asked for otherwise than in a
// pass that found everything well, the next comes to the same: its account is that one's, at another time, and costs as much as seeing that.

// still is such a pass, with all that its account was made from.
type still struct {
	pass     Pass
	stamps   []uint64 // of what was seen
	settings Settings
	words    words
	allowed  allowance
	memory   Memory   // as it was recorded
	tells    []string // kinds of which somebody keeps a record of who changed what
}

// words are what a person has said by hand.
type words struct {
	suspended string
	held      map[resource.Ref]string
}

// words are those that hold now. They are never changed.
func (r *Reconciler) words() words {
	r.mu.Lock()
	defer r.mu.Unlock()
	return words{r.Memory.Suspended, maps.Clone(r.Memory.Held)}
}

// stamps are of what was seen in the pass that this one may be like; nil if it is not like any, whatever is seen.
func (r *Reconciler) stamps(p *Pass, k Kick) []uint64 {
	s, w := r.still, p.words
	switch {
	case s == nil, k.Retry, k.MaxDeletes > 0, p.only != nil, r.recorded != nil, !p.plain(), p.using.Commit != s.pass.using.Commit,
		p.lookout != s.pass.lookout, readingOf(p.Want) != readingOf(s.pass.Want), r.viewOf != r.taken,
		r.Settings != s.settings, r.allowed != s.allowed, w.suspended != s.words.suspended, !maps.Equal(w.held, s.words.held):
		return nil
	}
	return s.stamps
}

// plain reports whether there is nothing to tell of the stack itself.
func (p *Pass) plain() bool {
	return p.Err == nil && p.StackErr == nil && p.OverBudget == "" && !p.Withheld && len(p.asides) == 0
}

// repeat gives the pass the account of the one that it is like.
func (r *Reconciler) repeat(p *Pass) {
	was := &r.still.pass
	p.outcome = was.outcome
	p.Seen, p.Plan, p.Results, p.unlisted, p.drift, p.fights = was.Seen, was.Plan, was.Results, was.unlisted, was.drift, was.fights
}

// settleDown remembers a pass that the next may be like. What is under way, or told for a time only, makes it like none.
func (r *Reconciler) settleDown(p *Pass, m Memory) {
	r.still = nil
	_, waits := motion(*p) // what is awaited is looked at again soon
	busy := len(p.drift) + len(p.fights) + len(p.Detected) + len(p.Corrected) + len(p.Fought) + len(p.Unexplained) + len(p.Named) +
		len(r.strays) + len(r.efforts) + len(r.authors) + len(r.inquiry.open) + len(r.Memory.DriftSince) + len(r.Memory.Fights)
	switch {
	case busy > 0, waits, p.only != nil, p.stamps == nil, slices.Contains(p.stamps, 0), r.Destroy, r.Agree != nil, r.recorded != nil, !r.early.IsZero(),
		!p.plain(), !p.Converged(), len(p.unlisted) > 0, r.pace.busy(),
		slices.ContainsFunc(p.Results, func(res plan.Result) bool { return res.Outcome != plan.None || res.Err != nil }):
		return
	}
	s := &still{pass: *p, stamps: p.stamps, settings: r.Settings, words: p.words, allowed: r.allowed, memory: m}
	for kind, at := range r.inquiry.looked {
		if at.Equal(p.Start) {
			s.tells = append(s.tells, kind)
		}
	}
	r.still = s
}

// lookedAgain notes what a pass that was like another has looked at.
func (r *Reconciler) lookedAgain(at time.Time) {
	for _, kind := range r.still.tells {
		r.inquiry.looked[kind] = at
	}
}
