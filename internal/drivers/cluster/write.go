package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"

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
	op, err := d.client.CreateCluster(ctx, &containerpb.CreateClusterRequest{
		Parent: d.parent(want.Location), Cluster: request(want),
	}, gcp.Write()...)
	if err != nil {
		return d.refused("CreateCluster", want.Name, err)
	}
	d.creations.Begin(want.Name, hash, gcp.Creation{
		Operation: d.parent(want.Location) + "/operations/" + op.GetName(), Location: want.Location, Began: time.Now(),
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
		_, err := d.client.SetLabels(ctx, &containerpb.SetLabelsRequest{
			Name:             d.name(live),
			ResourceLabels:   gcp.MergeLabels(live.seen.labels, want.Labels, drift),
			LabelFingerprint: live.seen.fingerprint,
		}, gcp.Write()...)
		return d.refused("SetLabels", live.Name, err)
	}
	for _, c := range drift {
		if c.Recreate {
			continue
		}
		if c.Field == fieldMaintenance && want.MaintenanceWindow != nil {
			_, err := d.client.SetMaintenancePolicy(ctx, &containerpb.SetMaintenancePolicyRequest{
				Name: d.name(live), MaintenancePolicy: toPolicy(*want.MaintenanceWindow, live.seen.maintenance),
			}, gcp.Write()...)
			return d.refused("SetMaintenancePolicy", live.Name, err)
		}
		update := change(c.Field, want)
		if update == nil {
			return gcp.Reject(fmt.Errorf("%s cannot be changed in place", c.Field))
		}
		update.Etag = live.seen.etag
		_, err := d.client.UpdateCluster(ctx, &containerpb.UpdateClusterRequest{Name: d.name(live), Update: update}, gcp.Write()...)
		return d.refused("UpdateCluster", live.Name, err)
	}
	return nil
}

// change is the update that brings one field to what is wanted; nil if there is none.
func change(field string, want Spec) *containerpb.ClusterUpdate {
	switch {
	case field == fieldChannel && want.ReleaseChannel != nil:
		return &containerpb.ClusterUpdate{DesiredReleaseChannel: toChannel(*want.ReleaseChannel)}
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
	now, err := d.get(ctx, live)
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
	_, err = d.client.DeleteCluster(ctx, &containerpb.DeleteClusterRequest{Name: d.name(live)}, gcp.Write()...)
	if gcp.IsNotFound(err) {
		return nil
	}
	return d.refused("DeleteCluster", live.Name, err)
}

var (
	// busy is how GKE says that another operation is in the way.
	busy = regexp.MustCompile(`(?i)running incompatible operation|is currently \w+ing\b|please wait and try again|operation ?in ?progress|currently being (created|updated|deleted|upgraded)`)
	// stale is how it says that what a write was decided on is no longer so.
	stale = regexp.MustCompile(`(?i)fingerprint|etag|resource ?version|has changed|have changed`)
)

// refusal is an answer that may mean "no" or "not now".
type refusal struct{ op, name, text string }

// maxRefusals is how often the same refusal of unknown meaning is taken for "not now" before it is taken for "no".
const maxRefusals = 3

// refused tells what to do about the answer to a write; nil stays nil. GKE says "busy" and "no" with one code, and only the text
// tells them apart; a text that is not known may mean either, so it counts as "no" when it comes again and again.
func (d *Driver) refused(op, name string, err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		maps.DeleteFunc(d.refusals, func(r refusal, _ int) bool { return r.op == op && r.name == name })
		return nil
	}
	explained := gcp.Explain(op, err)
	if gcp.Code(err) != codes.FailedPrecondition || busy.MatchString(explained.Error()) || stale.MatchString(explained.Error()) {
		return explained
	}
	r := refusal{op, name, explained.Error()}
	if d.refusals[r]++; d.refusals[r] < maxRefusals {
		return explained
	}
	return gcp.Reject(explained)
}
