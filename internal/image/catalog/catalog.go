// Package catalog knows what the registries' repositories hold: each is listed at most once in an interval, however many workloads
// follow its tags and however often it is asked. It talks to no registry itself, and chooses nothing.
package catalog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/image"
)

// List reads all tags of a repository, by image. An error means that nothing of the answer is to be believed.
type List func(context.Context, image.Repository) (map[string][]image.Tag, error)

// Catalog answers from memory, and lists beside whoever asks: a registry that hangs keeps nobody for long. It is safe for concurrent use.
// Make it with New.
type Catalog struct {
	list     List
	every    time.Duration
	patience time.Duration

	ctx      context.Context // of the listings
	end      context.CancelFunc
	listings sync.WaitGroup

	mu    sync.Mutex
	pages map[image.Repository]*page
}

// page is one repository's.
type page struct {
	listing image.Listing
	asked   time.Time     // when the listing that is under way began
	open    chan struct{} // closed when it has ended; nil: none is under way
}

// again is when it is worth asking again while a listing is under way.
const again = 5 * time.Second

// New returns a catalog that lists a repository at most once in every. A listing that takes longer than patience goes on by itself, and
// until it ends what was known before is answered; with a patience of zero it is always waited for. Close the catalog.
func New(ctx context.Context, list List, every, patience time.Duration) *Catalog {
	ctx, end := context.WithCancel(ctx)
	return &Catalog{list: list, every: every, patience: patience, ctx: ctx, end: end, pages: map[image.Repository]*page{}}
}

// Close cuts off the listings that are under way and waits for their end. Nothing may be asked any more. A nil catalog is closed.
func (c *Catalog) Close() error {
	if c == nil {
		return nil
	}
	c.end()
	c.listings.Wait()
	return nil
}

// Look is what is known of a repository. After a listing that failed it is what was known before, with the reason: what was there
// then is not gone because it cannot be seen.
func (c *Catalog) Look(ctx context.Context, r image.Repository) image.Listing {
	p, open, until := c.page(r)
	gaveUp := c.wait(ctx, open, until)
	c.mu.Lock()
	defer c.mu.Unlock()
	l := p.listing
	switch {
	case p.open == nil:
		return l
	case gaveUp != nil:
		l.Err = gaveUp
	case !l.Known():
		l.Err = fmt.Errorf("the registry has not answered within %s yet", c.patience)
	}
	l.Until = time.Now().Add(min(again, c.every))
	return l
}

// page is that of a repository, and of the listing that is under way, begun here if it is time for one, its end, and until when that is
// waited for.
func (c *Catalog) page(r image.Repository) (p *page, open <-chan struct{}, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p = c.pages[r]
	if p == nil {
		p = &page{}
		c.pages[r] = p
	}
	if now := time.Now(); p.open == nil && !now.Before(p.listing.Until) {
		p.asked, p.open = now, make(chan struct{})
		c.listings.Go(func() { c.fill(p, r) })
	}
	return p, p.open, p.asked.Add(c.patience)
}

// fill lists a repository onto its page.
func (c *Catalog) fill(p *page, r image.Repository) {
	tags, err := c.list(c.ctx, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		p.listing.Tags = tags
	}
	p.listing.Err, p.listing.Until = err, p.asked.Add(c.every)
	close(p.open)
	p.open = nil
}

// wait waits for the end of a listing, though not longer than until. Its error is that of ctx.
func (c *Catalog) wait(ctx context.Context, open <-chan struct{}, until time.Time) error {
	if open == nil {
		return nil
	}
	var late <-chan time.Time
	if c.patience > 0 {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-open:
	case <-late:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
