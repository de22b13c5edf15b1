package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Create asks for the repository and returns once Google has accepted that. After a creation that ended in error the same spec
// is not asked for again at once.
func (d *Driver) Create(ctx context.Context, want Spec) error {
	hash := resource.Of(want).Hash
	if err := d.creations.Ready(want.Name, hash); err != nil {
		return err
	}
	op, err := d.client.CreateRepository(ctx, &artifactregistrypb.CreateRepositoryRequest{
		Parent: d.parent(want.Location), RepositoryId: want.Name, Repository: request(want),
	}, gcp.Write()...)
	if err != nil {
		return gcp.Explain("CreateRepository", err)
	}
	d.creations.Begin(want.Name, hash, gcp.Creation{Operation: op.Name(), Location: want.Location, Began: time.Now()})
	return nil
}

// errStale means that live was not made by Observe.
var errStale = errors.New("the repository has not been looked at")

// Update changes everything that stands in drift: the repository in one call, and then who may use it. Artifact Registry guards it with nothing, and labels are replaced as a
// whole: where those are to be written they are read once more, so that what others have put there meanwhile stays.
func (d *Driver) Update(ctx context.Context, want, live Spec, drift []resource.Change) error {
	if live.seen == nil {
		return errStale
	}
	pb := request(want)
	pb.Name = d.name(live)
	paths, err := masks(want, drift)
	if err != nil {
		return err
	}
	if len(paths) > 0 {
		if err := d.patch(ctx, want, live, pb, paths, drift); err != nil {
			return err
		}
	}
	if touchesAccess(drift) {
		return d.setAccess(ctx, want, live)
	}
	return nil
}

// patch writes the fields of pb under paths.
func (d *Driver) patch(ctx context.Context, want, live Spec, pb *artifactregistrypb.Repository, paths []string, drift []resource.Change) error {
	if gcp.TouchesLabels(drift) {
		now, err := d.get(ctx, live)
		if err != nil {
			return err
		}
		if now == nil || !now.GetCreateTime().AsTime().Equal(live.seen.created) {
			return fmt.Errorf("%s is not the one that was looked at", pb.Name)
		}
		pb.Labels = gcp.MergeLabels(now.GetLabels(), want.Labels, drift)
	}
	_, err := d.client.UpdateRepository(ctx, &artifactregistrypb.UpdateRepositoryRequest{
		Repository: pb, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
	}, gcp.Write()...)
	return gcp.Explain("UpdateRepository", err)
}

// masks are the paths under which drift is written, each once. Any difference in the policies replaces the whole map.
func masks(want Spec, drift []resource.Change) ([]string, error) {
	mask := &fieldmaskpb.FieldMask{}
	for _, c := range drift {
		var p string
		switch {
		case c.Recreate, isAccess(c.Field):
			continue
		case gcp.TouchesLabels([]resource.Change{c}):
			p = "labels"
		case c.Field == fieldDescription && want.Description != nil:
			p = "description"
		case c.Field == fieldDryRun && want.Cleanup != nil:
			p = "cleanup_policy_dry_run"
		case strings.HasPrefix(c.Field, fieldCleanup) && want.Cleanup != nil:
			p = "cleanup_policies"
		case c.Field == fieldScanning && want.Scanning != nil:
			p = "vulnerability_scanning_config"
		case c.Field == fieldImmutableTags && want.ImmutableTags != nil:
			p = "docker_config.immutable_tags"
		default:
			return nil, gcp.Reject(fmt.Errorf("%s cannot be changed in place", c.Field))
		}
		mask.Paths = append(mask.Paths, p)
	}
	mask.Normalize()
	return mask.GetPaths(), nil
}

// Delete asks for the removal of live and of every image in it. The call is guarded by nothing but the name, so the repository
// is looked at once more: another one by that name, or one that is no longer ours, is left alone.
func (d *Driver) Delete(ctx context.Context, live Spec, _ bool) error {
	if live.seen == nil {
		return errStale
	}
	now, err := d.get(ctx, live)
	switch {
	case err != nil:
		return err
	case now == nil:
		return nil
	case !now.GetCreateTime().AsTime().Equal(live.seen.created):
		return fmt.Errorf("another repository has the name %s by now; it is left alone", live.Name)
	case !gcp.OwnedBy(now.GetLabels(), d.stack):
		return fmt.Errorf("%s is no longer ours; it is left alone", live.Name)
	}
	op, err := d.client.DeleteRepository(ctx, &artifactregistrypb.DeleteRepositoryRequest{Name: d.name(live)}, gcp.Write()...)
	if gcp.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return gcp.Explain("DeleteRepository", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removals[now.GetName()] = gcp.Creation{Operation: op.Name(), Location: live.Location, Began: time.Now()}
	return nil
}
