package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	artifactregistry "cloud.google.com/go/artifactregistry/apiv1"
	"cloud.google.com/go/artifactregistry/apiv1/artifactregistrypb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"golang.org/x/sync/errgroup"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Driver is the resource.Driver of the repositories of one stack. What it remembers between calls only spares requests or makes a
// message better; losing it costs nothing else.
type Driver struct {
	client *artifactregistry.Client
	config gcp.Config
	who    *gcp.Principals
	stack  string
	stop   context.CancelFunc
	stray  sync.WaitGroup // listings that nobody waits for any longer

	creations gcp.Creations
	policies  gcp.Ahead[*iampb.Policy] // by full name

	mu        sync.Mutex
	places    map[string]string       // name of one of ours -> the location where it was last seen
	removals  map[string]gcp.Creation // by full name: removals that this process has begun
	sweepNext time.Time               // when every location is listed again
	sweepErr  error                   // why the last time was not complete
	images    map[string]images       // by full name: what was last found in repositories that are cleaned up
}

var _ resource.Driver[Spec] = (*Driver)(nil)

// New makes the driver of a stack's repositories in the configuration's project. It sends nothing. ctx is used for as long as the
// driver is. Close it when no call is under way. who may be shared with other kinds.
func New(ctx context.Context, config gcp.Config, stack string, who *gcp.Principals) (*Driver, error) {
	ctx, stop := context.WithCancel(ctx)
	options, open := config.GRPC, artifactregistry.NewClient
	if config.REST(gcp.ArtifactRegistry) {
		options, open = config.HTTP, artifactregistry.NewRESTClient
	}
	opts, err := options(ctx, gcp.ArtifactRegistry)
	if err != nil {
		stop()
		return nil, err
	}
	client, err := open(ctx, opts...)
	if err != nil {
		stop()
		return nil, fmt.Errorf("artifactregistry: %w", err)
	}
	return &Driver{
		client: client, config: config, who: who, stack: stack, stop: stop,
		places: map[string]string{}, removals: map[string]gcp.Creation{}, images: map[string]images{},
	}, nil
}

// Close lets go of the connection.
func (d *Driver) Close() error {
	d.stop()
	d.stray.Wait()
	return d.client.Close()
}

func (d *Driver) parent(location string) string {
	return "projects/" + d.config.Project + "/locations/" + location
}

func (d *Driver) name(s Spec) string { return d.parent(s.Location) + "/repositories/" + s.Name }

// Observe follows the contract of resource.Driver. With list it makes one request for each location where something of ours is wanted or
// known to be, beside them one for each access policy that counts, and now and then one for every location there is.
func (d *Driver) Observe(ctx context.Context, want []Spec, list bool) (resource.Seen[Spec], error) {
	var seen resource.Seen[Spec]
	names := make([]string, len(want))
	for i, w := range want {
		names[i] = d.name(w)
	}
	policies := d.policies.Begin(ctx, names, d.policy)
	defer policies.Close()
	var all []*artifactregistrypb.Repository
	if list {
		var err error
		if all, err = d.list(ctx, want); err != nil {
			seen.Unlisted = map[string]error{Kind: err}
		}
		if err := d.swept(); err != nil {
			seen.Notices = append(seen.Notices, "registries in locations where none is known are not found: "+err.Error())
		}
	}
	wanted := map[string]bool{}
	there := map[int]Spec{} // of seen.Live, the wanted ones
	for _, w := range want {
		wanted[w.Name] = true
		pb, err := d.find(ctx, w, all)
		if err != nil {
			seen.Live = append(seen.Live, resource.Live[Spec]{Spec: Spec{Name: w.Name, Location: w.Location}, State: resource.Unknown, Detail: err.Error()})
			continue
		}
		if pb != nil {
			live := d.live(ctx, pb)
			live.Notices = gcp.Undeclared(pb.GetLabels(), w.Labels)
			live.Spec.Labels = gcp.Declared(pb.GetLabels(), w.Labels)
			there[len(seen.Live)] = w
			seen.Live = append(seen.Live, live)
			continue
		}
		live, notice := d.begun(ctx, w)
		if live != nil {
			seen.Live = append(seen.Live, *live)
		}
		if notice != "" {
			seen.Notices = append(seen.Notices, notice)
		}
	}
	var g errgroup.Group
	g.SetLimit(listWidth)
	for i, w := range there {
		live := &seen.Live[i]
		g.Go(func() error {
			d.lookAccess(ctx, w, live, policies)
			live.Notices = append(live.Notices, d.endangered(ctx, w, live.Spec)...)
			return nil
		})
	}
	_ = g.Wait() // what goes wrong with one repository is told of that one
	if err := ctx.Err(); err != nil {
		return resource.Seen[Spec]{}, err
	}
	for _, pb := range all {
		if name := spec(pb).Name; gcp.OwnedBy(pb.GetLabels(), d.stack) && !wanted[name] {
			wanted[name] = true // two of ours by one name in two places: one Ref
			seen.Live = append(seen.Live, d.live(ctx, pb))
		}
	}
	return seen, nil
}

