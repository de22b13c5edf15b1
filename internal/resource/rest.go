package resource

import "time"

// Rest says whether a resource sleeps. One that does stays what it is, in a form that costs nothing and serves nobody; to fall asleep
// and to wake is a change of form, never drift.
type Rest struct {
	Asleep bool
	Until  time.Time // when that ends; zero: there is no end in sight
	Wakes  time.Time // when its schedule next wakes it; zero: it has none, or never does
	ByHand bool      // because a person said so, whatever the schedule says
}

// Heed is what comes of a schedule's r where a person has said hand: the person's word holds until its time is over.
func (r Rest) Heed(hand Rest, now time.Time) Rest {
	if !hand.ByHand || !hand.Until.IsZero() && !now.Before(hand.Until) {
		return r
	}
	if !hand.Until.IsZero() && !r.Wakes.IsZero() { // told in the schedule's zone
		hand.Until = hand.Until.In(r.Wakes.Location())
	}
	return Rest{Asleep: hand.Asleep, Until: hand.Until, Wakes: r.Wakes, ByHand: true}
}

// String says it to people: asleep until Mon 2026-11-30 08:00 CET; awake, where there is nothing more to say.
func (r Rest) String() string {
	word := "awake"
	if r.Asleep {
		word = "asleep"
	}
	switch {
	case !r.Until.IsZero():
		word += " until " + r.Until.Format("Mon 2006-01-02 15:04 MST")
	case r.Asleep:
		word += " until it is woken"
	}
	if r.ByHand {
		word += ", by hand"
	}
	return word
}

// Turn is a change of form.
type Turn string

const (
	Sleep Turn = "sleep"
	Wake  Turn = "wake"
)

// Turn is the change that would bring the resource to its wanted form; "" if it is in that form, or has but one.
func (o Observation) Turn() Turn {
	switch {
	case o.Rest == nil || o.Rest.Asleep == o.Asleep:
		return ""
	case o.Rest.Asleep:
		return Sleep
	}
	return Wake
}

// Sleeper is an optional part of a Spec whose resources can sleep.
type Sleeper[S any] interface {
	// Rest says whether the spec asks for sleep or, of a live one, whether it sleeps; nil if this resource never does.
	Rest() *Rest
	// WithRest is the spec asking for something else. What never sleeps is returned as it is.
	WithRest(r Rest) S
}
