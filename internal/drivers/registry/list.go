package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"
	locationpb "google.golang.org/genproto/googleapis/cloud/location"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Artifact Registry lists one location at a time, and there are some fifty. Those where nothing of ours is known are looked
// through at the start and then this often.
const (
	sweepEvery = time.Hour
	sweepAgain = 10 * time.Minute // if it was not complete
	listWidth  = 8
)

// list reads the repositories of every location where something of ours is wanted or known to be. The error says which of them
// could not be listed; what the others hold is returned all the same.
func (d *Driver) list(ctx context.Context, want []Spec) ([]*artifactregistrypb.Repository, error) {
	near, far := d.locations(ctx, want)

	var mu sync.Mutex
	var found []*artifactregistrypb.Repository
	var nearErrs, farErrs []error
	var g errgroup.Group
	g.SetLimit(listWidth)
	for i, location := range append(near, far...) {
		g.Go(func() error {
			here, err := d.listOne(ctx, location)
			mu.Lock()
			defer mu.Unlock()
			found = append(found, here...)
			switch {
			case err != nil && i < len(near):
				nearErrs = append(nearErrs, err)
			case err != nil:
				farErrs = append(farErrs, err)
			}
			return nil
		})
	}
	_ = g.Wait() // the errors are in the slices: one location does not stop the others
	slices.SortFunc(found, func(a, b *artifactregistrypb.Repository) int { return strings.Compare(a.GetName(), b.GetName()) })
	if len(far) > 0 {
		d.sweptBy(errors.Join(farErrs...))
	}
	return found, errors.Join(nearErrs...)
}

func (d *Driver) listOne(ctx context.Context, location string) ([]*artifactregistrypb.Repository, error) {
	it := d.client.ListRepositories(ctx, &artifactregistrypb.ListRepositoriesRequest{Parent: d.parent(location)}, gcp.Read()...)
	found, err := all(ctx, d, it.Next)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", location, gcp.Explain("ListRepositories", err))
	}
	return found, nil
}

// all reads an iterator to its end, or until ctx is done. The REST client does not give a listing's context to its requests, so what
// is then still under way is left to end by itself, and Close waits for it.
func all[T any](ctx context.Context, d *Driver, next func() (T, error)) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	type result struct {
		items []T
		err   error
	}
	answer := make(chan result, 1)
	d.stray.Go(func() {
		var r result
		for ctx.Err() == nil {
			item, err := next()
			if errors.Is(err, iterator.Done) {
				break
			}
			if r.err = err; err != nil {
				break
			}
			r.items = append(r.items, item)
		}
		answer <- r
	})
	select {
	case r := <-answer:
		if r.err == nil {
			r.err = ctx.Err()
		}
		return r.items, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listTimeout bounds all the pages of one location.
const listTimeout = 20 * time.Second

// locations are those where something is wanted or known to be, and, when that is due, all the others.
func (d *Driver) locations(ctx context.Context, want []Spec) (near, far []string) {
	for _, w := range want {
		near = append(near, w.Location)
	}
	d.mu.Lock()
	for _, location := range d.places {
		near = append(near, location)
	}
	due := !time.Now().Before(d.sweepNext)
	d.mu.Unlock()
	slices.Sort(near)
	near = slices.Compact(near)
	if !due {
		return near, nil
	}
	it := d.client.ListLocations(ctx, &locationpb.ListLocationsRequest{Name: "projects/" + d.config.Project}, gcp.Read()...)
	everywhere, err := all(ctx, d, it.Next)
	if err != nil {
		d.sweptBy(gcp.Explain("ListLocations", err))
		return near, nil
	}
	for _, l := range everywhere {
		if id := l.GetLocationId(); !slices.Contains(near, id) {
			far = append(far, id)
		}
	}
	if len(far) == 0 {
		d.sweptBy(nil)
	}
	return near, far
}

func (d *Driver) sweptBy(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweepErr, d.sweepNext = err, time.Now().Add(sweepEvery)
	if err != nil {
		d.sweepNext = time.Now().Add(sweepAgain)
	}
}

// swept is why the last look through all locations was not complete.
func (d *Driver) swept() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sweepErr
}
