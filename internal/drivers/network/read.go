package network

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/googleapis/gax-go/v2"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// view is what one Observe has read: everything of the three kinds that the project has.
type view struct {
	listed   []*compute.Network
	unlisted error                       // why listed is not all
	byName   map[string]*compute.Network // those wanted; nil: absent
	unread   map[string]error

	subnets    []*compute.Subnetwork
	subnetsErr error // why subnets is not all
	routers    []*compute.Router
	routersErr error
}

// network is the one of a name that is wanted; nil without an error: there is none.
func (v *view) network(name string) (*compute.Network, error) { return v.byName[name], v.unread[name] }

// read makes the requests of one look, side by side. What the list lacks is read by name.
func (d *Driver) read(ctx context.Context, want []Spec, list bool) *view {
	v := &view{byName: map[string]*compute.Network{}, unread: map[string]error{}}
	var g errgroup.Group
	g.Go(func() error {
		d.readNetworks(ctx, v, want, list)
		return nil
	})
	g.Go(func() error {
		v.subnets, v.subnetsErr = d.listSubnets(ctx)
		return nil
	})
	g.Go(func() error {
		v.routers, v.routersErr = d.listRouters(ctx)
		return nil
	})
	_ = g.Wait() // what failed is in the view
	return v
}

func (d *Driver) readNetworks(ctx context.Context, v *view, want []Spec, list bool) {
	if list {
		v.listed, v.unlisted = d.list(ctx)
	}
	for _, n := range v.listed {
		v.byName[n.Name] = n
	}
	for _, w := range want {
		if v.byName[w.Name] != nil {
			continue
		}
		err := reading(ctx, "networks.get", func(ctx context.Context) (err error) {
			v.byName[w.Name], err = d.service.Networks.Get(d.project, w.Name).Context(ctx).Do()
			return err
		})
		if gcp.IsNotFound(err) {
			v.byName[w.Name], err = nil, nil
		}
		if err != nil {
			v.unread[w.Name] = err
		}
	}
}

// list reads all networks of the project.
func (d *Driver) list(ctx context.Context) (all []*compute.Network, err error) {
	err = reading(ctx, "networks.list", func(ctx context.Context) error {
		all = nil
		return d.service.Networks.List(d.project).Pages(ctx, func(page *compute.NetworkList) error {
			all = append(all, page.Items...)
			return nil
		})
	})
	return all, err
}

// listSubnets reads those of all regions. A region that gives no answer does not fail the call: it is merely named in the answer.
func (d *Driver) listSubnets(ctx context.Context) (all []*compute.Subnetwork, err error) {
	var silent gcp.Silent
	err = reading(ctx, "subnetworks.aggregatedList", func(ctx context.Context) error {
		all, silent = nil, gcp.Silent{}
		return d.service.Subnetworks.AggregatedList(d.project).Pages(ctx, func(page *compute.SubnetworkAggregatedList) error {
			silent.Named(page.Unreachables)
			for scope, in := range page.Items {
				if in.Warning != nil {
					silent.Warned(scope, in.Warning.Code)
				}
				all = append(all, in.Subnetworks...)
			}
			return nil
		})
	})
	return all, silent.Or(err)
}

// listRouters is the same of Cloud Routers.
func (d *Driver) listRouters(ctx context.Context) (all []*compute.Router, err error) {
	var silent gcp.Silent
	err = reading(ctx, "routers.aggregatedList", func(ctx context.Context) error {
		all, silent = nil, gcp.Silent{}
		return d.service.Routers.AggregatedList(d.project).Pages(ctx, func(page *compute.RouterAggregatedList) error {
			silent.Named(page.Unreachables)
			for scope, in := range page.Items {
				if in.Warning != nil {
					silent.Warned(scope, in.Warning.Code)
				}
				all = append(all, in.Routers...)
			}
			return nil
		})
	})
	return all, silent.Or(err)
}

// parts sees to it that the view has all subnets of n, and the routers that count: those that a failed listing leaves out are read by name.
func (v *view) parts(ctx context.Context, d *Driver, n *compute.Network, want *Spec) error {
	if v.subnetsErr != nil {
		for _, link := range n.Subnetworks {
			region, name := path.Base(path.Dir(path.Dir(link))), path.Base(link)
			var subnet *compute.Subnetwork
			err := reading(ctx, "subnetworks.get", func(ctx context.Context) (err error) {
				subnet, err = d.service.Subnetworks.Get(d.project, region, name).Context(ctx).Do()
				return err
			})
			if err != nil {
				return fmt.Errorf("%w; and: %w", v.subnetsErr, err)
			}
			v.subnets = append(v.subnets, subnet)
		}
	}
	if v.routersErr == nil || want == nil || want.NAT == nil {
		return nil
	}
	for region := range want.regions() {
		var router *compute.Router
		err := reading(ctx, "routers.get", func(ctx context.Context) (err error) {
			router, err = d.service.Routers.Get(d.project, region, want.router()).Context(ctx).Do()
			return err
		})
		switch {
		case gcp.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("%w; and: %w", v.routersErr, err)
		default:
			v.routers = append(v.routers, router)
		}
	}
	return nil
}

// reading sends a request that changes nothing, again if nobody was there, and explains why it failed.
func reading(ctx context.Context, op string, send func(context.Context) error) error {
	err := gax.Invoke(ctx, func(ctx context.Context, _ gax.CallSettings) error { return send(ctx) }, gcp.Read()...)
	return gcp.Explain(op, err)
}

// in reports whether a link leads to the network n. Links differ in their beginnings.
func in(link string, n *compute.Network) bool {
	return strings.HasSuffix(link, "/global/networks/"+n.Name)
}
