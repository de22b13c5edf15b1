package sim

import (
	"context"
	"fmt"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// SetRest keeps a person's word beside the spec, where a real provider would have a note on the resource.
func (d *Driver[S]) SetRest(ctx context.Context, live S, by resource.Rest) error {
	call := d.at(Note, live.Ref())
	return d.cloud.call(ctx, call, func(now time.Time) error {
		t := d.cloud.things[call.Ref]
		if t == nil {
			return fmt.Errorf("note on %v: %w", call.Ref, errGone)
		}
		if _, locked, _ := t.state(now); locked {
			return d.cloud.refuse(call, errBusy)
		}
		t.hand = by
		return nil
	})
}

// heed has what is wanted of each resource follow the word that a person has left on it.
func (d *Driver[S]) heed(want []S, found map[resource.Ref]resource.Live[S]) {
	d.cloud.do(func(now time.Time) error {
		for _, w := range want {
			s, sleeps := any(w).(resource.Sleeper[S])
			l, ok := found[w.Ref()]
			t := d.cloud.things[w.Ref()]
			if !sleeps || !ok || t == nil || s.Rest() == nil || l.State == resource.Unknown {
				continue
			}
			wanted := s.WithRest(s.Rest().Heed(t.hand, now))
			l.Want = &wanted
			found[w.Ref()] = l
		}
		return nil
	})
}
