package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Create asks for the cluster and returns once Google has accepted that; it takes minutes. After a creation that ended in
// error the same spec is not asked for again at once.
func (d *Driver) Create(ctx context.Context, want Spec) error {
	hash := resource.Of(want).Hash
	if err := d.creations.Ready(want.Name, hash); err != nil {
		return err
	}
	op, err := d.service.API.CreateCluster(ctx, &containerpb.CreateClusterRequest{
		Parent: d.service.Parent(want.Location), Cluster: request(want, d.service.Config.Project),
	}, gcp.Write()...)
	if err != nil {
		return d.service.Written("CreateCluster", want.Name, err)
	}
	d.creations.Begin(want.Name, hash, gcp.Creation{
		Operation: d.service.Parent(want.Location) + "/operations/" + op.GetName(), Location: want.Location, Began: time.Now(),
	})
	return nil
}

// errStale means that live was not made by Observe, or too long ago to write from.
var errStale = errors.New("the cluster has not been looked at")

// Update makes one change: GKE takes one operation on a cluster at a time. Labels, the unprotected mark among them, go first and
// together. What is left of drift is for later passes.
func (d *Driver) Update(ctx context.Context, want, live Spec, drift []resource.Change) error {
	if live.seen == nil {
		return errStale
	}
	if gcp.TouchesLabels(drift) {
		_, err := d.service.API.SetLabels(ctx, &containerpb.SetLabelsRequest{
			Name:             d.service.Cluster(live.Location, live.Name),
			ResourceLabels:   gcp.MergeLabels(live.seen.labels, want.Labels, drift),
			LabelFingerprint: live.seen.fingerprint,
		}, gcp.Write()...)
		return d.service.Written("SetLabels", live.Name, err)
	}
	for _, c := range drift {
		if c.Recreate {
			continue
		}
		if c.Field == fieldMaintenance && want.MaintenanceWindow != nil {
			_, err := d.service.API.SetMaintenancePolicy(ctx, &containerpb.SetMaintenancePolicyRequest{
				Name: d.service.Cluster(live.Location, live.Name), MaintenancePolicy: toPolicy(*want.MaintenanceWindow, live.seen.maintenance),
			}, gcp.Write()...)
			return d.service.Written("SetMaintenancePolicy", live.Name, err)
		}
		update := change(c.Field, want, d.service.Config.Project)
		if update == nil {
			return gcp.Reject(fmt.Errorf("%s cannot be changed in place", c.Field))
		}
		update.Etag = live.seen.etag
		_, err := d.service.API.UpdateCluster(ctx, &containerpb.UpdateClusterRequest{Name: d.service.Cluster(live.Location, live.Name), Update: update}, gcp.Write()...)
		return d.service.Written("UpdateCluster", live.Name, err)
	}
	return nil
}

// change is the update that brings one field to what is wanted; nil if there is none.
func change(field string, want Spec, project string) *containerpb.ClusterUpdate {
	switch {
	case field == fieldChannel && want.ReleaseChannel != nil:
		return &containerpb.ClusterUpdate{DesiredReleaseChannel: toChannel(*want.ReleaseChannel)}
	case field == fieldIdentity:
		return &containerpb.ClusterUpdate{DesiredWorkloadIdentityConfig: identityPool(project)}
	case field == fieldPrivateNodes && want.PrivateNodes != nil:
		return &containerpb.ClusterUpdate{DesiredDefaultEnablePrivateNodes: want.PrivateNodes}
	case field == fieldNetworks && want.AuthorizedNetworks != nil:
		return &containerpb.ClusterUpdate{DesiredControlPlaneEndpointsConfig: &containerpb.ControlPlaneEndpointsConfig{
			IpEndpointsConfig: toNetworks(want.AuthorizedNetworks),
		}}
	case field == fieldDNSEndpoint && want.DNSEndpoint != nil:
		return &containerpb.ClusterUpdate{DesiredControlPlaneEndpointsConfig: &containerpb.ControlPlaneEndpointsConfig{
			DnsEndpointConfig: toDNSEndpoint(*want.DNSEndpoint),
		}}
	}
	return nil
}

// Delete asks for the removal of live and of everything in it. GKE guards this call with nothing but the name, so the cluster
// is looked at once more: another one by that name, or one that is no longer ours, is left alone.
func (d *Driver) Delete(ctx context.Context, live Spec, _ bool) error {
	if live.seen == nil {
		return errStale
	}
	now, err := d.service.Get(ctx, live.Location, live.Name)
	switch {
	case err != nil:
		return err
	case now == nil || now.GetStatus() == containerpb.Cluster_STOPPING:
		return nil
	case now.GetId() != live.seen.id:
		return fmt.Errorf("another cluster has the name %s by now; it is left alone", live.Name)
	case !gcp.OwnedBy(now.GetResourceLabels(), d.stack):
		return fmt.Errorf("%s is no longer ours; it is left alone", live.Name)
	}
	for _, p := range now.GetNodePools() {
		if owner := p.GetConfig().GetResourceLabels()[gcp.LabelStack]; owner != "" && owner != d.stack {
			return fmt.Errorf("node pool %s of %s belongs to stack %s; the cluster is left alone", p.GetName(), live.Name, owner)
		}
	}
	_, err = d.service.API.DeleteCluster(ctx, &containerpb.DeleteClusterRequest{Name: d.service.Cluster(live.Location, live.Name)}, gcp.Write()...)
	if gcp.IsNotFound(err) {
		err = nil
	}
	return d.service.Written("DeleteCluster", live.Name, err)
}
