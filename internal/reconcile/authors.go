package reconcile

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// Where a provider keeps a record of who changed what, it is asked about drift that is new: beside the steps, so that no repair waits for
// it, and again for a while, since records come late. What is in sync is never asked about.
const (
	askPatience = 3 * time.Second  // for one answer
	askFirst    = 5 * time.Second  // until the second attempt; twice as long until each further one
	askFor      = 10 * time.Minute // after that nobody is asked again
	askBack     = 24 * time.Hour   // how far back, where it is not known when the resource was last in sync
	askSkew     = time.Second      // how far clocks may differ
	askWidth    = 4
)

// authors are who set what is in drift, by what they have set.
type authors map[resource.Ref]map[setting]resource.Author

// setting is a field as somebody has set it.
type setting struct{ field, have string }

// sign names in what was seen who is known to have set it.
func (a authors) sign(seen []resource.Observation) {
	if len(a) == 0 {
		return
	}
	for i := range seen {
		if known := a[seen[i].Ref]; known != nil {
			seen[i].Diff = signed(seen[i].Diff, known)
		}
	}
}

// signed is cs with the authors that are known, where there is none yet.
func signed(cs []resource.Change, known map[setting]resource.Author) []resource.Change {
	cs = slices.Clone(cs) // others may hold it
	for i := range cs {
		if who, ok := known[setting{cs[i].Field, cs[i].Have}]; ok && cs[i].Manager == "" && !cs[i].Mark {
			cs[i].Manager, cs[i].At = who.Name, who.At
		}
	}
	return cs
}

// unsigned are the settings of cs of which nobody is known.
func unsigned(cs []resource.Change) []setting {
	var all []setting
	for _, c := range cs {
		if c.Manager == "" && !c.Mark {
			all = append(all, setting{c.Field, c.Have})
		}
	}
	return all
}

// inquiry is what is to be asked, and how far back.
type inquiry struct {
	open   map[resource.Ref]question
	looked map[string]time.Time       // by Ref.Kind, when the last whole look began that saw it
	named  map[resource.Ref]time.Time // what the last answer was about: that makes no drift twice
}

// question is about one resource.
type question struct {
	about []setting
	named resource.Resource // to ask by
	made  resource.Span     // the change was made then: whoever came after it was seen has not made it
	until time.Time         // it is worth asking
	next  time.Time         // not before
	wait  time.Duration
}

// askWho asks about new drift, and once more about what had no answer yet. The function that it returns waits for the answers; it has to
// be called.
func (r *Reconciler) askWho(ctx context.Context, p *Pass, before map[resource.Ref]resource.Observation) func() map[resource.Ref]resource.Author {
	var seen []string // kinds
	for _, w := range p.Want {
		if k, err := r.kindOf(w); err != nil || !k.Tells() {
			continue
		}
		if len(p.Partial) == 0 && p.Plan.Blind[w.Ref.Kind] == "" && !slices.Contains(seen, w.Ref.Kind) {
			seen = append(seen, w.Ref.Kind)
		}
		if r.observedOnly(w, before[w.Ref]) {
			continue
		}
		if about := unsigned(r.drifted(w, before)); len(about) > 0 {
			r.inquiry.raise(w, about, r.Memory.DriftSince[w.Ref], p.Start)
		}
	}
	for _, kind := range seen {
		r.inquiry.looked[kind] = p.Start
	}
	due := r.inquiry.due(p.Start)
	answers := map[resource.Ref]resource.Author{}
	var mu sync.Mutex
	var asking sync.WaitGroup
	turn := make(chan struct{}, askWidth)
	for ref, q := range due {
		k, err := r.kindOf(q.named)
		if err != nil {
			continue
		}
		asking.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			ctx, cancel := context.WithTimeout(ctx, askPatience)
			defer cancel()
			// That nobody can be asked is no failure of the pass: then nobody is named.
			if who, err := k.Who(ctx, q.named, q.made); err == nil && who.Name != "" {
				mu.Lock()
				defer mu.Unlock()
				answers[ref] = who
			}
		})
	}
	return func() map[resource.Ref]resource.Author {
		asking.Wait()
		return answers
	}
}

