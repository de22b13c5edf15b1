package cluster

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

var (
	clusterName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$`)
	region      = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+$`)
	zone        = regexp.MustCompile(`^([a-z]+-[a-z]+[0-9]+)-[a-z]$`)
	channels    = []string{"rapid", "regular", "stable", "extended"}
)

const maxNetworks = 100 // authorized ones, of a public cluster; private ones may have fewer

// Validate reports what Google would refuse in s, joined. It knows the rules, not the world.
func (s Spec) Validate() error {
	var errs []error
	if !clusterName.MatchString(s.Name) {
		errs = append(errs, fmt.Errorf("name: %q: at most 40 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'", s.Name))
	}
	if m := zone.FindStringSubmatch(s.Location); m != nil && s.Mode != Standard {
		errs = append(errs, fmt.Errorf("%s: %q is a zone; an Autopilot cluster has a region, such as %s", fieldLocation, s.Location, m[1]))
	} else if m == nil && !region.MatchString(s.Location) {
		errs = append(errs, fmt.Errorf("%s: %q is not a region such as us-central1", fieldLocation, s.Location))
	}
	switch s.Mode {
	case "", Autopilot:
		if len(s.Pools) > 0 {
			errs = append(errs, fmt.Errorf("nodePools: an Autopilot cluster has no node pools of yours; say mode: standard, or remove them"))
		}
	case Standard:
		if len(s.Pools) == 0 {
			errs = append(errs, fmt.Errorf("%s: a standard cluster needs nodes; declare at least one of nodePools", fieldMode))
		}
	default:
		errs = append(errs, fmt.Errorf("%s: %q is not one of %s, %s", fieldMode, s.Mode, Autopilot, Standard))
	}
	if s.Network == "" && (s.Subnet != "" || s.PodRange != "" || s.ServiceRange != "") {
		errs = append(errs, fmt.Errorf("%s: missing beside subnet, podRange and serviceRange", fieldNetwork))
	}
	if s.ReleaseChannel != nil && !slices.Contains(channels, *s.ReleaseChannel) {
		errs = append(errs, fmt.Errorf("%s: %q is not one of %s", fieldChannel, *s.ReleaseChannel, strings.Join(channels, ", ")))
	}
	if s.MaintenanceWindow != nil {
		errs = append(errs, s.MaintenanceWindow.validate()...)
	}
	errs = append(errs, s.validateNetworks()...)
	errs = append(errs, gcp.ValidateLabels(s.Labels)...)
	return errors.Join(errs...)
}

func (s Spec) validateNetworks() []error {
	var errs []error
	if len(s.AuthorizedNetworks) > maxNetworks {
		errs = append(errs, fmt.Errorf("%s: %d of them; Google takes at most %d", fieldNetworks, len(s.AuthorizedNetworks), maxNetworks))
	}
	at := map[string]int{}
	for i, n := range s.AuthorizedNetworks {
		p, err := netip.ParsePrefix(n.CIDR)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s[%d].cidr: %q is not a range such as 203.0.113.0/24", fieldNetworks, i, n.CIDR))
			continue
		case !p.Addr().Is4():
			errs = append(errs, fmt.Errorf("%s[%d].cidr: %q: only IPv4 ranges", fieldNetworks, i, n.CIDR))
		case p != p.Masked():
			errs = append(errs, fmt.Errorf("%s[%d].cidr: %q has address bits behind the mask; the range is %s", fieldNetworks, i, n.CIDR, p.Masked()))
		}
		if first, ok := at[n.CIDR]; ok {
			errs = append(errs, fmt.Errorf("%s[%d].cidr: %s stands at [%d] already", fieldNetworks, i, n.CIDR, first))
		}
		at[n.CIDR] = i
	}
	return errs
}
