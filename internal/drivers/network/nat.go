package network

import (
	"context"
	"fmt"
	"path"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// updateNAT brings NAT in one region to what is wanted there.
func (d *Driver) updateNAT(ctx context.Context, want, live Spec, region string) error {
	raw := live.seen.routers[region]
	g, wanted := want.gateways()[region]
	switch {
	case wanted && raw == nil:
		return d.insertRouter(ctx, want, live, region, g)
	case wanted:
		return d.patchRouter(ctx, want, raw, g)
	case raw == nil:
		return nil
	}
	return d.deleteNAT(ctx, raw)
}

func (d *Driver) insertRouter(ctx context.Context, want, live Spec, region string, g Gateway) error {
	if other := live.seen.elsewhere["router/"+region+"/"+want.router()]; other != "" {
		return gcp.Reject(fmt.Errorf("there is a router %s in %s already, in network %s", want.router(), region, other))
	}
	r := &compute.Router{
		Name: want.router(), Network: live.seen.network.SelfLink, Description: gcp.Description(d.stack),
		Nats: []*compute.RouterNat{want.nat(&compute.RouterNat{}, g)},
	}
	return d.begin("routers.insert", routerPath(region, r.Name), "creation", r, func() (*compute.Operation, error) {
		return d.service.Routers.Insert(d.project, region, r).Context(ctx).Do()
	})
}

// nat is what is wanted laid over what is there; all that is not ours stays.
func (s Spec) nat(over *compute.RouterNat, g Gateway) *compute.RouterNat {
	n := *over
	n.Name, n.SourceSubnetworkIpRangesToNat, n.NatIpAllocateOption = s.router(), allRanges, autoOnly
	n.Subnetworks, n.NatIps = nil, nil
	if s.NAT.MinPortsPerVM != nil {
		n.MinPortsPerVm = int64(g.MinPortsPerVM)
	}
	if s.NAT.Logs != nil {
		n.LogConfig = &compute.RouterNatLogConfig{Enable: g.Logs != logsNone, Filter: "ALL", ForceSendFields: []string{"Enable"}}
		if filter, ok := natLogFilters[g.Logs]; ok {
			n.LogConfig.Filter = filter
		}
	}
	return &n
}

// patchRouter writes the list of NATs, which is replaced as a whole and guarded by nothing: it is read once more just before, and what
// is not ours in it is sent back as it is.
func (d *Driver) patchRouter(ctx context.Context, want Spec, raw *compute.Router, g Gateway) error {
	region := path.Base(raw.Region)
	now, err := d.router(ctx, region, raw)
	if err != nil {
		return err
	}
	patch := &compute.Router{}
	found := false
	for _, n := range now.Nats {
		if n.Name == now.Name {
			n, found = want.nat(n, g), true
		}
		patch.Nats = append(patch.Nats, n)
	}
	if !found {
		patch.Nats = append(patch.Nats, want.nat(&compute.RouterNat{}, g))
	}
	return d.begin("routers.patch", routerPath(region, now.Name), "change", patch, func() (*compute.Operation, error) {
		return d.service.Routers.Patch(d.project, region, now.Name, patch).Context(ctx).Do()
	})
}

// deleteNAT removes the router, which is made again at any time. The call is guarded by nothing but the name, so the router is looked at once
// more: one that is no longer ours, or does something else by now, is left alone.
func (d *Driver) deleteNAT(ctx context.Context, raw *compute.Router) error {
	region := path.Base(raw.Region)
	now, err := d.router(ctx, region, raw)
	if err != nil {
		return err
	}
	if g := d.gateway(now); !g.Ours || g.Shared {
		return fmt.Errorf("router %s is not the stack's own any more, or does other things too; it is left alone", now.Name)
	}
	return d.begin("routers.delete", routerPath(region, now.Name), "removal", now.Name, func() (*compute.Operation, error) {
		return d.service.Routers.Delete(d.project, region, now.Name).Context(ctx).Do()
	})
}

// router reads one again; it must be the one that was looked at.
func (d *Driver) router(ctx context.Context, region string, raw *compute.Router) (now *compute.Router, err error) {
	err = reading(ctx, "routers.get", func(ctx context.Context) (err error) {
		now, err = d.service.Routers.Get(d.project, region, raw.Name).Context(ctx).Do()
		return err
	})
	if err == nil && now.Id != raw.Id {
		err = fmt.Errorf("another router has the name %s by now", raw.Name)
	}
	return now, err
}
