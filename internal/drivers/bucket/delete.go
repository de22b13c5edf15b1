package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

const (
	emptyFor   = 30 * time.Second // one Delete spends no longer on objects; the next pass goes on
	emptyBatch = 20_000           // versions that are looked at before the first of them is deleted
	emptyWidth = 32               // deletions at a time
)

// errNotEmpty is Google's refusal to delete a bucket with objects in it, or with noncurrent versions.
var errNotEmpty = errors.New("the bucket is not empty")

// Delete deletes the bucket if it is as it was seen. One that has objects goes only if both marks stand on it: that it may be
// destroyed with everything in it, and that it is not protected. Emptying may take many calls.
func (d *Driver) Delete(ctx context.Context, live Spec, _ bool) error {
	if live.Project != "" {
		return foreign(live)
	}
	err := d.deleteBucket(ctx, live)
	if !errors.Is(err, errNotEmpty) {
		return err
	}
	// Objects are not guarded by the bucket's metageneration, so what allows their deletion is read again.
	attrs, err := d.client.Bucket(live.Name).Attrs(ctx)
	if errors.Is(err, storage.ErrBucketNotExist) {
		return nil
	}
	if err != nil {
		return explainGet(err)
	}
	if err := mayBeEmptied(attrs, live, d.stack); err != nil {
		return err
	}
	done, err := d.empty(ctx, live.Name)
	if err != nil || !done {
		return err
	}
	return d.deleteBucket(ctx, live)
}

// deleteBucket is success if the bucket is gone, whoever deleted it.
func (d *Driver) deleteBucket(ctx context.Context, live Spec) error {
	err := d.write(live.Name).If(storage.BucketConditions{MetagenerationMatch: live.seen.metageneration}).Delete(ctx)
	switch {
	case code(err) == http.StatusConflict && strings.Contains(err.Error(), "not empty"): // other things are in the way of a deletion too
		return fmt.Errorf("%w: %w", errNotEmpty, explain("buckets.delete", err))
	case err != nil && code(err) != http.StatusNotFound:
		return explain("buckets.delete", err)
	}
	d.setEmptying(live.Name, 0)
	return nil
}

// mayBeEmptied says why the objects of a bucket must stay. It is asked of the bucket as it is now.
func mayBeEmptied(now *storage.BucketAttrs, live Spec, stack string) error {
	keep := func(why string) error { return fmt.Errorf("%w, and its objects stay: %s", errNotEmpty, why) }
	switch {
	case now.MetaGeneration != live.seen.metageneration || !now.Created.Equal(live.seen.created):
		return keep("the bucket has changed since it was looked at")
	case !gcp.OwnedBy(now.Labels, stack):
		return keep("the bucket is not this stack's")
	case now.Labels[labelForceDestroy] != "true":
		return keep("forceDestroy was never set on it; empty it by hand, or put it back with forceDestroy: true before it is removed")
	case now.Labels[gcp.LabelUnprotected] == "":
		return keep("the bucket is protected")
	case now.RetentionPolicy != nil:
		return keep(fmt.Sprintf("its retention policy holds each for %s", gcp.Duration(now.RetentionPolicy.RetentionPeriod)))
	}
	return nil
}

// generation is one version of an object.
type generation struct {
	name string
	of   int64
}

// empty deletes every version of every object, batch by batch, for as long as d.emptyFor and ctx allow. done says that none is left.
func (d *Driver) empty(ctx context.Context, bucket string) (done bool, err error) {
	budget, cancel := context.WithTimeout(ctx, d.emptyFor)
	defer cancel()
	for {
		batch, err := d.batch(budget, bucket)
		if err == nil && len(batch) == 0 {
			return true, nil
		}
		if err == nil {
			err = d.deleteAll(budget, bucket, batch)
		}
		if budget.Err() != nil && ctx.Err() == nil {
			return false, nil // this call's time is up; the next pass goes on
		}
		if err != nil {
			return false, err
		}
	}
}

// batch lists up to emptyBatch versions. One among them that may not be deleted is an error, and no other is deleted then.
func (d *Driver) batch(ctx context.Context, bucket string) ([]generation, error) {
	query := &storage.Query{Versions: true, Projection: storage.ProjectionNoACL}
	if err := query.SetAttrSelection([]string{"Name", "Generation", "EventBasedHold", "TemporaryHold", "RetentionExpirationTime", "Retention"}); err != nil {
		return nil, err
	}
	var batch []generation
	for it := d.client.Bucket(bucket).Objects(ctx, query); len(batch) < emptyBatch; {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) || code(err) == http.StatusNotFound {
			break // the end, or the bucket has gone meanwhile
		}
		if err != nil {
			return nil, explain("objects.list", err)
		}
		if why := held(o); why != "" {
			return nil, fmt.Errorf("%w, and object %s may not be deleted: %s", errNotEmpty, o.Name, why)
		}
		batch = append(batch, generation{o.Name, o.Generation})
	}
	return batch, nil
}

// held says what keeps an object from being deleted.
func held(o *storage.ObjectAttrs) string {
	switch {
	case o.EventBasedHold:
		return "it has an event-based hold"
	case o.TemporaryHold:
		return "it has a temporary hold"
	case time.Now().Before(o.RetentionExpirationTime):
		return "it is retained until " + o.RetentionExpirationTime.UTC().Format(time.RFC3339)
	case o.Retention != nil && time.Now().Before(o.Retention.RetainUntil):
		return "it is retained until " + o.Retention.RetainUntil.UTC().Format(time.RFC3339)
	}
	return ""
}

// deleteAll deletes the versions of one batch side by side. After a failure no further one is begun.
func (d *Driver) deleteAll(ctx context.Context, bucket string, batch []generation) error {
	var g errgroup.Group
	g.SetLimit(emptyWidth)
	var failed atomic.Bool
	for _, o := range batch {
		if failed.Load() {
			break
		}
		g.Go(func() error {
			err := d.client.Bucket(bucket).Object(o.name).Generation(o.of).Delete(ctx)
			if err != nil && code(err) != http.StatusNotFound {
				failed.Store(true)
				return fmt.Errorf("object %s: %w", o.name, explain("objects.delete", err))
			}
			d.mu.Lock()
			d.emptying[bucket]++
			d.mu.Unlock()
			return nil
		})
	}
	return g.Wait()
}

var _ resource.Driver[Spec] = (*Driver)(nil)
