// Package leftover finds what GKE leaves behind when a cluster is deleted, disks, load balancers, network endpoint groups, firewall rules,
// and says what they cost and which command removes them. It removes nothing, and names nothing of which it is not certain that it was of that very cluster.
package leftover

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Cluster is what tells a cluster from every other, of the past too.
type Cluster struct{ Name, Location, ID string }

// Driver is a driver of clusters that remembers which it has removed, and once they are gone looks for what they left. What it remembers
// is lost with the process.
type Driver[S resource.Spec[S]] struct {
	resource.Driver[S]
	identify func(S) Cluster
	service  *compute.Service
	project  string

	mu   sync.Mutex
	gone map[resource.Ref]trace
}

// trace is a cluster that was asked to go.
type trace struct {
	Cluster
	looked  time.Time // zero: not yet
	notices []string
}

// again is how soon after a look the next is worth its requests.
const again = 10 * time.Minute

// Watch wraps the driver of clusters. It sends nothing until a cluster has been removed through it.
func Watch[S resource.Spec[S]](ctx context.Context, d resource.Driver[S], config gcp.Config, identify func(S) Cluster) (*Driver[S], error) {
	opts, err := config.HTTP(ctx, gcp.Compute)
	if err != nil {
		return nil, err
	}
	service, err := compute.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("compute: %w", err)
	}
	return &Driver[S]{Driver: d, identify: identify, service: service, project: config.Project, gone: map[resource.Ref]trace{}}, nil
}

// Delete remembers the cluster.
func (d *Driver[S]) Delete(ctx context.Context, live S, replace bool) error {
	err := d.Driver.Delete(ctx, live, replace)
	if c := d.identify(live); err == nil && c.ID != "" {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gone[live.Ref()] = trace{Cluster: c}
	}
	return err
}

// Observe adds a notice for each thing that a removed cluster has left. A look that only repeats a write looks for nothing.
func (d *Driver[S]) Observe(ctx context.Context, want []S, list bool) (resource.Seen[S], error) {
	seen, err := d.Driver.Observe(ctx, want, list)
	if err != nil || !list {
		return seen, err
	}
	there := map[string]bool{}
	for _, l := range seen.Live {
		there[d.identify(l.Spec).ID] = true
		if l.State == resource.Unknown {
			return seen, nil // it may be the one
		}
	}
	for ref, t := range d.traces() {
		if there[t.ID] {
			continue
		}
		if time.Since(t.looked) >= again {
			t.notices, t.looked = d.look(ctx, t.Cluster), time.Now()
			d.note(ref, t)
		}
		seen.Notices = append(seen.Notices, t.notices...)
	}
	return seen, nil
}

func (d *Driver[S]) traces() map[resource.Ref]trace {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.gone)
}

// note keeps what was found of a cluster that is gone, and forgets one that has left nothing, unless another of its name was removed meanwhile.
func (d *Driver[S]) note(ref resource.Ref, t trace) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.gone[ref].ID != t.ID:
	case len(t.notices) == 0:
		delete(d.gone, ref)
	default:
		d.gone[ref] = t
	}
}
