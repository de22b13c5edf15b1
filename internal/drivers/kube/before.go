package kube

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"recsysd.dev/recsysd/internal/resource"
)

// before is what a look at everything came to, as far as it takes to see that the next would come to the same. There is one only of a look in
// which every wanted object was there and remembered, and no watch was down.
type before struct {
	want    []Object
	link    *link
	turns   map[*watch]uint64 // of the stores, before the look
	looks   []*looked         // at each of want
	notices []string
	until   time.Time // when the first of the looks is to be made again
}

// turns are those of the stores that are watched now; nil if one of them is not up.
func (s *link) turns() map[*watch]uint64 {
	all := map[*watch]uint64{}
	for _, w := range s.open() {
		if !w.isUp() {
			return nil
		}
		all[w] = w.store.turn()
	}
	return all
}

// remember keeps a look at everything. turns are from before it.
func (l *look) remember(want []Object, seen resource.Seen[Object], turns map[*watch]uint64) {
	if turns == nil || len(l.down) > 0 || len(seen.Unlisted) > 0 {
		return
	}
	b := &before{want: want, link: l.s, turns: turns, looks: make([]*looked, len(want)), notices: seen.Notices}
	for n := range want {
		last := l.s.looks.of(&want[n])
		if last == nil || last.watch.store.at(last.key) != last.live {
			return
		}
		b.looks[n] = last
	}
	b.first()
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.d.before = b
}

// first finds out when the first look is to be made again.
func (b *before) first() {
	b.until = time.Time{}
	for _, last := range b.looks {
		if b.until.IsZero() || last.until.Before(b.until) {
			b.until = last.until
		}
	}
}

// AsBefore follows the contract of resource.Steady. As long as no watch has brought anything and no answer of the API server is too old, it
// compares a few numbers. Answers that are too old are asked for again here, each once.
func (d *Driver) AsBefore(ctx context.Context, want []Object) bool {
	d.mu.Lock()
	b := d.before
	d.mu.Unlock()
	if b == nil || len(b.want) != len(want) || len(want) > 0 && &b.want[0] != &want[0] {
		return false
	}
	s, err := d.reach(ctx)
	if err != nil || s != b.link || s.sweep.isDue() || !maps.Equal(s.turns(), b.turns) || !slices.Equal(s.notices(), b.notices) {
		return false
	}
	if now := time.Now(); len(want) > 0 && !now.Before(b.until) {
		return d.ageing(ctx, b, now)
	}
	return true
}

// ageing makes those looks again that are too old, and reports whether each has come to the same.
func (d *Driver) ageing(ctx context.Context, b *before, now time.Time) bool {
	l := look{d: d, s: b.link, began: now}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(d.o.Width)
	for n, last := range b.looks {
		if now.Before(last.until) {
			continue
		}
		g.Go(func() error {
			found, err := l.one(ctx, last.watch.mapping, b.want[n])
			if err != nil {
				return err
			}
			if b.looks[n] = b.link.looks.of(&b.want[n]); b.looks[n] == nil || found != last.found {
				return errMoved
			}
			return nil
		})
	}
	if g.Wait() != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.before = nil
		return false
	}
	b.first()
	return true
}
