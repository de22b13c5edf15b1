package nodepool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gke"
	"recsysd.dev/recsysd/internal/resource"
)

// Driver is the resource.Driver of the node pools of one stack. It remembers nothing.
type Driver struct {
	service *gke.Service
	stack   string
}

var _ resource.Driver[Spec] = (*Driver)(nil)

// New makes the driver of a stack's node pools over service, which stays the caller's. It sends nothing.
func New(service *gke.Service, stack string) *Driver { return &Driver{service, stack} }

// look is what one Observe gathers: pools are read together with their clusters.
type look struct {
	all      []*containerpb.Cluster
	unlisted error
	read     map[place]reading // by name, of those that the listing lacks
}

type place struct{ location, cluster string }

type reading struct {
	cluster *containerpb.Cluster // nil: absent, or err
	err     error
}

// Observe follows the contract of resource.Driver. A listing is shared with the kind "cluster"; without one, or for clusters that it lacks,
// each cluster is read once, however many of its pools are wanted.
func (d *Driver) Observe(ctx context.Context, want []Spec, list bool) (resource.Seen[Spec], error) {
	l := &look{read: map[place]reading{}}
	if list {
		l.all, l.unlisted = d.service.List(ctx, Kind)
	}
	var seen resource.Seen[Spec]
	if l.unlisted != nil {
		seen.Unlisted = map[string]error{Kind: l.unlisted}
	}
	wanted := map[resource.Ref]bool{}
	moving := d.service.Operations(Kind)
	for _, w := range want {
		wanted[w.Ref()] = true
		cluster, pb, err := d.find(ctx, w, l)
		if err != nil {
			seen.Live = append(seen.Live, resource.Live[Spec]{Spec: Spec{}.In(w.Cluster, w.Location).named(w.Name), State: resource.Unknown, Detail: err.Error()})
			continue
		}
		if pb == nil {
			continue
		}
		live := d.live(ctx, cluster, pb, moving)
		live.Want = w.asStored(d.service.Config.Project)
		live.Notices = append(live.Notices, gcp.Undeclared(pb.GetConfig().GetResourceLabels(), w.ResourceLabels)...)
		live.Spec.ResourceLabels = gcp.Declared(pb.GetConfig().GetResourceLabels(), w.ResourceLabels)
		live.Spec.Labels = gcp.Declared(pb.GetConfig().GetLabels(), w.Labels)
		seen.Live = append(seen.Live, live)
	}
	for _, cluster := range l.all {
		for _, pb := range cluster.GetNodePools() {
			ref := Spec{Name: pb.GetName()}.In(cluster.GetName(), "").Ref()
			if owner(pb, d.stack) && !wanted[ref] {
				wanted[ref] = true // two of ours by one name in two places: one Ref
				seen.Live = append(seen.Live, d.live(ctx, cluster, pb, moving))
			}
		}
	}
	seen.Notices = d.strangers(want, l)
	return seen, nil
}

func (s Spec) named(name string) Spec {
	s.Name = name
	return s
}

// asStored is s as GKE gives it back.
func (s Spec) asStored(project string) *Spec {
	if s.ServiceAccount != nil {
		e := cmp.Or(s.Account(project), noAccount)
		s.ServiceAccount = &e
	}
	return &s
}

// find is the pool that w names: in its cluster where w wants that, or else one of ours by that name in a cluster of that name in
// another place. nil without an error: there is none.
func (d *Driver) find(ctx context.Context, w Spec, l *look) (*containerpb.Cluster, *containerpb.NodePool, error) {
	var elsewhere *containerpb.Cluster
	for _, cluster := range l.all {
		if cluster.GetName() != w.Cluster {
			continue
		}
		if strings.EqualFold(cluster.GetLocation(), w.Location) {
			return cluster, pool(cluster, w.Name), nil
		}
		if pb := pool(cluster, w.Name); pb != nil && owner(pb, d.stack) {
			elsewhere = cluster
		}
	}
	at := place{w.Location, w.Cluster}
	r, ok := l.read[at]
	if !ok {
		r.cluster, r.err = d.service.Get(ctx, w.Location, w.Cluster)
		l.read[at] = r
	}
	if r.err == nil && r.cluster == nil && elsewhere != nil {
		r.cluster = elsewhere
	}
	return r.cluster, pool(r.cluster, w.Name), r.err
}

// pool is a cluster's pool by its name; nil: there is none.
func pool(cluster *containerpb.Cluster, name string) *containerpb.NodePool {
	for _, pb := range cluster.GetNodePools() {
		if pb.GetName() == name {
			return pb
		}
	}
	return nil
}

