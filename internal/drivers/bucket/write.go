package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Create makes the bucket, then its grants. If only the grants fail, the bucket is there and the error says which half is left.
func (d *Driver) Create(ctx context.Context, want Spec) error {
	err := d.write(want.Name).Create(ctx, d.project, toAttrs(want))
	if code(err) == http.StatusConflict {
		return d.taken(ctx, want.Name)
	}
	if err != nil {
		return explain("buckets.insert", err)
	}
	if len(want.Grants) == 0 {
		return nil
	}
	return d.setGrants(ctx, want, Spec{})
}

// taken tells the two meanings of a conflict at creation apart. The namespace is all of Google Cloud's, and the messages vary.
func (d *Driver) taken(ctx context.Context, name string) error {
	attrs, err := d.client.Bucket(name).Attrs(ctx)
	if err != nil {
		return fmt.Errorf("the name is taken: %w", explainGet(err))
	}
	p, err := d.who.Pool(ctx)
	if err != nil {
		return fmt.Errorf("the name is taken: %w", err)
	}
	if attrs.ProjectNumber != p.Number {
		return fmt.Errorf("the name is taken by project number %d: %w", attrs.ProjectNumber, resource.ErrRejected)
	}
	return errors.New("the bucket exists already; it will be looked at again")
}

// Update changes the fields of drift and nothing else: one PATCH that Google refuses if the bucket is not as it was seen, and one
// read and write of the access policy if a grant differs. After a change of namespace the policy comes first and the rest in the
// next pass: the old mark is what tells that the grants to the old namespace are ours.
func (d *Driver) Update(ctx context.Context, want, live Spec, drift []resource.Change) error {
	if live.Project != "" {
		return foreign(live)
	}
	var u storage.BucketAttrsToUpdate
	patch, grants := false, false
	for _, c := range drift {
		if strings.HasPrefix(c.Field, fieldGrants) {
			grants = true
			continue
		}
		if err := setField(&u, want, c); err != nil {
			return err
		}
		patch = true
	}
	if grants && live.seen.formerly != "" {
		return d.setGrants(ctx, want, live)
	}
	if patch {
		guarded := d.write(want.Name).If(storage.BucketConditions{MetagenerationMatch: live.seen.metageneration})
		if _, err := guarded.Update(ctx, u); err != nil {
			return explain("buckets.patch", err)
		}
	}
	if grants {
		return d.setGrants(ctx, want, live)
	}
	return nil
}

// setField puts one changed field into u.
func setField(u *storage.BucketAttrsToUpdate, want Spec, c resource.Change) error {
	switch c.Field {
	case fieldClass:
		u.StorageClass = strings.ToUpper(*want.Class)
	case fieldUniform:
		u.UniformBucketLevelAccess = &storage.UniformBucketLevelAccess{Enabled: *want.UniformBucketLevelAccess}
	case fieldPublic:
		u.PublicAccessPrevention = toPrevention(*want.PublicAccessPrevention)
	case fieldVersioning:
		u.VersioningEnabled = *want.Versioning
	case fieldSoftDelete:
		u.SoftDeletePolicy = &storage.SoftDeletePolicy{RetentionDuration: time.Duration(*want.SoftDelete)}
	case fieldLifecycle:
		l := toLifecycle(want.Lifecycle)
		u.Lifecycle = &l
	case fieldForceDestroy:
		mark(u, labelForceDestroy, map[bool]string{true: "true"}[want.ForceDestroy])
	case resource.FieldUnprotected:
		mark(u, gcp.LabelUnprotected, c.Want)
	default:
		key, ok := strings.CutPrefix(c.Field, gcp.FieldLabels)
		value, declared := want.Labels[key]
		if !ok || !declared {
			return fmt.Errorf("%s cannot be changed in place: %w", c.Field, resource.ErrRejected)
		}
		u.SetLabel(key, value)
	}
	return nil
}

// mark sets a label, or clears it if value is empty.
func mark(u *storage.BucketAttrsToUpdate, label, value string) {
	if value == "" {
		u.DeleteLabel(label)
		return
	}
	u.SetLabel(label, value)
}

// write is the handle of every call that changes something: it is sent once.
func (d *Driver) write(bucket string) *storage.BucketHandle {
	return d.client.Bucket(bucket).Retryer(storage.WithPolicy(storage.RetryNever))
}

// foreign is the refusal to write to another project's bucket, whatever labels it carries.
func foreign(live Spec) error {
	return fmt.Errorf("the bucket belongs to project number %s: %w", live.Project, resource.ErrRejected)
}
