package nodepool

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

func (d *Driver) cluster(s Spec) string { return d.service.Cluster(s.Location, s.Cluster) }

func (d *Driver) name(s Spec) string { return d.cluster(s) + "/nodePools/" + s.Name }

// written tells what the answer to a write comes to.
func (d *Driver) written(op string, s Spec, err error) error {
	return d.service.Written(op, s.Ref().Name, err)
}

// Create asks for the pool and returns once Google has accepted that. The pools of a new cluster are made with it, not here.
func (d *Driver) Create(ctx context.Context, want Spec) error {
	_, err := d.service.API.CreateNodePool(ctx, &containerpb.CreateNodePoolRequest{
		Parent: d.cluster(want), NodePool: Request(want, d.service.Config.Project),
	}, gcp.Write()...)
	if gcp.IsNotFound(err) {
		return fmt.Errorf("%w: %w", resource.ErrUnavailable, gcp.Explain("CreateNodePool", err))
	}
	return d.written("CreateNodePool", want, err)
}

// errStale means that live was not made by Observe, or too long ago to write from.
var errStale = errors.New("the pool has not been looked at")

// Update makes one change: GKE takes one operation on a cluster at a time. Cloud labels, the unprotected mark among them, go first; what
// costs every node goes last, after the settings that say how gently. What is left of drift is for later passes.
func (d *Driver) Update(ctx context.Context, want, live Spec, drift []resource.Change) error {
	if live.seen == nil {
		return errStale
	}
	due := map[string]bool{}
	var fixed []string
	for _, c := range drift {
		field := c.Field
		for _, prefix := range []string{fieldResourceLabels, gcp.FieldLabels} {
			if strings.HasPrefix(field, prefix) {
				field = prefix
			}
		}
		if field == resource.FieldUnprotected {
			field = fieldResourceLabels
		}
		if c.Recreate {
			fixed = append(fixed, c.Field)
			continue
		}
		due[field] = true
	}
	switch {
	case len(due) == 0 && len(fixed) > 0:
		return gcp.Reject(fmt.Errorf("%s cannot be changed in place", strings.Join(fixed, ", ")))
	case len(due) == 0:
		return nil
	}
	if update := change(due, want, live, drift); update != nil {
		update.Name, update.Etag = d.name(live), live.seen.GetEtag()
		_, err := d.service.API.UpdateNodePool(ctx, update, gcp.Write()...)
		return d.written("UpdateNodePool", live, err)
	}
	return d.set(ctx, due, want, live)
}

// change is the next update of those that one call makes, guarded by the pool's etag; nil: none of these is due, or not yet.
func change(due map[string]bool, want, live Spec, drift []resource.Change) *containerpb.UpdateNodePoolRequest {
	pb := live.seen
	switch {
	case due[fieldResourceLabels]:
		return &containerpb.UpdateNodePoolRequest{ResourceLabels: &containerpb.ResourceLabels{
			Labels: gcp.MergeLabels(pb.GetConfig().GetResourceLabels(), want.ResourceLabels, resourceLabels(drift)),
		}}
	case due[gcp.FieldLabels]:
		return &containerpb.UpdateNodePoolRequest{Labels: &containerpb.NodeLabels{
			Labels: gcp.MergeLabels(pb.GetConfig().GetLabels(), want.Labels, drift),
		}}
	case due[fieldTaints]:
		return &containerpb.UpdateNodePoolRequest{Taints: want.mergeTaints(pb.GetConfig().GetTaints())}
	case due[fieldAutoscaling]:
		return nil // by a call of its own, see set; what follows depends on who decides on the number
	case due[fieldUpgrade] && want.Upgrade != nil:
		return &containerpb.UpdateNodePoolRequest{UpgradeSettings: toUpgrade(*want.Upgrade, pb.GetUpgradeSettings())}
	case due[fieldZones]:
		return &containerpb.UpdateNodePoolRequest{Locations: want.Zones}
	case due[fieldSize], due[fieldRepair], due[fieldAutoUpgrade]:
		return nil // by calls of their own; the size by the number in each zone, so after the zones
	case due[fieldMetadata]:
		return &containerpb.UpdateNodePoolRequest{WorkloadMetadataConfig: metadataServer()}
	case due[fieldMachine], due[fieldDiskSize], due[fieldDiskType]:
		return machineChange(want, pb.GetConfig())
	}
	return nil
}

