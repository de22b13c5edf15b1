package sim_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/resource/resourcetest"
	"recsysd.dev/recsysd/internal/sim"
)

// broken is a driver with one promise broken. What is nil is as it should be.
type broken struct {
	resource.Driver[box]
	observe func(d resource.Driver[box], ctx context.Context, want []box, list bool) (resource.Seen[box], error)
	create  func(d resource.Driver[box], ctx context.Context, want box) error
	update  func(d resource.Driver[box], ctx context.Context, want, live box, drift []resource.Change) error
	remove  func(d resource.Driver[box], ctx context.Context, live box) error
}

func (b broken) Observe(ctx context.Context, want []box, list bool) (resource.Seen[box], error) {
	if b.observe != nil {
		return b.observe(b.Driver, ctx, want, list)
	}
	return b.Driver.Observe(ctx, want, list)
}

func (b broken) Create(ctx context.Context, want box) error {
	if b.create != nil {
		return b.create(b.Driver, ctx, want)
	}
	return b.Driver.Create(ctx, want)
}

func (b broken) Update(ctx context.Context, want, live box, drift []resource.Change) error {
	if b.update != nil {
		return b.update(b.Driver, ctx, want, live, drift)
	}
	return b.Driver.Update(ctx, want, live, drift)
}

func (b broken) Delete(ctx context.Context, live box, replace bool) error {
	if b.remove != nil {
		return b.remove(b.Driver, ctx, live)
	}
	return b.Driver.Delete(ctx, live, replace)
}

// seen alters what the good driver saw.
func seen(alter func(s *resource.Seen[box], want []box, list bool)) broken {
	return broken{observe: func(d resource.Driver[box], ctx context.Context, want []box, list bool) (resource.Seen[box], error) {
		s, err := d.Observe(ctx, want, list)
		alter(&s, want, list)
		return s, err
	}}
}

func each(alter func(l *resource.Live[box])) broken {
	return seen(func(s *resource.Seen[box], _ []box, _ bool) {
		for i := range s.Live {
			alter(&s.Live[i])
		}
	})
}

