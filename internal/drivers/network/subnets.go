package network

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// updateSubnet makes a subnet, or one change of it: Google takes the next only when that is through.
func (d *Driver) updateSubnet(ctx context.Context, want Subnet, live Spec, fields []string) error {
	raw := live.seen.subnets[want.at()]
	if raw == nil {
		return d.insertSubnet(ctx, want, live)
	}
	path := subnetPath(want.Region, want.Name)
	switch {
	case slices.Contains(fields, subnetRange):
		q := &compute.SubnetworksExpandIpCidrRangeRequest{IpCidrRange: want.Range}
		return d.begin("subnetworks.expandIpCidrRange", path, "growth", q, func() (*compute.Operation, error) {
			return d.service.Subnetworks.ExpandIpCidrRange(d.project, want.Region, want.Name, q).Context(ctx).Do()
		})
	case slices.Contains(fields, subnetAccess) && want.PrivateGoogleAccess != nil:
		q := &compute.SubnetworksSetPrivateIpGoogleAccessRequest{
			PrivateIpGoogleAccess: *want.PrivateGoogleAccess, ForceSendFields: []string{"PrivateIpGoogleAccess"},
		}
		return d.begin("subnetworks.setPrivateIpGoogleAccess", path, "change", q, func() (*compute.Operation, error) {
			return d.service.Subnetworks.SetPrivateIpGoogleAccess(d.project, want.Region, want.Name, q).Context(ctx).Do()
		})
	}
	patch := &compute.Subnetwork{Fingerprint: raw.Fingerprint}
	for _, f := range fields {
		switch {
		case f == subnetFlowLogs && want.FlowLogs != nil:
			patch.LogConfig = &compute.SubnetworkLogConfig{Enable: *want.FlowLogs, ForceSendFields: []string{"Enable"}}
		case strings.HasPrefix(f, subnetSecondary) && want.SecondaryRanges != nil:
			patch.SecondaryIpRanges = secondary(want, raw)
			patch.ForceSendFields = []string{"SecondaryIpRanges"}
		default:
			return gcp.Reject(fmt.Errorf("%s%s cannot be changed in place", want.Name, f))
		}
	}
	return d.begin("subnetworks.patch", path, "change", patch, func() (*compute.Operation, error) {
		return d.service.Subnetworks.Patch(d.project, want.Region, want.Name, patch).Context(ctx).Do()
	})
}

func (d *Driver) insertSubnet(ctx context.Context, want Subnet, live Spec) error {
	if other := live.seen.elsewhere["subnet/"+want.at()]; other != "" {
		return gcp.Reject(fmt.Errorf("there is a subnet %s in %s already, in network %s: choose another name", want.Name, want.Region, other))
	}
	n := &compute.Subnetwork{
		Name: want.Name, Network: live.seen.network.SelfLink, IpCidrRange: want.Range, Description: gcp.Description(d.stack),
		PrivateIpGoogleAccess: want.PrivateGoogleAccess == nil || *want.PrivateGoogleAccess, ForceSendFields: []string{"PrivateIpGoogleAccess"},
	}
	if want.FlowLogs != nil {
		n.LogConfig = &compute.SubnetworkLogConfig{Enable: *want.FlowLogs, ForceSendFields: []string{"Enable"}}
	}
	for _, name := range sortedKeys(want.SecondaryRanges) {
		n.SecondaryIpRanges = append(n.SecondaryIpRanges, &compute.SubnetworkSecondaryRange{RangeName: name, IpCidrRange: want.SecondaryRanges[name]})
	}
	return d.begin("subnetworks.insert", subnetPath(want.Region, want.Name), "creation", n, func() (*compute.Operation, error) {
		return d.service.Subnetworks.Insert(d.project, want.Region, n).Context(ctx).Do()
	})
}

// secondary is the whole list to write: what is there and stays, exactly as it is, since GKE writes more into it than the addresses; and
// what is missing. Google does not add and remove in one request: while something is missing, what is too much stays.
func secondary(want Subnet, raw *compute.Subnetwork) []*compute.SubnetworkSecondaryRange {
	var add, keep, surplus []*compute.SubnetworkSecondaryRange
	there := map[string]bool{}
	for _, r := range raw.SecondaryIpRanges {
		there[r.RangeName] = true
		if _, ok := want.SecondaryRanges[r.RangeName]; ok || strings.HasPrefix(r.RangeName, gkeRanges) {
			keep = append(keep, r)
		} else {
			surplus = append(surplus, r)
		}
	}
	for _, name := range sortedKeys(want.SecondaryRanges) {
		if !there[name] {
			add = append(add, &compute.SubnetworkSecondaryRange{RangeName: name, IpCidrRange: want.SecondaryRanges[name]})
		}
	}
	if len(add) > 0 {
		return slices.Concat(keep, surplus, add)
	}
	return slices.Concat(keep, []*compute.SubnetworkSecondaryRange{}) // an empty list, not none
}

// fingerprint tells one request from another.
func fingerprint(request any) uint64 {
	b, err := json.Marshal(request)
	if err != nil {
		return 0 // then every request is taken for the same, which costs a pause
	}
	h := fnv.New64a()
	_, _ = h.Write(b) // never fails
	return h.Sum64()
}
