// Package leftover finds what GKE leaves behind when a cluster is deleted, disks, load balancers, firewall rules, and says what they cost
// and which command removes them. It removes nothing, and names nothing of which it is not certain that it was of that very cluster.
package leftover

import (
	"context"
	"fmt"
	"strings"
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
	gone map[resource.Ref]*trace
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
	return &Driver[S]{Driver: d, identify: identify, service: service, project: config.Project, gone: map[resource.Ref]*trace{}}, nil
}

// Delete remembers the cluster.
func (d *Driver[S]) Delete(ctx context.Context, live S, replace bool) error {
	err := d.Driver.Delete(ctx, live, replace)
	if c := d.identify(live); err == nil && c.ID != "" {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gone[live.Ref()] = &trace{Cluster: c}
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
	d.mu.Lock()
	defer d.mu.Unlock()
	for ref, t := range d.gone {
		if there[t.ID] {
			continue
		}
		if time.Since(t.looked) >= again {
			t.notices, t.looked = d.look(ctx, t.Cluster), time.Now()
		}
		if len(t.notices) == 0 {
			delete(d.gone, ref)
		}
		seen.Notices = append(seen.Notices, t.notices...)
	}
	return seen, nil
}

// look finds what c has left. What could not be looked at is told.
func (d *Driver[S]) look(ctx context.Context, c Cluster) []string {
	var notices []string
	found := func(kind string, err error, what []string) {
		if err != nil {
			notices = append(notices, fmt.Sprintf("cluster %s is gone; whether it left %s could not be looked at: %v", c.Name, kind, err))
		}
		for _, w := range what {
			notices = append(notices, fmt.Sprintf("cluster %s is gone and has left %s", c.Name, w))
		}
	}
	disks, err := d.disks(ctx, c)
	found("disks", err, disks)
	firewalls, balancers, err := d.firewalls(ctx, c)
	found("firewall rules", err, firewalls)
	if len(balancers) > 0 {
		rules, err := d.forwardingRules(ctx, balancers)
		found("load balancers", err, rules)
	}
	return notices
}

// disks are those with the label by which GKE names the cluster's id. Name and location alone could be an earlier cluster's, of somebody else.
func (d *Driver[S]) disks(ctx context.Context, c Cluster) (found []string, err error) {
	err = d.service.Disks.AggregatedList(d.project).Pages(ctx, func(page *compute.DiskAggregatedList) error {
		for scope, in := range page.Items {
			for _, disk := range in.Disks {
				if len(disk.Users) == 0 && disk.Labels[labelID] != "" && disk.Labels[labelID] == c.Label() {
					flag, place := place(scope)
					found = append(found, fmt.Sprintf("disk %s (%d GiB %s in %s, %s); what removes it: gcloud compute disks delete %s %s --project %s",
						disk.Name, disk.SizeGb, last(disk.Type), place, diskPrice(disk, place), disk.Name, flag, d.project))
				}
			}
		}
		return nil
	})
	return found, gcp.Explain("disks.aggregatedList", err)
}

// firewalls are those for the cluster's nodes, whose tag ends in the beginning of the cluster's id; balancers are the load balancers for
// which some of them were made.
func (d *Driver[S]) firewalls(ctx context.Context, c Cluster) (found []string, balancers map[string]bool, err error) {
	balancers = map[string]bool{}
	err = d.service.Firewalls.List(d.project).Pages(ctx, func(page *compute.FirewallList) error {
		for _, f := range page.Items {
			if !c.tagged(f.TargetTags) {
				continue
			}
			if name, ok := strings.CutPrefix(f.Name, balancerFirewall); ok {
				balancers[name] = true
			}
			found = append(found, fmt.Sprintf("firewall rule %s; what removes it: gcloud compute firewall-rules delete %s --project %s", f.Name, f.Name, d.project))
		}
		return nil
	})
	return found, balancers, gcp.Explain("firewalls.list", err)
}

// forwardingRules are those of the load balancers.
func (d *Driver[S]) forwardingRules(ctx context.Context, balancers map[string]bool) (found []string, err error) {
	err = d.service.ForwardingRules.AggregatedList(d.project).Pages(ctx, func(page *compute.ForwardingRuleAggregatedList) error {
		for scope, in := range page.Items {
			for _, r := range in.ForwardingRules {
				if balancers[r.Name] && strings.Contains(r.Description, "kubernetes.io/service-name") {
					flag, place := place(scope)
					found = append(found, fmt.Sprintf("forwarding rule %s (%s in %s, %s); what removes it: gcloud compute forwarding-rules delete %s %s --project %s",
						r.Name, r.IPAddress, place, rulePrice(place), r.Name, flag, d.project))
				}
			}
		}
		return nil
	})
	return found, gcp.Explain("forwardingRules.aggregatedList", err)
}
