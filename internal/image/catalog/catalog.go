// Package catalog knows what the registries' repositories hold: each is listed at most once in an interval, however many workloads
// follow its tags and however often it is asked. It talks to no registry itself, and chooses nothing.
package catalog

import (
	"context"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/image"
)

// Catalog answers from memory. It is safe for concurrent use; whoever asks first in an interval waits for the listing, and so do those
// who ask meanwhile.
type Catalog struct {
	// List reads all tags of a repository, by image. An error means that nothing of the answer is to be believed.
	List func(context.Context, image.Repository) (map[string][]image.Tag, error)
	// Every is the interval.
	Every time.Duration

	mu    sync.Mutex
	pages map[image.Repository]*page
}

// page is one repository's.
type page struct {
	turn    chan struct{} // held by whoever asks or answers
	listing image.Listing
}

// Look is what is known of a repository. After a listing that failed it is what was known before, with the reason: what was there
// then is not gone because it cannot be seen.
func (c *Catalog) Look(ctx context.Context, r image.Repository) image.Listing {
	p := c.page(r)
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return image.Listing{Err: ctx.Err()}
	}
	if now := time.Now(); !now.Before(p.listing.Until) {
		tags, err := c.List(ctx, r)
		if err != nil && ctx.Err() != nil {
			l := p.listing
			l.Err = err
			return l // whoever asked has given up: that says nothing of the registry
		}
		if err == nil {
			p.listing.Tags = tags
		}
		p.listing.Err, p.listing.Until = err, now.Add(c.Every)
	}
	return p.listing
}

func (c *Catalog) page(r image.Repository) *page {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pages == nil {
		c.pages = map[image.Repository]*page{}
	}
	if c.pages[r] == nil {
		c.pages[r] = &page{turn: make(chan struct{}, 1)}
	}
	return c.pages[r]
}
