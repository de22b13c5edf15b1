package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/iam"
	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Driver is the buckets of one stack in one project.
type Driver struct {
	stack, project string
	client         *storage.Client
	who            *gcp.Principals
	sizes          *sizes
	emptyFor       time.Duration
	policies       gcp.Ahead[*iam.Policy3]

	mu       sync.Mutex
	emptying map[string]int // objects deleted so far, by bucket; for people only
}

// New makes the driver of stack's buckets. It connects to nothing yet. who may be shared with other kinds.
func New(ctx context.Context, c gcp.Config, stack string, who *gcp.Principals) (*Driver, error) {
	opts, err := c.HTTP(ctx, gcp.Storage)
	if err != nil {
		return nil, err
	}
	// The HTTP client in opts has the credentials. Unless told so, this library looks for the default ones all the same, which on a
	// machine without any asks the network for them.
	client, err := storage.NewClient(ctx, append(opts, option.WithoutAuthentication())...)
	if err != nil {
		return nil, fmt.Errorf("storage client: %w", err)
	}
	// Reads get over a hiccup; writes are never sent twice (see write), because the next pass looks before it decides again.
	client.SetRetry(
		storage.WithMaxAttempts(3), storage.WithBackoff(gax.Backoff{Initial: 200 * time.Millisecond, Max: time.Second}),
		storage.WithErrorFunc(func(err error) bool {
			return !errors.Is(err, context.DeadlineExceeded) && !gcp.HeldBack(err) && storage.ShouldRetry(err)
		}),
	)
	sizes, err := newSizes(ctx, c)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &Driver{stack: stack, project: c.Project, client: client, who: who, sizes: sizes, emptyFor: emptyFor, emptying: map[string]int{}}, nil
}

// Close lets go of the connections, and ends the question that may be under way.
func (d *Driver) Close() error {
	d.sizes.close()
	return d.client.Close()
}

// Observe costs one list of the project's buckets and, beside it, per wanted bucket one read of its access policy. What the list lacks
// is read by name. How much is stored is asked of Cloud Monitoring beside it, once an hour.
func (d *Driver) Observe(ctx context.Context, want []Spec, list bool) (resource.Seen[Spec], error) {
	var seen resource.Seen[Spec]
	policies := d.policies.Begin(ctx, shared(want), d.policy)
	defer policies.Close()
	listed := map[string]*storage.BucketAttrs{}
	if list {
		var err error
		if listed, err = d.list(ctx); err != nil {
			seen.Unlisted = map[string]error{Kind: err}
		}
	}
	found := make([]*resource.Live[Spec], len(want))
	var g errgroup.Group
	g.SetLimit(8)
	for i, w := range want {
		attrs := listed[w.Name]
		delete(listed, w.Name)
		g.Go(func() error {
			found[i] = d.look(ctx, w, attrs, policies)
			return nil
		})
	}
	_ = g.Wait() // what goes wrong with one bucket is told of that bucket
	if err := ctx.Err(); err != nil {
		return resource.Seen[Spec]{}, err
	}
	for _, l := range found {
		if l != nil {
			seen.Live = append(seen.Live, *l)
		}
	}
	for _, attrs := range listed {
		if gcp.OwnedBy(attrs.Labels, d.stack) {
			seen.Live = append(seen.Live, d.live(attrs)) // unwanted; its grants go with it
		}
	}
	if notice := d.measure(seen.Live, want, list && seen.Unlisted == nil); notice != "" {
		seen.Notices = append(seen.Notices, notice)
	}
	slices.SortFunc(seen.Live, func(a, b resource.Live[Spec]) int { return strings.Compare(a.Spec.Name, b.Spec.Name) })
	return seen, nil
}

// measure puts what is known of their sizes into live buckets, and has them looked at if it is time to. whole: these are all that there are.
func (d *Driver) measure(live []resource.Live[Spec], want []Spec, whole bool) (notice string) {
	var names []string
	for i := range live {
		s := &live[i].Spec
		if s.Project != "" {
			continue
		}
		names = append(names, s.Name)
		if live[i].State == resource.Unknown {
			continue
		}
		s.stored = &stored{bytes: d.sizes.of(s.Name)}
		if j := slices.IndexFunc(want, func(w Spec) bool { return w.Name == s.Name }); j >= 0 {
			s.stored.estimate = want[j].Estimate
		}
	}
	return d.sizes.look(names, whole)
}