// find is the repository that w names: where w wants it, or else one of ours by that name in another place, which would have to be
// replaced. nil without an error: there is none.
func (d *Driver) find(ctx context.Context, w Spec, all []*artifactregistrypb.Repository) (*artifactregistrypb.Repository, error) {
	var other *artifactregistrypb.Repository
	for _, pb := range all {
		switch s := spec(pb); {
		case s.Name == w.Name && strings.EqualFold(s.Location, w.Location):
			return pb, nil
		case s.Name == w.Name && gcp.OwnedBy(pb.GetLabels(), d.stack):
			other = pb
		}
	}
	pb, err := d.get(ctx, w)
	if err != nil || pb != nil {
		return pb, err
	}
	if other != nil {
		return other, nil
	}
	d.mu.Lock()
	location := d.places[w.Name]
	d.mu.Unlock()
	if location == "" || strings.EqualFold(location, w.Location) {
		return nil, nil
	}
	w.Location = location
	pb, err = d.get(ctx, w)
	if pb != nil && !gcp.OwnedBy(pb.GetLabels(), d.stack) {
		return nil, err
	}
	return pb, err
}

// get reads one repository; nil without an error: there is none.
func (d *Driver) get(ctx context.Context, s Spec) (*artifactregistrypb.Repository, error) {
	pb, err := d.client.GetRepository(ctx, &artifactregistrypb.GetRepositoryRequest{Name: d.name(s)}, gcp.Read()...)
	if gcp.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, gcp.Explain("GetRepository", err)
	}
	return pb, nil
}

// live is one repository as the engine is told of it.
func (d *Driver) live(ctx context.Context, pb *artifactregistrypb.Repository) resource.Live[Spec] {
	s := spec(pb)
	live := resource.Live[Spec]{
		Spec:        s,
		State:       resource.Ready,
		Owned:       gcp.OwnedBy(pb.GetLabels(), d.stack),
		Unprotected: pb.GetLabels()[gcp.LabelUnprotected],
		Outputs:     map[string]string{"path": s.Path(d.config.Project)},
	}
	d.creations.Forget(s.Name)
	d.mu.Lock()
	if live.Owned {
		d.places[s.Name] = s.Location
	}
	removal, ok := d.removals[pb.GetName()]
	d.mu.Unlock()
	if !ok {
		return live
	}
	op, err := d.operation(ctx, removal.Operation)
	if err == nil && op != nil && !op.GetDone() {
		live.State, live.Locked, live.Outputs = resource.Pending, true, nil
		live.Detail = "deleting: " + began(removal)
		return live
	}
	if err == nil {
		d.mu.Lock()
		delete(d.removals, pb.GetName()) // it ended, and the repository is still there, or there again
		d.mu.Unlock()
		if text := op.GetError().GetMessage(); text != "" {
			live.Detail = "its removal ended in error: " + text
		}
	}
	return live
}

// begun is what is known of an absent repository whose creation this process has begun: under way, or the notice that it failed.
func (d *Driver) begun(ctx context.Context, w Spec) (*resource.Live[Spec], string) {
	if c, ok := d.creations.Begun(w.Name, w.Location); ok {
		op, err := d.operation(ctx, c.Operation)
		switch {
		case err != nil:
			return &resource.Live[Spec]{Spec: Spec{Name: w.Name, Location: w.Location}, State: resource.Unknown, Detail: err.Error()}, ""
		case op != nil && !op.GetDone():
			return &resource.Live[Spec]{Spec: w, State: resource.Pending, Locked: true, Owned: true, Detail: "creating: " + began(c)}, ""
		case op.GetError() == nil:
			d.creations.Forget(w.Name) // it was there, and somebody has removed it since
			return nil, ""
		}
		d.creations.Fail(w.Name, op.GetError().GetMessage())
	}
	if failure := d.creations.Failure(w.Name); failure != "" {
		return nil, fmt.Sprintf("%s: its creation ended in error: %s", w.Ref(), failure)
	}
	return nil, ""
}

// operation reads one operation; nil without an error: Google has forgotten it.
func (d *Driver) operation(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	op, err := d.client.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name}, gcp.Read()...)
	if gcp.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, gcp.Explain("GetOperation", err)
	}
	return op, nil
}

// began is an operation in words, such as "operation 1234 since 12:04".
func began(c gcp.Creation) string {
	id := c.Operation[strings.LastIndex(c.Operation, "/")+1:]
	return "operation " + id + " since " + gcp.Clock(c.Began)
}

// sortedKeys are the keys of m in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