// strangers are notices of the pools beside those that are wanted: they are paid for too.
func (d *Driver) strangers(want []Spec, l *look) []string {
	var notices []string
	for _, cluster := range l.all {
		beside := func(s Spec) bool { return s.Cluster == cluster.GetName() && s.Location == cluster.GetLocation() }
		if !slices.ContainsFunc(want, beside) {
			continue
		}
		for _, pb := range cluster.GetNodePools() {
			named := func(s Spec) bool { return beside(s) && s.Name == pb.GetName() }
			if !owner(pb, d.stack) && !slices.ContainsFunc(want, named) {
				notices = append(notices, fmt.Sprintf("cluster/%s: its node pool %s is not in the stack file; left alone", cluster.GetName(), pb.GetName()))
			}
		}
	}
	return notices
}

// live is one pool as the engine is told of it.
func (d *Driver) live(ctx context.Context, cluster *containerpb.Cluster, pb *containerpb.NodePool, moving *gke.Operations) resource.Live[Spec] {
	live := resource.Live[Spec]{
		Spec:        spec(cluster, pb),
		Owned:       owner(pb, d.stack),
		Unprotected: pb.GetConfig().GetResourceLabels()[gcp.LabelUnprotected],
	}
	live.State, live.Locked = state(cluster.GetStatus(), pb.GetStatus())
	if cluster.GetStatus() != containerpb.Cluster_RUNNING || pb.GetStatus() != containerpb.NodePool_RUNNING {
		live.Detail = detail(ctx, cluster, pb, moving)
	}
	if live.State == resource.Ready && live.Detail != "" {
		live.Notices = append(live.Notices, live.Detail)
	}
	return live
}

// state is a status in recsysd's words. GKE takes one operation on a cluster at a time, so one on the cluster itself, or on another of its
// pools, keeps this one from being written. A pool that runs with errors takes writes: they may be what mends it.
func state(cluster containerpb.Cluster_Status, pb containerpb.NodePool_Status) (state resource.State, locked bool) {
	switch {
	case cluster == containerpb.Cluster_PROVISIONING, cluster == containerpb.Cluster_STOPPING:
		return resource.Pending, true
	}
	switch pb {
	case containerpb.NodePool_PROVISIONING, containerpb.NodePool_STOPPING:
		return resource.Pending, true
	case containerpb.NodePool_RUNNING, containerpb.NodePool_RUNNING_WITH_ERROR:
		if cluster == containerpb.Cluster_RECONCILING {
			return resource.Busy, false
		}
		return resource.Ready, false
	case containerpb.NodePool_RECONCILING:
		return resource.Busy, false
	case containerpb.NodePool_ERROR:
		return resource.Broken, false
	}
	return resource.Unknown, false
}

// doing is what a status means for people.
var doing = map[containerpb.NodePool_Status]string{
	containerpb.NodePool_PROVISIONING:       "creating",
	containerpb.NodePool_STOPPING:           "deleting",
	containerpb.NodePool_RECONCILING:        "updating",
	containerpb.NodePool_ERROR:              "in error",
	containerpb.NodePool_RUNNING_WITH_ERROR: "runs with errors",
}

// detail says what a pool that is not simply running is doing or suffers from: "updating: upgrade nodes, operation-123 since 12:04".
func detail(ctx context.Context, cluster *containerpb.Cluster, pb *containerpb.NodePool, moving *gke.Operations) string {
	target, word := "clusters/"+cluster.GetName(), "its cluster is "+strings.ToLower(cluster.GetStatus().String())
	if pb.GetStatus() != containerpb.NodePool_RUNNING {
		target += "/nodePools/" + pb.GetName()
		word = doing[pb.GetStatus()]
		if word == "" {
			word = "status " + pb.GetStatus().String()
		}
	}
	var facts []string
	if m := pb.GetStatusMessage(); m != "" { // older clusters have nothing else
		facts = append(facts, m)
	}
	for _, c := range pb.GetConditions() {
		if m := c.GetMessage(); m != "" && m != pb.GetStatusMessage() {
			facts = append(facts, m)
		}
	}
	op, err := moving.Latest(ctx, cluster.GetLocation(), target)
	if err != nil {
		facts = append(facts, "its operation is not known: "+err.Error())
	}
	if op != nil && (gke.Running(op) || len(facts) == 0) {
		if text := gke.Text(op, true); text != "" {
			facts = append(facts, text)
		}
	}
	if len(facts) == 0 {
		return word
	}
	return word + ": " + strings.Join(strings.Fields(strings.Join(facts, "; ")), " ")
}