// machineChange is all that a node is made of in one update, so that the nodes are replaced once.
func machineChange(want Spec, live *containerpb.NodeConfig) *containerpb.UpdateNodePoolRequest {
	update := &containerpb.UpdateNodePoolRequest{
		MachineType: want.Machine, DiskType: live.GetDiskType(), DiskSizeGb: int64(live.GetDiskSizeGb()),
	}
	if want.Disk.Type != nil {
		update.DiskType = *want.Disk.Type
	}
	if want.Disk.Size != nil {
		update.DiskSizeGb = int64(*want.Disk.Size)
	}
	return update
}

// resourceLabels are the changes of cloud labels, under the names that labels have elsewhere, and of the mark that is kept in them.
func resourceLabels(drift []resource.Change) []resource.Change {
	var own []resource.Change
	for _, c := range drift {
		if key, ok := strings.CutPrefix(c.Field, fieldResourceLabels); ok {
			c.Field = gcp.FieldLabels + key
			own = append(own, c)
		} else if c.Field == resource.FieldUnprotected {
			own = append(own, c)
		}
	}
	return own
}

// set makes the changes that have calls of their own. GKE guards none of them, so the pool is looked at once more.
func (d *Driver) set(ctx context.Context, due map[string]bool, want, live Spec) error {
	if _, err := d.unchanged(ctx, live); err != nil {
		return err
	}
	switch {
	case due[fieldAutoscaling]:
		_, err := d.service.API.SetNodePoolAutoscaling(ctx, &containerpb.SetNodePoolAutoscalingRequest{
			Name: d.name(live), Autoscaling: toAutoscaling(want, live.seen.GetAutoscaling()),
		}, gcp.Write()...)
		return d.written("SetNodePoolAutoscaling", live, err)
	case due[fieldSize] && want.Size != nil:
		zones := len(live.seen.GetLocations())
		if zones == 0 || *want.Size%zones != 0 {
			return fmt.Errorf("size: %d nodes cannot be spread evenly over the %d zones that it has", *want.Size, zones)
		}
		_, err := d.service.API.SetNodePoolSize(ctx, &containerpb.SetNodePoolSizeRequest{
			Name: d.name(live), NodeCount: int32(*want.Size / zones),
		}, gcp.Write()...)
		return d.written("SetNodePoolSize", live, err)
	case due[fieldRepair], due[fieldAutoUpgrade]:
		_, err := d.service.API.SetNodePoolManagement(ctx, &containerpb.SetNodePoolManagementRequest{
			Name: d.name(live), Management: toManagement(want, live.seen.GetManagement()),
		}, gcp.Write()...)
		return d.written("SetNodePoolManagement", live, err)
	}
	return nil
}

// errGone: the pool, or its cluster, is not there any longer, or on its way out.
var errGone = errors.New("the pool is gone")

// unchanged reads the cluster of live again, and is an error if the pool is not as it was when it was looked at.
func (d *Driver) unchanged(ctx context.Context, live Spec) (*containerpb.Cluster, error) {
	cluster, err := d.service.Get(ctx, live.Location, live.Cluster)
	if err != nil {
		return nil, err
	}
	now := pool(cluster, live.Name)
	switch {
	case now == nil, now.GetStatus() == containerpb.NodePool_STOPPING, cluster.GetStatus() == containerpb.Cluster_STOPPING:
		return nil, errGone
	case now.GetEtag() != live.seen.GetEtag():
		return nil, fmt.Errorf("%s has changed since it was looked at", live.Ref())
	}
	return cluster, nil
}

// Delete asks for the removal of live and its nodes. GKE guards this call with nothing but the name, so the pool is looked at once
// more: one that has changed is left alone, and so is the last that pods can run on.
func (d *Driver) Delete(ctx context.Context, live Spec, _ bool) error {
	if live.seen == nil {
		return errStale
	}
	cluster, err := d.unchanged(ctx, live)
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	if !another(cluster, live.Name) {
		return fmt.Errorf("%w: it is the last pool of cluster/%s that runs: it goes when another one does", resource.ErrUnavailable, live.Cluster)
	}
	_, err = d.service.API.DeleteNodePool(ctx, &containerpb.DeleteNodePoolRequest{Name: d.name(live)}, gcp.Write()...)
	if gcp.IsNotFound(err) {
		err = nil
	}
	return d.written("DeleteNodePool", live, err)
}

// another reports whether a cluster has a pool that runs beside the one named.
func another(cluster *containerpb.Cluster, name string) bool {
	for _, pb := range cluster.GetNodePools() {
		switch pb.GetStatus() {
		case containerpb.NodePool_RUNNING, containerpb.NodePool_RUNNING_WITH_ERROR, containerpb.NodePool_RECONCILING:
			if pb.GetName() != name {
				return true
			}
		}
	}
	return false
}