// list is all buckets of the project. Each carries the project's number, which is remembered.
func (d *Driver) list(ctx context.Context) (map[string]*storage.BucketAttrs, error) {
	buckets := map[string]*storage.BucketAttrs{}
	for it := d.client.Buckets(ctx, d.project); ; {
		attrs, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return buckets, nil
		}
		if err != nil {
			return nil, explain("buckets.list", err)
		}
		buckets[attrs.Name] = attrs
		d.who.Learn(attrs.ProjectNumber)
	}
}

// look is one wanted bucket, from the list or by name; nil: it is absent.
func (d *Driver) look(ctx context.Context, want Spec, attrs *storage.BucketAttrs, policies *gcp.Reads[*iam.Policy3]) *resource.Live[Spec] {
	if want.seen == (seen{}) { // wanted, or wanted again; the look after a Delete names what an earlier one saw
		d.setEmptying(want.Name, 0)
	}
	unknown := func(err error) *resource.Live[Spec] {
		return &resource.Live[Spec]{Spec: Spec{Name: want.Name}, State: resource.Unknown, Detail: err.Error()}
	}
	if attrs == nil {
		var err error
		if attrs, err = d.client.Bucket(want.Name).Attrs(ctx); errors.Is(err, storage.ErrBucketNotExist) {
			return nil
		} else if err != nil {
			return unknown(explainGet(err))
		}
	}
	l := d.live(attrs)
	if former := attrs.Labels[gcp.LabelNamespace]; l.Owned && former != want.Namespace {
		l.Spec.seen.formerly = former
	}
	o, err := d.insiders(ctx, want, l.Spec.seen.formerly)
	if err != nil {
		return unknown(err)
	}
	l.Notices = gcp.Undeclared(attrs.Labels, want.Labels)
	l.Spec.Labels = gcp.Declared(l.Spec.Labels, want.Labels)
	if attrs.ProjectNumber != o.pool.Number {
		l.Spec.Project, l.Owned = fmt.Sprint(attrs.ProjectNumber), false
		return &l
	}
	l.Spec.Namespace, l.Spec.Accounts = want.Namespace, want.Accounts
	if want.Namespace == "" {
		return &l
	}
	policy, err := policies.Get(ctx, want.Name)
	switch {
	case err == nil:
		var others []string
		l.Spec.Grants, others = grantsIn(policy, want.Name, o)
		for _, o := range others {
			l.Notices = append(l.Notices, "access that is not the stack's, left alone: "+o)
		}
	case isForbidden(err) && len(want.Grants) == 0:
		l.Notices = append(l.Notices, "the access policy may not be read, so a grant that is left over would not be seen: "+explain("buckets.getIamPolicy", err).Error())
	default:
		return unknown(explain("buckets.getIamPolicy", err))
	}
	return &l
}

// live is a bucket without its grants.
func (d *Driver) live(attrs *storage.BucketAttrs) resource.Live[Spec] {
	l := resource.Live[Spec]{
		Spec: fromAttrs(attrs), State: resource.Ready, Owned: gcp.OwnedBy(attrs.Labels, d.stack),
		Unprotected: attrs.Labels[gcp.LabelUnprotected], Outputs: map[string]string{"url": "gs://" + attrs.Name},
	}
	if n := d.emptied(attrs.Name); n > 0 {
		l.State, l.Detail = resource.Pending, fmt.Sprintf("emptying: %d objects deleted so far", n)
	}
	return l
}

// emptied and setEmptying keep how far an emptying has come; 0 forgets it.
func (d *Driver) emptied(bucket string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.emptying[bucket]
}

func (d *Driver) setEmptying(bucket string, deleted int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if deleted == 0 {
		delete(d.emptying, bucket)
		return
	}
	d.emptying[bucket] = deleted
}
