package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/api/compute/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// quotaRight lets the quotas of a region be read. Whoever lacks it is told nothing of them.
const quotaRight = "compute.regions.get"

// nearlyFull is the share of a quota from which on a node, a disk or an address may be refused.
const nearlyFull = 0.9

// limited are the quotas of a region that nodes, disks and load balancers draw on, as Compute Engine calls them.
var limited = []string{
	"CPUS", "E2_CPUS", "N2_CPUS", "PREEMPTIBLE_CPUS", "INSTANCES", "DISKS_TOTAL_GB", "SSD_TOTAL_GB", "IN_USE_ADDRESSES", "STATIC_ADDRESSES",
	"FORWARDING_RULES",
}

// quota looks at what the stack's region has left of what its clusters draw on.
func (g Google) quota(ctx context.Context) Finding {
	if !slices.Contains(g.Needs.Services, "compute.googleapis.com") {
		return Skipped("the stack has no machines")
	}
	if g.Region == "" {
		return Skipped("the stack's region is not known: it could not be read")
	}
	opts, err := g.Config.HTTP(ctx, gcp.Compute)
	if err != nil {
		return Wrong("", "%v", err)
	}
	s, err := compute.NewService(ctx, opts...)
	if err != nil {
		return Wrong("", "%v", err)
	}
	region, err := s.Regions.Get(g.Config.Project, g.Region).Fields("quotas").Context(ctx).Do()
	switch {
	case gcp.Code(err) == codes.PermissionDenied:
		return Skipped("missing: %s", quotaRight)
	case err != nil:
		return fault(fmt.Sprintf("gcloud compute regions describe %s --project=%s", g.Region, g.Config.Project), gcp.Explain(quotaRight, err))
	}
	var full []string
	for _, q := range region.Quotas {
		if slices.Contains(limited, q.Metric) && q.Limit > 0 && q.Usage >= nearlyFull*q.Limit {
			full = append(full, fmt.Sprintf("%s %g of %g", q.Metric, q.Usage, q.Limit))
		}
	}
	if len(full) > 0 {
		return Wrong("https://console.cloud.google.com/iam-admin/quotas?project="+g.Config.Project+"   # ask for more, or remove what is no longer needed",
			"nearly used up in %s: %s", g.Region, strings.Join(full, ", "))
	}
	return Well("more than a tenth of each is left in %s", g.Region)
}
