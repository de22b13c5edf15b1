package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"

	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	"golang.org/x/oauth2"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Driver is the resource.Driver of the clusters of one stack. What it remembers between calls only spares requests or makes a message
// better; losing it costs nothing else.
type Driver struct {
	client  *container.ClusterManagerClient
	config  gcp.Config
	stack   string
	entries *entrance
	tokens  oauth2.TokenSource // for the Kubernetes API; nil: an emulator that asks for none

	creations gcp.Creations

	mu       sync.Mutex
	places   map[string]string // name of one of ours -> the location where it was last seen
	refusals map[refusal]int   // how often each has come
}

var _ resource.Driver[Spec] = (*Driver)(nil)

// New makes the driver of a stack's clusters in the configuration's project. It sends nothing. ctx is used for as long as the
// driver is. Close it when no call is under way.
func New(ctx context.Context, config gcp.Config, stack string) (*Driver, error) {
	d := &Driver{
		config: config, stack: stack, entries: newEntrance(),
		places: map[string]string{}, refusals: map[refusal]int{},
	}
	options, open := config.GRPC, container.NewClusterManagerClient
	if config.REST(gcp.Container) {
		options, open = config.HTTP, container.NewClusterManagerRESTClient
	}
	opts, err := options(ctx, gcp.Container)
	if err != nil {
		return nil, err
	}
	if !config.PlainText(gcp.Container) || config.AccessTokenFile != "" {
		if d.tokens, err = config.TokenSource(ctx); err != nil {
			return nil, err
		}
	}
	if d.client, err = open(ctx, opts...); err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	return d, nil
}

// Close lets go of the connection.
func (d *Driver) Close() error { return d.client.Close() }

func (d *Driver) parent(location string) string {
	return "projects/" + d.config.Project + "/locations/" + location
}

func (d *Driver) name(s Spec) string { return d.parent(s.Location) + "/clusters/" + s.Name }

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
	moving := &operations{driver: d}
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
		all, l.unlisted = d.list(ctx)
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

// list reads all clusters of the project. With an error it may still return some: a location that gives no answer does not
// fail the call, it is merely named in the answer.
func (d *Driver) list(ctx context.Context) ([]*containerpb.Cluster, error) {
	answer, err := d.client.ListClusters(ctx, &containerpb.ListClustersRequest{Parent: d.parent("-")}, gcp.Read()...)
	if err != nil {
		return nil, gcp.Explain("ListClusters", err)
	}
	if missing := answer.GetMissingZones(); len(missing) > 0 {
		return answer.GetClusters(), fmt.Errorf("ListClusters: no answer from %s", strings.Join(missing, ", "))
	}
	return answer.GetClusters(), nil
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
	pb, err := d.get(ctx, w)
	if err != nil || pb != nil || other != nil {
		return firstOf(pb, other), err
	}
	d.mu.Lock()
	location := d.places[w.Name]
	d.mu.Unlock()
	if location == "" || strings.EqualFold(location, w.Location) {
		return nil, nil
	}
	w.Location = location
	pb, err = d.get(ctx, w)
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

// get reads one cluster; nil without an error: there is none.
func (d *Driver) get(ctx context.Context, s Spec) (*containerpb.Cluster, error) {
	pb, err := d.client.GetCluster(ctx, &containerpb.GetClusterRequest{Name: d.name(s)}, gcp.Read()...)
	if gcp.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, gcp.Explain("GetCluster", err)
	}
	return pb, nil
}

// live is one cluster as the engine is told of it.
func (d *Driver) live(ctx context.Context, pb *containerpb.Cluster, moving *operations) resource.Live[Spec] {
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
		live.Detail = moving.detail(ctx, pb)
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
