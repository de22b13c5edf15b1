package network

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/api/compute/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Create asks for the network alone; its subnets and NAT follow as updates when it is there. The name is unique in the project, so that
// a request whose answer was lost cannot make a second one.
func (d *Driver) Create(ctx context.Context, want Spec) error {
	n := &compute.Network{
		Name: want.Name, Description: gcp.Description(d.stack),
		AutoCreateSubnetworks: false, ForceSendFields: []string{"AutoCreateSubnetworks"}, // left out, Google takes it for a kind of network long gone
	}
	if want.Routing != nil {
		n.RoutingConfig = &compute.NetworkRoutingConfig{RoutingMode: strings.ToUpper(*want.Routing)}
	}
	if want.MTU != nil {
		n.Mtu = int64(*want.MTU)
	}
	return d.begin("networks.insert", networkPath(want.Name), "creation", n, func() (*compute.Operation, error) {
		return d.service.Networks.Insert(d.project, n).Context(ctx).Do()
	})
}

// errStale means that live was not made by Observe.
var errStale = errors.New("the network has not been looked at")

// Update writes what stands in drift, each part by a call of its own, and of each subnet one thing at a time: the rest is for the next pass.
func (d *Driver) Update(ctx context.Context, want, live Spec, drift []resource.Change) error {
	if live.seen == nil {
		return errStale
	}
	if owner := d.foreign(live.seen.network.Description); owner != "" {
		return gcp.Reject(fmt.Errorf("its description, which nobody can change, says that it belongs to stack %s", owner))
	}
	fields := map[string][]string{} // part -> what of it differs
	for _, c := range drift {
		if c.Recreate {
			continue
		}
		part, rest := split(c.Field)
		fields[part] = append(fields[part], rest)
	}
	var errs []error
	for _, part := range sortedKeys(fields) {
		key, isSubnet := strings.CutPrefix(part, fieldSubnets)
		region, isNAT := strings.CutPrefix(part, fieldNAT)
		switch {
		case isSubnet:
			errs = append(errs, d.updateSubnet(ctx, want.Subnets[key], live, fields[part]))
		case isNAT:
			errs = append(errs, d.updateNAT(ctx, want, live, region))
		default:
			errs = append(errs, d.patchNetwork(ctx, want, fields[part]))
		}
	}
	return together(errs)
}

// split cuts a Change's field into the part that one call writes, such as subnets.nodes, and what of it differs. The network's own
// settings are one part, "".
func split(field string) (part, rest string) {
	for _, prefix := range []string{fieldSubnets, fieldNAT} {
		if name, ok := strings.CutPrefix(field, prefix); ok {
			if key, rest, cut := strings.Cut(name, "."); cut {
				return prefix + key, "." + rest
			}
			return field, ""
		}
	}
	return "", field
}

// patchNetwork writes the settings of the network itself. Nothing guards the call, which says nothing but what differs.
func (d *Driver) patchNetwork(ctx context.Context, want Spec, fields []string) error {
	n := &compute.Network{}
	for _, f := range fields {
		switch {
		case f == fieldRouting && want.Routing != nil:
			n.RoutingConfig = &compute.NetworkRoutingConfig{RoutingMode: strings.ToUpper(*want.Routing)}
		case f == fieldMTU && want.MTU != nil:
			n.Mtu = int64(*want.MTU)
		default:
			return gcp.Reject(fmt.Errorf("%s cannot be changed in place", f))
		}
	}
	return d.begin("networks.patch", networkPath(want.Name), "change", n, func() (*compute.Operation, error) {
		return d.service.Networks.Patch(d.project, want.Name, n).Context(ctx).Do()
	})
}

// Delete refuses: a network is never removed by recsysd. The planner does not ask for it either.
func (d *Driver) Delete(_ context.Context, live Spec, _ bool) error {
	return gcp.Reject(fmt.Errorf("%s is never removed by recsysd", live.Ref()))
}

// begin sends a request that starts an operation on path, unless the same has ended in error just now, and remembers the operation.
func (d *Driver) begin(op, path, what string, request any, send func() (*compute.Operation, error)) error {
	hash := fmt.Sprintf("%s %x", op, fingerprint(request))
	if err := d.creations.Ready(path, hash); err != nil {
		return err
	}
	begun, err := send()
	if err != nil {
		return explain(op, err)
	}
	d.creations.Begin(path, hash, gcp.Creation{Operation: begun.Name, Location: locationOf(path), Began: time.Now(), What: what})
	if begun.Error != nil {
		d.creations.Fail(path, failure(begun))
		return fmt.Errorf("%s: %s", op, failure(begun))
	}
	return nil
}

var (
	// unready is how Compute Engine says that something is still being made or changed.
	unready = regexp.MustCompile(`resourceNotReady|is not ready|operation (is )?in progress`)
	// inUse is how it says that something stands on what is to go: a matter of time, not of the request.
	inUse = regexp.MustCompile(`resourceInUse|(already|being) used by|is in use`)
)

// explain is gcp.Explain with what Compute Engine calls an invalid request although another time would do.
func explain(op string, err error) error {
	e := gcp.Explain(op, err)
	text := err.Error() // holds the reasons too, which are no part of Google's message
	switch {
	case gcp.Code(err) == codes.Aborted || gcp.Code(err) == codes.NotFound:
		return e
	case unready.MatchString(text):
		return fmt.Errorf("%w: %s", resource.ErrUnavailable, e)
	case inUse.MatchString(text):
		return errors.New(e.Error()) // to be tried again
	}
	return e
}

// together joins the errors of several calls. What to do about them is what all of them say; where they disagree, to try again.
func together(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	for _, class := range []error{resource.ErrRejected, resource.ErrUnavailable} {
		if !slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, class) }) {
			return errors.Join(errs...)
		}
	}
	var texts []string
	for _, err := range errs {
		texts = append(texts, err.Error())
	}
	return errors.New(joined(texts))
}