// promises are broken one at a time. part is the part of the contract that must notice.
var promises = []struct {
	name, part string
	driver     func(*sim.Cloud) broken
}{
	{"writes when it looks", "what is absent is left out", func(c *sim.Cloud) broken {
		return broken{observe: func(d resource.Driver[box], ctx context.Context, want []box, list bool) (resource.Seen[box], error) {
			if len(want) > 0 {
				d.Create(ctx, want[0])
			}
			return d.Observe(ctx, want, list)
		}}
	}},
	{"does not create", "what was created is ours and in sync, and stays so", func(*sim.Cloud) broken {
		return broken{create: func(resource.Driver[box], context.Context, box) error { return nil }}
	}},
	{"does not know its own", "what was created is ours and in sync, and stays so", func(*sim.Cloud) broken {
		return each(func(l *resource.Live[box]) { l.Owned = false })
	}},
	{"reports twice", "what was created is ours and in sync, and stays so", func(*sim.Cloud) broken {
		return seen(func(s *resource.Seen[box], _ []box, _ bool) { s.Live = append(s.Live, s.Live...) })
	}},
	{"overwrites when it creates", "creating what exists is an error to be retried", func(c *sim.Cloud) broken {
		return broken{create: func(d resource.Driver[box], ctx context.Context, want box) error {
			c.Remove(want.Ref())
			return d.Create(ctx, want)
		}}
	}},
	{"gives up when it exists", "creating what exists is an error to be retried", func(c *sim.Cloud) broken {
		return broken{create: func(d resource.Driver[box], ctx context.Context, want box) error {
			if err := d.Create(ctx, want); err != nil {
				return resource.ErrRejected
			}
			return nil
		}}
	}},
	{"always lists", "without list only the named are looked at", func(*sim.Cloud) broken {
		return broken{observe: func(d resource.Driver[box], ctx context.Context, want []box, _ bool) (resource.Seen[box], error) {
			return d.Observe(ctx, want, true)
		}}
	}},
	{"never lists", "what is ours and not wanted is listed", func(*sim.Cloud) broken {
		return broken{observe: func(d resource.Driver[box], ctx context.Context, want []box, _ bool) (resource.Seen[box], error) {
			return d.Observe(ctx, want, false)
		}}
	}},
	{"repairs nothing", "what a foreign hand changed is a difference, and is repaired", func(*sim.Cloud) broken {
		return broken{update: func(resource.Driver[box], context.Context, box, box, []resource.Change) error { return nil }}
	}},
	{"has a version of its own that stands still", "what a foreign hand changed is a difference, and is repaired", func(*sim.Cloud) broken {
		return each(func(l *resource.Live[box]) { l.Version = "1" })
	}},
	{"does not write zero", "every mutable field can be changed, and alone", func(*sim.Cloud) broken {
		return broken{update: func(d resource.Driver[box], ctx context.Context, want, live box, drift []resource.Change) error {
			if want.Size == 0 {
				want.Size = live.Size
			}
			return d.Update(ctx, want, live, drift)
		}}
	}},
	{"does not delete", "what was deleted is gone, and deleting it again is success", func(*sim.Cloud) broken {
		return broken{remove: func(resource.Driver[box], context.Context, box) error { return nil }}
	}},
	{"fails to delete what is gone", "what was deleted is gone, and deleting it again is success", func(c *sim.Cloud) broken {
		return broken{remove: func(d resource.Driver[box], ctx context.Context, live box) error {
			if !slices.ContainsFunc(c.Things(), func(t sim.Thing) bool { return t.Ref == live.Ref() }) {
				return os.ErrNotExist
			}
			return d.Delete(ctx, live, false)
		}}
	}},
	{"lists what belongs to others", "another stack's resource is not listed, and seen by name as not ours", func(c *sim.Cloud) broken {
		return seen(func(s *resource.Seen[box], _ []box, list bool) {
			for _, t := range c.Things() {
				known := slices.ContainsFunc(s.Live, func(l resource.Live[box]) bool { return l.Spec.Ref() == t.Ref })
				if list && !known {
					s.Live = append(s.Live, resource.Live[box]{Spec: t.Spec.(box), State: t.State})
				}
			}
		})
	}},
	{"takes everything for its own", "another stack's resource is not listed, and seen by name as not ours", func(*sim.Cloud) broken {
		return each(func(l *resource.Live[box]) { l.Owned = true })
	}},
	{"does not take over", "what is not ours is taken over by an update", func(c *sim.Cloud) broken {
		return broken{update: func(d resource.Driver[box], ctx context.Context, want, live box, drift []resource.Change) error {
			err := d.Update(ctx, want, live, drift)
			c.Relabel(want.Ref(), "ours")
			return err
		}}
	}},
	{"does more than write the mark", "the unprotected mark is written, read and cleared, and nothing else with it", func(*sim.Cloud) broken {
		return broken{update: func(d resource.Driver[box], ctx context.Context, want, live box, drift []resource.Change) error {
			for i := range drift {
				drift[i].Mark = false
			}
			return d.Update(ctx, want, live, drift)
		}}
	}},
	{"does not read the mark", "the unprotected mark is written, read and cleared, and nothing else with it", func(*sim.Cloud) broken {
		return each(func(l *resource.Live[box]) { l.Unprotected = "" })
	}},
	{"hides that listing failed", "a forbidden listing leaves what is named known", func(*sim.Cloud) broken {
		return seen(func(s *resource.Seen[box], _ []box, _ bool) { s.Unlisted = nil })
	}},
	{"takes unknown for absent", "what may not be read is unknown, not absent", func(*sim.Cloud) broken {
		return seen(func(s *resource.Seen[box], _ []box, _ bool) {
			s.Live = slices.DeleteFunc(s.Live, func(l resource.Live[box]) bool { return l.State == resource.Unknown })
		})
	}},
	{"gives up when an answer was lost", "a write is repeated without harm when its answer was lost", func(*sim.Cloud) broken {
		return broken{update: func(d resource.Driver[box], ctx context.Context, want, live box, drift []resource.Change) error {
			if err := d.Update(ctx, want, live, drift); err != nil {
				return resource.ErrRejected
			}
			return nil
		}}
	}},
	{"writes whatever happened since", "an update decided on an older look is refused", func(*sim.Cloud) broken {
		return broken{update: func(d resource.Driver[box], ctx context.Context, want, live box, drift []resource.Change) error {
			now, err := d.Observe(ctx, []box{want}, false)
			if err != nil || len(now.Live) == 0 {
				return os.ErrNotExist
			}
			return d.Update(ctx, want, now.Live[0].Spec, drift)
		}}
	}},
	{"calls a hanging write a success", "a call returns when its context is done", func(*sim.Cloud) broken {
		return broken{create: func(d resource.Driver[box], ctx context.Context, want box) error {
			if err := d.Create(ctx, want); ctx.Err() == nil {
				return err
			}
			return nil
		}}
	}},
}

const breaking = "RECSYSD_TEST_BREAK"

// TestTheContractNotices runs the suite on each broken driver, in a process of its own, and expects its part to fail.
func TestTheContractNotices(t *testing.T) {
	if name := os.Getenv(breaking); name != "" {
		for _, p := range promises {
			if p.name == name {
				resourcetest.Run(t, func(*testing.T) resourcetest.Harness[box] {
					h, cloud := harness()
					b := p.driver(cloud)
					b.Driver = h.Ours.Driver
					h.Ours.Driver = b
					b.Driver = h.Other.Driver
					h.Other.Driver = b
					return h
				})
			}
		}
		return
	}
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheContractNotices$", "-test.v")
			cmd.Env = append(os.Environ(), breaking+"="+p.name)
			out, _ := cmd.CombinedOutput() // a failure is what is hoped for; the output tells whose
			part := "--- FAIL: TestTheContractNotices/" + strings.ReplaceAll(p.part, " ", "_")
			if !strings.Contains(string(out), part) {
				t.Errorf("a driver that %s should fail at %q, and the suite says:\n%s", p.name, p.part, out)
			}
		})
	}
}
