package network

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Driver is the resource.Driver of the networks of one stack. A network has no labels, and its description, which carries the mark of
// ownership, is written once. What the driver remembers between calls only spares requests or makes a message better.
type Driver struct {
	service        *compute.Service
	project, stack string

	creations gcp.Creations // operations that this process has begun, by the path of what they work on

	mu       sync.Mutex
	ours     map[string]bool // names of networks that were seen to be ours
	sweepAt  time.Time       // when to look for some while none is known
	sweepErr error           // why the last such look failed
}

// A stack that has no networks looks this seldom whether an earlier revision has left one, and sooner again if it could not look.
const (
	sweepEvery = time.Hour
	sweepAgain = 10 * time.Minute
)

var _ resource.Driver[Spec] = (*Driver)(nil)

// New makes the driver of a stack's networks in the configuration's project. It sends nothing. ctx is used for as long as the driver is.
func New(ctx context.Context, config gcp.Config, stack string) (*Driver, error) {
	opts, err := config.HTTP(ctx, gcp.Compute)
	if err != nil {
		return nil, err
	}
	service, err := compute.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("compute: %w", err)
	}
	return &Driver{service: service, project: config.Project, stack: stack, ours: map[string]bool{}}, nil
}

// Observe follows the contract of resource.Driver. It costs three requests side by side, and one for the operations under way if
// anything differs. A stack without networks needs no permission for them: it lists them at the start and once an hour, and says so if
// it may not, for one that an earlier revision has left would not be found then.
func (d *Driver) Observe(ctx context.Context, want []Spec, list bool) (resource.Seen[Spec], error) {
	var seen resource.Seen[Spec]
	if len(want) == 0 {
		known, err := d.sweep(ctx, list)
		if err != nil {
			seen.Notices = append(seen.Notices, "networks may not be listed, so one that an earlier revision has left would not be found: "+err.Error())
		}
		if !list || !known {
			return seen, ctx.Err()
		}
	}
	v := d.read(ctx, want, list)
	if err := ctx.Err(); err != nil {
		return seen, err
	}
	if v.unlisted != nil {
		seen.Unlisted = map[string]error{Kind: v.unlisted}
	}
	wanted := map[string]bool{}
	for _, w := range want {
		wanted[w.Name] = true
		switch n, err := v.network(w.Name); {
		case err != nil:
			seen.Live = append(seen.Live, resource.Live[Spec]{Spec: Spec{Name: w.Name}, State: resource.Unknown, Detail: err.Error()})
		case n != nil:
			seen.Live = append(seen.Live, d.live(ctx, v, n, &w))
		default:
			live, notice := d.begun(ctx, w)
			seen.Live = append(seen.Live, live...)
			seen.Notices = append(seen.Notices, notice...)
		}
	}
	for _, n := range v.listed {
		if !wanted[n.Name] && gcp.DescribedOwner(n.Description) == d.stack {
			seen.Live = append(seen.Live, d.live(ctx, v, n, nil))
		}
	}
	return seen, nil
}

// sweep reports whether any network is known to be ours. While none is, it looks for some now and then.
func (d *Driver) sweep(ctx context.Context, list bool) (known bool, err error) {
	d.mu.Lock()
	known, err = len(d.ours) > 0, d.sweepErr
	due := !known && list && !time.Now().Before(d.sweepAt)
	d.mu.Unlock()
	if !due {
		return known, err
	}
	all, err := d.list(ctx)
	if ctx.Err() != nil {
		return false, nil // the caller tells
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range all {
		if gcp.DescribedOwner(n.Description) == d.stack {
			d.ours[n.Name] = true
		}
	}
	d.sweepErr, d.sweepAt = err, time.Now().Add(sweepEvery)
	if err != nil {
		d.sweepAt = time.Now().Add(sweepAgain)
	}
	return len(d.ours) > 0, err
}

// live is one network as the engine is told of it. want is nil where nobody asks for it.
func (d *Driver) live(ctx context.Context, v *view, n *compute.Network, want *Spec) resource.Live[Spec] {
	owner := gcp.DescribedOwner(n.Description)
	if err := v.parts(ctx, d, n, want); err != nil {
		return resource.Live[Spec]{Spec: Spec{Name: n.Name}, State: resource.Unknown, Detail: err.Error(), Owned: owner == d.stack}
	}
	s := d.spec(v, n, want)
	live := resource.Live[Spec]{
		Spec: s, State: resource.Ready, Owned: owner == d.stack, Unmarkable: owner == "", ByHand: d.byHand(s), Outputs: s.Outputs(d.project),
	}
	if live.Owned {
		d.mu.Lock()
		d.ours[n.Name] = true
		d.mu.Unlock()
	}
	if want == nil {
		return live
	}
	diff := want.Diff(s)
	if live.Owned || live.Unmarkable {
		live.Notices = d.leftover(*want, s)
	}
	if slices.ContainsFunc(diff, lacks) {
		live.State, live.Detail = resource.Pending, "is not complete"
	}
	moving, failed, err := d.moving(ctx, *want, s, len(diff) > 0)
	live.Notices = append(live.Notices, failed...)
	switch {
	case err != nil:
		live.Notices = append(live.Notices, "what is being done to it is not known: "+err.Error())
	case moving.making:
		live.State, live.Locked, live.Detail = resource.Pending, true, joined(moving.texts)
	case len(moving.texts) > 0:
		live.Locked, live.Detail = true, joined(moving.texts)
		if live.State == resource.Ready {
			live.State = resource.Busy
		}
	}
	return live
}

// lacks reports whether what differs is a part that others stand on and that is not there yet.
func lacks(c resource.Change) bool { return c.Have == absent }
