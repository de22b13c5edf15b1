package sim

import (
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// thing is one resource that exists.
type thing struct {
	spec        anySpec
	owner       string // the stack whose mark it carries
	unprotected string
	sick        string
	hand        resource.Rest // a person's word, if it is ByHand

	created time.Time
	made    time.Time // takes writes from then on
	idle    time.Time // not busy from then on
	started time.Time // ready from then on
	dying   time.Time // since then, unless zero
	gone    time.Time
}

// anySpec is resource.Spec without Diff, which alone needs the type.
type anySpec interface {
	Ref() resource.Ref
	Needs() []resource.Need
	Lifetime() resource.Lifetime
	Validate() error
}

// state says how the thing is, whether it takes no writes, and what is to be told of it.
func (t *thing) state(now time.Time) (s resource.State, locked bool, detail string) {
	switch {
	case !t.dying.IsZero():
		return resource.Pending, true, "being removed since " + t.dying.Format(time.TimeOnly)
	case now.Before(t.made):
		return resource.Pending, true, "being created since " + t.created.Format(time.TimeOnly)
	case now.Before(t.idle):
		return resource.Busy, false, "being changed"
	case t.sick != "":
		return resource.Broken, false, t.sick
	case now.Before(t.started):
		return resource.Pending, false, "starting"
	}
	return resource.Ready, false, ""
}

func (t *thing) usable(now time.Time) bool {
	s, _, _ := t.state(now)
	return s.Usable()
}

// sweep removes what has had its time.
func (c *Cloud) sweep(now time.Time) {
	for ref, t := range c.things {
		if !t.dying.IsZero() && !now.Before(t.gone) {
			delete(c.things, ref)
		}
	}
}

func (c *Cloud) put(now time.Time, spec anySpec, owner string) {
	if c.things == nil {
		c.things = map[resource.Ref]*thing{}
	}
	d := c.Delays[spec.Ref().Kind]
	made := now.Add(d.Create)
	c.things[spec.Ref()] = &thing{spec: spec, owner: owner, created: now, made: made, idle: made, started: made.Add(d.Start)}
}
