package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/resource"
)

// Options are what a Driver is made of. Stack and Access are required.
type Options struct {
	Stack string
	// Access returns how the cluster of that name is reached now; "" is the stack's only one. An error that is resource.ErrUnavailable says that there is no cluster
	// yet: nothing exists in it. Any other error says that nothing is known.
	Access func(ctx context.Context, cluster string) (*rest.Config, error)
	// UndoManagers are field managers, beside kubectl's, whose edits are put back as a person's are.
	UndoManagers []string
	// Requests, if set, is told of every request's end. It is called from several goroutines.
	Requests func(service, method, code string)
	// Notify, if set, is told which objects have changed in what is compared or in their health, as it happens and
	// otherwise than by this driver. It is called from several goroutines and must not block.
	Notify func([]resource.Ref)
	// Width is the number of requests at a time; 0: 8.
	Width int
	// Relist is how often every kind is searched for objects of the stack; 0: an hour.
	Relist time.Duration
	// RetryListing is how long a forbidden listing is not tried again; 0: ten minutes.
	RetryListing time.Duration
}

// Driver is the one for every Kubernetes object of a stack. It implements resource.Driver[Object].
type Driver struct {
	o      Options
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	link    *link
	cluster resource.Ref // what the stack's objects live in, as last wanted
	place   *Place       // the same as bills know it

	before *before // nil: the next look at everything is to be made

	hashes hashes // of what is wanted
	chosen chosen // images of what is wanted
}

var (
	_ resource.Driver[Object] = (*Driver)(nil)
	_ resource.Steady[Object] = (*Driver)(nil)
)

// New returns a driver. Its watches begin when first needed and end with ctx or Close.
func New(ctx context.Context, o Options) *Driver {
	if o.Requests == nil {
		o.Requests = func(string, string, string) {}
	}
	if o.Width <= 0 {
		o.Width = 8
	}
	if o.Relist <= 0 {
		o.Relist = time.Hour
	}
	if o.RetryListing <= 0 {
		o.RetryListing = 10 * time.Minute
	}
	ctx, cancel := context.WithCancel(ctx)
	return &Driver{o: o, ctx: ctx, cancel: cancel}
}

// Close ends every watch and returns once they have ended. The driver is of no use after it.
func (d *Driver) Close() {
	d.cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != nil {
		d.link.close()
		d.link = nil
	}
}

// reach returns the link with the cluster as it is reached now. With a cluster that is gone, its link goes too.
func (d *Driver) reach(ctx context.Context) (*link, error) {
	d.mu.Lock()
	cluster := d.cluster.Name
	d.mu.Unlock()
	config, err := d.o.Access(ctx, cluster)
	if err == nil && config == nil {
		err = errors.New("no way to the cluster was given")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		if errors.Is(err, resource.ErrUnavailable) && d.link != nil {
			d.link.close()
			d.link = nil
		}
		return nil, fmt.Errorf("the cluster: %w", err)
	}
	if d.ctx.Err() != nil {
		return nil, fmt.Errorf("the cluster: %w", errClosed)
	}
	key := linkKey(config)
	if d.link != nil && d.link.key == key {
		return d.link, nil
	}
	if d.link != nil {
		d.link.close()
		d.link = nil
	}
	s, err := newLink(d.ctx, config, d.o)
	if err != nil {
		return nil, err
	}
	s.key = key
	d.link = s
	return s, nil
}

// sighting is what an observation leaves for the write that follows it.
type sighting struct {
	item    *item
	mapping mapping
	owned   bool
	dry     *prediction

	ref      resource.Ref // what follows from the manifest, and is asked again and again
	needs    []resource.Need
	lifetime resource.Lifetime
	known    bool
}

// know works out once what follows from o, which is the object that was seen.
func (s *sighting) know(o Object) {
	s.ref, s.needs, s.lifetime = o.Ref(), o.Needs(), o.Lifetime()
	s.known = true
}
