package cluster

import (
	"context"
	"strings"
	"sync"

	"cloud.google.com/go/container/apiv1/containerpb"
	"golang.org/x/oauth2"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gke"
	"recsysd.dev/recsysd/internal/resource"
)

// Driver is the resource.Driver of the clusters of one stack. What it remembers between calls only spares requests or makes a message
// better; losing it costs nothing else.
type Driver struct {
	service *gke.Service
	stack   string
	entries *entrance
	tokens  oauth2.TokenSource // for the Kubernetes API; nil: an emulator that asks for none

	creations gcp.Creations

	mu     sync.Mutex
	places map[string]string // name of one of ours -> the location where it was last seen
}

var _ resource.Driver[Spec] = (*Driver)(nil)

// New makes the driver of a stack's clusters over service, which stays the caller's. It sends nothing. ctx is used for as long as
// the driver is.
func New(ctx context.Context, service *gke.Service, stack string) (*Driver, error) {
	d := &Driver{service: service, stack: stack, entries: newEntrance(), places: map[string]string{}}
	if config := service.Config; !config.PlainText(gcp.Container) || config.AccessTokenFile != "" {
		var err error
		if d.tokens, err = config.TokenSource(ctx); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// look is what one Observe gathers.
type look struct {
	byName   map[string]*containerpb.Cluster // nil: absent
	unread   map[string]error
	listed   []*containerpb.Cluster // ours, wanted or not
	unlisted error
}

// Observe follows the contract of resource.Driver. It makes one request for everything if it lists, one for each of want that
// the listing lacks, and one for the operations if anything is on the move.
func (d *Driver) Observe(ctx context.Context, want []Spec, list bool) (resource.Seen[Spec], error) {
	done := d.entries.begin()
	l := d.look(ctx, want, list)
	done(l, want, list)

	var seen resource.Seen[Spec]
	if l.unlisted != nil {
		seen.Unlisted = map[string]error{Kind: l.unlisted}
	}
	wanted := map[string]bool{}
	moving := d.service.Operations(Kind)
	for _, w := range want {
		wanted[w.Name] = true
		if err := l.unread[w.Name]; err != nil {
			seen.Live = append(seen.Live, resource.Live[Spec]{Spec: Spec{Name: w.Name, Location: w.Location}, State: resource.Unknown, Detail: err.Error()})
			continue
		}
		if pb := l.byName[w.Name]; pb != nil {
			live := d.live(ctx, pb, moving)
			live.Notices = gcp.Undeclared(pb.GetResourceLabels(), w.Labels)
			live.Spec.Labels = gcp.Declared(pb.GetResourceLabels(), w.Labels)
			seen.Live = append(seen.Live, live)
			continue
		}
		live, notice := d.begun(ctx, w)
		if live != nil {
			seen.Live = append(seen.Live, *live)
		}
		if notice != "" {
			seen.Notices = append(seen.Notices, notice)
		}
	}
	for _, pb := range l.listed {
		if !wanted[pb.GetName()] {
			wanted[pb.GetName()] = true // two of ours by one name in two places: one Ref
			seen.Live = append(seen.Live, d.live(ctx, pb, moving))
		}
	}
	return seen, nil
}

func (d *Driver) look(ctx context.Context, want []Spec, list bool) *look {
	l := &look{byName: map[string]*containerpb.Cluster{}, unread: map[string]error{}}
	var all []*containerpb.Cluster
	if list {
		all, l.unlisted = d.service.List(ctx, Kind)
		for _, pb := range all {
			if gcp.OwnedBy(pb.GetResourceLabels(), d.stack) {
				l.listed = append(l.listed, pb)
			}
		}
	}
	for _, w := range want {
		pb, err := d.find(ctx, w, all)
		if err != nil {
			l.unread[w.Name] = err
			continue
		}
		l.byName[w.Name] = pb
	}
	return l
}

// find is the cluster that w names: where w wants it, or else one of ours by that name in another place, which would have to be
// replaced. nil without an error: there is none.
func (d *Driver) find(ctx context.Context, w Spec, all []*containerpb.Cluster) (*containerpb.Cluster, error) {
	var other *containerpb.Cluster
	for _, pb := range all {
		if pb.GetName() != w.Name {
			continue
		}
		if strings.EqualFold(pb.GetLocation(), w.Location) {
			return pb, nil
		}
		if gcp.OwnedBy(pb.GetResourceLabels(), d.stack) {
			other = pb
		}
	}
	pb, err := d.service.Get(ctx, w.Location, w.Name)
	if err != nil || pb != nil || other != nil {
		return firstOf(pb, other), err
	}
	d.mu.Lock()
	location := d.places[w.Name]
	d.mu.Unlock()
	if location == "" || strings.EqualFold(location, w.Location) {
		return nil, nil
	}
	pb, err = d.service.Get(ctx, location, w.Name)
	if pb != nil && !gcp.OwnedBy(pb.GetResourceLabels(), d.stack) {
		return nil, err
	}
	return pb, err
}

func firstOf(a, b *containerpb.Cluster) *containerpb.Cluster {
	if a != nil {
		return a
	}
	return b
}

// live is one cluster as the engine is told of it.
func (d *Driver) live(ctx context.Context, pb *containerpb.Cluster, moving *gke.Operations) resource.Live[Spec] {
	live := resource.Live[Spec]{
		Spec:        spec(pb),
		Owned:       gcp.OwnedBy(pb.GetResourceLabels(), d.stack),
		Unprotected: pb.GetResourceLabels()[gcp.LabelUnprotected],
	}
	if live.Owned {
		d.mu.Lock()
		d.places[pb.GetName()] = pb.GetLocation()
		d.mu.Unlock()
	}
	live.State, live.Locked = state(pb.GetStatus())
	if pb.GetStatus() == containerpb.Cluster_RUNNING {
		d.creations.Forget(pb.GetName())
	} else {
		live.Detail = detail(ctx, pb, moving)
	}
	if url := serverURL(pb); url != "" && live.State.Usable() {
		live.Outputs = map[string]string{"endpoint": url}
	}
	return live
}

// state is a status in recsysd's words. A degraded cluster serves, and wants a person rather than a write. One in error does not serve
// and is removed by Google some day.
func state(s containerpb.Cluster_Status) (state resource.State, locked bool) {
	switch s {
	case containerpb.Cluster_PROVISIONING, containerpb.Cluster_STOPPING:
		return resource.Pending, true
	case containerpb.Cluster_RUNNING:
		return resource.Ready, false
	case containerpb.Cluster_RECONCILING, containerpb.Cluster_DEGRADED:
		return resource.Busy, false
	case containerpb.Cluster_ERROR:
		return resource.Broken, false
	}
	return resource.Unknown, false
}
