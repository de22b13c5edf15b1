package leftover

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

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
	firewalls, makers, err := d.firewalls(ctx, c)
	found("firewall rules, load balancers and endpoint groups", err, firewalls)
	if len(makers.services)+len(makers.controllers) > 0 {
		rules, err := d.forwardingRules(ctx, makers)
		found("load balancers", err, rules)
	}
	if len(makers.controllers) > 0 {
		groups, err := d.endpointGroups(ctx, makers)
		found("network endpoint groups", err, groups)
	}
	return notices
}

// disks are those with the label by which GKE names the cluster's id. Name and location alone could be an earlier cluster's, of somebody else.
func (d *Driver[S]) disks(ctx context.Context, c Cluster) (found []string, err error) {
	var silent gcp.Silent
	err = d.service.Disks.AggregatedList(d.project).Pages(ctx, func(page *compute.DiskAggregatedList) error {
		silent.Named(page.Unreachables)
		for scope, in := range page.Items {
			if in.Warning != nil {
				silent.Warned(scope, in.Warning.Code)
			}
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
	return found, silent.Or(gcp.Explain("disks.aggregatedList", err))
}

// makers are who made load balancers for a cluster, as its firewall rules tell: nothing else that is left of one leads back to it.
type makers struct {
	services    map[string]bool // names of load balancers, each of one Service
	controllers map[string]bool // ids of the controller of Ingress, which stand in the names of all that it makes
}

// firewalls are those for the cluster's nodes, whose tag ends in the beginning of the cluster's id, and who made some of them.
func (d *Driver[S]) firewalls(ctx context.Context, c Cluster) (found []string, m makers, err error) {
	m = makers{map[string]bool{}, map[string]bool{}}
	err = d.service.Firewalls.List(d.project).Pages(ctx, func(page *compute.FirewallList) error {
		for _, f := range page.Items {
			if !c.tagged(f.TargetTags) {
				continue
			}
			if id, ok := strings.CutPrefix(f.Name, ingressFirewall); ok {
				m.controllers[id] = true
			} else if name, ok := strings.CutPrefix(f.Name, balancerFirewall); ok {
				m.services[name] = true
			}
			found = append(found, fmt.Sprintf("firewall rule %s; what removes it: gcloud compute firewall-rules delete %s --project %s", f.Name, f.Name, d.project))
		}
		return nil
	})
	return found, m, gcp.Explain("firewalls.list", err)
}

// forwardingRules are those of the load balancers.
func (d *Driver[S]) forwardingRules(ctx context.Context, m makers) (found []string, err error) {
	var silent gcp.Silent
	err = d.service.ForwardingRules.AggregatedList(d.project).Pages(ctx, func(page *compute.ForwardingRuleAggregatedList) error {
		silent.Named(page.Unreachables)
		for scope, in := range page.Items {
			if in.Warning != nil {
				silent.Warned(scope, in.Warning.Code)
			}
			for _, r := range in.ForwardingRules {
				if !m.made(r) {
					continue
				}
				flag, place := place(scope)
				found = append(found, fmt.Sprintf("forwarding rule %s (%s in %s, %s); what removes it: gcloud compute forwarding-rules delete %s %s --project %s",
					r.Name, r.IPAddress, place, rulePrice(place), r.Name, flag, d.project))
			}
		}
		return nil
	})
	return found, silent.Or(gcp.Explain("forwardingRules.aggregatedList", err))
}

// endpointGroups are those that the controller of Ingress has made. They cost nothing, and keep their network from being deleted.
func (d *Driver[S]) endpointGroups(ctx context.Context, m makers) (found []string, err error) {
	var silent gcp.Silent
	err = d.service.NetworkEndpointGroups.AggregatedList(d.project).Pages(ctx, func(page *compute.NetworkEndpointGroupAggregatedList) error {
		silent.Named(page.Unreachables)
		for scope, in := range page.Items {
			if in.Warning != nil {
				silent.Warned(scope, in.Warning.Code)
			}
			for _, g := range in.NetworkEndpointGroups {
				if m.grouped(g) {
					flag, place := place(scope)
					found = append(found, fmt.Sprintf("network endpoint group %s (in %s, free of charge, and its network cannot be deleted before it); what removes it: gcloud compute network-endpoint-groups delete %s %s --project %s",
						g.Name, place, g.Name, flag, d.project))
				}
			}
		}
		return nil
	})
	return found, silent.Or(gcp.Explain("networkEndpointGroups.aggregatedList", err))
}
