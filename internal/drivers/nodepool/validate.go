package nodepool

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

var (
	poolName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$`)
	machine  = regexp.MustCompile(`^([a-z]+[0-9]+[a-z]*|custom)(-[a-z0-9]+)+$`)
	zone     = regexp.MustCompile(`^([a-z]+-[a-z]+[0-9]+)-[a-z]$`)
	account  = regexp.MustCompile(`^([a-z]([-a-z0-9]{4,28}[a-z0-9])|[^@\s]+@[a-z0-9.-]+\.gserviceaccount\.com)$`)
	effects  = []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}
)

const labelValue = "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"

const (
	minDisk  = 10 // Gi
	maxDisk  = 64 << 10
	maxNodes = 1000 // in one pool and zone
)

// Validate reports what Google would refuse in s, joined. It knows the rules, not the world.
func (s Spec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !poolName.MatchString(s.Name) {
		bad("name: %q: at most 40 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'", s.Name)
	}
	switch {
	case s.Machine == "":
		bad("%s: missing; a machine type such as e2-standard-4", fieldMachine)
	case !machine.MatchString(s.Machine):
		bad("%s: %q is not a machine type such as e2-standard-4", fieldMachine, s.Machine)
	}
	if s.Disk.Size != nil && (*s.Disk.Size < minDisk || *s.Disk.Size > maxDisk) {
		bad("%s: %s is out of range; %dGi to %dTi", fieldDiskSize, s.Disk.Size, minDisk, maxDisk>>10)
	}
	if s.ServiceAccount != nil && *s.ServiceAccount != noAccount && !account.MatchString(*s.ServiceAccount) {
		bad("%s: %q is neither the e-mail of a service account nor the name of one (6 to 30 of a-z, 0-9 and '-')", fieldAccount, *s.ServiceAccount)
	}
	errs = append(errs, s.validateNumber()...)
	errs = append(errs, s.validateZones()...)
	errs = append(errs, s.validateLabels()...)
	errs = append(errs, s.validateTaints()...)
	errs = append(errs, s.Upgrade.validate()...)
	for _, err := range gcp.ValidateLabels(s.ResourceLabels) {
		errs = append(errs, fmt.Errorf("resourceL%s", strings.TrimPrefix(err.Error(), "l")))
	}
	return errors.Join(errs...)
}

func (s Spec) validateNumber() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case s.Size != nil && s.Min != nil:
		bad("min: either size, or min and max")
	case s.Size != nil && s.Max != nil:
		bad("max: either size, or min and max")
	case s.Size != nil:
		zones := max(len(s.Zones), 1)
		switch n := *s.Size; {
		case n < 1 || n > maxNodes*zones:
			bad("%s: %d is out of range; 1 to %d", fieldSize, n, maxNodes*zones)
		case len(s.Zones) == 0:
			bad("%s: say the zones too; GKE keeps the same number of nodes in each", fieldSize)
		case n%zones != 0:
			bad("%s: %d nodes cannot be spread evenly over %d zones; say %d or %d", fieldSize, n, zones, max(n/zones, 1)*zones, (n/zones+1)*zones)
		}
	case s.Min == nil && s.Max == nil:
		bad("size: missing; say min and max, or size")
	case s.Min == nil:
		bad("min: missing beside max")
	case s.Max == nil:
		bad("max: missing beside min")
	case *s.Min < 0:
		bad("min: %d is below 0", *s.Min)
	case *s.Max < 1:
		bad("max: %d is below 1", *s.Max)
	case *s.Min > *s.Max:
		bad("min: %d is above max, which is %d", *s.Min, *s.Max)
	}
	return errs
}

func (s Spec) validateZones() []error {
	var errs []error
	if s.Zones != nil && len(s.Zones) == 0 {
		errs = append(errs, fmt.Errorf("%s: empty; leave the key out to have Google choose", fieldZones))
	}
	region := s.Location
	if m := zone.FindStringSubmatch(s.Location); m != nil {
		region = m[1]
	}
	at := map[string]int{}
	for i, z := range s.Zones {
		m := zone.FindStringSubmatch(z)
		switch first, twice := at[z]; {
		case m == nil:
			errs = append(errs, fmt.Errorf("%s[%d]: %q is not a zone such as us-central1-a", fieldZones, i, z))
		case twice:
			errs = append(errs, fmt.Errorf("%s[%d]: %s stands at [%d] already", fieldZones, i, z, first))
		case region != "" && m[1] != region:
			errs = append(errs, fmt.Errorf("%s[%d]: %s is not in %s, where the cluster is", fieldZones, i, z, region))
		}
		at[z] = i
	}
	return errs
}

func (s Spec) validateLabels() []error {
	var errs []error
	for _, k := range slices.Sorted(maps.Keys(s.Labels)) {
		switch {
		case len(validation.IsQualifiedName(k)) > 0:
			errs = append(errs, fmt.Errorf("labels: %s: not a key such as purpose or example.com/purpose", k))
		case reserved(k):
			errs = append(errs, fmt.Errorf("labels: %s: reserved for Kubernetes itself", k))
		case len(validation.IsValidLabelValue(s.Labels[k])) > 0:
			errs = append(errs, fmt.Errorf("labels: %s: %q: %s", k, s.Labels[k], labelValue))
		}
	}
	return errs
}

// reserved labels are those that Kubernetes keeps for itself; a kubelet may set some of them.
func reserved(key string) bool {
	domain, _, ok := strings.Cut(key, "/")
	if !ok {
		return false
	}
	under := func(d string) bool { return domain == d || strings.HasSuffix(domain, "."+d) }
	allowed := under("node.kubernetes.io") || under("kubelet.kubernetes.io") || under("node-restriction.kubernetes.io")
	return !allowed && (under("kubernetes.io") || under("k8s.io"))
}

func (s Spec) validateTaints() []error {
	var errs []error
	at := map[string]int{}
	for i, t := range s.Taints {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", fieldTaints, i, fmt.Errorf(format, args...)))
		}
		if len(validation.IsQualifiedName(t.Key)) > 0 {
			bad("key: %q is not a key such as purpose or example.com/purpose", t.Key)
		}
		if len(validation.IsValidLabelValue(t.Value)) > 0 {
			bad("value: %q: %s", t.Value, labelValue)
		}
		if !slices.Contains(effects, t.Effect) {
			bad("effect: %q is not one of %s", t.Effect, strings.Join(effects, ", "))
		}
		if first, twice := at[t.Key+":"+t.Effect]; twice {
			bad("%s with that effect stands at [%d] already", t.Key, first)
		}
		at[t.Key+":"+t.Effect] = i
	}
	return errs
}

func (u *Upgrade) validate() []error {
	if u == nil {
		return nil
	}
	var errs []error
	number := func(p *int, otherwise int) int {
		if p == nil {
			return otherwise
		}
		return *p
	}
	surge, away := number(u.MaxSurge, 1), number(u.MaxUnavailable, 0)
	switch {
	case surge < 0:
		errs = append(errs, fmt.Errorf("%s.maxSurge: %d is below 0", fieldUpgrade, surge))
	case away < 0:
		errs = append(errs, fmt.Errorf("%s.maxUnavailable: %d is below 0", fieldUpgrade, away))
	case surge+away == 0:
		errs = append(errs, fmt.Errorf("%s: maxSurge and maxUnavailable are both 0: no node could ever be replaced", fieldUpgrade))
	case surge+away > 20:
		errs = append(errs, fmt.Errorf("%s: maxSurge and maxUnavailable make %d together; Google takes at most 20", fieldUpgrade, surge+away))
	}
	return errs
}