// raise asks about settings, unless just that is asked already, or was asked for long enough. noted is since when drift is known.
func (i *inquiry) raise(w resource.Resource, about []setting, noted, now time.Time) {
	if q, asked := i.open[w.Ref]; asked && slices.Equal(q.about, about) {
		return
	}
	since, known := i.looked[w.Ref.Kind]
	if !known { // a start of the daemon
		since = now.Add(-askBack)
		if !noted.IsZero() {
			since = noted.Add(-askBack)
		}
	}
	since = since.Add(-askSkew)
	if last := i.named[w.Ref]; !since.After(last) {
		since = last.Add(time.Nanosecond)
	}
	made := resource.Span{From: since, To: time.Now().Add(askSkew)}
	i.open[w.Ref] = question{about: about, named: w, made: made, until: now.Add(askFor), wait: askFirst}
}

// due are the questions whose time has come.
func (i *inquiry) due(now time.Time) map[resource.Ref]question {
	due := map[resource.Ref]question{}
	for ref, q := range i.open {
		if now.Before(q.next) || now.After(q.until) {
			continue
		}
		due[ref] = q
		q.next, q.wait = now.Add(q.wait), 2*q.wait
		i.open[ref] = q
	}
	return due
}

// hearWho writes the answers to wherever the drift stands, put back or not. Without new ones it forgets what is settled.
func (r *Reconciler) hearWho(p *Pass, answers map[resource.Ref]resource.Author) {
	for ref, who := range answers {
		known := map[setting]resource.Author{}
		for _, s := range r.inquiry.open[ref].about {
			known[s] = who
		}
		if p.Named == nil {
			p.Named = map[resource.Ref]resource.Author{}
		}
		p.Named[ref], r.inquiry.named[ref] = who, who.At
		r.inquiry.settle(ref)
		r.signAll(p, ref, known)
	}
	lasts := func(ref resource.Ref) bool { _, noted := r.Memory.DriftSince[ref]; return noted }
	maps.DeleteFunc(r.authors, func(ref resource.Ref, _ map[setting]resource.Author) bool { return !lasts(ref) })
	wanted := hashes(p.Want)
	maps.DeleteFunc(r.inquiry.named, func(ref resource.Ref, _ time.Time) bool { _, is := wanted[ref]; return !is })
	maps.DeleteFunc(r.inquiry.open, func(ref resource.Ref, q question) bool { return !lasts(ref) && p.Start.After(q.until) })
}

// settle ends the asking about what ref is now; other settings are another question.
func (i *inquiry) settle(ref resource.Ref) {
	q := i.open[ref]
	q.until = time.Time{}
	i.open[ref] = q
}

// signAll names who made the drift of ref in what this pass tells and in what is remembered.
func (r *Reconciler) signAll(p *Pass, ref resource.Ref, known map[setting]resource.Author) {
	if r.authors[ref] == nil {
		r.authors[ref] = map[setting]resource.Author{}
	}
	maps.Copy(r.authors[ref], known)
	if d, ok := p.drift[ref]; ok {
		d.Fields = signed(d.Fields, known)
		p.drift[ref] = d
	}
	if d, ok := r.strays[ref]; ok {
		d.Fields = signed(d.Fields, known)
		r.strays[ref] = d
	}
	if d, ok := r.repairs[ref]; ok {
		d.Fields = signed(d.Fields, known)
		r.repairs[ref] = d
	}
	for i := range p.Plan.Steps {
		if s := &p.Plan.Steps[i]; s.Ref == ref {
			s.Drift, s.Fought = signed(s.Drift, known), signed(s.Fought, known)
		}
	}
	if fights := slices.Clone(r.Memory.Fights[ref]); len(fights) > 0 {
		for i := range fights {
			if who, ok := known[setting{fights[i].Field, fights[i].Have}]; ok && fights[i].Rival == "" {
				fights[i].Rival = who.Name
			}
		}
		r.Memory.Fights[ref], p.fights[ref] = fights, fights
	}
}
